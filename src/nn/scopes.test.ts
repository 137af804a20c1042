import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Graph } from '../ir/index.ts';
import { cleaned, ownName, scopeOf, stateDictName } from './scopes.ts';

describe('scopeOf', () => {
  it.each([
    ['/model.0/conv/Conv', 'model.0.conv'],
    ['/conv1/Conv', 'conv1'],
    ['/Conv', ''],
    ['Conv_12', ''],
    ['', ''],
    // Children of containers stand behind the container's own name.
    ['/blocks/blocks.0/conv1/Conv', 'blocks.0.conv1'],
    ['/features/features.0/features.0.0/Conv', 'features.0.0'],
    [
      '/encoder/layers/encoder_layer_0/self_attention/MatMul',
      'encoder.layers.encoder_layer_0.self_attention',
    ],
    ['/model/model.9/cv1/conv/Conv', 'model.9.cv1.conv'],
    ['/a/a/Conv', 'a'],
    // A name that merely begins alike is another module.
    ['/conv/conv1/Conv', 'conv.conv1'],
    // TensorFlow's and Keras' names.
    ['model/conv2d/Conv2D', 'model.conv2d'],
    ['StatefulPartitionedCall/model/conv2d/Conv2D', 'StatefulPartitionedCall.model.conv2d'],
    ['model/conv2d/BiasAdd:0', 'model.conv2d'],
    ['a b/c(d)/Conv', 'a_b.c_d_'],
    ['//x//Conv', 'x'],
  ])("of '%s' is '%s'", (name, scope) => {
    expect(scopeOf(name)).toBe(scope);
  });

  it('gives paths of modules, whatever the name', () => {
    fc.assert(
      fc.property(fc.string(), (name) => {
        const scope = scopeOf(name);
        if (scope !== '') for (const segment of scope.split('.')) expect(segment).toMatch(/^[\w-]+$/);
      }),
    );
  });
});

describe('ownName', () => {
  it('is the last part of the name, or made of operator and output', () => {
    const graph = new Graph();
    const node = (name: string, output = 'y') =>
      graph.addNode({ opType: 'Conv', name, inputs: [], outputs: [graph.freshName(output)] });
    expect(ownName(node('/conv1/Conv_3'))).toBe('Conv_3');
    expect(ownName(node('Conv:0'))).toBe('Conv_0');
    expect(ownName(node('', '/a/b_output'))).toBe('Conv__a_b_output');
    expect(ownName(node('/trailing/', 'z'))).toBe('Conv_z');
    expect(ownName(graph.addNode({ opType: 'Conv', inputs: [], outputs: [] }))).toBe('Conv_');
  });
});

describe('cleaned', () => {
  it('leaves letters, digits, _, - and dots between segments', () => {
    expect(['a.b-c_1', 'a/b', '..a..b.', 'é', '', '.'].map(cleaned)).toEqual([
      'a.b-c_1',
      'a_b',
      'a.b',
      '_',
      '_',
      '_',
    ]);
  });
});

describe('stateDictName', () => {
  it('parts path and name of what looks like a state dict', () => {
    expect(stateDictName('layer1.0.conv1.weight')).toEqual({ path: 'layer1.0.conv1', name: 'weight' });
    expect(stateDictName('class_token')).toEqual({ path: '', name: 'class_token' });
    for (const name of ['onnx::Conv_760', '763', '/conv/Constant_output_0', 'a..b', 'a.', '.a', 'a b', '']) {
      expect(stateDictName(name)).toBeNull();
    }
  });
});
