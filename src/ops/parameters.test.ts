import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Tensor } from '../core/tensor.ts';
import { parseOnnx } from '../io/index.ts';
import { attr } from '../ir/index.ts';
import { constantSource, GraphBuilder, graphParameters, layerOf } from './index.ts';

const MODELS = new URL('../../../shared/models/', import.meta.url);
const weights = (...shape: number[]): Tensor => Tensor.full(shape, 0.5);

describe('constantSource', () => {
  it('sees through Transpose, and says which axis is which', () => {
    const builder = new GraphBuilder();
    const weight = builder.constant(weights(3, 4), 'fc.weight');
    const turned = builder.op('Transpose', [weight], { attributes: { perm: attr.ints([1, 0]) } });
    expect(constantSource(turned)).toMatchObject({ value: weight, axes: [1, 0] });
  });

  it('takes an Identity of a constant for a constant of its own', () => {
    const builder = new GraphBuilder();
    const twin = builder.op('Identity', [builder.constant(weights(3), 'a.bias')]);
    expect(constantSource(twin)?.value).toBe(twin);
  });

  it('sees through Unsqueeze with axes in a node of their own', () => {
    const builder = new GraphBuilder();
    const slope = builder.constant(weights(16), 'act.weight');
    const axes = builder.op('Constant', [], { attributes: { value: attr.tensor(Tensor.int64([1, 2])) } });
    expect(constantSource(builder.op('Unsqueeze', [slope, axes]))).toMatchObject({
      value: slope,
      axes: [0, null, null],
    });
  });

  it('gives null for what is computed', () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', 'float32', [2]);
    expect(constantSource(builder.op('Relu', [x]))).toBeNull();
    expect(constantSource(x)).toBeNull();
  });
});

describe('graphParameters', () => {
  it('names what layers hold, with the layout seen from the stored tensor', () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', 'float32', [1, 4]);
    const weight = builder.constant(weights(3, 4), 'fc.weight');
    const turned = builder.op('Transpose', [weight], { attributes: { perm: attr.ints([1, 0]) } });
    const product = builder.op('MatMul', [x, turned]);
    builder.output(builder.op('Add', [product, builder.constant(weights(3), 'fc.bias')]));
    const found = graphParameters(builder.graph);
    expect(found.map(({ value, name, layer }) => [value.name, name, layer?.type])).toEqual([
      ['fc.weight', 'weight', 'Linear'],
      ['fc.bias', null, undefined],
    ]);
    expect(found[0]?.layout).toEqual({ output: 0, input: 1, kernel: [], groups: 1 });
    expect(product.producer && layerOf(product.producer)?.type).toBe('Linear');
  });

  it('leaves out scalars, what only steers, and constants whose name the exporter made up', () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', 'float32', [1, 1, 2, 2]);
    const scales = builder.constant(Tensor.of(Float32Array.of(1, 1, 2, 2)), 'scales');
    const resized = builder.op('Resize', [x, null, scales], { attributes: { mode: attr.string('nearest') } });
    const shifted = builder.op('Add', [resized, builder.constant(weights(1), 'shift')]);
    const gridded = builder.op('Add', [
      shifted,
      builder.constant(weights(4, 4), '/head/Constant_2_output_0'),
    ]);
    builder.output(builder.op('Mul', [gridded, builder.constant(weights(4, 1), 'layer_scale')]));
    expect(graphParameters(builder.graph).map(({ value }) => value.name)).toEqual(['layer_scale']);
  });

  it('finds a shared weight once', () => {
    const builder = new GraphBuilder();
    const w = builder.constant(weights(2, 2), 'w');
    const x = builder.input('x', 'float32', [1, 2]);
    builder.output(builder.op('MatMul', [builder.op('MatMul', [x, w]), w]));
    expect(graphParameters(builder.graph)).toHaveLength(1);
  });

  it.skipIf(!existsSync(MODELS))('counts what PyTorch counts, on all exported models', () => {
    const models: Record<string, { parameters: number }> = JSON.parse(
      readFileSync(new URL('models.json', MODELS), 'utf8'),
    );
    expect(Object.keys(models)).toHaveLength(12);
    for (const [name, { parameters }] of Object.entries(models)) {
      const graph = parseOnnx(readFileSync(new URL(`${name}.onnx`, MODELS)));
      const counted = graphParameters(graph)
        .filter(({ kind }) => kind === 'parameter')
        .reduce((total, { tensor }) => total + tensor.size, 0);
      expect(counted, name).toBe(parameters);
    }
  });
});
