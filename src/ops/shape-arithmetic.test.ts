import { describe, expect, it } from 'vitest';
import { floats, graphOf, ints } from '../../test/operator-samples/sample.ts';
import { Tensor } from '../core/tensor.ts';
import { attr, type Value } from '../ir/index.ts';
import { findOperator, GraphBuilder, inferShapes, isUnsupported } from './index.ts';

/** A builder with an image of symbolic sizes. */
function image(): { builder: GraphBuilder; x: Value; dim: (axis: number) => Value } {
  const builder = new GraphBuilder();
  const x = builder.input('x', 'float32', ['batch', 3, 'h', 'w']);
  const shape = builder.op('Shape', [x]);
  const dim = (axis: number): Value => builder.op('Gather', [shape, builder.constant(ints(axis))]);
  return { builder, x, dim };
}

describe('shapes computed in the graph', () => {
  it('follow Shape, Gather, Mul, Concat and Reshape', () => {
    const { builder, x, dim } = image();
    const rows = builder.op('Mul', [dim(0), builder.constant(ints(3))]);
    const target = builder.op('Concat', [rows, builder.constant(ints(-1))], {
      attributes: { axis: attr.int(0) },
    });
    expect(builder.inferred(builder.op('Reshape', [x, target])).shape).toEqual(['3*batch', 'h*w']);
  });

  it('follow the -1 that exporters put in place of sizes to be kept', () => {
    const { builder, dim } = image();
    const token = builder.constant(Tensor.zeros('float32', [1, 1, 8]));
    const wanted = builder.op('Concat', [dim(0), builder.constant(ints(-1, -1))], {
      attributes: { axis: attr.int(0) },
    });
    const ones = builder.op('ConstantOfShape', [builder.constant(ints(3))], {
      attributes: { value: attr.tensor(ints(1)) },
    });
    const open = builder.op('Equal', [wanted, builder.op('Mul', [ones, builder.constant(ints(-1))])]);
    const sizes = builder.op('Where', [open, ones, wanted]);
    expect(builder.inferred(builder.op('Expand', [token, sizes])).shape).toEqual(['batch', 1, 8]);
  });

  it('follow pads that make up for an odd size', () => {
    const { builder, x, dim } = image();
    const two = builder.constant(ints(2));
    const pad = builder.op('Mod', [builder.op('Sub', [two, builder.op('Mod', [dim(3), two])]), two]);
    const pads = builder.op('Concat', [builder.constant(ints(0, 0, 0, 0, 0, 0, 0)), pad], {
      attributes: { axis: attr.int(0) },
    });
    const padded = builder.inferred(builder.op('Pad', [x, pads])).shape[3];
    expect(padded).toBe('2*floor((w + 1)/2)');
  });

  it('give a rolled image its own size', () => {
    const { builder, x } = image();
    const part = (start: number, end: number): Value =>
      builder.op('Slice', [x, ...[start, end, 2].map((value) => builder.constant(ints(value)))]);
    const rolled = builder.op('Concat', [part(-1, 2 ** 40), part(0, -1)], {
      attributes: { axis: attr.int(2) },
    });
    expect(builder.inferred(rolled).shape).toEqual(['batch', 3, 'h', 'w']);
  });

  it('keep the length of a sequence that cut position embeddings are added to', () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', 'float32', ['batch', 's', 8]);
    const table = builder.constant(Tensor.zeros('float32', [1, 512, 8]));
    const length = builder.op('Gather', [builder.op('Shape', [x]), builder.constant(ints(1))]);
    const cut = builder.op('Slice', [table, builder.constant(ints(0)), length, builder.constant(ints(1))]);
    expect(builder.inferred(builder.op('Add', [x, cut])).shape).toEqual(['batch', 's', 8]);
  });

  it('count by NonZero of a filled tensor, as opsets without Range do', () => {
    const { builder, dim } = image();
    const filled = builder.op('ConstantOfShape', [dim(2)], { attributes: { value: attr.tensor(ints(1)) } });
    expect(builder.inferred(builder.op('NonZero', [filled])).shape).toEqual([1, 'h']);
  });

  it('are not followed into large tensors', () => {
    const builder = new GraphBuilder();
    const column = builder.constant(Tensor.zeros('float32', [4000, 1]));
    const row = builder.constant(Tensor.zeros('float32', [1, 4000]));
    const indices = builder.constant(Tensor.zeros('int64', [4000]));
    const wide = [
      builder.op('Add', [column, row]),
      builder.op('Expand', [column, builder.constant(ints(4000, 4000))]),
      builder.op('Tile', [row, builder.constant(ints(4000, 1))]),
      builder.op('Gather', [row, indices]),
    ];
    for (const value of wide) {
      expect(builder.inferred(value)).toEqual({ dtype: 'float32', shape: [4000, 4000] });
    }
  });

  it('stay unknown where the data decides', () => {
    const { builder, x } = image();
    const any = builder.input('sizes', 'int64', [4]);
    expect(builder.inferred(builder.op('Expand', [x, any])).shape).toEqual([null, 3, null, null]);
    const { graph } = graphOf('Reshape', '', {
      opset: 13,
      inputs: ['float32[2, 3]', 'int64[n=2]'],
      attributes: {},
    });
    expect(inferShapes(graph).notInferred).toHaveLength(1);
  });
});

describe('Constant', () => {
  it('takes the shape of a sparse tensor', () => {
    const value = { values: floats(1, 2), indices: ints(0, 3), dims: [5] };
    const { graph } = graphOf('Constant', '', {
      opset: 13,
      inputs: [],
      attributes: { sparse_value: { kind: 'sparse-tensor', value } },
    });
    expect(inferShapes(graph).get(graph.outputs[0]!)).toEqual({ dtype: 'float32', shape: [5] });
  });
});

describe('cost of Resize', () => {
  const costOf = (mode: string, shape: readonly number[]): unknown => {
    const scales = floats(1, 1, ...shape.slice(2).map(() => 2));
    const { graph } = graphOf('Resize', '', {
      opset: 13,
      inputs: [`float32[${shape.join(', ')}]`, null, scales],
      attributes: { mode },
    });
    const inference = inferShapes(graph);
    const node = graph.nodes[0]!;
    const rule = findOperator('', 'Resize')!.cost;
    if (isUnsupported(rule)) return rule.unsupported;
    const inputs = node.inputs.map((value) => value && inference.get(value));
    return rule({ node, opset: 13, inputs, outputs: [inference.get(node.output())] });
  };

  it('is that of nn.Upsample in thop', () => {
    expect(costOf('nearest', [1, 2, 3, 3])).toEqual({ macs: 0, 'thop@0.0.31': 0, 'thop@0.1.1': 72 });
    expect(costOf('linear', [1, 2, 3])).toEqual({ macs: 0, 'thop@0.0.31': 60, 'thop@0.1.1': 60 });
    expect(costOf('linear', [1, 2, 3, 3])).toEqual({ macs: 0, 'thop@0.0.31': 792, 'thop@0.1.1': 792 });
    expect(costOf('cubic', [1, 2, 3, 3])).toEqual({ macs: 0, 'thop@0.0.31': 18648, 'thop@0.1.1': 18648 });
    expect(costOf('linear', [1, 2, 3, 3, 3])).toEqual({ macs: 0, 'thop@0.0.31': 0, 'thop@0.1.1': 0 });
  });
});
