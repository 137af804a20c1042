import { describe, expect, it } from 'vitest';
import { Tensor } from '../../core/tensor.ts';
import { customFromMask } from '../../prune/index.ts';
import { parseReport, type ReportItem, reportJson } from '../../report/index.ts';
import type { EpochRecord } from '../history.ts';
import { smallNet } from '../testdata/blobs.ts';
import { metricTitle, runReport } from './frame.ts';
import { historySection } from './history.ts';
import { iterateOutcome, iterateSections } from './iterate.ts';
import { lotterySection } from './lottery.ts';
import { modelSection, stateOf, weightSections, weightsNow } from './model.ts';
import { sensitivitySection } from './sensitivity.ts';

const epoch = (number: number, validation: EpochRecord['validation']): EpochRecord => ({
  epoch: number,
  step: number * 10,
  lr: 0.1 / number,
  train: { loss: 1 / number, accuracy: 0.5 },
  validation,
  seconds: 1.5,
});

const titles = (items: readonly ReportItem[]): string[] =>
  items.map(({ kind, title }) => `${kind}: ${title}`);

describe('historySection', () => {
  it('draws the loss by step, each metric by epoch, and lists the epochs', () => {
    const section = historySection({
      epochs: [epoch(1, { loss: 2, accuracy: 0.4 }), epoch(2, { loss: 1.5, accuracy: 0.6 })],
      losses: [
        [5, 2],
        [10, Number.NaN],
      ],
    });
    expect(titles(section.items)).toEqual([
      'line: Loss by step',
      'line: Loss by epoch',
      'line: Accuracy by epoch',
      'table: Epochs',
    ]);
    expect(section.items[0]).toMatchObject({
      series: [
        {
          points: [
            [5, 2],
            [10, null],
          ],
        },
      ],
    });
    expect(section.items[2]).toMatchObject({
      y: { format: 'percent' },
      series: [
        { name: 'training' },
        {
          name: 'validation',
          points: [
            [1, 0.4],
            [2, 0.6],
          ],
        },
      ],
    });
    expect(section.items[3]).toMatchObject({
      rows: [
        [1, 10, 0.1, 1, 0.5, 2, 0.4, 1.5],
        [2, 20, 0.05, 0.5, 0.5, 1.5, 0.6, 1.5],
      ],
    });
  });

  it('has no column for validation where there was none, and no line of a single epoch', () => {
    const { items } = historySection({ epochs: [epoch(1, null)], losses: [[10, 1]] });
    expect(titles(items)).toEqual(['table: Epochs']);
    expect(items[0]).toMatchObject({ rows: [[1, 10, 0.1, 1, 0.5, 1.5]] });
  });

  it('says where nothing was trained', () => {
    expect(historySection({ epochs: [], losses: [] })).toMatchObject({
      text: 'No epoch was trained.',
      items: [],
    });
  });
});

describe('modelSection', () => {
  it('puts before and after side by side and leaves out what neither has', () => {
    const { items } = modelSection(
      stateOf({ parameters: 100, zeros: 0 }, { metrics: { loss: 2, accuracy: 0.5, top5: 0.9 } }),
      stateOf({ parameters: 100, zeros: 80 }, { metrics: { loss: 1, accuracy: 0.75 } }),
    );
    expect(titles(items)).toEqual([
      'table: Parameters and operations',
      'table: Shares and metrics',
      'table: Losses',
    ]);
    expect(items.map((item) => (item.kind === 'table' ? item.rows : []))).toEqual([
      [
        ['parameters', 100, 100, 1],
        ['of them zero', 0, 80, null],
        ['not zero', 100, 20, 0.2],
      ],
      [
        ['sparsity', 0, 0.8, null],
        ['accuracy', 0.5, 0.75, 1.5],
        ['top-5 accuracy', 0.9, null, null],
      ],
      [['loss', 2, 1, 0.5]],
    ]);
  });
});

