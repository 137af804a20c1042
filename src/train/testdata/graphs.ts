import { Generator } from '../../core/random.ts';
import { Tensor } from '../../core/tensor.ts';
import { concatBytes, parseOnnx, serializeOnnx } from '../../io/index.ts';
import { attr, Graph, type Value } from '../../ir/index.ts';
import {
  BatchNorm2d,
  Conv2d,
  exportOnnx,
  Flatten,
  fromGraph,
  type GraphModule,
  Linear,
  MaxPool2d,
  manualSeed,
  ReLU,
  Sequential,
} from '../../nn/index.ts';
import { GraphBuilder } from '../../ops/index.ts';

/** A network for `blobs` with batch norm, whose weights follow from the seed and whose running statistics are not those of a new one. */
export function normNet(seed = 1): Sequential {
  manualSeed(seed);
  const net = new Sequential(
    new Conv2d(1, 4, 3, { padding: 1 }),
    new BatchNorm2d(4),
    new ReLU(),
    new MaxPool2d(2),
    new Flatten(),
    new Linear(36, 3),
  );
  net.getBuffer('1.running_mean').setData(Float32Array.of(0.1, -0.2, 0.3, 0));
  net.getBuffer('1.running_var').setData(Float32Array.of(0.5, 1.5, 2, 1));
  return net;
}

/** A graph as it comes from a file. */
const reread = (graph: Graph): GraphModule => fromGraph(parseOnnx(concatBytes(serializeOnnx(graph))));

/** `normNet` exported for inference, batch norm as nodes, and read again. */
export const exportedNet = (seed = 1): GraphModule =>
  fromGraph(parseOnnx(exportOnnx(normNet(seed), ['batch', 1, 6, 6])));

/** Writes a graph on `[batch, 1, 6, 6]` and reads it again. */
function written(opset: number, body: (builder: GraphBuilder, x: Value) => Value): GraphModule {
  const builder = new GraphBuilder(new Graph({ opset, name: 'net' }));
  builder.output(body(builder, builder.input('x', 'float32', ['batch', 1, 6, 6])), 'y');
  return reread(builder.graph);
}

/** `normNet` as exporters write it for inference: batch norm folded into the convolution, whose weights have no names of their own. */
export function foldedNet(seed = 1): GraphModule {
  const net = normNet(seed);
  const of = (name: string): Float32Array => net.stateDict().get(name)!.float32;
  const factors = of('1.weight').map((scale, index) => scale / Math.sqrt(of('1.running_var')[index]! + 1e-5));
  const weight = of('0.weight').map((value, index) => value * factors[Math.floor(index / 9)]!);
  const bias = of('0.bias').map(
    (value, index) => (value - of('1.running_mean')[index]!) * factors[index]! + of('1.bias')[index]!,
  );
  return written(13, (builder, x) => {
    const convolved = builder.op(
      'Conv',
      [
        x,
        builder.constant(Tensor.of(weight, [4, 1, 3, 3]), 'onnx::Conv_12'),
        builder.constant(Tensor.of(bias), 'onnx::Conv_13'),
      ],
      { name: '/0/Conv', attributes: { kernel_shape: attr.ints([3, 3]), pads: attr.ints([1, 1, 1, 1]) } },
    );
    const pooled = builder.op('MaxPool', [builder.op('Relu', [convolved], { name: '/2/Relu' })], {
      name: '/3/MaxPool',
      attributes: { kernel_shape: attr.ints([2, 2]), strides: attr.ints([2, 2]) },
    });
    const flat = builder.op('Flatten', [pooled], { name: '/4/Flatten' });
    const linear = [Tensor.of(of('5.weight').slice(), [3, 36]), Tensor.of(of('5.bias').slice())] as const;
    return builder.op(
      'Gemm',
      [flat, builder.constant(linear[0], '5.weight'), builder.constant(linear[1], '5.bias')],
      { name: '/5/Gemm', attributes: { transB: attr.int(1) } },
    );
  });
}

/** A graph of opset 11, with what was written otherwise then: axes and the ratio of dropout as attributes. Batch norm comes first, so that its statistics are those of the input. */
export function oldNet(seed = 1): GraphModule {
  const random = new Generator(seed);
  return written(11, (builder, x) => {
    const given = (name: string, ...values: number[]): Value =>
      builder.constant(Tensor.of(Float32Array.from(values)), name);
    const drawn = (name: string, std: number, ...shape: number[]): Value => {
      const size = shape.reduce((product, each) => product * each, 1);
      return builder.constant(Tensor.of(random.normal(size, 0, std), shape), name);
    };
    const normed = builder.op(
      'BatchNormalization',
      [
        x,
        given('bn.weight', 1.5),
        given('bn.bias', 0.1),
        given('bn.running_mean', 0.5),
        given('bn.running_var', 2),
      ],
      { name: 'bn', attributes: { epsilon: attr.float(1e-3), momentum: attr.float(0.8) } },
    );
    const convolved = builder.op(
      'Conv',
      [normed, drawn('conv.weight', 0.3, 8, 1, 3, 3), given('conv.bias', ...new Array(8).fill(0))],
      {
        name: 'conv',
        attributes: {
          kernel_shape: attr.ints([3, 3]),
          strides: attr.ints([2, 2]),
          pads: attr.ints([1, 1, 1, 1]),
        },
      },
    );
    const active = builder.op('Relu', [convolved], { name: 'relu' });
    const dropped = builder.op('Dropout', [active], {
      name: 'dropout',
      attributes: { ratio: attr.float(0.1) },
    });
    const mean = builder.op('ReduceMean', [dropped], {
      name: 'mean',
      attributes: { axes: attr.ints([3]), keepdims: attr.int(0) },
    });
    const flat = builder.op('Flatten', [mean], { name: 'flatten' });
    return builder.op('Gemm', [flat, drawn('fc.weight', 0.3, 3, 24), given('fc.bias', 0, 0, 0)], {
      name: 'fc',
      attributes: { transB: attr.int(1) },
    });
  });
}
