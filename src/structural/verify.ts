import { dtypeInfo } from '../core/dtype.ts';
import { ArgumentError, StructuralError } from '../core/errors.ts';
import { sizeOf, type Tensor } from '../core/tensor.ts';
import { type Graph, type Node, readBy, staticShape, type Value } from '../ir/index.ts';
import { findOperator } from '../ops/index.ts';
import { createSession, randomInputs, type Session } from '../runtime/index.ts';
import type { CalibrationData } from './calibration.ts';
import { DEFAULT_TOLERANCE, type Difference, differenceOf, TOLERANCES, worseOf } from './difference.ts';
import type { ChannelGroups } from './groups.ts';
import { piecesOf } from './pieces.ts';
import { type Reference, referenceFor, silence } from './silence.ts';

/** How a cut is verified. */
export interface VerifyOptions {
  /** Inputs to run on. By default random ones: standard normal for floats, 0 and 1 for integers and booleans (which index tables of any size), of the shapes that were analysed. */
  readonly data?: CalibrationData;
  /** Runs: batches of `data` (single samples, where the graph takes one), or random inputs. Default 1. */
  readonly samples?: number;
  /** Seed of the first random input; the next ones have the numbers that follow. Default 0. */
  readonly seed?: number;
  /** Largest relative difference that counts as rounding (see `Difference`). Default by dtype: `TOLERANCES`. */
  readonly tolerance?: number;
  /** Threads inside an operator; by default as many as the machine has. */
  readonly threads?: number;
  readonly signal?: AbortSignal;
}

/** How far one value of the cut model is from what it must be. */
export interface Comparison extends Difference {
  readonly name: string;
  readonly tolerance: number;
  readonly equal: boolean;
}

/** What came of verifying a cut. */
export interface Verification {
  /** True where all that was compared is equal to float rounding, and something was compared. */
  readonly equal: boolean;
  /** Largest difference of an output. */
  readonly maxError: number;
  /** Largest relative difference of an output or a layer. */
  readonly relativeError: number;
  readonly outputs: readonly Comparison[];
  /** What the layers that read channels give, in order; only the part of it that the cut model has. */
  readonly layers: readonly Comparison[];
  /** The first layer, or else output, that differs by more than rounding; null where none does. */
  readonly firstDifference: string | null;
  /** Where equality with the silenced model does not hold by design, or could not be checked: a sentence each. */
  readonly notEqual: readonly string[];
  /**
   * Largest relative difference of an output from the model that is silenced throughout, where nodes that mix channels still count the silenced ones; null where no such node is touched: it is `relativeError` then.
   */
  readonly fromSilenced: number | null;
  /** What was checked, on what, and how close it is: a sentence. */
  readonly checked: string;
}

/** Most bytes of layers' outputs that are compared in one run, in each model. */
const MOST_BYTES = 2 ** 28;

type Feeds = Readonly<Record<string, Tensor>>;

/**
 * Proves a cut: runs the cut graph and the original with these channels silenced (`silence`) side by side, and compares all outputs and what the layers give that read channels. Where a node mixes channels (layer norm, group
 * norm, a softmax over channels) the original computes it there on kept channels alone, so that everything outside of it is checked; `notEqual` names these nodes, and `fromSilenced` says what they make of the outputs.
 *
 * @param removed for each unit 1 where it went
 * @param cut what `cutChannels(groups, removed)` made, before its weights are changed by recalibration, repair or training
 *
 * Throws ArgumentError where the cut graph lacks an output of the original; EngineError where onnxruntime refuses a model. Differences are no errors: see `assertVerified`.
 */
