import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Tensor } from '../core/tensor.ts';
import { parseOnnx } from '../io/index.ts';
import { attr, type Graph, type Value } from '../ir/index.ts';
import { resnet } from '../models/index.ts';
import { trace } from '../nn/index.ts';
import { GraphBuilder } from '../ops/index.ts';
import { type Block, type FindBlocksOptions, findBlocks } from './blocks.ts';

/** A 1x1 or 3x3 convolution with padding, under a module's name. */
function conv(builder: GraphBuilder, x: Value, name: string, out: number, channels: number, size = 1): Value {
  const weight = builder.constant(Tensor.full([out, channels, size, size], 0.5), `${name}.weight`);
  const pad = (size - 1) / 2;
  return builder.op('Conv', [x, weight], {
    name: `/${name.replaceAll('.', '/')}/Conv`,
    attributes: { pads: attr.ints([pad, pad, pad, pad]) },
  });
}

const described = (graph: Graph, options: FindBlocksOptions = {}): string[] =>
  findBlocks(graph, options).map(
    ({ name, kind, input, output, layers }) =>
      `${name} ${kind}: ${input.name} > ${output.name} [${layers.join(' ')}]`,
  );

const find = (graph: Graph, name: string): Block => {
  const block = findBlocks(graph).find((candidate) => candidate.name === name);
  if (!block) throw new Error(`no block '${name}'`);
  return block;
};

