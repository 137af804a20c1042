import { ArgumentError } from '../core/errors.ts';
import { toFloat32 } from '../core/float16.ts';
import { Tensor } from '../core/tensor.ts';
import type { Node, Value } from '../ir/index.ts';
import { type AnyModule, type Parameter, traceDetailed } from '../nn/index.ts';
import { constantSource, layerOf } from '../ops/index.ts';
import { createSession } from '../runtime/index.ts';
import { axisView } from './channels.ts';
import type { ImportanceScores, PruningTarget } from './global.ts';
import { assumedLayout, outputChannels } from './granularity.ts';
import { parameterOf } from './method.ts';

/**
 * What is measured of each filter's activations: `mean-activation`, the mean of their magnitudes (Molchanov et al. 2016), or `apoz`, the average
 * percentage of zeros (Hu et al. 2016), here a share from 0 to 1.
 */
export type ActivationMeasure = 'mean-activation' | 'apoz';

/** Options of `filterActivations`. */
export interface CalibrationOptions {
  /** Magnitudes up to here count as zero; 0 if left out. SiLU and its kin are hardly ever exactly 0. */
  readonly threshold?: number | undefined;
  /** Called after every input with the share that is done. */
  readonly onProgress?: ((done: number) => void) | undefined;
  /** Stops between two inputs. */
  readonly signal?: AbortSignal | undefined;
}

/** What the filters of one weight gave on the calibration inputs. */
export interface FilterActivations {
  readonly module: AnyModule;
  readonly name: string;
  /** Name of the value that was looked at: the layer's output, after the activation behind it. */
  readonly value: string;
  /** Mean magnitude per filter: float32[output channels]. */
  readonly meanActivation: Float32Array;
  /** Share of zeros per filter: float32[output channels]. */
  readonly apoz: Float32Array;
}

/** One run's inputs: a tensor for models of one input, or tensors by name. */
export type CalibrationInput = Tensor | Readonly<Record<string, Tensor>>;

/** Elementwise steps behind a layer that are followed: batch norm, and an activation that is written in several nodes. */
const MOST_NODES = 12;

interface Tap extends Counts {
  readonly module: AnyModule;
  readonly name: string;
  readonly path: string;
  readonly parameter: Parameter;
  readonly filters: number;
  value: string;
}

interface Counts {
  readonly sums: Float64Array;
  readonly zeros: Float64Array;
  count: number;
}

/**
 * Runs calibration inputs through a model, in evaluation mode, and measures what the filters of each target give. A layer is looked at behind the batch
 * norm and the activation that follow it, as far as these work on its output alone; of a layer whose output is added to another's, ahead of the addition.
 * The model stays as it is. `inputs` may be any iterable; all are gone through once.
 *
 * Throws ArgumentError for a target that is not in the model or has no filters, and where there are no inputs; EngineError where the engine is missing or
 * refuses an input.
 */
export async function filterActivations(
  model: AnyModule,
  targets: Iterable<PruningTarget>,
  inputs: Iterable<CalibrationInput>,
  options: CalibrationOptions = {},
): Promise<FilterActivations[]> {
  const taps = tapsOf(model, targets);
  const runs = [...inputs];
  if (runs.length === 0) throw new ArgumentError('filterActivations: no calibration inputs are given');
  let done = 0;
  const onRun = (): void => {
    done++;
    options.onProgress?.(done / runs.length);
    options.signal?.throwIfAborted();
  };
  for (const group of sameShapes(runs)) await measure(model, taps, group, options.threshold ?? 0, onRun);
  return taps.map(({ module, name, value, sums, zeros, count }) => ({
    module,
    name,
    value,
    meanActivation: Float32Array.from(sums, (sum) => sum / count),
    apoz: Float32Array.from(zeros, (zero) => zero / count),
  }));
}

/**
 * Importance of filters by what they give on calibration inputs, one score a filter, for the `importanceScores` of `pruneGranular`: the mean activation, or
 * `1 - APoZ`, since the filters that are most often zero are to go first. Arguments and errors as `filterActivations`.
 *
 * ```ts
 * const targets = selectParameters(model, { types: 'Conv2d' });
 * const importanceScores = await activationScores(model, targets, images, { measure: 'apoz' });
 * pruneGranular(targets, { granularity: { kind: 'filter' }, importanceScores, amount: 0.3 });
 * ```
 */
export async function activationScores(
  model: AnyModule,
  targets: Iterable<PruningTarget>,
  inputs: Iterable<CalibrationInput>,
  options: CalibrationOptions & { readonly measure: ActivationMeasure },
): Promise<ImportanceScores> {
  const scores = new Map<AnyModule, Record<string, Tensor>>();
  for (const { module, name, meanActivation, apoz } of await filterActivations(
    model,
    targets,
    inputs,
    options,
  )) {
    const score =
      options.measure === 'apoz' ? Tensor.of(apoz.map((share) => 1 - share)) : Tensor.of(meanActivation);
    scores.set(module, { ...scores.get(module), [name]: score });
  }
  return scores;
}

function tapsOf(model: AnyModule, targets: Iterable<PruningTarget>): Tap[] {
  const paths = new Map([...model.namedModules()].map(([path, module]) => [module, path]));
  return Array.from(targets, ([module, name]) => {
    const parameter = parameterOf(module, name);
    const path = paths.get(module);
    if (path === undefined) {
      throw new ArgumentError(
        `filterActivations: a ${module.typeName} among the targets is not in the model`,
      );
    }
    if (parameter.shape.length < 2) {
      throw new ArgumentError(
        `filterActivations: parameter '${name}' of '${path}' has shape [${parameter.shape.join(', ')}] and no filters; name weights`,
      );
    }
    const filters = outputChannels(parameter.shape, parameter.layout ?? assumedLayout(parameter.shape));
    const counts = { sums: new Float64Array(filters), zeros: new Float64Array(filters), count: 0 };
    return { module, name, path, parameter, filters, value: '', ...counts };
  });
}

