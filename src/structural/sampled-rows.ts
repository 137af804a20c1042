import { sizeOf, stridesOf, Tensor } from '../core/tensor.ts';
import { attr, type Node, type Value } from '../ir/index.ts';
import { type SettledWindow, settledWindow } from '../ops/index.ts';
import type { Workbench } from './importance/workbench.ts';

/** What a layer gives at sampled positions, the same in each sample of a batch. */
export interface SampledOutput {
  /** Samples in a batch. */
  readonly samples: number;
  /** Positions there are in a sample: pixels of a map, tokens. */
  readonly positions: number;
  /** How many of them are taken. */
  readonly taken: number;
  readonly channels: number;
  /** Name of the input that takes the positions, int64. */
  readonly input: string;
  /** `[samples * taken, channels]` */
  readonly rows: Value;
}

/** What a layer reads at sampled positions. */
export interface SampledInput {
  /** `[samples * taken, features]`, the features in the order of the layer's weight. */
  readonly rows: Value;
  /** Name of the input that takes what `patches` gives; null where the layer has no window. */
  readonly input: string | null;
  /** Places in the map, and one behind its end for padding, that the window covers at some positions: int64. */
  readonly patches: (positions: readonly number[]) => Tensor;
}

/**
 * Adds nodes that pick what a layer gives at positions that are an input: `[N, C, …]` with `axis` 1, `[N, …, C]` with `axis` -1.
 *
 * @param most positions taken at most
 */
export function sampleOutput(
  bench: Workbench,
  value: Value,
  axis: number,
  most: number,
  name: string,
): SampledOutput {
  const { builder, make, graph } = bench;
  const shape = make.shape(value);
  const [samples = 1] = shape;
  const channels = shape.at(axis)!;
  const positions = sizeOf(shape) / (samples * channels);
  const taken = Math.min(most, positions);
  const input = builder.input(graph.freshName(name), 'int64', [taken]);
  const picked =
    axis < 0
      ? take(bench, make.reshape(value, [samples, positions, channels]), input, 1)
      : make.transpose(take(bench, make.reshape(value, [samples, channels, positions]), input, 2), [0, 2, 1]);
  return {
    samples,
    positions,
    taken,
    channels,
    input: input.name,
    rows: make.reshape(picked, [samples * taken, channels]),
  };
}

/** Adds nodes that pick what a convolution (`[N, C, …]`) or a linear layer (`[N, …, C]`) reads for its output at sampled positions. */
export function sampleInput(bench: Workbench, node: Node, output: SampledOutput, name: string): SampledInput {
  const { builder, make, graph } = bench;
  const x = node.input(0);
  const { samples, taken, positions } = output;
  const shape = make.shape(x);
  // What is no matrix slides over a map.
  if (make.shape(node.input(1)).length === 2) {
    const features = shape.at(-1)!;
    const picked = take(bench, make.reshape(x, [samples, positions, features]), graph.value(output.input), 1);
    return {
      rows: make.reshape(picked, [samples * taken, features]),
      input: null,
      patches: () => Tensor.int64([]),
    };
  }
  const [, channels = 1, ...spatial] = shape;
  const kernel = make.shape(node.input(1)).slice(2);
  const window = settledWindow(node, spatial, kernel);
  const across = make.shape(node.output()).slice(2);
  const places = sizeOf(spatial);
  const covered = sizeOf(kernel);
  const input = builder.input(graph.freshName(name), 'int64', [taken * covered]);
  const flat = make.reshape(x, [samples, channels, places]);
  // One more place, for the padding.
  const padded = make.concat([flat, make.full(0, make.dtype(x), [samples, channels, 1])], 2);
  const picked = make.reshape(take(bench, padded, input, 2), [samples, channels, taken, covered]);
  return {
    rows: make.reshape(make.transpose(picked, [0, 2, 1, 3]), [samples * taken, channels * covered]),
    input: input.name,
    patches: (at) => Tensor.int64(at.flatMap((position) => coveredPlaces(window, spatial, across, position))),
  };
}

const take = ({ make }: Workbench, value: Value, indices: Value, axis: number): Value =>
  make.op('Gather', [value, indices], { axis: attr.int(axis) });

/** Places in a map that the window covers at a position of the output, in the order of the kernel; the number of places where it reaches over the edge. */
function coveredPlaces(
  { kernel, strides, dilations, begin }: SettledWindow,
  spatial: readonly number[],
  across: readonly number[],
  position: number,
): number[] {
  const [steps, offsets, inner] = [stridesOf(across), stridesOf(kernel), stridesOf(spatial)];
  const places = sizeOf(spatial);
  return Array.from({ length: sizeOf(kernel) }, (_, cell) => {
    let place = 0;
    for (let axis = 0; axis < kernel.length; axis++) {
      const start = (Math.floor(position / steps[axis]!) % across[axis]!) * strides[axis]! - begin[axis]!;
      const at = start + (Math.floor(cell / offsets[axis]!) % kernel[axis]!) * dilations[axis]!;
      if (at < 0 || at >= spatial[axis]!) return places;
      place += at * inner[axis]!;
    }
    return place;
  });
}
