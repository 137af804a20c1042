// @ts-check
/** Networks of well-known sizes with random weights, as graphs: what `npm run bench:structural` cuts. Shapes are those of torchvision. */

import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ROOT } from './tools.mjs';

/** @param {string} room @returns {Promise<any>} */
export const loadRoom = (room) => import(pathToFileURL(join(ROOT, 'dist', room, 'index.js')).href);

const [core, ir, ops] = await Promise.all([
  import(pathToFileURL(join(ROOT, 'dist', 'core', 'tensor.js')).href),
  loadRoom('ir'),
  loadRoom('ops'),
]);
const { Tensor } = core;
const { attr } = ir;

/** Writes nodes with weights that are drawn fast; what they are does not change what a cut costs. */
class Net {
  /** @param {readonly number[]} shape */
  constructor(shape) {
    this.b = new ops.GraphBuilder();
    this.state = 1;
    this.x = this.b.input('input', 'float32', shape);
  }

  /** @param {string} name @param {...number} shape */
  weight(name, ...shape) {
    const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
    for (let at = 0; at < data.length; at++) {
      this.state = (Math.imul(this.state, 1664525) + 1013904223) | 0;
      data[at] = this.state * 1e-10;
    }
    return this.b.constant(Tensor.of(data, shape), name);
  }

  /** @param {any} value @returns {readonly number[]} */
  shape(value) {
    return this.b.inferred(value).shape;
  }

  /** @param {string} op @param {any[]} inputs @param {Record<string, any>} [attributes] */
  op(op, inputs, attributes = {}) {
    return this.b.op(op, inputs, { attributes });
  }

  /** @param {any} x @param {string} name @param {number} filters @param {number} kernel @param {number} [stride] */
  conv(x, name, filters, kernel, stride = 1) {
    const pad = (kernel - 1) >> 1;
    return this.op(
      'Conv',
      [x, this.weight(`${name}.weight`, filters, this.shape(x)[1] ?? 0, kernel, kernel)],
      {
        pads: attr.ints([pad, pad, pad, pad]),
        strides: attr.ints([stride, stride]),
      },
    );
  }

  /** @param {any} x @param {string} name */
  norm(x, name) {
    const channels = this.shape(x)[1] ?? 0;
    const parts = ['weight', 'bias', 'running_mean', 'running_var'].map((part) =>
      part === 'running_var'
        ? this.b.constant(Tensor.of(new Float32Array(channels).fill(1)), `${name}.${part}`)
        : this.weight(`${name}.${part}`, channels),
    );
    return this.op('BatchNormalization', [x, ...parts]);
  }

  /** @param {any} x */
  relu(x) {
    return this.op('Relu', [x]);
  }

  /** @param {any} x @param {string} name @param {number} outputs */
  linear(x, name, outputs) {
    const made = this.op('MatMul', [x, this.weight(`${name}.weight`, this.shape(x).at(-1) ?? 0, outputs)]);
    return this.op('Add', [made, this.weight(`${name}.bias`, outputs)]);
  }

  /** @param {any} x @param {number} kernel @param {number} pad */
  maxPool(x, kernel, pad) {
    return this.op('MaxPool', [x], {
      kernel_shape: attr.ints([kernel, kernel]),
      strides: attr.ints([2, 2]),
      pads: attr.ints([pad, pad, pad, pad]),
    });
  }

  /** @param {any} x */
  classified(x) {
    const flat = this.op('Flatten', [this.op('GlobalAveragePool', [x])]);
    const weight = this.weight('fc.weight', 1000, this.shape(flat)[1] ?? 0);
    this.b.output(
      this.op('Gemm', [flat, weight, this.weight('fc.bias', 1000)], { transB: attr.int(1) }),
      'output',
    );
    return this.b.graph;
  }
}

function resnet50() {
  const net = new Net([1, 3, 224, 224]);
  let x = net.maxPool(net.relu(net.norm(net.conv(net.x, 'conv1', 64, 7, 2), 'bn1')), 3, 1);
  [3, 4, 6, 3].forEach((blocks, stage) => {
    for (let block = 0; block < blocks; block++) {
      const name = `layer${stage + 1}.${block}`;
      const width = 64 << stage;
      const stride = block === 0 && stage > 0 ? 2 : 1;
      let y = net.relu(net.norm(net.conv(x, `${name}.conv1`, width, 1), `${name}.bn1`));
      y = net.relu(net.norm(net.conv(y, `${name}.conv2`, width, 3, stride), `${name}.bn2`));
      y = net.norm(net.conv(y, `${name}.conv3`, 4 * width, 1), `${name}.bn3`);
      const way =
        block === 0
          ? net.norm(net.conv(x, `${name}.downsample.0`, 4 * width, 1, stride), `${name}.downsample.1`)
          : x;
      x = net.relu(net.op('Add', [y, way]));
    }
  });
  return net.classified(x);
}

