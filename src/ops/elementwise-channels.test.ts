import { describe, expect, it } from 'vitest';
import { channelLabels } from '../../test/channel-labels.ts';
import { Tensor } from '../core/tensor.ts';
import { attr } from '../ir/index.ts';
import { ELEMENTWISE } from './elementwise.ts';
import { ELEMENTWISE_CHANNELS } from './elementwise-channels.ts';

describe('channels of elementwise operators', () => {
  it('has a rule for each of them', () => {
    expect(
      ELEMENTWISE.map(({ opType }) => opType).filter((opType) => !(opType in ELEMENTWISE_CHANNELS)),
    ).toEqual([]);
  });

  it('stay on their axes in functions of one tensor', () => {
    expect(channelLabels('Exp', ['float32[2, 3, 1]'])).toMatchObject({
      outputs: ['0: a0, 1: a1'],
      frozen: {},
      inexact: [],
    });
  });

  it('go together where two tensors meet, aligned at the last axis', () => {
    expect(channelLabels('Add', ['float32[2, 3, 4]', 'float32[3, 1]'])).toMatchObject({
      inputs: ['0: a0, 1: a1, 2: a2', '0: a1'],
      outputs: ['0: a0, 1: a1, 2: a2'],
      frozen: {},
    });
  });

  it('come from whichever operand has the axis', () => {
    expect(channelLabels('Mul', ['float32[2, 1]', 'float32[1, 3]']).outputs).toEqual(['0: a0, 1: b1']);
  });

  it('go together in all of many operands, the condition of Where too', () => {
    expect(channelLabels('Sum', ['float32[1, 3]', 'float32[3]', 'float32[2, 3]'])).toMatchObject({
      inputs: ['1: a1', '0: a1', '0: c0, 1: a1'],
      outputs: ['0: c0, 1: a1'],
    });
    expect(channelLabels('Where', ['bool[3, 1]', 'float32[3, 4]', 'float32[4]'])).toMatchObject({
      inputs: ['0: a0', '0: a0, 1: b1', '0: b1'],
      outputs: ['0: a0, 1: b1'],
    });
  });

  it('cannot be cut where they meet what carries none', () => {
    expect(channelLabels('Add', ['float32[2, 3]', 'feed float32[3]'])).toMatchObject({
      outputs: ['0: a0'],
      frozen: { a1: "Add 'node': meets what cannot be cut" },
    });
  });

  it('are not touched by the limits of Clip', () => {
    const limit = Tensor.zeros('float32', []);
    expect(channelLabels('Clip', ['float32[2, 3]', limit, null])).toMatchObject({
      outputs: ['0: a0, 1: a1'],
      frozen: {},
    });
    expect(
      channelLabels('Clip', ['float32[2, 3]'], { opset: 9, attributes: { min: attr.float(0) } }).outputs,
    ).toEqual(['0: a0, 1: a1']);
  });
});
