/** Networks whose channels take unusual ways: what YOLOv8, ShuffleNet, super-resolution, Swin and LLaMA are built of. */
import { type Generator, Generator as Random } from '../src/core/random.ts';
import { Tensor } from '../src/core/tensor.ts';
import { attr, type Graph, staticShape, type Value } from '../src/ir/index.ts';
import { GraphBuilder } from '../src/ops/index.ts';

/** Writes nodes with random weights. */
class Writer {
  readonly builder = new GraphBuilder();
  readonly #random: Generator;

  constructor(seed: number) {
    this.#random = new Random(seed);
  }

  shape(value: Value): readonly number[] {
    return staticShape(this.builder.inferred(value).shape)!;
  }

  weight(...shape: number[]): Value {
    const size = shape.reduce((product, dim) => product * dim, 1);
    const scale = Math.sqrt(Math.max(1, shape.slice(1).reduce((product, dim) => product * dim, 1) / 3));
    const data = this.#random.rand(size).map((draw) => (draw * 2 - 1) / scale);
    return this.builder.constant(Tensor.of(data, shape), 'weight');
  }

  ints(...values: number[]): Value {
    return this.builder.constant(Tensor.int64(values));
  }

  conv(x: Value, filters: number, kernel = 3, groups = 1): Value {
    const weight = this.weight(filters, this.shape(x)[1]! / groups, kernel, kernel);
    const pad = (kernel - 1) / 2;
    return this.builder.op('Conv', [x, weight, this.weight(filters)], {
      attributes: { pads: attr.ints([pad, pad, pad, pad]), group: attr.int(groups) },
    });
  }

  linear(x: Value, outputs: number): Value {
    const made = this.builder.op('MatMul', [x, this.weight(this.shape(x).at(-1)!, outputs)]);
    return this.builder.op('Add', [made, this.weight(outputs)]);
  }

  silu(x: Value): Value {
    return this.builder.op('Mul', [x, this.builder.op('Sigmoid', [x])]);
  }

  split(x: Value, axis: number, sizes: readonly number[]): readonly Value[] {
    return this.builder.ops('Split', [x, this.ints(...sizes)], {
      outputs: sizes.length,
      attributes: { axis: attr.int(axis) },
    });
  }

  concat(parts: readonly Value[], axis: number): Value {
    return this.builder.op('Concat', parts, { attributes: { axis: attr.int(axis) } });
  }

  reshape(x: Value, ...shape: number[]): Value {
    return this.builder.op('Reshape', [x, this.ints(...shape)]);
  }

  transpose(x: Value, ...perm: number[]): Value {
    return this.builder.op('Transpose', [x], { attributes: { perm: attr.ints(perm) } });
  }

  slice(x: Value, axis: number, start: number, end: number): Value {
    return this.builder.op('Slice', [x, this.ints(start), this.ints(end), this.ints(axis)]);
  }

  softmax(x: Value): Value {
    return this.builder.op('Softmax', [x], { attributes: { axis: attr.int(-1) } });
  }

  classified(x: Value, classes = 5): Graph {
    const flat = this.builder.op('Flatten', [this.builder.op('GlobalAveragePool', [x])]);
    this.builder.output(this.linear(flat, classes), 'classes');
    return this.builder.graph;
  }
}

function started(seed: number, side = 8): { readonly w: Writer; readonly x: Value } {
  const w = new Writer(seed);
  const image = w.builder.input('image', 'float32', [1, 3, side, side]);
  return { w, x: w.silu(w.conv(image, 16)) };
}

/** YOLOv8's C2f: a projection split in halves, bottlenecks on the last, all joined. */
function c2f(): Graph {
  const { w, x } = started(1);
  const [one, two] = w.split(w.silu(w.conv(x, 16, 1)), 1, [8, 8]);
  const parts = [one!, two!];
  for (let block = 0; block < 2; block++) {
    const last = parts.at(-1)!;
    parts.push(w.builder.op('Add', [last, w.silu(w.conv(w.silu(w.conv(last, 8)), 8))]));
  }
  return w.classified(w.silu(w.conv(w.concat(parts, 1), 16, 1)));
}

