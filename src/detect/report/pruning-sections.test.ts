import { describe, expect, it } from 'vitest';
import { type ReportTable, renderReport } from '../../report/index.ts';
import type { Latency } from '../../runtime/index.ts';
import { runReport, type ShrinkHistory } from '../../train/index.ts';
import { evaluateDetections } from '../detection-metrics.ts';
import { type DetectorState, judgedDetector, type PrunedDetectorOutcome } from '../pruning/outcome.ts';
import { pruningSections } from './pruning-sections.ts';

const names = ['red', 'blue'];

/** Two objects, of which the first is found. */
const judged = (found: number) =>
  judgedDetector(
    'test',
    evaluateDetections(
      [
        {
          labels: names.map((_, label) => ({ label, box: [10 * label, 0, 10 * label + 8, 8] as const })),
          detections: names.slice(0, found).map((_, label) => ({
            label,
            confidence: 0.9,
            box: [10 * label, 0, 10 * label + 8, 8] as const,
          })),
        },
      ],
      names,
    ),
  );

const state = (found: number, scale: number): DetectorState => ({
  parameters: 1000 * scale,
  macs: 8000 * scale,
  sizes: { raw: 4000 * scale, gzip: 3000 * scale, brotli: null, settings: { gzip: 'level 9', brotli: null } },
  judged: [judged(found)],
});

const time = (median: number): Latency =>
  ({
    median,
    min: median / 2,
    p10: median,
    p90: median,
    spread: 0,
    runs: 12,
    threads: 1,
    engine: 'engine',
  }) as Latency;

const rounds: ShrinkHistory = {
  dense: { fitness: 0.9, map50: 0.9 },
  denseCost: { parameters: 2000, macs: 16_000 } as ShrinkHistory['denseCost'],
  sparse: [],
  rounds: [],
  plans: [],
  ended: 'nothing to cut',
  best: 0,
};

const outcome: PrunedDetectorOutcome = {
  names,
  training: [],
  dense: state(2, 2),
  rounds,
  pruned: state(1, 1),
  latency: [{ dense: time(4), pruned: time(3) }],
  images: [],
};

const rowsOf = (title: string): ReportTable['rows'] => {
  const items = pruningSections(outcome).flatMap((section) => section.items);
  const table = items.find((item): item is ReportTable => item.kind === 'table' && item.title === title);
  return table!.rows;
};

describe('judgedDetector', () => {
  it('keeps what is told of a detector, and a curve of 101 points', () => {
    const { split, images, instances, map50, classes, curve } = judged(1);
    expect([split, images, instances, classes.map(({ name }) => name)]).toEqual(['test', 1, 2, names]);
    expect(map50).toBeCloseTo(0.4975, 4);
    expect(curve).toHaveLength(101);
    expect(curve[0]).toEqual([0, 0.5]);
  });
});

describe('pruningSections', () => {
  it('puts accuracy, latency and cost of both models side by side', () => {
    const accuracy = rowsOf('Accuracy before and after');
    expect(accuracy[0]!.slice(0, 4)).toEqual(['test', 1, 2, 'mAP50']);
    expect(accuracy[0]!.slice(4).map((cell) => Number(cell).toFixed(4))).toEqual([
      '0.9950',
      '0.4975',
      '-0.4975',
    ]);
    expect(rowsOf('Latency of one image')).toEqual([[1, 4, 3, 0.75, 2, 1.5]]);
    expect(rowsOf('Parameters and operations')).toEqual([
      ['parameters', 2000, 1000, 0.5],
      ['multiply-accumulates of an image', 16_000, 8000, 0.5],
    ]);
    expect(rowsOf('Size of the ONNX file')).toEqual([
      ['as it is', 8000, 4000, 0.5],
      ['gzip', 6000, 3000, 0.5],
      ['brotli', null, null, null],
    ]);
    const classes = rowsOf('Average precision by class on test');
    expect(classes.map(([name, objects]) => [name, objects])).toEqual([
      ['red', 1],
      ['blue', 1],
    ]);
    expect(classes[1]!.slice(2).map((cell) => Number(cell).toFixed(3))).toEqual([
      '0.995',
      '0.000',
      '0.995',
      '0.000',
    ]);
  });

  it('leaves out what there is nothing of, and can be drawn', async () => {
    const report = runReport({ title: 't', created: '2026-03-01T12:00:00Z' }, pruningSections(outcome));
    expect(report.sections.map(({ title }) => title)).toEqual([
      'What it came to',
      'Cost',
      'By class',
      'Rounds',
      'Training',
    ]);
    expect(await renderReport(report)).toContain('No channel could be cut.');
  });
});