export async function verify(
  groups: ChannelGroups,
  removed: Uint8Array,
  cut: Graph,
  options: VerifyOptions = {},
): Promise<Verification> {
  const { coupling } = groups;
  const original = coupling.graph;
  for (const { name } of original.outputs) {
    if (!cut.outputs.some((output) => output.name === name)) {
      throw new ArgumentError(
        `verify: the cut graph has no output '${name}'; give the graph that cutChannels made`,
      );
    }
  }
  const layers = layersToCompare(groups, cut);
  const reference = referenceFor(groups, removed, cut, layers);
  const sessions: Session[] = [];
  const open = async (graph: Graph, taps: readonly Value[]): Promise<Session> => {
    const session = await createSession(graph, {
      taps,
      ...(options.threads === undefined ? {} : { threads: options.threads }),
    });
    sessions.push(session);
    return session;
  };
  const mixed = reference.mixed.flatMap(({ outputs }) => outputs);
  const worst = new Worst();
  let inputs = 0;
  try {
    const before = await open(reference.graph, [
      ...layers.map((layer) => reference.kept.get(layer)!),
      ...mixed.flatMap((pair) => [pair.silenced, pair.cut]),
    ]);
    const after = await open(
      cut,
      layers.map(({ name }) => cut.value(name)),
    );
    const throughout = mixed.length > 0 ? await open(silence(groups, removed), []) : null;
    for await (const feeds of inputsFor(groups, options)) {
      options.signal?.throwIfAborted();
      const [was, is] = [await before.run(feeds), await after.run(feeds)];
      for (const layer of layers) {
        worst.add(layer, was.get(reference.kept.get(layer)!.name)!, is.get(layer.name)!);
      }
      for (const output of original.outputs) worst.add(output, was.get(output.name)!, is.get(output.name)!);
      for (const pair of mixed)
        worst.add(pair.silenced, was.get(pair.silenced.name)!, was.get(pair.cut.name)!);
      const silenced = await throughout?.run(feeds);
      if (silenced) {
        for (const { name } of original.outputs)
          worst.add(`silenced ${name}`, silenced.get(name)!, is.get(name)!);
      }
      inputs++;
    }
  } finally {
    for (const session of sessions) await session.dispose();
  }
  const notEqual = [...mixingSentences(reference, worst), ...uncheckedSentences(reference, groups)];
  const unsure = downstream(original, [
    ...reference.notReduced.map(({ node }) => node),
    ...original.nodes.filter(isRandom),
  ]);
  const compared = (value: Value): Comparison[] => {
    const difference = worst.get(value);
    if (!difference || (unsure.has(value) && difference.why === null)) return [];
    const dtype = coupling.inference.get(value)?.dtype ?? 'float32';
    const tolerance = options.tolerance ?? TOLERANCES[dtype] ?? DEFAULT_TOLERANCE;
    return [{ name: value.name, ...difference, tolerance, equal: difference.relativeError <= tolerance }];
  };
  return summary({
    inputs,
    random: options.data ? null : (options.seed ?? 0),
    outputs: original.outputs.flatMap(compared),
    layers: layers.flatMap(compared),
    notEqual,
    fromSilenced:
      mixed.length > 0 ? worst.largest(original.outputs.map(({ name }) => `silenced ${name}`)) : null,
  });
}

/** Throws StructuralError that says what differs where a verification failed. */
export function assertVerified(verification: Verification): void {
  if (verification.equal) return;
  throw new StructuralError(
    `The cut model does not compute what the original does with these channels silenced: ${verification.checked}. It is a fault of this library: please report it, and leave out the layer named (ignore) until then`,
  );
}

/** Keeps the worst difference of each value. */
class Worst {
  readonly #differences = new Map<Value | string, Difference>();

  add(key: Value | string, reference: Tensor, found: Tensor): void {
    const difference = differenceOf(reference, found);
    const known = this.#differences.get(key);
    this.#differences.set(key, known ? worseOf(known, difference) : difference);
  }

  get(key: Value | string): Difference | undefined {
    return this.#differences.get(key);
  }

  largest(keys: readonly (Value | string)[]): number {
    return Math.max(0, ...keys.map((key) => this.get(key)?.relativeError ?? 0));
  }
}

async function* inputsFor(groups: ChannelGroups, options: VerifyOptions): AsyncGenerator<Feeds, void, void> {
  const { graph, shapes } = groups.coupling;
  const { data, samples = 1, seed = 0 } = options;
  if (!(Number.isSafeInteger(samples) && samples > 0)) {
    throw new ArgumentError(`verify: samples expects a whole number above 0, got ${samples}`);
  }
  if (!data) {
    for (let index = 0; index < samples; index++) yield randomInputs(graph, { shapes, seed: seed + index });
    return;
  }
  let done = 0;
  for await (const feeds of piecesOf(data, graph)) {
    yield feeds;
    if (++done === samples) return;
  }
}

