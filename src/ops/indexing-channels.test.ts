import { describe, expect, it } from 'vitest';
import { type ChannelLabelsOptions, channelLabels } from '../../test/channel-labels.ts';
import { wrongLabels } from '../../test/moved-labels.ts';
import { Tensor } from '../core/tensor.ts';
import { attr, Graph } from '../ir/index.ts';
import { analyzeChannels } from '../structural/index.ts';
import { GraphBuilder } from './builder.ts';
import { INDEXING } from './indexing.ts';
import { INDEXING_CHANNELS } from './indexing-channels.ts';

const int64 = Tensor.int64;
const along = (axis: number): ChannelLabelsOptions => ({ attributes: { axis: attr.int(axis) } });
const indices = (shape: readonly number[], ...numbers: number[]): Tensor =>
  new Tensor('int64', shape, BigInt64Array.from(numbers, BigInt));

/** Labels of a weight `a` that an operator reads beside indices computed at run time. */
function byData(opType: string, weight: readonly number[], shape: readonly number[], axis = 0) {
  const builder = new GraphBuilder(new Graph({ opset: 18 }));
  const a = builder.constant(Tensor.zeros('float32', weight), 'a');
  const output = builder.op(opType, [a, builder.input('indices', 'int64', shape)], {
    name: 'node',
    attributes: { axis: attr.int(axis) },
  });
  const coupling = analyzeChannels(builder.graph);
  const own = coupling.channels(coupling.graph.value('a'));
  return {
    coupling,
    axes: coupling.channels(coupling.graph.value(output.name)).map(({ axes }) => axes.join('x')),
    frozen: own.map(({ labels }) => coupling.frozen(labels[0]!)),
  };
}

