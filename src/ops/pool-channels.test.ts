import { describe, expect, it } from 'vitest';
import { channelLabels } from '../../test/channel-labels.ts';
import { Tensor } from '../core/tensor.ts';
import { attr } from '../ir/index.ts';
import { POOL } from './pool.ts';
import { POOL_CHANNELS } from './pool-channels.ts';

const window = { kernel_shape: attr.ints([2, 2]) };

describe('channels of pooling', () => {
  it('have a rule in each of them', () => {
    expect(POOL.map(({ opType }) => opType).filter((opType) => !(opType in POOL_CHANNELS))).toEqual([]);
  });

  it.each(['MaxPool', 'AveragePool', 'LpPool'])(
    'and images pass %s, but not the axes it slides along',
    (opType) => {
      const why = `${opType} 'node': slides a window along this axis`;
      expect(channelLabels(opType, ['float32[2, 3, 4, 5]'], { attributes: window })).toMatchObject({
        outputs: ['0: a0, 1: a1'],
        frozen: { a2: why, a3: why },
        inexact: [],
      });
    },
  );

  it('cannot be cut where indices of MaxPool are read, which count through all of them', () => {
    const options = { attributes: window, outputs: 2 };
    const why =
      "MaxPool 'node': its output 1, which is read, gives places that are counted through all channels";
    expect(channelLabels('MaxPool', ['float32[1, 3, 4, 5]'], options).frozen).not.toHaveProperty('a1');
    expect(channelLabels('MaxPool', ['float32[1, 3, 4, 5]'], { ...options, read: [1] }).frozen).toMatchObject(
      {
        a1: why,
      },
    );
  });

  it('end on spatial axes in global pooling, where they are mixed but in a norm', () => {
    const inexact = (opType: string) => channelLabels(opType, ['float32[2, 3, 4, 1]']).inexact;
    expect(channelLabels('GlobalAveragePool', ['float32[2, 3, 4, 1]'])).toMatchObject({
      outputs: ['0: a0, 1: a1'],
      frozen: {},
    });
    expect(inexact('GlobalAveragePool')).toEqual([
      "GlobalAveragePool 'node': is a mean over channels, whose number changes",
    ]);
    expect(inexact('GlobalMaxPool')).toEqual([
      "GlobalMaxPool 'node': takes the maximum over channels, to which silenced ones add a zero",
    ]);
    expect(inexact('GlobalLpPool')).toEqual([]);
    expect(channelLabels('GlobalAveragePool', ['float32[2, 3, 1, 1]']).inexact).toEqual([]);
  });

  it('are not cut where MaxUnpool puts elements to places', () => {
    const why = "MaxUnpool 'node': it puts elements to places that are counted through all channels";
    expect(
      channelLabels('MaxUnpool', ['float32[1, 3, 2, 2]', 'int64[1, 3, 2, 2]'], { attributes: window }),
    ).toMatchObject({
      outputs: [''],
      frozen: { a1: why, a2: why, a3: why, b1: why, b2: why, b3: why },
    });
  });

  it('pass pooling of regions, images and regions do not', () => {
    const regions = "RoiAlign 'node': takes regions of images, which it counts";
    const own = "RoiAlign 'node': these are regions of images, not channels";
    expect(
      channelLabels('RoiAlign', ['float32[2, 3, 8, 8]', 'float32[5, 4]', Tensor.zeros('int64', [5])]),
    ).toMatchObject({
      outputs: ['1: a1'],
      frozen: { a0: regions, a2: regions, a3: regions, b0: own, b1: own, c0: own },
    });
    expect(
      channelLabels('MaxRoiPool', ['float32[1, 3, 8, 8]', 'float32[5, 5]'], {
        attributes: { pooled_shape: attr.ints([2, 3]) },
      }).outputs,
    ).toEqual(['1: a1']);
  });

  it('go as a whole where an axis was split into channels and one that is slid along', () => {
    const { coupling } = channelLabels('MaxPool', ['float32[1, 6, 5] as [1, 2, 3, 5]'], {
      attributes: window,
    });
    const [{ labels } = { labels: new Int32Array() }] = coupling.channels(coupling.graph.value('a'));
    const sets = [...labels].map((label) => coupling.find(label));
    expect(new Set(sets.slice(0, 3)).size).toBe(1);
    expect(new Set(sets.slice(3)).size).toBe(1);
    expect(new Set(sets).size).toBe(2);
  });
});
