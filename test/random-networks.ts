/** Small convolutional networks made at random: residuals, concats, splits, shuffles, groups, attention, and what else ties channels. */
import fc from 'fast-check';
import { Generator } from '../src/core/random.ts';
import { Tensor } from '../src/core/tensor.ts';
import { attr, type Graph, staticShape, type Value } from '../src/ir/index.ts';
import { GraphBuilder } from '../src/ops/index.ts';
import { removeUnused } from '../src/passes/index.ts';

const KINDS = [
  'conv',
  'strided',
  'grouped',
  'depthwise',
  'multiplier',
  'transposed',
  'norm',
  'activation',
  'prelu',
  'residual',
  'concat',
  'chunk',
  'uneven',
  'slice',
  'shuffle',
  'pixelShuffle',
  'unshuffle',
  'squeezeExcite',
  'pool',
  'upsample',
  'pad',
  'bottleneck',
  'c2f',
  'gather',
  'attention',
  'packedAttention',
  'groupNorm',
  'layerNorm',
  'gate',
] as const;

/** What a network is built from, one after another. */
export interface Step {
  readonly kind: (typeof KINDS)[number];
  /** Which of the maps there are is read. */
  readonly from: number;
  /** Which other. */
  readonly other: number;
  readonly size: number;
}

/** A list of steps; fast-check makes it smaller where a network fails. */
export const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.record({
    kind: fc.constantFrom(...KINDS),
    from: fc.nat(7),
    other: fc.nat(7),
    size: fc.nat(7),
  }),
  { minLength: 2, maxLength: 9 },
);

const SIDE = 8;

/** The network that steps describe: image `f32[1, 3, 8, 8]` to the features of the last map, globally pooled and classified. Weights are drawn from the seed. */
export function networkOf(list: readonly Step[], seed: number): Graph {
  const net = new Network(seed);
  for (const step of list) net.add(step);
  return net.finish();
}

class Network {
  readonly #builder = new GraphBuilder();
  readonly #random: Generator;
  readonly #maps: Value[] = [];

  constructor(seed: number) {
    this.#random = new Generator(seed);
    const image = this.#builder.input('image', 'float32', [1, 3, SIDE, SIDE]);
    this.#maps.push(this.#conv(image, 8, 3));
  }

