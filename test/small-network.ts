/** Small networks with random weights, and random choices of channels to remove. */
import type { DType } from '../src/core/dtype.ts';
import { Generator } from '../src/core/random.ts';
import { sizeOf, Tensor } from '../src/core/tensor.ts';
import { type Attribute, attr, Graph, staticShape, type Value } from '../src/ir/index.ts';
import { GraphBuilder } from '../src/ops/index.ts';
import type { ChannelGroups } from '../src/structural/index.ts';

/** Builds a network layer by layer. */
export class SmallNetwork {
  readonly builder: GraphBuilder;
  readonly #random: Generator;

  constructor(seed = 0, opset = 17) {
    this.builder = new GraphBuilder(new Graph({ opset }));
    this.#random = new Generator(seed);
  }

  get graph(): Graph {
    return this.builder.graph;
  }

  /** A float32 input; a size may be open. */
  input(shape: readonly (number | string)[], name = 'x', dtype: DType = 'float32'): Value {
    return this.builder.input(name, dtype, shape);
  }

  /** Standard normal numbers times `scale`. */
  weight(shape: readonly number[], name?: string, scale = 1): Value {
    const data = this.#random.randn(sizeOf(shape)).map((x) => x * scale);
    return this.builder.constant(new Tensor('float32', shape, data), name);
  }

  op(opType: string, inputs: readonly (Value | null)[], attributes: Record<string, Attribute> = {}): Value {
    return this.builder.op(opType, inputs, { attributes });
  }

  /** A convolution of square kernels, padded to keep sizes. */
  conv(x: Value, name: string, out: number, { size = 3, groups = 1, bias = true, strides = 1 } = {}): Value {
    const channels = this.sizes(x)[1]! / groups;
    const pad = (size - 1) / 2;
    const scale = 1 / Math.sqrt(channels * size * size);
    return this.builder.op(
      'Conv',
      [
        x,
        this.weight([out, channels, size, size], `${name}.weight`, scale),
        ...(bias ? [this.weight([out], `${name}.bias`)] : []),
      ],
      {
        name: `/${name}/Conv`,
        attributes: {
          pads: attr.ints([pad, pad, pad, pad]),
          group: attr.int(groups),
          strides: attr.ints([strides, strides]),
        },
      },
    );
  }

  /** `x W^T + b` of a matrix. */
  linear(x: Value, name: string, out: number): Value {
    const [, features] = this.sizes(x);
    return this.builder.op(
      'Gemm',
      [
        x,
        this.weight([out, features!], `${name}.weight`, 1 / Math.sqrt(features!)),
        this.weight([out], `${name}.bias`),
      ],
      { name: `/${name}/Gemm`, attributes: { transB: attr.int(1) } },
    );
  }

  /** `x W` over the last axis. */
  matmul(x: Value, name: string, out: number): Value {
    const features = this.sizes(x).at(-1)!;
    return this.builder.op(
      'MatMul',
      [x, this.weight([features, out], `${name}.weight`, 1 / Math.sqrt(features))],
      {
        name: `/${name}/MatMul`,
      },
    );
  }

  /** Batch normalization with running statistics that are not 0 and 1. */
  batchNorm(x: Value, name: string): Value {
    const channels = this.sizes(x)[1]!;
    const variance = Float32Array.from(this.#random.rand(channels), (u) => 0.5 + u);
    return this.builder.op(
      'BatchNormalization',
      [
        x,
        this.weight([channels], `${name}.weight`),
        this.weight([channels], `${name}.bias`),
        this.weight([channels], `${name}.running_mean`),
        this.builder.constant(Tensor.of(variance), `${name}.running_var`),
      ],
      { name: `/${name}/BatchNormalization` },
    );
  }

  /** Global average pool and a linear layer to the output `classes`. */
  classify(x: Value, classes = 5): Graph {
    const flat = this.op('Flatten', [this.op('GlobalAveragePool', [x])]);
    this.builder.output(this.linear(flat, 'head', classes), 'classes');
    return this.graph;
  }

  /** Sizes of a value; open ones as 1. */
  sizes(value: Value): readonly number[] {
    const { shape } = this.builder.inferred(value);
    return staticShape(shape.map((dim) => (typeof dim === 'number' ? dim : 1)))!;
  }
}

/** A random choice of units: in each lane a share of the steps it can make, at least one. */
export function randomRemoval(groups: ChannelGroups, seed = 0, share = 0.4): Uint8Array {
  const random = new Generator(seed);
  const removed = new Uint8Array(groups.unitCount);
  for (const { cells, drop, maxSteps } of groups.lanes) {
    const steps = Math.min(maxSteps, Math.max(1, Math.round(maxSteps * share)));
    cells.forEach((cell, index) => {
      const order = random.randperm(cell.length);
      for (let place = 0; place < steps * drop[index]!; place++) removed[cell[Number(order[place])]!] = 1;
    });
  }
  return removed;
}
