import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { channelLabels } from '../../test/channel-labels.ts';
import { wrongLabels } from '../../test/moved-labels.ts';
import { Tensor } from '../core/tensor.ts';
import { attr } from '../ir/index.ts';

const int64 = Tensor.int64;
const slice = (input: string, starts: number[], ends: number[], axes?: number[], steps?: number[]) =>
  channelLabels('Slice', [
    input,
    int64(starts),
    int64(ends),
    axes ? int64(axes) : null,
    ...(steps ? [int64(steps)] : []),
  ]);

/** What each index of axis 1 of `a` is tied to, by its first. */
const tiedIndices = ({ coupling }: ReturnType<typeof slice>): number[] => {
  const { labels } = coupling.channels(coupling.graph.value('a')).at(-1)!;
  return [...labels].map((label) => coupling.find(label) - labels[0]!);
};

describe('channels of Slice', () => {
  it('are those of the range, of axes named or the first ones', () => {
    expect(slice('float32[2, 5]', [1], [4], [1]).outputs).toEqual(['0: a0, 1: a1.1 a1.2 a1.3']);
    expect(slice('float32[2, 5]', [0, 2], [2, 4]).outputs).toEqual(['0: a0, 1: a1.2 a1.3']);
    expect(slice('float32[2, 5]', [-3], [2 ** 31 - 1], [-1]).outputs).toEqual(['0: a0, 1: a1.2 a1.3 a1.4']);
    expect(
      channelLabels('Slice', ['float32[2, 5]'], {
        attributes: { starts: attr.ints([1]), ends: attr.ints([-1]), axes: attr.ints([1]) },
        opset: 9,
      }).outputs,
    ).toEqual(['0: a0, 1: a1.1 a1.2 a1.3']);
  });

  it('are turned round by a step of -1', () => {
    expect(slice('float32[1, 4]', [3], [-9], [1], [-1]).outputs).toEqual(['1: a1.3 a1.2 a1.1 a1.0']);
    expect(slice('float32[1, 4]', [2], [0], [1], [-1]).outputs).toEqual(['1: a1.2 a1.1']);
  });

  it('are tied from one taken to the next where the step is larger', () => {
    const even = slice('float32[1, 7]', [0], [7], [1], [2]);
    expect(even.outputs).toEqual(['1: a1.0 a1.2 a1.4 a1.6']);
    expect(tiedIndices(even)).toEqual([0, 0, 2, 2, 4, 4, 6]);
    const odd = slice('float32[1, 7]', [1], [7], [1], [2]);
    expect(odd.outputs).toEqual(['1: a1.0 a1.2 a1.4']);
    expect(tiedIndices(odd)).toEqual(tiedIndices(even));
  });

  it('stay where it steps backward over some', () => {
    expect(slice('float32[1, 7]', [6], [-9], [1], [-2]).frozen).toEqual({
      a1: "Slice 'node': steps backward over channels",
    });
  });

  it('stay where one is taken alone, and where none is', () => {
    const { outputs, coupling } = slice('float32[1, 3]', [1], [2], [1]);
    expect(outputs).toEqual(['']);
    const { labels } = coupling.channels(coupling.graph.value('a'))[0]!;
    expect([...labels].map((label) => coupling.frozen(label))).toEqual([
      null,
      "Slice 'node': takes one of its channels alone",
      null,
    ]);
    expect(slice('float32[1, 3]', [2], [1], [1])).toMatchObject({
      outputs: [''],
      frozen: { a1: "Slice 'node': takes none of its channels" },
    });
  });

  it('keep their rows where columns are taken, and as many columns before them in each', () => {
    const { outputs, coupling } = slice('float32[10] as [2, 5]', [1], [3], [1]);
    expect(outputs).toEqual(['0x1: a0.1 a0.2 a0.6 a0.7']);
    const rows = coupling.rectangles.map((rectangle) => ({
      elements: rectangle.elements.length,
      rows: [...rectangle.rows].map((row) => coupling.find(row)).join(),
      columns: rectangle.columns,
    }));
    expect(rows.map(({ elements }) => elements).sort((a, b) => a - b)).toEqual([2, 4, 10]);
    expect(new Set(rows.map((rectangle) => rectangle.rows)).size).toBe(1);
    expect(rows.every(({ columns }) => columns === null)).toBe(true);
  });

  it('keep a row that is taken alone', () => {
    const { outputs, coupling } = slice('float32[6] as [2, 3]', [1], [2], [0]);
    expect(outputs).toEqual(['1: a0.3 a0.4 a0.5']);
    const whole = coupling.rectangles.find(({ elements }) => elements.length === 6)!;
    expect([...whole.rows].map((row) => coupling.frozen(row))).toEqual([
      null,
      "Slice 'node': takes one of its channels alone",
    ]);
  });

  it('are those that onnxruntime takes', async () => {
    const bound = fc.integer({ min: -9, max: 9 });
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('float32[2, 6]', 'float32[12] as [2, 6]', 'float32[24] as [4, 6]', 'float32[6, 2]'),
        fc.array(fc.record({ start: bound, end: bound, step: fc.constantFrom(-3, -2, -1, 1, 2, 3) }), {
          minLength: 2,
          maxLength: 2,
        }),
        async (input, ranges) => {
          const labels = slice(
            input,
            ranges.map(({ start }) => start),
            ranges.map(({ end }) => end),
            [1, 0],
            ranges.map(({ step }) => step),
          );
          expect(await wrongLabels(labels)).toEqual([]);
        },
      ),
      { numRuns: 60 },
    );
  });
});
