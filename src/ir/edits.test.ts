import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GraphError } from '../core/errors.ts';
import { Tensor } from '../core/tensor.ts';
import { attr, cloneGraph, Graph, type Node, tensorType, type Value } from './index.ts';

const graphsOf = (graph: Graph): Graph[] => [
  graph,
  ...graph.nodes.flatMap((node) => node.subgraphs.flatMap(graphsOf)),
];

/** What `Graph` promises after every edit, worked out anew from the nodes' lists. */
function checkInvariants(graph: Graph): void {
  const graphs = graphsOf(graph);
  const nodes = graphs.flatMap((each) => each.nodes);
  const uses = new Map<Value, string[]>();
  for (const node of nodes) {
    node.inputs.forEach((value, index) => {
      if (value) uses.set(value, [...(uses.get(value) ?? []), `${nodes.indexOf(node)}:${index}`]);
    });
  }
  for (const each of graphs) {
    const values = [...each.values];
    expect(new Set(values.map(({ name }) => name)).size).toBe(values.length);
    const outputs = each.nodes.flatMap((node) => node.outputs.filter((value) => value !== null));
    expect(new Set(outputs).size).toBe(outputs.length);
    for (const output of outputs) expect(values.includes(output)).toBe(true);
    for (const value of values) {
      expect(each.find(value.name)).toBe(value);
      const found = value.uses.map(({ node, index }) => `${nodes.indexOf(node)}:${index}`);
      expect(found.sort()).toEqual((uses.get(value) ?? []).sort());
      expect(value.consumers).toEqual([...new Set(value.uses.map(({ node }) => node))]);
      const producer = each.nodes.find((node) => node.outputs.includes(value)) ?? null;
      expect(value.producer).toBe(producer);
      expect(value.isInput).toBe(each.inputs.includes(value));
      expect(value.isOutput).toBe(each.outputs.includes(value));
      const given = graphs.some((other) => other.outputs.includes(value));
      expect(value.isUnused).toBe(found.length === 0 && !given);
    }
    for (const value of [...each.nodes.flatMap((node) => node.inputs), ...each.outputs]) {
      if (value) expect(each.find(value.name)).toBe(value);
    }
  }
}

/** A graph being edited, with picks by number so that fast-check can shrink. */
class Editor {
  readonly graph = new Graph();

  constructor() {
    this.graph.addInput('x', tensorType('float32', [1]));
    this.graph.addInitializer('w', Tensor.full([1], 1));
    this.graph.addOutput(this.graph.value('x'));
  }

  pick<T>(list: readonly T[], at: number): T | undefined {
    return list.length === 0 ? undefined : list[at % list.length];
  }

  values(): Value[] {
    return [...this.graph.values];
  }

  /** One edit; those that cannot be are refused with GraphError, and must then have changed nothing. */
  edit(kind: number, a: number, b: number): void {
    const { graph } = this;
    const value = this.pick(this.values(), a)!;
    const other = this.pick(this.values(), b)!;
    const node = this.pick(graph.nodes, b);
    switch (kind) {
      case 0:
        graph.addNode({ opType: 'Op', inputs: [value, null, other], outputs: 1 + (a % 3) });
        return;
      case 1:
        this.#addBranch(value, other);
        return;
      case 2:
        node?.setInput(a % (node.inputs.length + 1), b % 5 === 0 ? null : value);
        return;
      case 3:
        if (node) graph.removeNode(node);
        return;
      case 4:
        graph.removeNodes(graph.nodes.filter((_, index) => (a >> (index % 30)) % 2 === 1));
        return;
      case 5:
        graph.removeValue(value);
        return;
      case 6:
        value.replaceAllUsesWith(other);
        return;
      case 7:
        if (graph.outputs.length < 4) graph.addOutput(value);
        else graph.setOutput(b % graph.outputs.length, value);
        return;
      case 8:
        if (graph.outputs.length > 1) graph.removeOutput(b % graph.outputs.length);
        return;
      case 9:
        graph.rename(value, `n${b % 20}`);
        return;
      case 10:
        node?.dropOutput(a % node.outputs.length);
        return;
      case 11:
        graph.sort();
        return;
      case 12:
        node?.truncateInputs(a % 3);
        return;
      default:
        graph.addInput(graph.freshName('input'), null);
    }
  }

  /** A node with a subgraph that reads one value and gives another. */
  #addBranch(read: Value, given: Value): Node {
    const body = new Graph({ name: 'body', parent: this.graph });
    const inner = body.addNode({ opType: 'Op', inputs: [read, read], outputs: 1 });
    body.addOutput(inner.output());
    body.addOutput(given);
    return this.graph.addNode({ opType: 'If', inputs: [read], attributes: { body: attr.graph(body) } });
  }
}

const edits = fc.array(fc.tuple(fc.nat(13), fc.nat(1000), fc.nat(1000)), { maxLength: 60 });

describe('edits of a graph', () => {
  it('keep producers, uses, names and outputs consistent, and change nothing where they are refused', () => {
    let refused = 0;
    fc.assert(
      fc.property(edits, (sequence) => {
        const editor = new Editor();
        for (const edit of sequence) {
          const before = editor.graph.print();
          try {
            editor.edit(...edit);
          } catch (error) {
            if (!(error instanceof GraphError)) throw error;
            refused++;
            expect(editor.graph.print()).toBe(before);
          }
          checkInvariants(editor.graph);
        }
      }),
      { numRuns: 60 },
    );
    expect(refused).toBeGreaterThan(0);
  });

  it('put sorted graphs in an order that lint accepts', () => {
    fc.assert(
      fc.property(edits, (sequence) => {
        const editor = new Editor();
        for (const edit of sequence) {
          try {
            editor.edit(...edit);
          } catch {
            // Refused edits are the property above.
          }
        }
        try {
          editor.graph.sort();
        } catch (error) {
          expect(String(error)).toMatch('has a cycle');
          return;
        }
        expect(editor.graph.lint().filter((finding) => finding.includes('sort the graph'))).toEqual([]);
        const order = [...editor.graph.nodes];
        editor.graph.sort();
        expect(editor.graph.nodes).toEqual(order);
      }),
      { numRuns: 60 },
    );
  });

  it('of a clone do not show in the original, nor the other way round', () => {
    fc.assert(
      fc.property(edits, edits, (first, second) => {
        const [editor, copied] = [new Editor(), new Editor()];
        const apply = (to: Editor, sequence: typeof first): void => {
          for (const edit of sequence) {
            try {
              to.edit(...edit);
            } catch {
              // Refused edits are the property above.
            }
          }
        };
        apply(editor, first);
        const before = editor.graph.print();
        const { graph, values, nodes } = cloneGraph(editor.graph);
        expect(graph.print()).toBe(before);
        checkInvariants(graph);
        for (const value of editor.graph.values) expect(values.get(value)?.name).toBe(value.name);
        for (const node of editor.graph.nodes) expect(nodes.get(node)?.graph).toBe(graph);
        Object.defineProperty(copied, 'graph', { value: graph });
        apply(copied, second);
        checkInvariants(graph);
        checkInvariants(editor.graph);
        expect(editor.graph.print()).toBe(before);
        const after = graph.print();
        apply(editor, second.slice().reverse());
        expect(graph.print()).toBe(after);
      }),
      { numRuns: 40 },
    );
  });
});
