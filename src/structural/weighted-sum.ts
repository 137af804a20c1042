import { stridesOf } from '../core/tensor.ts';
import type { Node, Value } from '../ir/index.ts';
import { constantSource, findOperator, layerOf } from '../ops/index.ts';
import type { Coupling } from './coupling.ts';
import { type Reals, realsOf } from './importance/axis-sums.ts';

/** How the indices of a weight lie in memory. */
interface Layout {
  readonly groups: number;
  /** Sizes of the weight's axes of output and input channels. */
  readonly outputs: number;
  readonly inputs: number;
  /** Which of the two is counted per group: all inputs of a transposed convolution are, and the outputs of one group. */
  readonly perGroup: 'inputs' | 'outputs';
  readonly outputStride: number;
  readonly inputStride: number;
  /** Offsets of the other axes: the window. */
  readonly window: readonly number[];
}

/**
 * A convolution or linear layer with a constant weight: output channel `o` is the sum over input channels `i` of its group of `W[o, i, window] * x[i, window]`, plus its bias.
 */
export class WeightedSum {
  readonly node: Node;
  readonly input: Value;
  readonly output: Value;
  /** The initializer. */
  readonly weight: Value;
  /** Input at which each output channel's bias can stand; null where there is none. */
  readonly bias: number | null;
  /** Labels of the input channels; null where they carry none. */
  readonly reads: Int32Array | null;
  /** Labels of the output channels; null where they carry none. */
  readonly makes: Int32Array | null;
  readonly inputs: number;
  readonly outputs: number;
  readonly #layout: Layout;
  readonly #data: Reals;

  constructor(
    node: Node,
    values: { readonly input: Value; readonly output: Value; readonly weight: Value },
    labels: { readonly reads: Int32Array | null; readonly makes: Int32Array | null },
    layout: Layout,
  ) {
    this.node = node;
    this.input = values.input;
    this.output = values.output;
    this.weight = values.weight;
    this.bias = findOperator(node.domain, node.opType)?.weightedSum?.(node).bias ?? null;
    this.reads = labels.reads;
    this.makes = labels.makes;
    this.inputs = layout.inputs * (layout.perGroup === 'inputs' ? layout.groups : 1);
    this.outputs = layout.outputs * (layout.perGroup === 'outputs' ? layout.groups : 1);
    this.#layout = layout;
    this.#data = realsOf(values.weight.initializer!);
  }

  get groups(): number {
    return this.#layout.groups;
  }

  /** The input channels that an output channel is made of: from `first`, `count` of them. */
  group(output: number): { readonly first: number; readonly count: number } {
    const count = this.inputs / this.#layout.groups;
    return { first: this.groupOfOutput(output) * count, count };
  }

  groupOfOutput(output: number): number {
    return Math.floor(output / (this.outputs / this.#layout.groups));
  }

  groupOfInput(input: number): number {
    return Math.floor(input / (this.inputs / this.#layout.groups));
  }

  /** True where the weight between two channels of one group is not all zeros. */
  isConnected(output: number, input: number): boolean {
    const base = this.#base(output, input);
    return this.#layout.window.some((offset) => this.#data[base + offset] !== 0);
  }

  /** Offsets of the weight's elements between two channels of one group. */
  offsets(output: number, input: number): readonly number[] {
    const base = this.#base(output, input);
    return this.#layout.window.map((offset) => base + offset);
  }

  #base(output: number, input: number): number {
    const { outputs, inputs, perGroup, outputStride, inputStride } = this.#layout;
    const o = perGroup === 'outputs' ? output % outputs : output;
    const i = perGroup === 'inputs' ? input % inputs : input;
    return o * outputStride + i * inputStride;
  }
}

/** The weighted sum that a node is, whose one input that is no constant is among `reads`; null where it is none, or where its channels are not told apart. */
export function weightedSumOf(node: Node, reads: readonly Value[], coupling: Coupling): WeightedSum | null {
  const [input, output] = [reads[0], node.outputs[0]];
  if (!findOperator(node.domain, node.opType)?.weightedSum || !input || reads.length > 1 || !output)
    return null;
  const weights = layerOf(node)?.parameters.filter(({ layout }) => layout && layout.input !== null) ?? [];
  const [parameter] = weights;
  const value = parameter && node.inputs[parameter.input];
  const source = value && constantSource(value);
  if (!parameter?.layout || weights.length !== 1 || !source?.value.initializer) return null;
  const { layout } = parameter;
  const axisOf = (axis: number | null): number | null => (axis === null ? null : (source.axes[axis] ?? null));
  const [outAxis, inAxis] = [axisOf(layout.output), axisOf(layout.input)];
  if (outAxis === null || inAxis === null) return null;
  const [reading, making] = [channelsOf(input, coupling), channelsOf(output, coupling)];
  if (reading === undefined || making === undefined) return null;
  const { shape } = source.tensor;
  const [outputs, inputs, { groups }] = [shape[outAxis]!, shape[inAxis]!, layout];
  const perGroup = countedPerGroup(groups, outputs, inputs, reading, making);
  if (!perGroup) return null;
  const strides = stridesOf(shape);
  const sum = new WeightedSum(
    node,
    { input, output, weight: source.value },
    { reads: reading, makes: making },
    {
      ...{ groups, outputs, inputs, perGroup },
      outputStride: strides[outAxis]!,
      inputStride: strides[inAxis]!,
      window: windowOffsets(shape, strides, [outAxis, inAxis]),
    },
  );
  if ((reading && reading.length !== sum.inputs) || (making && making.length !== sum.outputs)) return null;
  const agree = (labels: Int32Array | null, axis: number): boolean =>
    groups > 1 || areSame(labels, labelsOn(source.value, axis, coupling), coupling);
  return agree(reading, inAxis) && agree(making, outAxis) ? sum : null;
}

/** Labels of the channels on the one axis that has any; null where there are none, undefined where they are spread over several. */
function channelsOf(value: Value, coupling: Coupling): Int32Array | null | undefined {
  const [bundle, ...others] = coupling.channels(value);
  if (!bundle) return null;
  return others.length === 0 && bundle.axes.length === 1 ? bundle.labels : undefined;
}

/** Labels on an axis of a constant. */
const labelsOn = (value: Value, axis: number, coupling: Coupling): Int32Array | null =>
  coupling.channels(value).find(({ axes }) => axes[0] === axis)?.labels ?? null;

/** True where labels are tied one by one; nothing is said against it where one side carries none. */
const areSame = (a: Int32Array | null, b: Int32Array | null, { find }: Coupling): boolean =>
  !a || !b || (a.length === b.length && a.every((label, index) => find(label) === find(b[index]!)));

/** Which side of a weight is counted per group, by how many channels there are; null where neither fits. */
function countedPerGroup(
  groups: number,
  outputs: number,
  inputs: number,
  reads: Int32Array | null,
  makes: Int32Array | null,
): Layout['perGroup'] | null {
  if (groups === 1) return 'inputs';
  if (reads) return reads.length === inputs * groups ? 'inputs' : reads.length === inputs ? 'outputs' : null;
  if (makes)
    return makes.length === outputs ? 'inputs' : makes.length === outputs * groups ? 'outputs' : null;
  return null;
}

function windowOffsets(
  shape: readonly number[],
  strides: readonly number[],
  without: readonly number[],
): readonly number[] {
  let offsets = [0];
  shape.forEach((size, axis) => {
    if (without.includes(axis)) return;
    offsets = offsets.flatMap((offset) =>
      Array.from({ length: size }, (_, index) => offset + index * strides[axis]!),
    );
  });
  return offsets;
}
