/** Small networks that are cut at random and proven, for tests of channel rules. */
import { Generator } from '../src/core/random.ts';
import { sizeOf, Tensor } from '../src/core/tensor.ts';
import { type Attribute, Graph, type Value } from '../src/ir/index.ts';
import { GraphBuilder } from '../src/ops/index.ts';
import {
  analyzeChannels,
  type ChannelGroups,
  type Cut,
  costOf,
  cutChannels,
  type GroupOptions,
  groupChannels,
} from '../src/structural/index.ts';
import { type Verification, verify } from '../src/structural/verify.ts';

/** Builds a network with weights drawn from a seed. */
export class RandomNet {
  readonly builder: GraphBuilder;
  readonly #random: Generator;

  constructor(options: { readonly opset?: number; readonly seed?: number } = {}) {
    const graph = new Graph({ opset: options.opset ?? 18 });
    graph.opsetImports.set('com.microsoft', 1);
    this.builder = new GraphBuilder(graph);
    this.#random = new Generator(options.seed ?? 0);
  }

  get graph(): Graph {
    return this.builder.graph;
  }

  input(name: string, shape: readonly number[]): Value {
    return this.builder.input(name, 'float32', shape);
  }

  /** A constant of normal numbers, around `mean`. */
  weight(name: string, shape: readonly number[], mean = 0): Value {
    const data = Float32Array.from(
      { length: sizeOf(shape) },
      () => mean + this.#random.normal(1)[0]! / (mean === 0 ? 1 : 8),
    );
    return this.builder.constant(new Tensor('float32', shape, data), name);
  }

  /** Constant whole numbers: a shape, axes. */
  numbers(...values: number[]): Value {
    return this.builder.constant(Tensor.int64(values), 'numbers');
  }

  /** A constant whole number. */
  scalar(value: number): Value {
    return this.builder.constant(Tensor.int64(value), 'scalar');
  }

  op(
    opType: string,
    inputs: readonly (Value | null)[],
    attributes: Record<string, Attribute> = {},
    domain = '',
  ): Value {
    return this.builder.op(opType, inputs, { attributes, domain });
  }

  /** A convolution with window 1 and bias. */
  pointwise(name: string, input: Value, channels: number, filters: number): Value {
    return this.op('Conv', [
      input,
      this.weight(`${name}.weight`, [filters, channels, 1, 1]),
      this.weight(`${name}.bias`, [filters]),
    ]);
  }

  /** `x W + b` over the last axis. */
  linear(name: string, input: Value, features: number, outputs: number): Value {
    const product = this.op('MatMul', [input, this.weight(`${name}.weight`, [features, outputs])]);
    return this.op('Add', [product, this.weight(`${name}.bias`, [outputs])]);
  }
}

/** A cut at random. */
export interface RandomCut {
  readonly removed: Uint8Array;
  readonly cut: Cut;
  readonly verification: Verification;
}

/** Takes a random number of steps along each lane that goes well with the others; at least one step in all where one is possible. */
export function randomRemoval(groups: ChannelGroups, seed: number): Uint8Array {
  const random = new Generator(seed);
  const pick = (below: number): number => Number(random.randint(1, 0, below)[0]);
  let removed = new Uint8Array(groups.unitCount);
  groups.lanes.forEach(({ cells, drop, maxSteps }, lane) => {
    const steps = lane === seed % groups.lanes.length ? 1 + pick(maxSteps) : pick(maxSteps + 1);
    const next = removed.slice();
    cells.forEach((cell, index) => {
      const left = [...cell];
      for (let count = 0; count < steps * drop[index]!; count++) {
        next[left.splice(pick(left.length), 1)[0]!] = 1;
      }
    });
    if (groups.problems(next).length === 0) removed = next;
  });
  return removed;
}

/** Cuts a graph at random, once for each seed, and verifies each cut. */
export async function cutAtRandom(
  graph: Graph,
  options: GroupOptions & { readonly seeds?: readonly number[] } = {},
): Promise<{ readonly groups: ChannelGroups; readonly cuts: readonly RandomCut[] }> {
  const groups = groupChannels(analyzeChannels(graph), options);
  const cuts: RandomCut[] = [];
  for (const seed of options.seeds ?? [1, 2, 3]) {
    const removed = randomRemoval(groups, seed);
    const cut = cutChannels(groups, removed);
    cuts.push({ removed, cut, verification: await verify(groups, removed, cut.graph, { seed, threads: 1 }) });
  }
  return { groups, cuts };
}

/** Why units of a graph cannot go, each reason once. */
export const reasonsOf = (graph: Graph, options: GroupOptions = {}): string[] => [
  ...new Set(groupChannels(analyzeChannels(graph), options).whyNot.filter((why) => why !== null)),
];

/** What went wrong with cuts at random; empty where each took something and computes what the silenced model does. */
export async function faultsOfCuts(
  graph: Graph,
  options: GroupOptions & { readonly seeds?: readonly number[] } = {},
): Promise<string[]> {
  const { groups, cuts } = await cutAtRandom(graph, options);
  return cuts.flatMap(({ removed, verification }) => {
    const gone = removed.reduce((sum, one) => sum + one, 0);
    if (gone === 0) return ['nothing was cut'];
    const before = costOf(groups, new Uint8Array(groups.unitCount)).macs;
    const found: string[] = [];
    if (costOf(groups, removed).macs >= before) found.push('the cut model computes as much as before');
    if (!verification.equal) found.push(verification.checked);
    return found;
  });
}
