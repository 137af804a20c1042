import { describe, expect, it } from 'vitest';
import { parseReport, renderReport, reportJson } from '../../report/index.ts';
import { runReport } from './frame.ts';
import { type ShrinkSummary, shrinkSections } from './shrink.ts';

const cut = (group: number, before: number, after: number, layers = [`layer${group}`]) => ({
  group,
  name: layers[0]!,
  layers,
  before,
  after,
});

const verification: NonNullable<ShrinkSummary['verification']> = {
  equal: true,
  maxError: 2e-6,
  relativeError: 3e-7,
  outputs: [
    { name: 'y', maxError: 2e-6, scale: 7, relativeError: 3e-7, why: null, tolerance: 1e-4, equal: true },
  ],
  layers: [],
  firstDifference: null,
  notEqual: ["Softmax '/s' mixes channels"],
  fromSilenced: null,
  checked: '1 output and 2 layers agree',
};

const latency = (median: number) => ({
  median,
  min: median / 2,
  p10: median / 2,
  p90: median * 2,
  spread: 1,
  runs: 20,
  threads: 1,
  engine: 'onnxruntime-node',
});

const summary: ShrinkSummary = {
  cuts: [cut(0, 16, 8, ['stem', 'block.conv2']), cut(1, 10, 10)],
  whyNot: [{ layer: 'layer1', why: "reaches the output 'y'" }],
  verification,
  notes: ['A note.'],
  repair: {
    layers: [
      { layer: "Conv '/a'", before: 0.4, after: 0.1, repaired: true },
      { layer: "Conv '/b'", before: 0.2, after: 0.2, repaired: false },
    ],
    samples: 32,
    notes: [],
  },
  latency: { before: latency(4), after: latency(2) },
};

describe('shrinkSections', () => {
  it('tells channels, latency, reasons, the proof and notes', () => {
    const sections = shrinkSections(summary);
    expect(sections.map(({ title }) => title)).toEqual([
      'Channels',
      'Latency',
      'Not cut, or less than asked',
      'Proof',
      'Repair',
      'Notes',
    ]);
    const [channels, times, reasons, proof, repair, notes] = sections;
    expect(channels!.items).toMatchObject([
      {
        categories: ['stem (0)'],
        series: [
          { name: 'before', values: [16] },
          { name: 'after', values: [8] },
        ],
      },
      {
        rows: [
          ['0', 'stem, block.conv2', 16, 8, 0.5],
          ['1', 'layer1', 10, 10, 0],
        ],
      },
    ]);
    expect(times!.items).toMatchObject([{ rows: expect.arrayContaining([['median', 4, 2, 0.5]]) }]);
    expect(reasons!.items).toMatchObject([{ rows: [['layer1', "reaches the output 'y'"]] }]);
    expect(proof!.text).toBe(
      "The cut model was run beside the original with the same channels silenced, and computes the same to float rounding: 1 output and 2 layers agree.\n\nSoftmax '/s' mixes channels.",
    );
    expect(proof!.items).toMatchObject([{ rows: [['y', 2e-6, 3e-7, 1e-4]] }]);
    expect(repair!.items).toMatchObject([
      {
        rows: [
          ["Conv '/a'", 0.4, 0.1, 'new'],
          ["Conv '/b'", 0.2, 0.2, 'as they were'],
        ],
      },
    ]);
    expect(notes!.text).toBe('A note.');
  });

  it('leaves out what there is not, and says where nothing was cut', () => {
    const sections = shrinkSections({ cuts: [cut(0, 4, 4)], whyNot: [], verification: null });
    expect(sections).toMatchObject([{ title: 'Channels', text: 'No channel was cut.' }]);
    expect(sections[0]!.items.map(({ kind }) => kind)).toEqual(['table']);
  });

  it('draws the groups that lost most, in their order, and lists all', () => {
    const cuts = Array.from({ length: 50 }, (_, index) => cut(index, 100, index === 3 ? 99 : 50));
    const { items } = shrinkSections({ cuts, whyNot: [], verification: null })[0]!;
    expect(items[0]).toMatchObject({
      caption: expect.stringContaining('The 40 of 50 that lost most are drawn.'),
    });
    expect(items[0]?.kind === 'bars' && items[0].categories.slice(2, 4)).toEqual([
      'layer2 (2)',
      'layer4 (4)',
    ]);
    expect(items[1]?.kind === 'table' && items[1].rows).toHaveLength(50);
  });

  it('makes a report that can be drawn and read again', async () => {
    const report = runReport({ title: 'Shrunk', created: '2026-01-02T03:04:05Z' }, shrinkSections(summary));
    expect(parseReport(reportJson(report))).toEqual(report);
    expect(await renderReport(report)).toContain('Not cut, or less than asked');
  });
});
