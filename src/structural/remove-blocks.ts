import { ArgumentError } from '../core/errors.ts';
import { cloneGraph, type Graph, type Node, type Value } from '../ir/index.ts';
import { removeUnused } from '../passes/index.ts';
import { profile } from '../profile/index.ts';
import type { Block } from './blocks.ts';

/** What a model has and costs: parameters, and multiply-accumulates for one sample. */
export interface BlockCost {
  readonly parameters: number;
  readonly macs: number;
}

/** A graph without some of its blocks. */
export interface BlocksRemoved {
  /** A copy of the graph; tensors are shared with it. */
  readonly graph: Graph;
  /** Names of the blocks that went, in the order they ran. */
  readonly removed: readonly string[];
  readonly before: BlockCost;
  readonly after: BlockCost;
}

/** How blocks are removed. */
export interface RemoveBlocksOptions {
  /** Shapes of the inputs by name, for the counts; by default as declared, one sample. */
  readonly shapes?: Readonly<Record<string, readonly number[]>>;
}

/**
 * A copy of a graph without some of its blocks, as `findBlocks` gave them for it: whatever read a block's output reads its input, and what only served the block is gone. Inputs and outputs of the graph keep their
 * names. The graph given is not changed.
 *
 * Throws ArgumentError where a block is of another graph, or two share a node.
 */
export function removeBlocks(
  graph: Graph,
  blocks: readonly Block[],
  options: RemoveBlocksOptions = {},
): BlocksRemoved {
  const { graph: copy } = withoutBlocks(graph, blocks);
  return {
    graph: copy,
    removed: inOrder(graph, blocks).map(({ name }) => name),
    before: costOf(graph, options),
    after: costOf(copy, options),
  };
}

/** Parameters and operations of a graph. */
export function costOf(graph: Graph, { shapes }: RemoveBlocksOptions): BlockCost {
  const { totals } = profile(graph, { zeros: false, ...(shapes ? { shapes } : {}) });
  return { parameters: totals.parameters, macs: totals.macs };
}

/** The copy of `removeBlocks` alone. */
export function withoutBlocks(graph: Graph, blocks: readonly Block[]): { readonly graph: Graph } {
  checkBlocks(graph, blocks);
  const { graph: copy, values } = cloneGraph(graph);
  const copied = (value: Value): Value => values.get(value) ?? value;
  // The last first: what stands in for a later block's output may be an earlier block's, which then gives way itself.
  for (const { input, output } of inOrder(graph, blocks).reverse()) bypass(copied(input), copied(output));
  removeUnused(copy);
  copy.check();
  return { graph: copy };
}

/** Lets all that reads `output` read `input`. An output of the graph keeps its name, by an Identity. */
export function bypass(input: Value, output: Value): void {
  const { graph } = output;
  if (!output.isOutput) {
    output.replaceAllUsesWith(input);
    return;
  }
  const { name, type } = output;
  graph.rename(output, graph.freshName(`${name}_before`));
  const given = graph.addNode({ opType: 'Identity', inputs: [input], outputs: [name] }).output();
  given.type = type;
  output.replaceAllUsesWith(given);
}

function checkBlocks(graph: Graph, blocks: readonly Block[]): void {
  const owners = new Map<Node, Block>();
  for (const block of blocks) {
    if (block.output.graph !== graph || graph.find(block.output.name) !== block.output) {
      throw new ArgumentError(
        `removeBlocks: block '${block.name}' is not of the graph '${graph.name}'; find blocks in the graph they are to be removed from`,
      );
    }
    for (const node of block.nodes) {
      const other = owners.get(node);
      if (other) {
        throw new ArgumentError(
          `removeBlocks: blocks '${other.name}' and '${block.name}' share ${node.label}; remove one of them`,
        );
      }
      owners.set(node, block);
    }
  }
}

/** Blocks in the order their outputs are made. */
function inOrder(graph: Graph, blocks: readonly Block[]): Block[] {
  const places = new Map(graph.nodes.map((node, place) => [node, place]));
  const place = ({ output }: Block): number => (output.producer ? (places.get(output.producer) ?? -1) : -1);
  return [...blocks].sort((a, b) => place(a) - place(b));
}