function densenet121() {
  const net = new Net([1, 3, 224, 224]);
  let x = net.maxPool(net.relu(net.norm(net.conv(net.x, 'conv0', 64, 7, 2), 'norm0')), 3, 1);
  [6, 12, 24, 16].forEach((layers, block) => {
    const parts = [x];
    for (let layer = 0; layer < layers; layer++) {
      const name = `denseblock${block + 1}.denselayer${layer + 1}`;
      const joined = parts.length === 1 ? x : net.op('Concat', [...parts], { axis: attr.int(1) });
      const y = net.conv(net.relu(net.norm(joined, `${name}.norm1`)), `${name}.conv1`, 128, 1);
      parts.push(net.conv(net.relu(net.norm(y, `${name}.norm2`)), `${name}.conv2`, 32, 3));
    }
    x = net.op('Concat', parts, { axis: attr.int(1) });
    if (block === 3) return;
    const half = (net.shape(x)[1] ?? 0) / 2;
    x = net.conv(
      net.relu(net.norm(x, `transition${block + 1}.norm`)),
      `transition${block + 1}.conv`,
      half,
      1,
    );
    x = net.op('AveragePool', [x], { kernel_shape: attr.ints([2, 2]), strides: attr.ints([2, 2]) });
  });
  return net.classified(net.relu(net.norm(x, 'norm5')));
}

function vitB() {
  const net = new Net([1, 3, 224, 224]);
  const [width, heads, tokens] = [768, 12, 197];
  const ints = (/** @type {number[]} */ ...values) => net.b.constant(Tensor.int64(values), 'ints');
  const norm = (/** @type {any} */ value, /** @type {string} */ name) =>
    net.op('LayerNormalization', [
      value,
      net.weight(`${name}.weight`, width),
      net.weight(`${name}.bias`, width),
    ]);
  const patches = net.op(
    'Conv',
    [net.x, net.weight('conv_proj.weight', width, 3, 16, 16), net.weight('conv_proj.bias', width)],
    {
      strides: attr.ints([16, 16]),
    },
  );
  const flat = net.op('Transpose', [net.op('Reshape', [patches, ints(1, width, 196)])], {
    perm: attr.ints([0, 2, 1]),
  });
  let x = net.op('Concat', [net.weight('class_token', 1, 1, width), flat], { axis: attr.int(1) });
  x = net.op('Add', [x, net.weight('pos_embedding', 1, tokens, width)]);
  for (let layer = 0; layer < 12; layer++) {
    const name = `layers.${layer}`;
    const packed = net.linear(norm(x, `${name}.ln_1`), `${name}.qkv`, 3 * width);
    const split = net.op('Reshape', [packed, ints(1, tokens, 3, heads, width / heads)]);
    const turned = net.op('Transpose', [split], { perm: attr.ints([2, 0, 3, 1, 4]) });
    const [q, k, v] = [0, 1, 2].map((index) =>
      net.op('Gather', [turned, net.b.constant(Tensor.int64(index), 'index')], { axis: attr.int(0) }),
    );
    const scores = net.op('MatMul', [q, net.op('Transpose', [k], { perm: attr.ints([0, 1, 3, 2]) })]);
    const mixed = net.op('MatMul', [net.op('Softmax', [scores], { axis: attr.int(-1) }), v]);
    const joined = net.op('Reshape', [
      net.op('Transpose', [mixed], { perm: attr.ints([0, 2, 1, 3]) }),
      ints(1, tokens, width),
    ]);
    x = net.op('Add', [x, net.linear(joined, `${name}.proj`, width)]);
    const hidden = net.op('Relu', [net.linear(norm(x, `${name}.ln_2`), `${name}.mlp.0`, 4 * width)]);
    x = net.op('Add', [x, net.linear(hidden, `${name}.mlp.3`, width)]);
  }
  const first = net.op('Gather', [norm(x, 'ln'), net.b.constant(Tensor.int64(0), 'index')], {
    axis: attr.int(1),
  });
  net.b.output(net.linear(first, 'head', 1000), 'output');
  return net.b.graph;
}

async function yolov5s() {
  const [nn, models] = await Promise.all(['nn', 'models'].map(loadRoom));
  nn.manualSeed(0);
  const model = models.createModel('yolov5s', { decode: true }).eval();
  return nn.toGraph(model, [{ dtype: 'float32', shape: [1, 3, 640, 640] }]);
}

/** Graphs by name. @type {Readonly<Record<string, () => any>>} */
export const NETWORKS = { yolov5s, resnet50, densenet121, vit_b: vitB };
