import { type Graph, type Node, readBy, type Value } from '../../ir/index.ts';
import { findOperator, type Inference, layerOf } from '../../ops/index.ts';

/** What is drawn as one: a layer with the operators that only it feeds, or operators without weights. */
export interface Box {
  /** `layer`: has a weight of output and input channels; `vector`: scales, shifts and the like; `operators`: nothing to learn. */
  readonly kind: 'layer' | 'vector' | 'operators';
  /** Each after those that it reads; the first gives the box its name. */
  readonly nodes: readonly [Node, ...Node[]];
}

/** A value handed from one box to another. The graph's inputs come from themselves, its outputs go to themselves. */
export interface Wire {
  readonly from: Box | Value;
  readonly to: Box | Value;
  readonly value: Value;
}

/** A graph as it is drawn. */
export interface BoxGraph {
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly boxes: readonly Box[];
  readonly wires: readonly Wire[];
}

/** Most nodes that are looked at for a place where all that left a box comes together again. */
const LONGEST_RUN = 48;

/**
 * Puts nodes together that are drawn as one: operators without weights join the box before them where nothing else reads or feeds what lies between, such as an activation of several nodes, or
 * attention from its projection on. What is known without running (weights, arithmetic of shapes) is left out. Linear in nodes.
 */
export function boxesOf(graph: Graph, inference: Inference): BoxGraph {
  const flow = new Flow(graph, inference);
  const boxOf = new Map<Node, Box>();
  const boxes: Box[] = [];
  for (const node of flow.nodes) {
    if (boxOf.has(node)) continue;
    const kind = kindOf(node);
    const nodes: [Node, ...Node[]] = [node];
    const joins = (next: Node): boolean => {
      const other = kindOf(next);
      return other === 'operators' || (other === 'vector' && kind === 'layer');
    };
    for (let last: Node | undefined = node; last; ) {
      const exit: Value | null = flow.exit(last);
      const run: readonly Node[] = exit ? flow.runAfter(exit, joins) : [];
      nodes.push(...run);
      last = run.at(-1);
    }
    const box = { kind, nodes };
    boxes.push(box);
    for (const each of nodes) boxOf.set(each, box);
  }
  return { ...flow.ends, boxes, wires: chained(wiresOf(flow, boxOf), boxes) };
}

/** The axis that a box joins its inputs along, and does nothing else; undefined for other boxes. */
const joinedAxis = ({ nodes: [node, ...others] }: Box): number | undefined =>
  others.length > 0 ? undefined : findOperator(node.domain, node.opType)?.joins?.(node);

/**
 * Lets what is joined again and again be joined step by step, as in DenseNet: where a Concat reads all that one before it reads, too, it is drawn as reading that one's output. The channels are the same, and the drawing has a
 * line in place of hundreds.
 */
function chained(wires: readonly Wire[], boxes: readonly Box[]): Wire[] {
  const readBy = new Map<Box, Set<Value>>(
    boxes.flatMap((box) => (joinedAxis(box) === undefined ? [] : [[box, new Set()]])),
  );
  const readers = new Map<Value, Box[]>();
  for (const { to, value } of wires) {
    const values = 'kind' in to ? readBy.get(to) : undefined;
    if (!values || !('kind' in to)) continue;
    values.add(value);
    readers.set(value, [...(readers.get(value) ?? []), to]);
  }
  const places = new Map(boxes.map((box, place) => [box, place]));
  const added: Wire[] = [];
  const replaced = new Map<Box, ReadonlySet<Value>>();
  for (const [box, values] of readBy) {
    const [first] = values;
    const earlier = (first ? (readers.get(first) ?? []) : [])
      .filter((other) => places.get(other)! < places.get(box)! && isPart(other, box, readBy))
      .reduce<Box | null>(
        (best, other) => (best && readBy.get(best)!.size >= readBy.get(other)!.size ? best : other),
        null,
      );
    const output = earlier?.nodes[0].outputs[0];
    if (!earlier || !output || values.has(output)) continue;
    replaced.set(box, readBy.get(earlier)!);
    added.push({ from: earlier, to: box, value: output });
  }
  return [...wires.filter(({ to, value }) => !('kind' in to && replaced.get(to)?.has(value))), ...added];
}

/** Does one Concat read only what the other reads, too, along the same axis? */
function isPart(one: Box, other: Box, readBy: ReadonlyMap<Box, ReadonlySet<Value>>): boolean {
  const [values, all] = [readBy.get(one)!, readBy.get(other)!];
  if (joinedAxis(one) !== joinedAxis(other)) return false;
  return [...values].every((value) => all.has(value));
}