const shapesOf = (input: CalibrationInput): string =>
  input instanceof Tensor
    ? String(input)
    : Object.entries(input)
        .map(([name, tensor]) => `${name}: ${tensor}`)
        .join('; ');

/** Runs of the same shapes together, so that each shape is compiled once. */
function sameShapes(runs: readonly CalibrationInput[]): CalibrationInput[][] {
  const groups = new Map<string, CalibrationInput[]>();
  for (const run of runs) {
    const key = shapesOf(run);
    const group = groups.get(key);
    if (group) group.push(run);
    else groups.set(key, [run]);
  }
  return [...groups.values()];
}

async function measure(
  model: AnyModule,
  taps: readonly Tap[],
  runs: readonly CalibrationInput[],
  threshold: number,
  onRun: () => void,
): Promise<void> {
  const { graph, moduleOutputs } = traceDetailed(model, runs[0]!, { training: false });
  const [feed, ...otherFeeds] = graph.feeds.map(({ name }) => name);
  const values = taps.map((tap) => {
    const calls = moduleOutputs.get(tap.path)?.flat() ?? [];
    if (calls.length === 0) {
      throw new ArgumentError(`filterActivations: the layer '${tap.path}' computes nothing`);
    }
    return calls.map(behindActivation);
  });
  const session = await createSession(graph, { taps: [...new Set(values.flat())] });
  try {
    for (const run of runs) {
      if (run instanceof Tensor && (feed === undefined || otherFeeds.length > 0)) {
        throw new ArgumentError(
          `filterActivations: the model has ${graph.feeds.length} inputs; give calibration inputs by name`,
        );
      }
      const results = await session.run(run instanceof Tensor ? { [feed!]: run } : run);
      for (const [index, tap] of taps.entries()) {
        for (const { name } of values[index]!) {
          tap.value = name;
          count(tap, toFloat32(results.get(name)!), threshold);
        }
      }
      onRun();
    }
  } finally {
    await session.dispose();
  }
}

/** Adds a layer's output to its counts. */
function count(tap: Tap, output: Tensor, threshold: number): void {
  const layout = tap.parameter.layout ?? assumedLayout(tap.parameter.shape);
  // [N, C, ...window] behind convolutions, [..., C] behind linear layers.
  const axis = output.shape.length - 1 - layout.kernel.length;
  if (output.shape[axis] !== tap.filters) {
    throw new ArgumentError(
      `filterActivations: '${tap.path}' has ${tap.filters} filters, but gives ${output}; name layers whose output has a channel a filter`,
    );
  }
  const { outer, channels, inner } = axisView(output.shape, axis);
  const values = output.float32;
  for (let o = 0, i = 0; o < outer; o++) {
    for (let c = 0; c < channels; c++) {
      let sum = 0;
      let zeros = 0;
      for (const end = i + inner; i < end; i++) {
        const magnitude = Math.abs(values[i]!);
        sum += magnitude;
        if (magnitude <= threshold) zeros++;
      }
      tap.sums[c]! += sum;
      tap.zeros[c]! += zeros;
    }
  }
  tap.count += outer * inner;
}

/** The last value that is made of this one alone, in the same shape: behind batch norm and activation, whatever nodes these are written in. */
function behindActivation(value: Value): Value {
  let current = value;
  for (;;) {
    const next = nextJoint(current);
    if (!next) return current;
    current = next;
  }
}

/**
 * The value in which all uses of `value` meet again (`x` and `sigmoid(x)` in SiLU's product); null where there is none of the same shape that depends
 * on nothing else.
 */
function nextJoint(value: Value): Value | null {
  if (value.isOutput || value.uses.length === 0) return null;
  const reached = new Set<Value>([value]);
  const nodes = new Set<Node>();
  while (nodes.size < MOST_NODES) {
    const open = [...reached].filter((known) => known.uses.some(({ node }) => !nodes.has(node)));
    // Everything leads to one value: it, and nothing before it, is used further on.
    const [joint] = open;
    if (nodes.size > 0 && open.length <= 1) {
      const end = joint ?? [...reached].at(-1)!;
      return end !== value && sameShape(end, value) ? end : null;
    }
    const node = open
      .flatMap((known) => known.consumers)
      .find((candidate) => !nodes.has(candidate) && dependsOnlyOn(candidate, reached));
    if (!node) return null;
    const [output, ...others] = node.outputs;
    if (!output || others.some((other) => other !== null && other.uses.length > 0)) return null;
    nodes.add(node);
    reached.add(output);
    if (output.isOutput && open.length > 1) return null;
  }
  return null;
}

/** Does a node compute with these values and constants alone, channel by channel? A layer with weights from channels to channels does not. */
const dependsOnlyOn = (node: Node, reached: ReadonlySet<Value>): boolean =>
  node.subgraphs.length === 0 &&
  node.inputs.every((input) => input === null || reached.has(input) || constantSource(input) !== null) &&
  !layerOf(node)?.parameters.some(({ layout }) => layout !== undefined && layout.input !== null);

/** Equal static shapes. */
function sameShape(a: Value, b: Value): boolean {
  const [one, other] = [shapeOf(a), shapeOf(b)];
  return one !== null && other !== null && one === other;
}

function shapeOf({ type }: Value): string | null {
  return type?.kind === 'tensor' && type.shape ? type.shape.join() : null;
}