/** Grouped convolutions with ShuffleNet's shuffle between. */
function channelShuffle(): Graph {
  const { w, x } = started(2);
  const grouped = w.silu(w.conv(x, 24, 1, 4));
  const split = w.reshape(grouped, 1, 4, 6, 8, 8);
  const shuffled = w.reshape(w.transpose(split, 0, 2, 1, 3, 4), 1, 24, 8, 8);
  return w.classified(w.silu(w.conv(w.conv(shuffled, 24, 3, 24), 16, 1, 4)));
}

/** ESPCN's last layers: a convolution, and its channels moved into the image. */
function pixelShuffle(): Graph {
  const { w, x } = started(3);
  const wide = w.conv(w.silu(w.conv(x, 12)), 32);
  const split = w.reshape(wide, 1, 8, 2, 2, 8, 8);
  const moved = w.reshape(w.transpose(split, 0, 1, 4, 2, 5, 3), 1, 8, 16, 16);
  w.builder.output(w.conv(w.silu(w.conv(moved, 8)), 3), 'picture');
  return w.builder.graph;
}

interface Attention {
  readonly heads: number;
  readonly width: number;
  /** Tokens of a window. */
  readonly length: number;
}

/** A Swin block: tokens shifted, cut into windows, attended, put back. */
function swin(seed: number, attention: (w: Writer, parts: readonly Value[], of: Attention) => Value): Graph {
  const { w, x } = started(seed);
  const [heads, width, side, window] = [4, 4, 8, 4];
  const channels = heads * width;
  let tokens = w.transpose(x, 0, 2, 3, 1);
  tokens = w.builder.op('LayerNormalization', [tokens, w.weight(channels), w.weight(channels)]);
  for (const axis of [1, 2]) {
    tokens = w.concat([w.slice(tokens, axis, 2, side), w.slice(tokens, axis, 0, 2)], axis);
  }
  const [count, length] = [side / window, window * window];
  const parts = w.reshape(tokens, 1, count, window, count, window, channels);
  const windows = w.reshape(w.transpose(parts, 0, 1, 3, 2, 4, 5), count * count, length, channels);
  const packed = w.reshape(w.linear(windows, 3 * channels), count * count, length, 3, heads, width);
  const qkv = [0, 1, 2].map((index) =>
    w.builder.op('Gather', [w.transpose(packed, 2, 0, 3, 1, 4), w.builder.constant(Tensor.int64(index))]),
  );
  const mixed = w.transpose(attention(w, qkv, { heads, width, length }), 0, 2, 1, 3);
  const projected = w.linear(w.reshape(mixed, count * count, length, channels), channels);
  const back = w.transpose(w.reshape(projected, 1, count, count, window, window, channels), 0, 1, 3, 2, 4, 5);
  const map = w.transpose(w.reshape(back, 1, side, side, channels), 0, 3, 1, 2);
  return w.classified(w.builder.op('Add', [x, map]));
}

/** With a bias for each head. */
const swinWindows = (): Graph =>
  swin(4, (w, [q, k, v], { heads, length }) => {
    const scores = w.builder.op('MatMul', [q!, w.transpose(k!, 0, 1, 3, 2)]);
    const biased = w.builder.op('Add', [scores, w.weight(1, heads, length, length)]);
    return w.builder.op('MatMul', [w.softmax(biased), v!]);
  });

/** As the second version has it: by cosines, scaled for each head, with a bias that a small network makes of the places, an output for each head. */
const cosineWindows = (): Graph =>
  swin(7, (w, [q, k, v], { heads, length }) => {
    const unit = (value: Value): Value => {
      const norm = w.builder.op('ReduceL2', [value], { attributes: { axes: attr.ints([-1]) } });
      return w.builder.op('Div', [
        value,
        w.builder.op('Max', [norm, w.builder.constant(Tensor.of(Float32Array.of(1e-6), []))]),
      ]);
    };
    const cosines = w.builder.op('MatMul', [unit(q!), w.transpose(unit(k!), 0, 1, 3, 2)]);
    const scores = w.builder.op('Mul', [cosines, w.weight(heads, 1, 1)]);
    const places = w.builder.op('Relu', [w.linear(w.weight(length * length, 2), 12)]);
    const bias = w.transpose(w.reshape(w.linear(places, heads), length, length, heads), 2, 0, 1);
    const biased = w.builder.op('Add', [scores, w.builder.op('Sigmoid', [bias])]);
    return w.builder.op('MatMul', [w.softmax(biased), v!]);
  });

