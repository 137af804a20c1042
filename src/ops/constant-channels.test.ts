import { describe, expect, it } from 'vitest';
import { channelLabels } from '../../test/channel-labels.ts';
import { Tensor } from '../core/tensor.ts';
import { attr } from '../ir/index.ts';
import { CONSTANT } from './constant.ts';
import { CONSTANT_CHANNELS } from './constant-channels.ts';

describe('channels of operators that make tensors', () => {
  it('have a rule in each of them', () => {
    expect(CONSTANT.map(({ opType }) => opType).filter((opType) => !(opType in CONSTANT_CHANNELS))).toEqual(
      [],
    );
  });

  it('are not followed along a size that is given', () => {
    expect(channelLabels('ConstantOfShape', [Tensor.int64([2, 3])]).outputs).toEqual(['']);
    expect(channelLabels('RandomNormal', [], { attributes: { shape: attr.ints([2, 3]) } }).outputs).toEqual([
      '',
    ]);
  });

  it('are those of the tensor whose size random numbers take, which others are then drawn for', () => {
    for (const opType of ['RandomNormalLike', 'RandomUniformLike', 'Bernoulli']) {
      expect(channelLabels(opType, ['float32[2, 3]'])).toMatchObject({
        outputs: ['0: a0, 1: a1'],
        inexact: [`${opType} 'node': draws other random numbers for fewer channels`],
      });
    }
  });

  it('cannot be cut where classes are drawn', () => {
    const why = "Multinomial 'node': it draws classes, which are counted";
    expect(channelLabels('Multinomial', ['float32[2, 3]'])).toMatchObject({
      outputs: [''],
      frozen: { a0: why, a1: why },
    });
  });
});
