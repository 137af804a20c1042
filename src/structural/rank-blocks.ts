import { dtypeInfo } from '../core/dtype.ts';
import { ArgumentError } from '../core/errors.ts';
import { toFloat32 } from '../core/float16.ts';
import type { Tensor } from '../core/tensor.ts';
import type { Graph } from '../ir/index.ts';
import { createSession, randomInputs, type Session } from '../runtime/index.ts';
import type { Block } from './blocks.ts';
import type { CalibrationData } from './calibration.ts';
import { layerPattern } from './layer-pattern.ts';
import { piecesOf } from './pieces.ts';
import { type BlockCost, costOf, withoutBlocks } from './remove-blocks.ts';

/**
 * How far outputs `b` are from outputs `a`. `l2`: the length of `b - a` over the length of `a`. `cosine`: 1 minus the cosine of the angle between them, which does not see a change of scale (as for the layers of language models in
 * "ShortGPT", Men et al. 2024).
 */
export type BlockMetric = 'l2' | 'cosine';

/** How blocks are ranked. */
export interface RankBlocksOptions {
  /** Inputs to run on. By default random ones: standard normal for floats, 0 and 1 for integers and booleans. */
  readonly data?: CalibrationData;
  /** Runs for each block: batches of `data`, or random inputs. Default 4. */
  readonly samples?: number;
  /** Seed of the first random input; the next ones have the numbers that follow. Default 0. */
  readonly seed?: number;
  /** Default `l2`. */
  readonly metric?: BlockMetric;
  /** Shapes of random inputs by name; by default as declared, symbols taken as 1. */
  readonly shapes?: Readonly<Record<string, readonly number[]>>;
  /** Threads inside an operator; by default as many as the machine has. */
  readonly threads?: number;
  /** Stops between two blocks. */
  readonly signal?: AbortSignal;
  /** Called after each block with the share that is done. */
  readonly onProgress?: (done: number) => void;
}

/** A block, how much the outputs change without it, and what it costs. */
export interface RankedBlock {
  readonly block: Block;
  /** Mean over the outputs of floating-point numbers; infinity where some come out as no number. */
  readonly change: number;
  /** What the model has and costs less without it: parameters, and multiply-accumulates for one sample. */
  readonly saves: BlockCost;
}

type Feeds = Readonly<Record<string, Tensor>>;
type Outputs = ReadonlyMap<string, Tensor>;

/**
 * Ranks blocks by how much the model's outputs change when each is left out alone, the least change first: those go first. Each is measured by running, on the same inputs; nothing is trained in between.
 *
 * Throws ArgumentError where `samples` is no whole number above 0, the graph has no outputs of floating-point numbers, or a block is not of the graph; EngineError where onnxruntime refuses the model or an input.
 */
export async function rankBlocks(
  graph: Graph,
  blocks: readonly Block[],
  options: RankBlocksOptions = {},
): Promise<RankedBlock[]> {
  const inputs = await inputsFor(graph, options);
  const expected = await outputsOf(graph, inputs, options);
  const names = graph.outputs.map(({ name }) => name).filter((name) => isFloat(expected[0]?.get(name)));
  if (names.length === 0)
    throw new ArgumentError('rankBlocks: no output of the graph holds floating-point numbers to compare');
  const before = costOf(graph, options);
  const ranked: RankedBlock[] = [];
  for (const block of blocks) {
    options.signal?.throwIfAborted();
    const { graph: shorter } = withoutBlocks(graph, [block]);
    const found = await outputsOf(shorter, inputs, options);
    const changes = names.map((name) => changeOf(name, expected, found, options.metric ?? 'l2'));
    const after = costOf(shorter, options);
    ranked.push({
      block,
      change: changes.reduce((sum, change) => sum + change, 0) / changes.length,
      saves: { parameters: before.parameters - after.parameters, macs: before.macs - after.macs },
    });
    options.onProgress?.(ranked.length / blocks.length);
  }
  return ranked.sort((a, b) => a.change - b.change);
}

async function inputsFor(graph: Graph, options: RankBlocksOptions): Promise<Feeds[]> {
  const { data, samples = 4, seed = 0, shapes } = options;
  if (!(Number.isSafeInteger(samples) && samples > 0)) {
    throw new ArgumentError(`rankBlocks: samples expects a whole number above 0, got ${samples}`);
  }
  if (!data) {
    return Array.from({ length: samples }, (_, index) =>
      randomInputs(graph, { seed: seed + index, ...(shapes ? { shapes } : {}) }),
    );
  }
  const inputs: Feeds[] = [];
  for await (const feeds of piecesOf(data, graph)) {
    inputs.push(feeds);
    if (inputs.length === samples) break;
  }
  return inputs;
}

