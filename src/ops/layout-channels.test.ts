import { describe, expect, it } from 'vitest';
import { type ChannelLabelsOptions, channelLabels } from '../../test/channel-labels.ts';
import { wrongLabels } from '../../test/moved-labels.ts';
import { Tensor } from '../core/tensor.ts';
import { attr } from '../ir/index.ts';
import { LAYOUT } from './layout.ts';
import { LAYOUT_CHANNELS } from './layout-channels.ts';

const int64 = Tensor.int64;
const along = (axis: number, opset = 18) => ({ attributes: { axis: attr.int(axis) }, opset });

describe('channels of operators that move elements', () => {
  it('have a rule in each of them', () => {
    expect(LAYOUT.map(({ opType }) => opType).filter((opType) => !(opType in LAYOUT_CHANNELS))).toEqual([]);
  });

  it('go with their axes through Transpose, rows still first', () => {
    const perm = { attributes: { perm: attr.ints([0, 2, 1]) } };
    expect(channelLabels('Transpose', ['float32[2, 3, 4]'], perm).outputs).toEqual(['0: a0, 1: a2, 2: a1']);
    expect(channelLabels('Transpose', ['float32[6, 4] as [2, 3, 4]'], perm).outputs).toEqual([
      '0x2: a0, 1: a1',
    ]);
    expect(channelLabels('Transpose', ['float32[2, 3, 4]']).outputs).toEqual(['0: a2, 1: a1, 2: a0']);
  });

  it('are joined by Concat along its axis and tied on the others', () => {
    expect(channelLabels('Concat', ['float32[2, 3]', 'float32[2, 2]'], along(-1))).toMatchObject({
      inputs: ['0: a0, 1: a1', '0: a0, 1: b1'],
      outputs: ['0: a0, 1: a1.0 a1.1 a1.2 b1.0 b1.1'],
      frozen: {},
    });
  });

  it('stay in Concat where a part has none', () => {
    const { outputs, coupling } = channelLabels('Concat', ['float32[1, 3]', 'float32[1, 1]'], along(1));
    expect(outputs).toEqual(['1: a1.0 a1.1 a1.2 ?']);
    const [labels] = coupling.channels(coupling.graph.nodes[0]!.output()).map((bundle) => bundle.labels);
    expect([...labels!].map((label) => coupling.frozen(label))).toEqual([
      null,
      null,
      null,
      "Concat 'node': joins 'b', whose channels are not followed",
    ]);
  });

  it('are joined by Concat as matrices of the same rows', () => {
    const { outputs, coupling } = channelLabels(
      'Concat',
      ['float32[6] as [2, 3]', 'float32[4] as [2, 2]'],
      along(1),
    );
    expect(outputs).toEqual(['0x1: a0.0 a0.1 a0.2 b0.0 b0.1 a0.3 a0.4 a0.5 b0.2 b0.3']);
    const rows = coupling.graph.nodes
      .slice(0, 2)
      .map((node) => coupling.channels(node.output())[0]!.labels)
      .map((elements) => coupling.rectangles.find((rectangle) => rectangle.elements === elements)!.rows);
    expect([...rows[0]!].map((row) => coupling.find(row))).toEqual(
      [...rows[1]!].map((row) => coupling.find(row)),
    );
  });

  it('are joined by Concat as rows of matrices', () => {
    expect(
      channelLabels('Concat', ['float32[6] as [2, 3]', 'float32[3] as [1, 3]'], along(0)).outputs,
    ).toEqual(['0: ?, 1: b0']);
    expect(
      channelLabels('Concat', ['float32[6] as [2, 3]', 'float32[6] as [2, 3]'], along(0)).outputs,
    ).toEqual(['0x1: a0.0 a0.1 a0.2 a0.3 a0.4 a0.5 b0.0 b0.1 b0.2 b0.3 b0.4 b0.5']);
  });

  it('are tied axis by axis in Concat where one part has a matrix and another two vectors', () => {
    const { outputs, coupling, frozen } = channelLabels(
      'Concat',
      ['float32[6] as [2, 3]', 'float32[2, 4]'],
      along(1),
    );
    expect(outputs).toEqual(['0: b0, 1: ? ? ? b1.0 b1.1 b1.2 b1.3']);
    expect(frozen).toEqual({});
    expect(coupling.rectangles.filter(({ columns }) => columns?.length === 3)).toHaveLength(1);
  });

  it('are cut apart by Split, of sizes stated or even', () => {
    const outputs = ['1: a1.0 a1.1', '1: a1.2 a1.3 a1.4'];
    const two = { ...along(1), outputs: 2 };
    expect(channelLabels('Split', ['float32[1, 5]', int64([2, 3])], two).outputs).toEqual(outputs);
    expect(
      channelLabels('Split', ['float32[1, 5]'], {
        attributes: { axis: attr.int(1), split: attr.ints([2, 3]) },
        opset: 11,
        outputs: 2,
      }).outputs,
    ).toEqual(outputs);
    expect(channelLabels('Split', ['float32[1, 4]', null], { ...two, opset: 13 }).outputs).toEqual([
      '1: a1.0 a1.1',
      '1: a1.2 a1.3',
    ]);
    expect(
      channelLabels('Split', ['float32[1, 5]'], {
        attributes: { axis: attr.int(1), num_outputs: attr.int(2) },
        outputs: 2,
      }).outputs,
    ).toEqual(['1: a1.0 a1.1 a1.2', '1: a1.3 a1.4']);
  });

  it('stay where Split takes one alone', () => {
    const { outputs, coupling } = channelLabels('Split', ['float32[1, 3]', int64([1, 2])], {
      ...along(1),
      outputs: 2,
    });
    expect(outputs).toEqual(['', '1: a1.1 a1.2']);
    const { labels } = coupling.channels(coupling.graph.value('a'))[0]!;
    expect([...labels].map((label) => coupling.frozen(label))).toEqual([
      "Split 'node': takes one of its channels alone",
      null,
      null,
    ]);
  });

  it('are not on axes that Expand repeats', () => {
    expect(channelLabels('Expand', ['float32[3, 1]', int64([2, 1, 4])]).outputs).toEqual(['1: a0']);
  });

  it('are repeated by Tile', () => {
    expect(channelLabels('Tile', ['float32[2, 2]', int64([1, 2])]).outputs).toEqual([
      '0: a0, 1: a1.0 a1.1 a1.0 a1.1',
    ]);
    expect(channelLabels('Tile', ['float32[4] as [2, 2]', int64([1, 2])]).outputs).toEqual([
      '0x1: a0.0 a0.1 a0.0 a0.1 a0.2 a0.3 a0.2 a0.3',
    ]);
  });

  it('are tied by DepthToSpace where they become one, apart or side by side', () => {
    const mode = (name: string): ChannelLabelsOptions => ({
      attributes: { blocksize: attr.int(2), mode: attr.string(name) },
    });
    expect(channelLabels('DepthToSpace', ['float32[1, 8, 1, 1]'], mode('DCR'))).toMatchObject({
      inputs: ['1: a1.0 a1.1 a1.0 a1.1 a1.0 a1.1 a1.0 a1.1'],
      outputs: ['1: a1.0 a1.1'],
    });
    expect(channelLabels('DepthToSpace', ['float32[1, 8, 1, 1]'], mode('CRD'))).toMatchObject({
      inputs: ['1: a1.0 a1.0 a1.0 a1.0 a1.4 a1.4 a1.4 a1.4'],
      outputs: ['1: a1.0 a1.4'],
    });
    expect(channelLabels('DepthToSpace', ['float32[1, 4, 1, 1]'], mode('DCR')).frozen).toEqual({
      a1: "DepthToSpace 'node': makes one channel of all",
    });
  });

  it('come once for each place of a block in SpaceToDepth', () => {
    expect(
      channelLabels('SpaceToDepth', ['float32[2, 2, 2, 2]'], { attributes: { blocksize: attr.int(2) } }),
    ).toMatchObject({
      outputs: ['0: a0, 1: a1.0 a1.1 a1.0 a1.1 a1.0 a1.1 a1.0 a1.1'],
      frozen: {
        a2: "SpaceToDepth 'node': moves pixels along it",
        a3: "SpaceToDepth 'node': moves pixels along it",
      },
    });
  });

  it('stay along the time and the batch of ReverseSequence', () => {
    expect(channelLabels('ReverseSequence', ['float32[2, 3, 4]', int64([1, 2, 2])])).toMatchObject({
      outputs: ['2: a2'],
      frozen: {
        a0: "ReverseSequence 'node': reverses sequences along it",
        a1: "ReverseSequence 'node': reverses sequences along it",
        b0: "ReverseSequence 'node': takes lengths of sequences from it",
      },
    });
  });

  it('are not on sizes, and may go where sizes are asked for', () => {
    expect(channelLabels('Shape', ['float32[2, 3]'])).toMatchObject({ outputs: [''], frozen: {} });
    expect(channelLabels('Size', ['float32[2, 3]'])).toMatchObject({ outputs: [''], frozen: {} });
  });

  it.each<[string, readonly (string | Tensor | null)[], ChannelLabelsOptions?]>([
    ['Transpose', ['float32[6, 4] as [2, 3, 4]'], { attributes: { perm: attr.ints([2, 0, 1]) } }],
    ['Identity', ['float32[6, 4] as [2, 3, 4]']],
    ['Concat', ['float32[2, 3, 2]', 'float32[2, 1, 2]', 'float32[2, 2, 2]'], along(1)],
    ['Concat', ['float32[6, 4] as [2, 3, 4]', 'float32[4, 4] as [2, 2, 4]'], along(1)],
    ['Split', ['float32[2, 6]', int64([1, 2, 3])], { ...along(1), outputs: 3 }],
    ['Split', ['float32[2, 12] as [2, 2, 6]', int64([2, 4])], { ...along(2), outputs: 2 }],
    ['Expand', ['float32[3, 1, 2]', int64([2, 1, 4, 1])]],
    ['Tile', ['float32[6, 2] as [2, 3, 2]', int64([2, 3, 1])]],
    ['SpaceToDepth', ['float32[2, 3, 4, 4]'], { attributes: { blocksize: attr.int(2) } }],
    ['DepthToSpace', ['float32[2, 12, 2, 2]'], { attributes: { blocksize: attr.int(2) } }],
    [
      'DepthToSpace',
      ['float32[2, 12, 2, 2]'],
      { attributes: { blocksize: attr.int(2), mode: attr.string('CRD') } },
    ],
    ['ReverseSequence', ['float32[2, 3, 4]', int64([1, 2, 2])]],
    ['Squeeze', ['float32[6, 1, 4] as [2, 3, 1, 4]', int64([2])]],
    ['Unsqueeze', ['float32[6, 4] as [2, 3, 4]', int64([0, 3])]],
    ['Flatten', ['float32[1, 6, 4] as [1, 2, 3, 4]'], { attributes: { axis: attr.int(3) } }],
  ])('are those that onnxruntime moves: %s %j', async (opType, inputs, options) => {
    const labels = channelLabels(opType, inputs, options);
    expect(labels.outputs.some((output) => output !== '')).toBe(true);
    expect(await wrongLabels(labels)).toEqual([]);
  });
});