/** LLaMA's attention: fewer heads for keys and values, rotary positions; and its gated feed-forward part. */
function groupedQueryAttention(): Graph {
  const w = new Writer(5);
  const [heads, groups, width, length, channels] = [4, 2, 8, 6, 16];
  const ids = w.builder.input('ids', 'int64', [1, length]);
  const x = w.builder.op('Gather', [w.weight(11, channels), ids]);
  const norm = (value: Value): Value => {
    const square = w.builder.op('Mul', [value, value]);
    const mean = w.builder.op('ReduceMean', [square], { attributes: { axes: attr.ints([-1]) } });
    const scaled = w.builder.op('Div', [value, w.builder.op('Sqrt', [mean])]);
    return w.builder.op('Mul', [scaled, w.weight(channels)]);
  };
  const headed = (value: Value, count: number): Value =>
    w.transpose(w.reshape(w.linear(value, count * width), 1, length, count, width), 0, 2, 1, 3);
  const [cos, sin] = [w.weight(1, 1, length, width), w.weight(1, 1, length, width)];
  const rotated = (value: Value): Value => {
    const [low, high] = [w.slice(value, 3, 0, width / 2), w.slice(value, 3, width / 2, width)];
    const turned = w.concat([w.builder.op('Neg', [high]), low], 3);
    return w.builder.op('Add', [w.builder.op('Mul', [value, cos]), w.builder.op('Mul', [turned, sin])]);
  };
  const repeated = (value: Value): Value => {
    const wide = w.builder.op('Expand', [
      w.reshape(value, 1, groups, 1, length, width),
      w.ints(1, groups, heads / groups, length, width),
    ]);
    return w.reshape(wide, 1, heads, length, width);
  };
  const normed = norm(x);
  const q = rotated(headed(normed, heads));
  const k = repeated(rotated(headed(normed, groups)));
  const v = repeated(headed(normed, groups));
  const scores = w.builder.op('MatMul', [q, w.transpose(k, 0, 1, 3, 2)]);
  const mixed = w.transpose(w.builder.op('MatMul', [w.softmax(scores), v]), 0, 2, 1, 3);
  const attended = w.builder.op('Add', [x, w.linear(w.reshape(mixed, 1, length, heads * width), channels)]);
  const again = norm(attended);
  const gated = w.builder.op('Mul', [w.silu(w.linear(again, 32)), w.linear(again, 32)]);
  w.builder.output(w.linear(w.builder.op('Add', [attended, w.linear(gated, channels)]), 11), 'logits');
  return w.builder.graph;
}

/** An LSTM over a convolution's rows. */
function recurrent(): Graph {
  const { w, x } = started(6);
  const [channels, hidden] = [16, 10];
  const rows = w.reshape(
    w.transpose(
      w.builder.op('ReduceMean', [x], {
        attributes: { axes: attr.ints([2]), keepdims: attr.int(0) },
      }),
      2,
      0,
      1,
    ),
    8,
    1,
    channels,
  );
  const [sequence] = w.builder.ops(
    'LSTM',
    [rows, w.weight(1, 4 * hidden, channels), w.weight(1, 4 * hidden, hidden), w.weight(1, 8 * hidden)],
    { outputs: 1, attributes: { hidden_size: attr.int(hidden) } },
  );
  w.builder.output(w.linear(w.reshape(sequence!, 8, 1, hidden), 5), 'steps');
  return w.builder.graph;
}

/** All of them by name. */
export const SPECIAL_NETWORKS: Readonly<Record<string, () => Graph>> = {
  C2f: c2f,
  'channel shuffle': channelShuffle,
  'pixel shuffle': pixelShuffle,
  'Swin windows': swinWindows,
  'Swin V2 windows': cosineWindows,
  'grouped-query attention': groupedQueryAttention,
  LSTM: recurrent,
};
