import { describe, expect, it } from 'vitest';
import { channelLabels } from '../../test/channel-labels.ts';
import { Tensor } from '../core/tensor.ts';
import { attr } from '../ir/index.ts';
import { REDUCE } from './reduce.ts';
import { REDUCE_CHANNELS } from './reduce-channels.ts';

const drop = { keepdims: attr.int(0) };
const axes = (...of: number[]) => ({ attributes: { axes: attr.ints(of) }, opset: 11 });

describe('channels of reductions', () => {
  it('have a rule in each of them', () => {
    expect(REDUCE.map(({ opType }) => opType).filter((opType) => !(opType in REDUCE_CHANNELS))).toEqual([]);
  });

  it.each(['ReduceSum', 'ReduceL1', 'ReduceL2', 'ReduceLogSum', 'ReduceSumSquare'])(
    'end in %s, which zeros do not change',
    (opType) => {
      expect(channelLabels(opType, ['float32[2, 3, 4]', Tensor.int64([1])])).toMatchObject({
        outputs: ['0: a0, 2: a2'],
        frozen: {},
        inexact: [],
      });
    },
  );

  it.each<[string, string]>([
    ['ReduceMean', 'is a mean over channels, whose number changes'],
    ['ReduceMax', 'takes the maximum over channels, to which silenced ones add a zero'],
    ['ReduceMin', 'takes the minimum over channels, to which silenced ones add a zero'],
    ['ReduceProd', 'multiplies channels, and silenced ones make the product zero'],
    ['ReduceLogSumExp', 'adds e^x over channels, which is 1 for silenced ones'],
  ])('are mixed by %s', (opType, why) => {
    expect(channelLabels(opType, ['float32[2, 3, 4]', Tensor.int64([-2])])).toMatchObject({
      outputs: ['0: a0, 2: a2'],
      inexact: [`${opType} 'node': ${why}`],
      frozen: {},
    });
    expect(channelLabels(opType, ['float32[1, 3, 1]', Tensor.int64([0, 2])]).inexact).toEqual([]);
  });

  it('move to the front where axes are dropped', () => {
    expect(
      channelLabels('ReduceSum', ['float32[2, 3, 4]', Tensor.int64([1])], { attributes: drop }).outputs,
    ).toEqual(['0: a0, 1: a2']);
  });

  it('are told the axes by an attribute before they became an input, all where there are none', () => {
    expect(channelLabels('ReduceSum', ['float32[2, 3, 4]'], axes(0, -1)).outputs).toEqual(['1: a1']);
    expect(channelLabels('ReduceMean', ['float32[2, 3, 4]'], { ...axes(0, -1), opset: 17 }).outputs).toEqual([
      '1: a1',
    ]);
    expect(channelLabels('ReduceSum', ['float32[2, 3, 4]'], { opset: 11 }).outputs).toEqual(['']);
    expect(channelLabels('ReduceSum', ['float32[2, 3, 4]', null]).outputs).toEqual(['']);
  });

  it('stay where no axes mean no reduction', () => {
    const noop = { attributes: { noop_with_empty_axes: attr.int(1) } };
    for (const inputs of [['float32[2, 3]'], ['float32[2, 3]', Tensor.zeros('int64', [0])]])
      expect(channelLabels('ReduceSum', inputs, noop).outputs).toEqual(['0: a0, 1: a1']);
  });

  it('cannot be cut where the place of one is the result, but on other axes', () => {
    for (const opType of ['ArgMax', 'ArgMin']) {
      expect(
        channelLabels(opType, ['float32[2, 3, 4]'], { attributes: { axis: attr.int(1), ...drop } }),
      ).toMatchObject({
        outputs: ['0: a0, 1: a2'],
        frozen: { a1: `${opType} 'node': gives places among its channels` },
      });
      expect(
        channelLabels(opType, ['float32[2, 3]'], { attributes: { axis: attr.int(-1) } }).outputs,
      ).toEqual(['0: a0']);
    }
  });

  it('stay in a running sum along them', () => {
    expect(channelLabels('CumSum', ['float32[2, 3]', Tensor.int64(1)])).toMatchObject({
      outputs: ['0: a0, 1: a1'],
      frozen: {},
      inexact: [],
    });
  });

  it('stay where the axis of a running sum is not known', () => {
    const why = "CumSum 'node': adds along an axis that is not known without running";
    expect(channelLabels('CumSum', ['float32[2, 3]', 'feed int64[]']).frozen).toEqual({ a0: why, a1: why });
  });

  it('of a matrix of labels are its rows where columns are summed, its columns where rows are', () => {
    const summed = (axis: number) =>
      channelLabels('ReduceSum', ['float32[2, 6] as [2, 2, 3]', Tensor.int64([axis])]).coupling;
    const rows = summed(2);
    const [rectangle] = rows.rectangles;
    const output = (coupling: typeof rows) => coupling.channels(coupling.graph.node('node').output());
    expect(output(rows)).toEqual([
      { axes: [0], labels: expect.anything() },
      { axes: [1], labels: rectangle!.rows },
    ]);
    expect(rectangle).toMatchObject({ columns: null, rowsUsed: true });
    const columns = summed(1);
    expect(output(columns)[1]).toEqual({ axes: [2], labels: columns.rectangles[0]!.columns });
  });
});
