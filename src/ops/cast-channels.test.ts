import { describe, expect, it } from 'vitest';
import { channelLabels } from '../../test/channel-labels.ts';
import { attr } from '../ir/index.ts';
import { CAST } from './cast.ts';
import { CAST_CHANNELS } from './cast-channels.ts';

const axis = (value: number) => ({ axis: attr.int(value) });

describe('channels of casts and quantization', () => {
  it('have a rule in each of them', () => {
    expect(CAST.map(({ opType }) => opType).filter((opType) => !(opType in CAST_CHANNELS))).toEqual([]);
  });

  it('stay where they are, whatever the type', () => {
    expect(channelLabels('Cast', ['float32[2, 3]'], { attributes: { to: attr.int(7) } }).outputs).toEqual([
      '0: a0, 1: a1',
    ]);
    expect(channelLabels('CastLike', ['float32[2, 3]', 'int32[5]'])).toMatchObject({
      outputs: ['0: a0, 1: a1'],
      inputs: ['0: a0, 1: a1', '0: b0'],
      frozen: {},
    });
    expect(channelLabels('DynamicQuantizeLinear', ['float32[2, 3]'], { outputs: 3 })).toMatchObject({
      outputs: ['0: a0, 1: a1', '', ''],
      inexact: [],
    });
  });

  it.each<[string, string]>([
    ['QuantizeLinear', 'float32'],
    ['DequantizeLinear', 'int8'],
  ])('have scale and zero point of their own along the axis of %s', (opType, dtype) => {
    const x = `${dtype}[2, 3, 4]`;
    expect(channelLabels(opType, [x, 'float32[3]', 'int8[3]'])).toMatchObject({
      inputs: ['0: a0, 1: a1, 2: a2', '0: a1', '0: a1'],
      outputs: ['0: a0, 1: a1, 2: a2'],
      frozen: {},
    });
    expect(channelLabels(opType, [x, 'float32[4]'], { attributes: axis(-1) }).inputs[1]).toBe('0: a2');
    expect(channelLabels(opType, [x, 'float32[]', 'int8[]'])).toMatchObject({
      outputs: ['0: a0, 1: a1, 2: a2'],
      frozen: {},
    });
  });

  it('stay along an axis that is scaled in blocks', () => {
    const why = "DequantizeLinear 'node': is scaled block by block along this axis";
    expect(
      channelLabels('DequantizeLinear', ['int8[3, 8]', 'float32[3, 2]'], {
        opset: 21,
        attributes: { ...axis(1), block_size: attr.int(4) },
      }),
    ).toMatchObject({ inputs: ['0: a0, 1: a1', '0: a0, 1: b1'], frozen: { a1: why, b1: why } });
  });
});