describe('weightSections', () => {
  it('draws masks of what is pruned, and histograms of all weights before and after', () => {
    const model = smallNet();
    const before = weightsNow(model);
    const mask = Float32Array.from({ length: 36 }, (_, index) => index % 2);
    customFromMask(model.conv, 'weight', new Tensor('float32', [4, 1, 3, 3], mask));
    const [pruned, others, ...rest] = weightSections(model, before);
    expect(rest).toEqual([]);
    expect(titles(pruned!.items)).toEqual([
      'table: Pruned parameters',
      'histogram: conv.weight',
      'mask: conv.weight',
    ]);
    expect(pruned!.items[1]).toMatchObject({ before: { zeros: 0 }, after: { zeros: 18 } });
    expect(titles(others!.items)).toEqual(['histogram: fc.weight']);
  });

  it('compares with copies, whatever training does to the model afterwards', () => {
    const model = smallNet();
    const before = weightsNow(model);
    model.fc.getParameter('weight').data.float32.fill(0);
    const [section] = weightSections(model, before);
    expect(section!.items.find(({ title }) => title === 'fc.weight')).toMatchObject({
      before: { zeros: 0 },
      after: { zeros: 108 },
    });
  });
});

describe('sensitivitySection', () => {
  const found = {
    metric: 'accuracy',
    dense: 0.9,
    amounts: [0.5, 0.9],
    rows: [
      { layer: 'conv', size: 36, scores: [0.9, 0.2] },
      { layer: 'fc', size: 108, scores: [0.9, 0.8] },
    ],
  };

  it('draws a line for each layer from nothing pruned on, and lists the scores', () => {
    const { items } = sensitivitySection(found, { chosen: { conv: 0.6 } });
    expect(items[0]).toMatchObject({
      series: [
        {
          name: 'conv',
          points: [
            [0, 0.9],
            [0.5, 0.9],
            [0.9, 0.2],
          ],
        },
        { name: 'fc' },
      ],
      rules: [{ y: 0.9, label: 'nothing pruned' }],
    });
    expect(items[1]).toMatchObject({
      columns: [{}, {}, { label: 'chosen' }, { label: '50 %' }, { label: '90 %' }],
      rows: [
        ['conv', 36, 0.6, 0.9, 0.2],
        ['fc', 108, null, 0.9, 0.8],
      ],
    });
  });

  it('draws the most sensitive layers where there are many, and says so', () => {
    const { items } = sensitivitySection(found, { limit: 1 });
    expect(items[0]).toMatchObject({ series: [{ name: 'conv' }] });
    expect(items[0]!.caption).toContain('The 1 most sensitive of 2 layers are drawn.');
  });
});

describe('iterateSections', () => {
  const round = (number: number, kept: boolean) => ({
    round: number,
    asked: 0.5 * number,
    sparsity: 0.5 * number,
    sparsityOfAll: 0.4 * number,
    nonZero: 100 - 45 * number,
    fileSize: null,
    before: { loss: 2, accuracy: 0.5 },
    after: { loss: 1, accuracy: 0.8 },
    epochs: [epoch(1, { loss: 1.5, accuracy: 0.7 }), epoch(2, { loss: 1, accuracy: 0.8 })],
    kept,
  });
  const history = {
    dense: { loss: 1, accuracy: 0.9 },
    parameters: 100,
    rounds: [round(1, true), round(2, false)],
    ended: 'floor' as const,
    best: 1,
    layers: [{ layer: 'fc', size: 90, sparsity: 0.5 }],
  };

  it('draws the metric by sparsity from the dense model on, and lists the rounds', () => {
    const [rounds] = iterateSections(history, { floor: 0.85 });
    expect(rounds!.text).toBe('Round 2 fell under the floor; what is left is the model of round 1.');
    expect(rounds!.items[0]).toMatchObject({
      series: [
        {
          name: 'fine-tuned',
          points: [
            [0, 0.9],
            [0.5, 0.8],
            [1, 0.8],
          ],
        },
        {
          name: 'just pruned',
          points: [
            [0, 0.9],
            [0.5, 0.5],
            [1, 0.5],
          ],
        },
      ],
      rules: [{ y: 0.85, label: 'floor' }],
    });
    expect(rounds!.items[2]).toMatchObject({
      rows: [
        [0, null, null, 100, null, 0.9, null],
        [1, 0.5, 0.5, 55, 0.5, 0.8, 'yes'],
        [2, 1, 1, 10, 0.5, 0.8, 'no'],
      ],
    });
  });

  it('lays the epochs of all rounds end to end, and marks where the model was pruned', () => {
    const [, finetuning] = iterateSections(history);
    const [loss] = finetuning!.items;
    expect(loss).toMatchObject({
      markers: [
        { x: 1, label: 'pruned' },
        { x: 3, label: 'pruned' },
      ],
    });
    const table = finetuning!.items.at(-1);
    if (table?.kind !== 'table') throw new Error('expected a table');
    expect(table.rows.map(([number, step]) => [number, step])).toEqual([
      [1, 10],
      [2, 20],
      [3, 30],
      [4, 40],
    ]);
  });

  it('makes a report of a run without rounds', () => {
    const none = { ...history, rounds: [], ended: 'target' as const, best: 0 };
    const report = runReport({ title: 'None' }, iterateSections(none));
    expect(report.sections[0]!.text).toBe('The target was met before any round.');
    expect(parseReport(reportJson(report))).toEqual(report);
  });

  it('says how each run ended', () => {
    expect(iterateOutcome({ ...history, ended: 'target' })).toBe('The target was met after 2 rounds.');
    expect(iterateOutcome({ ...history, ended: 'rounds', best: 0 })).toBe(
      '2 rounds did not reach the target; what is left is the model before any round.',
    );
  });
});