describe('channels of operators that choose by position', () => {
  it('have a rule, or a reason, in each of them', () => {
    expect(INDEXING.map(({ opType }) => opType).filter((opType) => !(opType in INDEXING_CHANNELS))).toEqual(
      [],
    );
  });

  it('are picked by constant indices of Gather', () => {
    expect(channelLabels('Gather', ['float32[2, 4]', int64([3, 0, -2])], along(1)).outputs).toEqual([
      '0: a0, 1: a1.3 a1.0 a1.2',
    ]);
    expect(channelLabels('Gather', ['float32[2, 4]', indices([2, 2], 3, 0, 2, 0)], along(1)).outputs).toEqual(
      ['0: a0, 1x2: a1.3 a1.0 a1.2 a1.0'],
    );
    expect(channelLabels('Gather', ['float32[4, 2]', int64([1, 2])], along(0)).outputs).toEqual([
      '0: a0.1 a0.2, 1: a1',
    ]);
  });

  it('keep a row that a single index of Gather takes', () => {
    const { outputs, coupling } = channelLabels('Gather', ['float32[12] as [3, 2, 2]', int64(1)], along(0));
    expect(outputs).toEqual(['0x1: a0.4 a0.5 a0.6 a0.7']);
    const rows = coupling.rectangles.find(
      (rectangle) => rectangle.rows.length === 3 && rectangle.elements.length === 6,
    );
    expect([...rows!.rows].map((row) => coupling.frozen(row))).toEqual([
      null,
      "Gather 'node': takes one of its channels alone",
      null,
    ]);
    const alone = channelLabels('Gather', ['float32[1, 3]', int64(2)], along(1));
    expect(alone.outputs).toEqual(['']);
    const { labels } = alone.coupling.channels(alone.coupling.graph.value('a'))[0]!;
    expect(alone.coupling.frozen(labels[2]!)).toBe("Gather 'node': takes one of its channels alone");
    expect(alone.coupling.frozen(labels[1]!)).toBeNull();
  });

  it('are made by a table of vectors, whose rows stay', () => {
    const { axes, frozen, coupling } = byData('Gather', [7, 3], [2, 5]);
    expect(axes).toEqual(['2']);
    expect(frozen).toEqual([
      "Gather 'node': takes its channels by indices that are not known without running",
      null,
    ]);
    expect(coupling.sources.map(({ value, axis }) => [value.name, axis])).toEqual([['a', 1]]);
  });

  it('stay where Gather chooses among them by data', () => {
    const { axes, frozen, coupling } = byData('Gather', [3, 7], [2], 1);
    expect(axes).toEqual(['0']);
    expect(frozen).toEqual([
      null,
      "Gather 'node': takes its channels by indices that are not known without running",
    ]);
    expect(coupling.sources).toEqual([]);
  });

  it('are tied to those of the indices of GatherElements', () => {
    expect(
      channelLabels('GatherElements', ['float32[2, 3]', indices([2, 2], 0, 1, 2, 0)], along(1)),
    ).toMatchObject({
      inputs: ['0: a0, 1: a1', '0: a0, 1: b1'],
      outputs: ['0: a0, 1: b1'],
      frozen: {
        a1: "GatherElements 'node': takes its channels by indices that are not known without running",
      },
    });
    expect(
      channelLabels('GatherElements', ['float32[3, 3]', indices([2, 2], 0, 1, 2, 0)], along(1)).frozen,
    ).toMatchObject({ a0: "GatherElements 'node': takes only some of its channels" });
    expect(byData('GatherElements', [2, 3], [2, 2], 1).frozen[0]).toBe(
      "GatherElements 'node': takes elements from what cannot be cut",
    );
  });

  it('stay on axes that tuples name', () => {
    expect(channelLabels('GatherND', ['float32[2, 3, 4]', indices([2, 2], 0, 1, 1, 2)])).toMatchObject({
      outputs: ['0: b0, 1: a2'],
      frozen: {
        a0: "GatherND 'node': takes its channels by indices that are not known without running",
        a1: "GatherND 'node': takes its channels by indices that are not known without running",
        b1: "GatherND 'node': takes indices from it",
      },
    });
    expect(
      channelLabels('GatherND', ['float32[2, 3, 4]', indices([2, 1], 0, 1)], {
        attributes: { batch_dims: attr.int(1) },
      }),
    ).toMatchObject({ inputs: ['0: a0, 1: a1, 2: a2', '0: a0'], outputs: ['0: a0, 1: a2'] });
    expect(
      channelLabels('ScatterND', ['float32[2, 3, 4]', indices([2, 1], 0, 1), 'float32[2, 3, 4]']),
    ).toMatchObject({
      inputs: ['0: a0, 1: a1, 2: a2', '0: b0', '0: c0, 1: a1, 2: a2'],
      outputs: ['1: a1, 2: a2'],
      frozen: {
        a0: "ScatterND 'node': writes to places along it",
        b0: "ScatterND 'node': writes to places along it",
        c0: "ScatterND 'node': writes to places along it",
      },
    });
  });

  it('stay along the axis that is written to', () => {
    expect(
      channelLabels(
        'ScatterElements',
        ['float32[2, 3]', indices([2, 2], 0, 1, 2, 0), 'float32[2, 2]'],
        along(1),
      ),
    ).toMatchObject({
      inputs: ['0: a0, 1: a1', '0: a0, 1: b1', '0: a0, 1: c1'],
      outputs: ['0: a0'],
      frozen: {
        a1: "ScatterElements 'node': writes to places along it",
        b1: "ScatterElements 'node': writes to places along it",
        c1: "ScatterElements 'node': writes to places along it",
      },
    });
  });

  it('are joined by others that are free where Pad adds some', () => {
    const { outputs, coupling } = channelLabels('Pad', ['float32[2, 3]', int64([0, 1, 0, 1])]);
    expect(outputs).toEqual(['0: a0, 1: ? a1.0 a1.1 a1.2 ?']);
    const added = coupling.channels(coupling.graph.nodes[0]!.output()).at(-1)!.labels[0]!;
    expect(coupling.frozen(added)).toBeNull();
    expect(channelLabels('Pad', ['float32[2, 4]', int64([0, -1, 0, -1])]).outputs).toEqual([
      '0: a0, 1: a1.1 a1.2',
    ]);
    expect(channelLabels('Pad', ['float32[2, 3]', int64([1, 1]), null, int64([-1])]).outputs).toEqual([
      '0: a0, 1: ? a1.0 a1.1 a1.2 ?',
    ]);
    expect(
      channelLabels('Pad', ['float32[2, 3]'], { attributes: { pads: attr.ints([0, 1, 0, 0]) }, opset: 2 })
        .outputs,
    ).toEqual(['0: a0, 1: ? a1.0 a1.1 a1.2']);
  });

  it('stay where Pad repeats them', () => {
    expect(
      channelLabels('Pad', ['float32[2, 3]', int64([0, 1, 0, 1])], {
        attributes: { mode: attr.string('reflect') },
      }),
    ).toMatchObject({ outputs: ['0: a0'], frozen: { a1: "Pad 'node': repeats elements along it" } });
  });

  it('are kept along axes that CenterCropPad leaves', () => {
    expect(
      channelLabels('CenterCropPad', ['float32[2, 3, 4]', int64([3, 2])], {
        attributes: { axes: attr.ints([1, -1]) },
      }),
    ).toMatchObject({
      outputs: ['0: a0, 1: a1'],
      frozen: { a2: "CenterCropPad 'node': crops or pads around the middle of it" },
    });
  });

  it('stay where their place matters', () => {
    expect(channelLabels('Trilu', ['float32[2, 3, 4]', null])).toMatchObject({
      outputs: ['0: a0'],
      frozen: { a1: "Trilu 'node': takes a triangle of it", a2: "Trilu 'node': takes a triangle of it" },
    });
    expect(channelLabels('TopK', ['float32[2, 3]', int64([2])], { outputs: 2 })).toMatchObject({
      outputs: ['0: a0', '0: a0'],
      frozen: { a1: "TopK 'node': ranks its channels" },
    });
    expect(channelLabels('EyeLike', ['float32[2, 3]'])).toMatchObject({
      outputs: [''],
      frozen: {
        a0: "EyeLike 'node': makes a unit matrix of its size",
        a1: "EyeLike 'node': makes a unit matrix of its size",
      },
    });
    expect(
      channelLabels('Compress', ['float32[2, 3]', new Tensor('bool', [3], Uint8Array.of(1, 0, 1))], along(1)),
    ).toMatchObject({
      outputs: ['0: a0'],
      frozen: {
        a1: "Compress 'node': takes channels where a condition holds",
        b0: "Compress 'node': takes a condition from it",
      },
    });
    expect(channelLabels('NonZero', ['float32[2, 3]']).frozen.a1).toBe(
      "NonZero 'node': how many elements are not 0 depends on the data",
    );
  });

  it('of indices go beside the classes of OneHot', () => {
    expect(
      channelLabels('OneHot', ['int64[2, 3]', int64(4), Tensor.of(Float32Array.of(0, 1), [2])], along(1))
        .outputs,
    ).toEqual(['0: a0, 2: a1']);
  });

  it('of an image stay with GridSample, and pixels are those of the grid', () => {
    expect(channelLabels('GridSample', ['float32[2, 3, 4, 5]', 'float32[2, 6, 7, 2]'])).toMatchObject({
      inputs: ['0: a0, 1: a1, 2: a2, 3: a3', '0: a0, 1: b1, 2: b2, 3: b3'],
      outputs: ['0: a0, 1: a1, 2: b1, 3: b2'],
      frozen: {
        a2: "GridSample 'node': samples pixels along it",
        a3: "GridSample 'node': samples pixels along it",
        b3: "GridSample 'node': takes coordinates from it",
      },
    });
  });

  it.each<[string, readonly (string | Tensor | null)[], ChannelLabelsOptions?]>([
    ['Gather', ['float32[2, 6]', int64([5, 0, -2])], along(1)],
    ['Gather', ['float32[12] as [3, 4]', int64([2, 0])], along(0)],
    ['Gather', ['float32[12] as [3, 4]', int64([2, 0, 2])], along(1)],
    ['Gather', ['float32[12] as [3, 2, 2]', int64(1)], along(0)],
    ['Gather', ['float32[12, 2] as [3, 4, 2]', indices([2, 2], 0, 3, 1, 1)], along(1)],
    ['GatherND', ['float32[2, 3, 4]', indices([2, 1], 0, 1)], { attributes: { batch_dims: attr.int(1) } }],
    ['Pad', ['float32[2, 3, 2]', int64([0, 1, 0, 0, 2, 0])]],
    ['Pad', ['float32[6] as [2, 3]', int64([1, 0, 0, 2])]],
    ['Pad', ['float32[12] as [2, 6]', int64([0, -1, 0, -2])]],
    ['TopK', ['float32[2, 3]', int64([2])], { outputs: 2 }],
    ['CenterCropPad', ['float32[2, 3, 4]', int64([2])], { attributes: { axes: attr.ints([2]) } }],
  ])('are those that onnxruntime takes: %s %j', async (opType, inputs, options) => {
    const labels = channelLabels(opType, inputs, options);
    expect(labels.outputs.some((output) => output !== '')).toBe(true);
    expect(await wrongLabels({ coupling: labels.coupling })).toEqual([]);
  });
});
