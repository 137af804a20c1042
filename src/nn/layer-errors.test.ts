import { describe, expect, it } from 'vitest';
import type { Dim } from '../ir/index.ts';
import type { AnyModule } from './index.ts';
import * as nn from './index.ts';

const tracing = (module: AnyModule, shape: readonly Dim[]) => (): unknown => nn.trace(module, shape);

describe('layers refuse', () => {
  it.each<[string, () => unknown]>([
    [
      'Conv2d: inChannels must be divisible by groups, got 3 and 2',
      () => new nn.Conv2d(3, 4, 3, { groups: 2 }),
    ],
    [
      'Conv2d: outChannels must be divisible by groups, got 3 and 2',
      () => new nn.Conv2d(4, 3, 3, { groups: 2 }),
    ],
    ['Conv2d: inChannels expects a whole number of at least 0, got 1.5', () => new nn.Conv2d(1.5, 3, 3)],
    [
      'Conv2d: groups expects a whole number of at least 1, got 0',
      () => new nn.Conv2d(3, 3, 3, { groups: 0 }),
    ],
    ['Conv1d: kernelSize expects a whole number >= 1, got 0', () => new nn.Conv1d(3, 3, 0)],
    [
      'Conv2d: kernelSize expects a whole number or 2 of them >= 1, got [1, 2, 3]',
      () => new nn.Conv2d(3, 3, [1, 2, 3]),
    ],
    [
      "Conv2d: padding='same' is not supported for strided convolutions",
      () => new nn.Conv2d(3, 3, 3, { padding: 'same', stride: 2 }),
    ],
    ['ConvTranspose2d: stride expects', () => new nn.ConvTranspose2d(3, 3, 3, { stride: 0 })],
    ['Linear: outFeatures expects a whole number of at least 0, got -1', () => new nn.Linear(2, -1)],
    [
      'Embedding: paddingIdx must be within the 4 embeddings, got 4',
      () => new nn.Embedding(4, 2, { paddingIdx: 4 }),
    ],
    ['BatchNorm2d: numFeatures expects a whole number of at least 0, got 0.5', () => new nn.BatchNorm2d(0.5)],
    [
      'LayerNorm: normalizedShape expects a whole number of at least 1, got 0',
      () => new nn.LayerNorm([2, 0]),
    ],
    ['GroupNorm: numChannels must be divisible by numGroups, got 4 and 3', () => new nn.GroupNorm(3, 4)],
    ['PReLU: numParameters expects a whole number of at least 1, got 0', () => new nn.PReLU(0)],
    ['Dropout: dropout probability has to be between 0 and 1, but got -1', () => new nn.Dropout(-1)],
    [
      'MultiheadAttention: embedDim must be divisible by numHeads, got 8 and 3',
      () => new nn.MultiheadAttention(8, 3),
    ],
    ['PixelShuffle: upscaleFactor expects a whole number of at least 1, got 0', () => new nn.PixelShuffle(0)],
    ['ZeroPad2d: padding expects', () => new nn.ZeroPad2d([1, 2])],
  ])('%s', (message, make) => {
    expect(make).toThrow(message);
  });

  it.each<[string, AnyModule, readonly Dim[]]>([
    ['BatchNorm2d: expects an input of 4 dimensions, got 3 ([1, 2, 3])', new nn.BatchNorm2d(2), [1, 2, 3]],
    ['BatchNorm1d: expects an input of 2 or 3 dimensions', new nn.BatchNorm1d(2), [1, 2, 3, 4]],
    ['layerNorm: expects an input whose last dimensions are [4], got [2, 3]', new nn.LayerNorm(4), [2, 3]],
    [
      'Sequential: MultiheadAttention gives several outputs; the next module takes one',
      twoOutputs(),
      [2, 3, 4],
    ],
    ['maxPool2d: expects a batch [N, C, H, W], got float32[3, 4]', new nn.MaxPool2d(2), [3, 4]],
    ['flatten: axis 2 is not in [-2, 1] of float32[2, 3]', new nn.Flatten(2), [2, 3]],
  ])('%s', (message, module, shape) => {
    expect(tracing(module, shape)).toThrow(message);
  });
});

/** A Sequential with a module of two outputs in it. */
function twoOutputs(): AnyModule {
  const sequence = new nn.Sequential();
  sequence.registerModule('attention', new nn.MultiheadAttention(4, 1));
  return sequence;
}