describe('findBlocks', () => {
  it('finds a residual branch, whichever operand it is', () => {
    for (const swap of [false, true]) {
      const builder = new GraphBuilder();
      const x = builder.input('x', 'float32', ['batch', 4, 8, 8]);
      const stem = conv(builder, x, 'stem', 6, 4);
      const branch = conv(builder, conv(builder, stem, 'block.a', 2, 6), 'block.b', 6, 2);
      const sum = builder.op('Add', swap ? [branch, stem] : [stem, branch], { name: '/block/Add' });
      builder.output(conv(builder, sum, 'head', 3, 6), 'y');
      expect(described(builder.graph)).toEqual([
        'block residual: /stem/Conv_output_0 > /block/Add_output_0 [block.a block.b]',
      ]);
      expect(find(builder.graph, 'block').nodes.map(({ name }) => name)).toEqual([
        '/block/a/Conv',
        '/block/b/Conv',
        '/block/Add',
      ]);
    }
  });

  it('takes either side of a sum whose shortcut is computed from the same value', () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', 'float32', [1, 4, 8, 8]);
    const main = conv(builder, builder.op('Relu', [conv(builder, x, 'block.a', 2, 4)]), 'block.b', 6, 2);
    const shortcut = conv(builder, x, 'block.down', 6, 4);
    const sum = builder.op('Add', [main, shortcut], { name: '/block/Add' });
    builder.output(conv(builder, sum, 'head', 3, 6), 'y');
    expect(described(builder.graph)).toEqual([
      'block residual: /block/down/Conv_output_0 > /block/Add_output_0 [block.a block.b]',
      'block.down residual: /block/b/Conv_output_0 > /block/Add_output_0 [block.down]',
    ]);
  });

  it('does not take for a residual branch what others read, nor a sum of unrelated values', () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', 'float32', [1, 4, 8, 8]);
    const z = builder.input('z', 'float32', [1, 5, 8, 8]);
    const branch = conv(builder, x, 'branch', 4, 4);
    const sum = builder.op('Add', [x, branch]);
    builder.output(
      conv(
        builder,
        builder.op('Add', [conv(builder, sum, 'left', 3, 4), conv(builder, z, 'right', 3, 5)]),
        'head',
        2,
        3,
      ),
      'y',
    );
    builder.output(branch, 'branch');
    // The branch itself is given: what goes is the layer, and its output is then the input.
    expect(described(builder.graph)).toEqual(['branch module: x > branch [branch]']);
  });

  it('finds modules of one input and one output, with what is behind their layers', () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', 'float32', [1, 3, 8, 8]);
    const squeeze = conv(builder, conv(builder, x, 'stem', 4, 3), 'fire.squeeze', 2, 4);
    const left = conv(builder, squeeze, 'fire.left', 2, 2);
    const right = conv(builder, squeeze, 'fire.right', 2, 2, 3);
    const joined = builder.op('Concat', [left, right], {
      name: '/fire/Concat',
      attributes: { axis: attr.int(1) },
    });
    builder.output(conv(builder, joined, 'head', 3, 4), 'y');
    expect(described(builder.graph)).toEqual([
      'fire.left module: /fire/squeeze/Conv_output_0 > /fire/left/Conv_output_0 [fire.left]',
      'fire.right module: /fire/squeeze/Conv_output_0 > /fire/right/Conv_output_0 [fire.right]',
      'fire module: /stem/Conv_output_0 > /fire/Concat_output_0 [fire.squeeze fire.left fire.right]',
    ]);
    expect(described(builder.graph, { kinds: ['residual', 'chain'] })).toHaveLength(2);
    expect(described(builder.graph, { kinds: ['residual'] })).toEqual([]);
  });

  it('finds chains of a layer and its activation in graphs without module names', () => {
    const builder = new GraphBuilder();
    let x = builder.input('x', 'float32', [1, 3, 8, 8]);
    const layer = (out: number, channels: number): void => {
      const weight = builder.constant(Tensor.full([out, channels, 1, 1], 0.5), 'onnx::Conv_1');
      x = builder.op('Relu', [builder.op('Conv', [x, weight])]);
    };
    for (const [out, channels] of [
      [4, 3],
      [4, 4],
      [8, 4],
      [4, 8],
      [5, 4],
    ] as const)
      layer(out, channels);
    builder.output(x, 'y');
    expect(
      described(builder.graph).map((line) => line.replace(/^.*?chain/, 'chain').replace(/ \[.*/, '')),
    ).toEqual(['chain: Relu_output_0 > Relu_output_0_1', 'chain: Relu_output_0_1 > Relu_output_0_3']);
  });

  it('leaves out what has no layer, is all layers, or changes dtype or shape', () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', 'float32', [1, 3, 8, 8]);
    const y = builder.op('Relu', [conv(builder, x, 'all', 3, 3)]);
    builder.output(builder.op('Sigmoid', [y]), 'y');
    expect(findBlocks(builder.graph)).toEqual([]);
    const strided = new GraphBuilder();
    const z = strided.input('z', 'float32', ['n', 3, 'h', 'w']);
    const weight = strided.constant(Tensor.full([3, 3, 1, 1], 1), 'a.weight');
    const half = strided.op('Conv', [z, weight], { attributes: { strides: attr.ints([2, 2]) } });
    const same = strided.op('Conv', [half, strided.constant(Tensor.full([3, 3, 1, 1], 1), 'b.weight')], {
      name: '/b/Conv',
    });
    strided.output(same, 'y');
    expect(described(strided.graph)).toEqual([`b module: ${half.name} > y [b]`]);
  });

  it('finds the blocks of a ResNet-20, and takes a second block of a name for another', () => {
    const graph = trace(resnet(20, { shortcut: 'B' }).eval(), ['batch', 3, 32, 32]);
    const blocks = findBlocks(graph, { kinds: ['residual'] });
    expect(blocks.map(({ name }) => name)).toEqual([
      ...['layer1.0', 'layer1.1', 'layer1.2'],
      ...['layer2.0', 'layer2.0.shortcut.0', 'layer2.1', 'layer2.2'],
      ...['layer3.0', 'layer3.0.shortcut.0', 'layer3.1', 'layer3.2'],
    ]);
    expect(blocks[0]!.nodes.map(({ opType }) => opType)).toEqual([
      'Conv',
      'BatchNormalization',
      'Relu',
      'Conv',
      'BatchNormalization',
      'Add',
    ]);
    // With option A the shortcut has no weights, and cannot go in a layer's stead.
    const plain = trace(resnet(20).eval(), ['batch', 3, 32, 32]);
    expect(findBlocks(plain, { kinds: ['residual'] }).map(({ name }) => name)).toEqual(
      blocks.map(({ name }) => name).filter((name) => !name.includes('shortcut')),
    );
  });

  it('numbers blocks of the same name', () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', 'float32', [1, 4, 8, 8]);
    let y = conv(builder, x, 'stem', 6, 4);
    for (const name of ['net.a', 'net.b']) {
      const inner = builder.op('Relu', [conv(builder, y, name, 6, 6)]);
      const outer = builder.op('Tanh', [conv(builder, inner, `${name}2`, 6, 6)]);
      y = builder.op('Add', [y, outer]);
    }
    builder.output(conv(builder, y, 'head', 3, 6), 'y');
    expect(findBlocks(builder.graph, { kinds: ['residual'] }).map(({ name }) => name)).toEqual([
      'net',
      'net:2',
    ]);
  });

  it('leaves the graph as it was', () => {
    const graph = trace(resnet(20).eval(), ['batch', 3, 32, 32]);
    const before = graph.print();
    findBlocks(graph);
    expect(graph.print()).toBe(before);
  });
});

const models = new URL('../../../shared/models/', import.meta.url);

describe.skipIf(!existsSync(models))(
  'findBlocks in shared models (skipped where ../shared is absent)',
  () => {
    it.each([
      ['convnext_mini', 'residual', 'features.3.0.block:2'],
      ['efficientnet_mini', 'residual', 'features.4.1.block'],
      ['mnasnet0_5', 'residual', 'layers.8.1.layers'],
      ['mobilenet_v2_035', 'residual', 'features.5.conv'],
      ['resnet_mini', 'residual', 'blocks.3'],
      ['squeezenet1_1', 'module', 'features.12'],
      ['shufflenet_v2_x05', 'module', 'stage3.1.branch2'],
    ])('%s has the %s block %s', (model, kind, name) => {
      const graph = parseOnnx(readFileSync(new URL(`${model}.onnx`, models)));
      expect(find(graph, name).kind).toBe(kind);
    });
  },
);