async function outputsOf(
  graph: Graph,
  inputs: readonly Feeds[],
  { threads }: RankBlocksOptions,
): Promise<Outputs[]> {
  const session: Session = await createSession(graph, threads === undefined ? {} : { threads });
  try {
    const outputs: Outputs[] = [];
    for (const feeds of inputs) outputs.push(await session.run(feeds));
    return outputs;
  } finally {
    await session.dispose();
  }
}

const isFloat = (tensor: Tensor | undefined): tensor is Tensor =>
  tensor !== undefined && dtypeInfo(tensor.dtype).kind === 'float';

/** How far an output of the shorter model is from that of the whole one, over all runs. */
function changeOf(
  name: string,
  expected: readonly Outputs[],
  found: readonly Outputs[],
  metric: BlockMetric,
): number {
  // Sums of a², b², (b - a)² and ab over all elements.
  let [aa, bb, dd, ab] = [0, 0, 0, 0];
  expected.forEach((outputs, run) => {
    const [a, b] = [numbersOf(outputs.get(name)!), numbersOf(found[run]!.get(name)!)];
    for (let at = 0; at < a.length; at++) {
      const [x, y] = [Number(a[at]), Number(b[at])];
      aa += x * x;
      bb += y * y;
      dd += (y - x) * (y - x);
      ab += x * y;
    }
  });
  if (dd === 0) return 0;
  const change = metric === 'l2' ? Math.sqrt(dd / aa) : 1 - ab / Math.sqrt(aa * bb);
  return Number.isNaN(change) ? Number.POSITIVE_INFINITY : Math.max(0, change);
}

const numbersOf = (tensor: Tensor): Tensor['data'] =>
  tensor.dtype === 'float64' ? tensor.data : toFloat32(tensor).data;

/** Which of the ranked blocks are to go. */
export interface ChooseBlocksOptions {
  /** How many. */
  readonly count?: number;
  /** Share of the blocks that can go, 0 to 1, rounded down; in place of `count`. */
  readonly ratio?: number;
  /** Greatest change of the outputs a block may make; any by default. */
  readonly maxChange?: number;
  /** How many of the blocks must stay at least; 0 by default. */
  readonly keepAtLeast?: number;
  /** Blocks that stay, by name: `*` stands for any characters, `?` for one; what lies in a module of that name stays, too. */
  readonly ignore?: readonly string[];
}

/**
 * The blocks that go: of those that change the outputs least, so many as are asked for. Of blocks that share nodes (a layer, and the residual branch it is in) the first one counts, and the others are passed
 * over. Shares are of what can go so.
 *
 * Throws ArgumentError where neither `count` nor `ratio` is given, or both, or where they are out of range, and where a pattern of `ignore` matches no block.
 */
export function chooseBlocks(ranked: readonly RankedBlock[], options: ChooseBlocksOptions): Block[] {
  const { count, ratio, maxChange = Number.POSITIVE_INFINITY, keepAtLeast = 0 } = options;
  checkChoice(options);
  const names = ranked.map(({ block }) => block.name);
  const ignored = (options.ignore ?? []).map((pattern) => {
    const matches = layerPattern(pattern);
    if (names.some(matches)) return matches;
    throw new ArgumentError(
      `chooseBlocks: no block matches '${pattern}'; blocks are ${names.join(', ') || 'none'}`,
    );
  });
  const free = apart(ranked.filter(({ block }) => !ignored.some((matches) => matches(block.name))));
  const wanted = count ?? Math.floor((ratio ?? 0) * free.length + ROUNDING);
  const most = Math.max(0, Math.min(wanted, free.length - keepAtLeast));
  return free
    .slice(0, most)
    .filter(({ change }) => change <= maxChange)
    .map(({ block }) => block);
}

/** So that 0.3 of 10 blocks are 3. */
const ROUNDING = 1e-9;

/** The blocks that share no node with one before them. */
function apart(ranked: readonly RankedBlock[]): RankedBlock[] {
  const taken = new Set<unknown>();
  return ranked.filter(({ block }) => {
    if (block.nodes.some((node) => taken.has(node))) return false;
    for (const node of block.nodes) taken.add(node);
    return true;
  });
}

function checkChoice({ count, ratio, keepAtLeast = 0, maxChange = 0 }: ChooseBlocksOptions): void {
  if ((count === undefined) === (ratio === undefined)) {
    throw new ArgumentError('chooseBlocks: give either count or ratio');
  }
  for (const [name, value] of Object.entries({ count: count ?? 0, keepAtLeast })) {
    if (!Number.isSafeInteger(value) || value < 0)
      throw new ArgumentError(`chooseBlocks: ${name} expects a whole number of at least 0, got ${value}`);
  }
  if (ratio !== undefined && !(ratio >= 0 && ratio <= 1)) {
    throw new ArgumentError(`chooseBlocks: ratio expects a share from 0 to 1, got ${ratio}`);
  }
  if (!(maxChange >= 0))
    throw new ArgumentError(`chooseBlocks: maxChange expects a number of at least 0, got ${maxChange}`);
}
