import { describe, expect, it } from 'vitest';
import { parseReport, reportJson } from '../../report/index.ts';
import type { EpochRecord } from '../history.ts';
import type { ShrinkHistory, ShrinkRoundRecord } from '../shrink-rounds-options.ts';
import { runReport } from './frame.ts';
import { cutsOfRounds, shrinkRoundsOutcome, shrinkRoundsSections } from './shrink-rounds.ts';

const epoch = (number: number): EpochRecord => ({
  epoch: number,
  step: number * 10,
  lr: 0.1,
  train: { loss: 1 / number, accuracy: 0.5 },
  validation: { loss: 2 / number, accuracy: 0.4 },
  seconds: 1.5,
});

const cuts = (widths: readonly (readonly [before: number, after: number])[]) =>
  widths.map(([before, after], group) => ({
    group,
    name: group < 2 ? 'qkv' : 'fc',
    layers: [group < 2 ? 'qkv' : 'fc'],
    before,
    after,
  }));

const round = (number: number, more: Partial<ShrinkRoundRecord>): ShrinkRoundRecord => ({
  round: number,
  cost: { parameters: 1000 / number, macs: 8000 / number, weightBytes: 4000 / number },
  cuts: [],
  reached: null,
  before: { loss: 1, accuracy: 0.7 / number },
  after: { loss: 0.5, accuracy: 0.9 / number },
  verified: '1 output agrees',
  whyNot: [{ layer: 'fc', why: "reaches the output 'y'" }],
  notes: [],
  growing: [],
  epochs: [epoch(1), epoch(2)],
  kept: true,
  ...more,
});

const history: ShrinkHistory = {
  dense: { loss: 0.4, accuracy: 0.95 },
  denseCost: { parameters: 2000, macs: 16_000, weightBytes: 8000 },
  sparse: [epoch(1)],
  rounds: [
    round(1, {
      cuts: cuts([
        [8, 6],
        [8, 5],
        [10, 10],
      ]),
      growing: [epoch(1)],
    }),
    round(2, {
      cuts: cuts([
        [6, 3],
        [5, 5],
        [10, 10],
      ]),
      after: { loss: Number.NaN, accuracy: 0.2 },
      notes: ['A note.'],
    }),
  ],
  plans: [],
  ended: 'target',
  best: 2,
};

describe('shrinkRoundsSections', () => {
  const sections = shrinkRoundsSections(history, { floor: 0.8 });

  it('draws the metric by the share of MACs from the dense model on, and lists the rounds', () => {
    expect(sections.map(({ title }) => title)).toEqual([
      'Rounds',
      'Training',
      'Channels',
      'Not cut, or less than asked',
      'Notes',
    ]);
    const [curve, table] = sections[0]!.items;
    expect(curve).toMatchObject({
      title: 'Accuracy by MACs',
      series: [
        {
          name: 'fine-tuned',
          points: [
            [1, 0.95],
            [0.5, 0.9],
            [0.25, 0.2],
          ],
        },
        {
          name: 'just cut',
          points: [
            [1, 0.95],
            [0.5, 0.7],
            [0.25, 0.35],
          ],
        },
      ],
      rules: [{ y: 0.8, label: 'floor' }],
    });
    expect(table).toMatchObject({
      rows: [
        [0, 2000, 16_000, 1, null, 0.95, 0.4, null, null],
        [1, 1000, 8000, 0.5, 0.7, 0.9, 0.5, 'yes', '1 output agrees'],
        [2, 500, 4000, 0.25, 0.35, 0.2, null, 'yes', '1 output agrees'],
      ],
    });
  });

  it('lays all epochs end to end, and marks where the model was cut', () => {
    const [loss] = sections[1]!.items;
    expect(loss).toMatchObject({
      title: 'Loss by epoch',
      // One of sparse training, one in which a penalty grew, then two for each round.
      markers: [
        { x: 3, label: 'cut' },
        { x: 5, label: 'cut' },
      ],
    });
    const table = sections[1]!.items.at(-1)!;
    expect(table.kind === 'table' && table.rows.map(([number, steps]) => [number, steps])).toEqual([
      [1, 10],
      [2, 20],
      [3, 30],
      [4, 40],
      [5, 50],
      [6, 60],
    ]);
  });

  it('can be written and read', () => {
    const report = runReport({ title: 'Rounds' }, sections);
    expect(parseReport(reportJson(report)).sections).toHaveLength(5);
  });

  it('makes a report of a run without rounds', () => {
    const none: ShrinkHistory = { ...history, sparse: [], rounds: [], ended: 'nothing to cut', best: 0 };
    expect(shrinkRoundsSections(none).map(({ text }) => text)).toEqual([
      'No channel could be cut.',
      'No epoch was trained.',
    ]);
  });
});

describe('cutsOfRounds', () => {
  it('has the channels of the dense model and of the last round that was kept, also where a layer makes several groups', () => {
    const widths = (rounds: ShrinkHistory['rounds']) =>
      cutsOfRounds({ ...history, rounds }).map(({ before, after }) => [before, after]);
    expect(widths(history.rounds)).toEqual([
      [8, 3],
      [8, 5],
      [10, 10],
    ]);
    expect(widths([history.rounds[0]!, { ...history.rounds[1]!, kept: false }])).toEqual([
      [8, 6],
      [8, 5],
      [10, 10],
    ]);
  });
});

describe('shrinkRoundsOutcome', () => {
  it('says how each run ended', () => {
    const reached = {
      of: 'macs',
      before: 9,
      target: 5,
      value: 7,
      miss: 0.4,
      within: false,
      why: 'at least 6 must stay',
      ratio: 0.5,
      measurements: [],
    } as const;
    const outcomes: [Partial<ShrinkHistory>, string][] = [
      [{}, 'The target was met after 2 rounds.'],
      [{ rounds: [] }, 'The target was met before any round.'],
      [{ ended: 'floor', best: 1 }, 'Round 2 fell under the floor; what is left is the model of round 1.'],
      [
        { ended: 'floor', best: 0, rounds: [round(1, { kept: false })] },
        'Round 1 fell under the floor; what is left is the model before any round.',
      ],
      [
        { ended: 'rounds', rounds: [round(1, { reached })] },
        '1 round did not reach the target: at least 6 must stay.',
      ],
      [{ ended: 'rounds' }, '2 rounds did not reach the target: no more could be cut.'],
      [{ ended: 'nothing to cut', rounds: [] }, 'No channel could be cut.'],
    ];
    for (const [more, says] of outcomes) expect(shrinkRoundsOutcome({ ...history, ...more })).toBe(says);
  });
});