  finish(): Graph {
    const pooled = this.#builder.op('GlobalAveragePool', [this.#maps.at(-1)!]);
    const flat = this.#builder.op('Flatten', [pooled]);
    const [, channels] = this.#shape(flat);
    const hidden = this.#builder.op('Relu', [this.#linear(flat, channels!, 6)]);
    this.#builder.output(this.#linear(hidden, 6, 4), 'classes');
    return removeUnused(this.#builder.graph).graph;
  }

  add({ kind, from, other, size }: Step): void {
    const x = this.#maps[from % this.#maps.length]!;
    const channels = this.#shape(x)[1]!;
    this.#maps.push(...this.#made(kind, x, channels, this.#maps[other % this.#maps.length]!, size));
  }

  #made(kind: Step['kind'], x: Value, channels: number, y: Value, size: number): readonly Value[] {
    const b = this.#builder;
    const even = channels % 2 === 0;
    switch (kind) {
      case 'conv':
        return [this.#conv(x, 4 + size, size % 2 === 0 ? 1 : 3)];
      case 'strided':
        return [this.#conv(x, 4 + size, 3, { strides: 2 })];
      case 'grouped': {
        const groups = even ? (channels % 4 === 0 ? 4 : 2) : 1;
        return [this.#conv(x, groups * (1 + (size % 4)), 3, { groups })];
      }
      case 'depthwise':
        return [this.#conv(x, channels, 3, { groups: channels })];
      case 'multiplier':
        return [this.#conv(x, channels * 2, 3, { groups: channels })];
      case 'transposed': {
        const weight = this.#weight([channels, 4 + size, 2, 2]);
        return [
          b.op('ConvTranspose', [x, weight, this.#weight([4 + size])], {
            attributes: { kernel_shape: attr.ints([2, 2]), strides: attr.ints([2, 2]) },
          }),
        ];
      }
      case 'norm':
        return [this.#norm(x, channels)];
      case 'activation':
        return [size % 2 === 0 ? b.op('Relu', [x]) : b.op('Mul', [x, b.op('Sigmoid', [x])])];
      case 'prelu':
        return [b.op('PRelu', [x, this.#weight([channels, 1, 1])])];
      case 'residual':
        return [b.op('Add', [x, this.#conv(b.op('Relu', [x]), channels, 3)])];
      case 'concat':
        return [b.op('Concat', [x, this.#like(x, y)], { attributes: { axis: attr.int(1) } })];
      case 'chunk': {
        if (!even) return [];
        const [one, two] = this.#split(x, [channels / 2, channels / 2]);
        return [this.#concat([this.#conv(one!, channels / 2, 3), two!])];
      }
      case 'uneven': {
        if (channels < 3) return [];
        const [one, two] = this.#split(x, [
          1 + (size % (channels - 1)),
          channels - 1 - (size % (channels - 1)),
        ]);
        return [one!, this.#concat([two!, b.op('Relu', [two!]), one!])];
      }
      case 'slice': {
        if (channels < 4) return [];
        const ints = (...values: number[]): Value => b.constant(Tensor.int64(values));
        return [b.op('Slice', [x, ints(1), ints(channels - 1), ints(1)])];
      }
      case 'shuffle':
        return even ? [this.#shuffled(x, channels % 4 === 0 && size % 2 === 0 ? 4 : 2)] : [];
      case 'pixelShuffle':
        return [
          b.op('DepthToSpace', [this.#conv(x, 4 * (1 + (size % 4)), 1)], {
            attributes: { blocksize: attr.int(2), mode: attr.string(size % 2 === 0 ? 'DCR' : 'CRD') },
          }),
        ];
      case 'unshuffle':
        return this.#shape(x)[2]! % 2 === 0
          ? [b.op('SpaceToDepth', [x], { attributes: { blocksize: attr.int(2) } })]
          : [];
      case 'squeezeExcite': {
        const pooled = b.op('GlobalAveragePool', [x]);
        const squeezed = b.op('Relu', [this.#conv(pooled, 4, 1)]);
        return [b.op('Mul', [x, b.op('Sigmoid', [this.#conv(squeezed, channels, 1)])])];
      }
      case 'pool':
        return this.#shape(x)[2]! >= 2
          ? [
              b.op(size % 2 === 0 ? 'MaxPool' : 'AveragePool', [x], {
                attributes: { kernel_shape: attr.ints([2, 2]), strides: attr.ints([2, 2]) },
              }),
            ]
          : [];
      case 'upsample':
        return this.#shape(x)[2]! <= 16
          ? [
              this.#resized(
                x,
                this.#shape(x).map((dim, axis) => (axis > 1 ? dim * 2 : dim)),
              ),
            ]
          : [];
      case 'pad':
        // With something behind it: onnxruntime 1.30 merges zeros that are padded into a MaxPool, which pads otherwise.
        return [b.op('Sigmoid', [b.op('Pad', [x, b.constant(Tensor.int64([0, 0, 1, 1, 0, 0, 1, 1]))])])];
      case 'bottleneck': {
        const hidden = b.op('Relu', [this.#norm(this.#conv(x, 4 + size, 1), 4 + size)]);
        return [b.op('Add', [x, this.#conv(hidden, channels, 3)])];
      }
      case 'c2f': {
        const [one, two] = this.#split(this.#conv(x, 8, 1), [4, 4]);
        const three = b.op('Add', [two!, this.#conv(two!, 4, 3)]);
        return [this.#conv(this.#concat([one!, two!, three]), 4 + size, 1)];
      }
      case 'gather': {
        const order = Array.from({ length: channels }, (_, index) => (index * 3 + size) % channels);
        return [
          b.op('Gather', [x, b.constant(Tensor.int64([...new Set(order)]))], {
            attributes: { axis: attr.int(1) },
          }),
        ];
      }
      case 'attention':
        return [this.#attention(this.#conv(x, 8, 1), 2)];
      case 'packedAttention':
        return [this.#packedAttention(this.#conv(x, 8, 1), 4)];
      case 'groupNorm':
        return even ? [this.#groupNorm(x, channels, 2)] : [];
      case 'layerNorm': {
        const last = b.op('Transpose', [x], { attributes: { perm: attr.ints([0, 2, 3, 1]) } });
        const normed = b.op('LayerNormalization', [last, this.#weight([channels]), this.#weight([channels])]);
        return [b.op('Transpose', [normed], { attributes: { perm: attr.ints([0, 3, 1, 2]) } })];
      }
      case 'gate': {
        const wide = this.#conv(x, 2 * (2 + size), 1);
        const [one, two] = this.#split(wide, [2 + size, 2 + size]);
        return [b.op('Mul', [one!, b.op('Sigmoid', [two!])])];
      }
    }
  }

  #shape(value: Value): readonly number[] {
    return staticShape(this.#builder.inferred(value).shape)!;
  }

  #weight(shape: readonly number[]): Value {
    const fan = shape.slice(1).reduce((product, size) => product * size, 1);
    const size = shape.reduce((product, dim) => product * dim, 1);
    const scale = Math.sqrt(Math.max(1, fan / 3));
    const data = this.#random.rand(size).map((draw) => (draw * 2 - 1) / scale);
    return this.#builder.constant(Tensor.of(data, shape), 'weight');
  }

  #conv(
    x: Value,
    filters: number,
    kernel: number,
    { groups = 1, strides = 1 }: { groups?: number; strides?: number } = {},
  ): Value {
    const weight = this.#weight([filters, this.#shape(x)[1]! / groups, kernel, kernel]);
    const pad = (kernel - 1) / 2;
    return this.#builder.op('Conv', [x, weight, this.#weight([filters])], {
      attributes: {
        kernel_shape: attr.ints([kernel, kernel]),
        pads: attr.ints([pad, pad, pad, pad]),
        strides: attr.ints([strides, strides]),
        group: attr.int(groups),
      },
    });
  }

  #linear(x: Value, inputs: number, outputs: number): Value {
    return this.#builder.op('Gemm', [x, this.#weight([outputs, inputs]), this.#weight([outputs])], {
      attributes: { transB: attr.int(1) },
    });
  }

  #norm(x: Value, channels: number): Value {
    const variance = this.#builder.constant(Tensor.of(new Float32Array(channels).fill(0.5)), 'variance');
    return this.#builder.op('BatchNormalization', [
      x,
      this.#weight([channels]),
      this.#weight([channels]),
      this.#weight([channels]),
      variance,
    ]);
  }

  #split(x: Value, sizes: readonly number[]): readonly Value[] {
    return this.#builder.ops('Split', [x, this.#builder.constant(Tensor.int64(sizes))], {
      outputs: sizes.length,
      attributes: { axis: attr.int(1) },
    });
  }

  #concat(parts: readonly Value[]): Value {
    return this.#builder.op('Concat', parts, { attributes: { axis: attr.int(1) } });
  }

  #reshape(x: Value, shape: readonly number[]): Value {
    return this.#builder.op('Reshape', [x, this.#builder.constant(Tensor.int64(shape))]);
  }

  #transpose(x: Value, perm: readonly number[]): Value {
    return this.#builder.op('Transpose', [x], { attributes: { perm: attr.ints(perm) } });
  }

  #resized(x: Value, shape: readonly number[]): Value {
    return this.#builder.op('Resize', [x, null, null, this.#builder.constant(Tensor.int64(shape))], {
      attributes: { mode: attr.string('nearest') },
    });
  }

  /** `y` at the size of `x`. */
  #like(x: Value, y: Value): Value {
    const [own, other] = [this.#shape(x), this.#shape(y)];
    return own[2] === other[2] ? y : this.#resized(y, [other[0]!, other[1]!, own[2]!, own[3]!]);
  }

  #shuffled(x: Value, groups: number): Value {
    const [n, channels, height, width] = this.#shape(x) as [number, number, number, number];
    const split = this.#reshape(x, [n, groups, channels / groups, height, width]);
    return this.#reshape(this.#transpose(split, [0, 2, 1, 3, 4]), [n, -1, height, width]);
  }

  #groupNorm(x: Value, channels: number, groups: number): Value {
    const shape = this.#shape(x);
    const ones = this.#builder.constant(Tensor.of(new Float32Array(groups).fill(1)));
    const zeros = this.#builder.constant(Tensor.of(new Float32Array(groups)));
    const normed = this.#builder.op('InstanceNormalization', [
      this.#reshape(x, [0, groups, -1]),
      ones,
      zeros,
    ]);
    const back = this.#reshape(normed, shape);
    const scaled = this.#builder.op('Mul', [back, this.#weight([channels, 1, 1])]);
    return this.#builder.op('Add', [scaled, this.#weight([channels, 1, 1])]);
  }

  /** Attention over positions with projections of their own for q, k and v. */
  #attention(x: Value, heads: number): Value {
    const [, channels, height, width] = this.#shape(x) as [number, number, number, number];
    const tokens = this.#transpose(this.#reshape(x, [1, channels, height * width]), [0, 2, 1]);
    const part = (): Value => {
      const made = this.#builder.op('MatMul', [tokens, this.#weight([channels, channels])]);
      return this.#builder.op('Add', [made, this.#weight([channels])]);
    };
    const headed = (value: Value): Value =>
      this.#transpose(this.#reshape(value, [1, height * width, heads, channels / heads]), [0, 2, 1, 3]);
    return this.#mixed(x, headed(part()), headed(part()), headed(part()));
  }

  /** Attention with one projection for all three, as timm writes it. */
  #packedAttention(x: Value, heads: number): Value {
    const [, channels, height, width] = this.#shape(x) as [number, number, number, number];
    const tokens = this.#transpose(this.#reshape(x, [1, channels, height * width]), [0, 2, 1]);
    const packed = this.#builder.op('MatMul', [tokens, this.#weight([channels, 3 * channels])]);
    const split = this.#reshape(packed, [1, height * width, 3, heads, channels / heads]);
    const turned = this.#transpose(split, [2, 0, 3, 1, 4]);
    const pick = (index: number): Value =>
      this.#builder.op('Gather', [turned, this.#builder.constant(Tensor.int64(index))], {
        attributes: { axis: attr.int(0) },
      });
    return this.#mixed(x, pick(0), pick(1), pick(2));
  }

  /** `x` + projection of softmax(q kᵀ) v; q, k, v `f32[1, heads, tokens, width]`. */
  #mixed(x: Value, q: Value, k: Value, v: Value): Value {
    const [, channels, height, width] = this.#shape(x) as [number, number, number, number];
    const scores = this.#builder.op('MatMul', [q, this.#transpose(k, [0, 1, 3, 2])]);
    const weights = this.#builder.op('Softmax', [scores], { attributes: { axis: attr.int(-1) } });
    const mixed = this.#transpose(this.#builder.op('MatMul', [weights, v]), [0, 2, 1, 3]);
    const joined = this.#reshape(mixed, [1, height * width, channels]);
    const projected = this.#builder.op('MatMul', [joined, this.#weight([channels, channels])]);
    const map = this.#reshape(this.#transpose(projected, [0, 2, 1]), [1, channels, height, width]);
    return this.#builder.op('Add', [x, map]);
  }
}
