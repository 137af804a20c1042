import { ArgumentError } from '../core/errors.ts';
import { cloneGraph, type Graph } from '../ir/index.ts';
import { fromGraph } from '../nn/index.ts';
import { type Block, type BlockKind, type FindBlocksOptions, findBlocks } from './blocks.ts';
import type { RankedBlock } from './rank-blocks.ts';
import { type BlockCost, withoutBlocks } from './remove-blocks.ts';

/** A block that goes whole, before channels do. */
export interface PlanBlock {
  /** As `findBlocks` calls it: `layer1.0`. */
  readonly name: string;
  readonly kind: BlockKind;
  /** Names of its layers. */
  readonly layers: readonly string[];
  /** Parameters and buffers that go with it, named as PyTorch's. */
  readonly parameters: readonly string[];
  readonly why: {
    /** How far the outputs are off without it alone; null where they were no numbers then. */
    readonly change: number | null;
    /** What the model has and costs less without it alone. */
    readonly saves: BlockCost;
  };
}

/** What a plan says of blocks that go. */
export function planBlocks(graph: Graph, blocks: readonly RankedBlock[]): PlanBlock[] {
  if (blocks.length === 0) return [];
  const all = stateNames(graph);
  return blocks.map(({ block, change, saves }) => {
    const left = new Set(stateNames(withoutBlocks(graph, [block]).graph));
    const { name, kind, layers } = block;
    return {
      name,
      kind,
      layers,
      parameters: all.filter((parameter) => !left.has(parameter)),
      why: { change: Number.isFinite(change) ? Number(change.toPrecision(6)) : null, saves },
    };
  });
}

/** The names of a graph's state dict. */
const stateNames = (graph: Graph): string[] => [...fromGraph(cloneGraph(graph).graph).stateDict().keys()];

/** Most blocks that an error names. */
const MOST_NAMED = 8;

/** The blocks of a graph that a plan says go, found by name and layers. Throws ArgumentError where the graph has none of a name, or another one. */
export function blocksOfPlan(
  blocks: readonly PlanBlock[],
  graph: Graph,
  options: FindBlocksOptions = {},
): Block[] {
  if (blocks.length === 0) return [];
  const found = new Map(findBlocks(graph, options).map((block) => [block.name, block]));
  return blocks.map(({ name, layers }) => {
    const block = found.get(name);
    if (!block) {
      const names = [...found.keys()];
      const has = `${names.slice(0, MOST_NAMED).join(', ')}${names.length > MOST_NAMED ? ', …' : ''}`;
      throw new ArgumentError(
        `plan: removes block '${name}', and the model has no block of that name that could go whole; it has ${has || 'none'}`,
      );
    }
    if (block.layers.join() !== layers.join()) {
      throw new ArgumentError(
        `plan: block '${name}' has the layers ${block.layers.join(', ')} in the model and ${layers.join(', ')} in the plan; the plan is of another model`,
      );
    }
    return block;
  });
}