function wiresOf(flow: Flow, boxOf: ReadonlyMap<Node, Box>): Wire[] {
  const wires = new Map<Value, Map<Box | Value, Wire>>();
  const add = (value: Value, to: Box | Value): void => {
    const { producer } = value;
    const from = producer ? boxOf.get(producer) : value;
    if (!from || from === to) return;
    const known = wires.get(value) ?? new Map<Box | Value, Wire>();
    wires.set(value, known.set(to, { from, to, value }));
  };
  for (const node of flow.nodes) for (const value of flow.reads(node)) add(value, boxOf.get(node)!);
  for (const output of flow.ends.outputs) add(output, output);
  return [...wires.values()].flatMap((to) => [...to.values()]);
}

/** What a node has to learn; see `Box.kind`. */
function kindOf(node: Node): Box['kind'] {
  const parameters = layerOf(node)?.parameters ?? [];
  if (parameters.length === 0) return 'operators';
  return parameters.some(({ layout }) => layout && layout.input !== null) ? 'layer' : 'vector';
}

/** True for what is known without running: arithmetic of shapes. */
const isKnown = (value: Value, inference: Inference): boolean =>
  inference.get(value)?.known?.every((element) => typeof element === 'number') ?? false;

/** Nodes that compute something of what the graph is fed, and what they hand to each other. */
class Flow {
  readonly nodes: readonly Node[];
  readonly ends: { readonly inputs: readonly Value[]; readonly outputs: readonly Value[] };
  readonly #reads = new Map<Node, readonly Value[]>();
  readonly #readers = new Map<Value, Node[]>();
  readonly #given: ReadonlySet<Value>;

  constructor(graph: Graph, inference: Inference) {
    const moving = new Set<Value>(graph.feeds);
    const nodes: Node[] = [];
    for (const node of graph.nodes) {
      const reads = [...new Set(readBy(node))].filter((value) => moving.has(value));
      const outputs = node.outputs.filter((output) => output !== null);
      if (reads.length === 0 || outputs.every((output) => isKnown(output, inference))) continue;
      nodes.push(node);
      this.#reads.set(node, reads);
      for (const value of reads) {
        const readers = this.#readers.get(value);
        if (readers) readers.push(node);
        else this.#readers.set(value, [node]);
      }
      for (const output of outputs) moving.add(output);
    }
    this.nodes = nodes;
    this.ends = { inputs: graph.feeds, outputs: graph.outputs.filter((output) => moving.has(output)) };
    this.#given = new Set(this.ends.outputs);
  }

  /** Values that a node reads, without those that are left out. */
  reads(node: Node): readonly Value[] {
    return this.#reads.get(node) ?? [];
  }

  /** The one value of a node that anything reads; null where there are none or several. */
  exit(node: Node): Value | null {
    const read = node.outputs.filter((output) => output !== null && this.#countReaders(output) > 0);
    return read.length === 1 ? read[0]! : null;
  }

  /**
   * Nodes that follow a value up to where one value alone leaves them: each reads only that value and what those before it make, and what lies between is read by none but these. Empty
   * where there are no such nodes, or one that `joins` refuses stands between.
   */
  runAfter(value: Value, joins: (node: Node) => boolean): readonly Node[] {
    // How many have yet to read what was made so far.
    const open = new Map([[value, this.#countReaders(value)]]);
    const run = new Set<Node>();
    const waiting = [...(this.#readers.get(value) ?? [])];
    for (let index = 0; index < waiting.length && run.size < LONGEST_RUN; index++) {
      const node = waiting[index]!;
      const reads = this.reads(node);
      if (run.has(node) || !joins(node) || !reads.every((read) => open.has(read))) continue;
      run.add(node);
      for (const read of reads) {
        const left = open.get(read)! - 1;
        if (left === 0) open.delete(read);
        else open.set(read, left);
      }
      for (const output of node.outputs) {
        if (!output || this.#countReaders(output) === 0) continue;
        open.set(output, this.#countReaders(output));
        waiting.push(...(this.#readers.get(output) ?? []));
      }
      const [only] = open.keys();
      if (open.size === 0 || (open.size === 1 && only?.producer === node)) return [...run];
    }
    return [];
  }

  /** Nodes that read a value, and the graph where it gives it. */
  #countReaders(value: Value): number {
    return (this.#readers.get(value)?.length ?? 0) + (this.#given.has(value) ? 1 : 0);
  }
}
