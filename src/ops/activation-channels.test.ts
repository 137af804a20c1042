import { describe, expect, it } from 'vitest';
import { channelLabels } from '../../test/channel-labels.ts';
import { attr } from '../ir/index.ts';
import { ACTIVATION } from './activation.ts';
import { ACTIVATION_CHANNELS } from './activation-channels.ts';

const axis = (value: number) => ({ attributes: { axis: attr.int(value) } });

describe('channels of activations', () => {
  it('have a rule in each of them', () => {
    expect(
      ACTIVATION.map(({ opType }) => opType).filter((opType) => !(opType in ACTIVATION_CHANNELS)),
    ).toEqual([]);
  });

  it('stay where they are', () => {
    expect(channelLabels('Sigmoid', ['float32[2, 3]'])).toMatchObject({
      outputs: ['0: a0, 1: a1'],
      frozen: {},
      inexact: [],
    });
  });

  it('have a slope of their own in PRelu, aligned at the last axis', () => {
    expect(channelLabels('PRelu', ['float32[2, 3, 4]', 'float32[3, 1]'])).toMatchObject({
      inputs: ['0: a0, 1: a1, 2: a2', '0: a1'],
      outputs: ['0: a0, 1: a1, 2: a2'],
      frozen: {},
    });
    expect(channelLabels('PRelu', ['float32[2, 3]', 'float32[1]'])).toMatchObject({
      outputs: ['0: a0, 1: a1'],
      frozen: {},
    });
  });

  it('have a slope each as a vector in PRelu before opset 7', () => {
    expect(channelLabels('PRelu', ['float32[2, 3, 4]', 'float32[3]'], { opset: 6 })).toMatchObject({
      inputs: ['0: a0, 1: a1, 2: a2', '0: a1'],
      outputs: ['0: a0, 1: a1, 2: a2'],
    });
  });

  it.each(['Softmax', 'LogSoftmax', 'Hardmax'])('are mixed by %s on its axis alone', (opType) => {
    const mixes = [`${opType} 'node': compares all channels with each other, those that go too`];
    const outputs = ['0: a0, 1: a1'];
    expect(channelLabels(opType, ['float32[2, 3]'], axis(-1))).toMatchObject({
      outputs,
      inexact: mixes,
      frozen: {},
    });
    expect(channelLabels(opType, ['float32[1, 3, 2]'], axis(0)).inexact).toEqual([]);
  });

  it('are mixed on all axes behind before opset 13', () => {
    const mixed = (shape: string, value: number, opset: number): Int32Array[] =>
      channelLabels('Softmax', [shape], { ...axis(value), opset }).coupling.inexact.flatMap(
        ({ labels }) => labels,
      );
    expect(mixed('float32[2, 3, 4]', 1, 11).map(({ length }) => length)).toEqual([3, 4]);
    expect(mixed('float32[2, 3, 4]', 1, 13).map(({ length }) => length)).toEqual([3]);
    expect(mixed('float32[2, 3, 4]', 3, 11)).toEqual([]);
  });

  it('of a matrix of labels keep rows as they are where Softmax works in them, and their columns where it works across', () => {
    const along = (value: number): (Int32Array | null)[] =>
      channelLabels('Softmax', ['float32[2, 6] as [2, 2, 3]'], axis(value)).coupling.rectangles.map(
        ({ columns }) => columns,
      );
    expect(along(2)).toEqual([null]);
    expect(along(1)).toEqual([expect.any(Int32Array)]);
  });
});