describe('lotterySection', () => {
  const spread = (mean: number, deviation: number) => ({ mean, deviation, count: deviation > 0 ? 2 : 1 });
  const lottery = (deviation: number) => ({
    metric: 'accuracy',
    trainings: [
      {
        seed: 7,
        round: 1,
        network: 'reinit' as const,
        remaining: 0.5,
        final: 0.7,
        best: 0.75,
        bestEpoch: 2,
      },
    ],
    rounds: [1, 0.5].map((remaining, round) => ({
      round,
      remaining,
      final: {
        ticket: spread(0.9, deviation),
        ...(round > 0 ? { reinit: spread(0.7, deviation) } : {}),
      },
      best: { ticket: spread(0.95, deviation) },
      bestEpoch: { ticket: spread(3, 0) },
    })),
  });

  it('draws networks from the dense one on, with their spread', () => {
    const { items } = lotterySection(lottery(0.1));
    const [final] = items;
    if (final?.kind !== 'line') throw new Error('expected a chart');
    expect(final.series.map(({ name }) => name)).toEqual(['ticket', 'fresh weights']);
    expect(final.series[1]!.points).toEqual([
      [1, 0.9],
      [0.5, 0.7],
    ]);
    expect(final.series[1]!.band![1]!.map((value) => value.toFixed(2))).toEqual(['0.50', '0.60', '0.80']);
    expect(items[2]).toMatchObject({
      rows: [
        [0, 1, 0.9, 0.1, null, null],
        [1, 0.5, 0.9, 0.1, 0.7, 0.1],
      ],
    });
  });

  it('lists every training', () => {
    expect(lotterySection(lottery(0)).items.at(-1)).toMatchObject({
      rows: [['7', 1, 'fresh weights', 0.5, 0.7, 0.75, 2]],
    });
  });

  it('has neither bands nor columns of spread for one seed', () => {
    const [final, , table] = lotterySection(lottery(0)).items;
    expect(table).toMatchObject({
      rows: [
        [0, 1, 0.9, null],
        [1, 0.5, 0.9, 0.7],
      ],
    });
    expect(final).toMatchObject({ series: [{ name: 'ticket' }, { name: 'fresh weights' }] });
    expect(JSON.stringify(final)).not.toContain('band');
  });
});

describe('runReport', () => {
  it('makes a report that can be written and read, without empty sections', () => {
    const report = runReport({ title: 'A run', seed: 3, facts: [['data', 'blobs']] }, [
      historySection({ epochs: [epoch(1, null)], losses: [] }),
      { title: 'Nothing', items: [] },
      { title: 'Words', text: 'Only these.', items: [] },
    ]);
    expect(report.sections.map(({ title }) => title)).toEqual(['Training', 'Words']);
    expect(parseReport(reportJson(report))).toEqual(report);
  });
});

it('writes metrics as people say them', () => {
  expect(['loss', 'accuracy', 'top5'].map(metricTitle)).toEqual(['loss', 'accuracy', 'top-5 accuracy']);
});