/** What the layers that read channels give, where both graphs have it; every nth where it would be too much. */
function layersToCompare(groups: ChannelGroups, cut: Graph): Value[] {
  const { consumers, partedAxes, graph, inference } = groups.coupling;
  const readers = new Set([...consumers, ...partedAxes].map(({ node }) => node));
  const values = graph.nodes.flatMap((node) => {
    const output = readers.has(node) ? node.outputs[0] : null;
    const type = output && inference.get(output);
    if (!type || dtypeInfo(type.dtype).kind !== 'float' || !staticShape(type.shape)) return [];
    return output.isOutput || !cut.find(output.name)?.producer ? [] : [output];
  });
  const bytes = values.reduce(
    (sum, value) => sum + 4 * sizeOf(staticShape(inference.get(value)?.shape) ?? []),
    0,
  );
  const every = Math.ceil(bytes / MOST_BYTES);
  return values.filter((_, index) => index % Math.max(1, every) === 0);
}

/** True where a node draws random numbers: two models do not draw the same. */
function isRandom(node: Node): boolean {
  const operator = findOperator(node.domain, node.opType);
  return operator?.nondeterministic === true && !operator.drawsNothing?.(node);
}

/** All values that follow from what some nodes make. */
function downstream(graph: Graph, nodes: readonly Node[]): ReadonlySet<Value> {
  const from = new Set(nodes);
  const values = new Set<Value>();
  for (const node of graph.nodes) {
    if (!from.has(node) && ![...readBy(node)].some((value) => values.has(value))) continue;
    for (const output of node.outputs) if (output) values.add(output);
  }
  return values;
}

function mixingSentences({ mixed }: Reference, worst: Worst): string[] {
  return mixed.flatMap(({ node, why, outputs }) => {
    const error = worst.largest(outputs.map(({ silenced }) => silenced));
    if (error <= DEFAULT_TOLERANCE) return [];
    return [
      `${node.label} ${why}: there the cut model differs from the silenced one by design, by up to ${percent(error)} of what it gives`,
    ];
  });
}

function uncheckedSentences({ notReduced }: Reference, groups: ChannelGroups): string[] {
  return [
    ...notReduced.map(
      ({ node, why }) =>
        `${node.label} mixes channels and ${why}: what follows it was compared by shape alone`,
    ),
    ...groups.coupling.graph.nodes
      .filter(isRandom)
      .map((node) => `${node.label} draws random numbers: what follows it was compared by shape alone`),
  ];
}

interface Findings extends Pick<Verification, 'outputs' | 'layers' | 'notEqual' | 'fromSilenced'> {
  /** How many inputs were run. */
  readonly inputs: number;
  /** Their seed, where they are random. */
  readonly random: number | null;
}

function summary({ inputs, random, ...found }: Findings): Verification {
  const { outputs, layers } = found;
  const all = [...layers, ...outputs];
  const different = all.find(({ equal }) => !equal);
  const relativeError = Math.max(0, ...all.map((comparison) => comparison.relativeError));
  const silent = all.filter(({ scale, why }) => scale === 0 && why === null).length;
  const what = `${count(outputs.length, 'output')} and ${count(layers.length, 'layer')} on ${count(inputs, random === null ? 'input' : 'random input')}${random === null ? '' : ` (seed ${random})`}`;
  const result = different
    ? `'${different.name}' ${different.why ?? `differs by up to ${different.maxError.toPrecision(3)} of ${different.scale.toPrecision(3)}`}; it is the first of ${count(all.filter(({ equal }) => !equal).length, 'difference')} among ${what}`
    : `${what} agree; the largest difference is ${relativeError.toExponential(1)} of the largest magnitude${silent > 0 ? `; ${silent} of them are 0 everywhere` : ''}`;
  return {
    equal: different === undefined && all.length > 0,
    maxError: Math.max(0, ...outputs.map(({ maxError }) => maxError)),
    relativeError,
    firstDifference: different?.name ?? null,
    checked: all.length > 0 ? result : 'nothing could be compared',
    ...found,
  };
}

const count = (number: number, what: string): string => `${number} ${what}${number === 1 ? '' : 's'}`;

const percent = (share: number): string => `${Number((100 * share).toPrecision(2))} %`;
