import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type MadeLane, type MadeLayer, madeGroups } from '../../test/made-groups.ts';
import { ArgumentError } from '../core/errors.ts';
import { type Decision, decide, unitsToRemove } from './decide.ts';
import type { DecideOptions } from './decide-options.ts';
import type { ChannelGroups } from './groups.ts';

/** The places of a layer's units that go. */
function gone({ groups }: Decision, layer: string, removed: Uint8Array): number[] {
  const group = groups.find(({ group: { name } }) => name === layer)!.group;
  return Array.from(group.units.keys()).filter((place) => removed[group.units[place]!] === 1);
}

const whyNot = ({ groups }: Decision, layer: string): string | null =>
  groups.find(({ group: { name } }) => name === layer)!.whyNot;

const rising = (groups: ChannelGroups): Float64Array =>
  Float64Array.from({ length: groups.unitCount }, (_, unit) => unit);

const kept = ({ groups }: Decision): number[] => groups.map(({ units, removed }) => units - removed);

describe('unitsToRemove', () => {
  it('counts as Torch-Pruning does: what stays is truncated', () => {
    expect(unitsToRemove(10, 0.5)).toBe(5);
    expect(unitsToRemove(5, 0.5)).toBe(3);
    expect(unitsToRemove(64, 0.3)).toBe(20);
    expect(unitsToRemove(64, 0)).toBe(0);
    expect(unitsToRemove(64, 0.001)).toBe(1);
    // 100 * (1 - 0.9) is a little less than 10 in float64, in Python too.
    expect(unitsToRemove(100, 0.9)).toBe(91);
  });
});

describe('decide', () => {
  it('takes the ratio of each layer, the least important channels first', () => {
    const groups = madeGroups([
      { name: 'a', units: 4 },
      { name: 'b', units: 6 },
    ]);
    const decision = decide(groups, Float64Array.of(3, 1, 2, 4, 9, 8, 7, 6, 5, 4), { ratio: 0.5 });
    expect(gone(decision, 'a', decision.removed)).toEqual([1, 2]);
    expect(gone(decision, 'b', decision.removed)).toEqual([3, 4, 5]);
    expect(
      decision.groups.map(({ asked, units, removed, whyNot: why }) => [asked, units, removed, why]),
    ).toEqual([
      [0.5, 4, 2, null],
      [0.5, 6, 3, null],
    ]);
  });

  it('keeps the lower index of equal scores', () => {
    const groups = madeGroups([{ name: 'a', units: 6 }]);
    const decision = decide(groups, new Float64Array(6).fill(1), { ratio: 0.5 });
    expect(gone(decision, 'a', decision.removed)).toEqual([3, 4, 5]);
  });

  it('takes a tie between layers evenly, not all of one', () => {
    const groups = madeGroups([
      { name: 'a', units: 8 },
      { name: 'b', units: 16 },
    ]);
    const decision = decide(groups, new Float64Array(24).fill(1), { ratio: 0.5, scope: 'global' });
    expect(kept(decision)).toEqual([4, 8]);
  });

  it('ranks all layers together in the global scope, and leaves one channel of each', () => {
    const groups = madeGroups([
      { name: 'a', units: 4 },
      { name: 'b', units: 4 },
    ]);
    const decision = decide(groups, rising(groups), { ratio: 0.5, scope: 'global' });
    expect(kept(decision)).toEqual([1, 3]);
    // That others are less important is what is asked for, and no reason.
    expect(whyNot(decision, 'b')).toBeNull();
  });

  it('ranks only like layers together in the isomorphic scope', () => {
    const layers: MadeLayer[] = [
      { name: 'a', units: 4 },
      { name: 'b', units: 8 },
      { name: 'c', units: 4, bias: true },
    ];
    const groups = madeGroups(layers);
    const scores = Float64Array.of(9, 9, 9, 9, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0);
    // a and b differ in their number of channels alone: 6 of their 12 go, all from b.
    expect(kept(decide(groups, scores, { ratio: 0.5, scope: 'isomorphic' }))).toEqual([4, 2, 2]);
    expect(kept(decide(groups, scores, { ratio: 0.5, scope: 'global' }))).toEqual([4, 3, 1]);
  });

  it('takes other ratios by name, the first that matches', () => {
    const groups = madeGroups(['stem', 'body.0.conv', 'body.1.conv'].map((name) => ({ name, units: 10 })));
    const ratios = [
      { pattern: 'body.1', ratio: 0.2 },
      { pattern: 'body.*', ratio: 0.8 },
      { pattern: 'stem', ratio: 0 },
    ];
    const decision = decide(groups, rising(groups), { ratio: 0.5, ratios });
    expect(kept(decision)).toEqual([10, 1, 8]);
    expect(whyNot(decision, 'stem')).toBe('a ratio of 0 was asked for it');
    const global = decide(groups, rising(groups), { ratio: 0.5, ratios, scope: 'global' });
    expect(kept(global)).toEqual([10, 1, 8]);
  });

  it('leaves ignored layers whole, and says so', () => {
    const groups = madeGroups(['model.1', 'model.24.m.0', 'model.2'].map((name) => ({ name, units: 4 })));
    const decision = decide(groups, rising(groups), { ratio: 0.5, ignore: ['model.24', '*.1'] });
    expect(kept(decision)).toEqual([4, 4, 2]);
    expect(whyNot(decision, 'model.24.m.0')).toBe("is ignored: matches 'model.24'");
    expect(decision.groups[1]!.asked).toBe(0);
  });

  it('keeps at least as many as asked', () => {
    const groups = madeGroups([
      { name: 'a', units: 16 },
      { name: 'b', units: 3 },
    ]);
    const decision = decide(groups, rising(groups), { ratio: 0.9, keepAtLeast: 4 });
    expect(kept(decision)).toEqual([4, 3]);
    expect(whyNot(decision, 'a')).toBe('12 of 16 go where 15 were asked for: at least 4 must stay');
    expect(whyNot(decision, 'b')).toBe('nothing goes: at least 4 must stay');
  });

  it('takes no more of a layer than the maximum ratio', () => {
    const groups = madeGroups([
      { name: 'a', units: 10 },
      { name: 'b', units: 10 },
    ]);
    const options: DecideOptions = { ratio: 0.5, scope: 'global', maxRatio: 0.7 };
    const decision = decide(groups, rising(groups), options);
    expect(kept(decision)).toEqual([3, 7]);
    const all = decide(groups, rising(groups), { ...options, ratio: 1 });
    expect(whyNot(all, 'a')).toBe(
      '7 of 10 go where 10 were asked for: no more than the maximum ratio of 0.7 may go',
    );
  });

  it('leaves what cannot go, with the reasons', () => {
    const groups = madeGroups([
      { name: 'head', units: 3, frozen: new Array(3).fill("reaches the output 'y'") },
      { name: 'mixed', units: 8, frozen: ['meets a', 'meets a', 'meets b', 'meets c', 'meets d'] },
    ]);
    const decision = decide(groups, rising(groups), { ratio: 0.5 });
    // Half of the three that can go.
    expect(kept(decision)).toEqual([3, 6]);
    expect(whyNot(decision, 'head')).toBe("reaches the output 'y'");
    expect(whyNot(decision, 'mixed')).toBe(
      '2 of 8 go where 4 were asked for: 2 of 8 must stay (meets a), 1 must stay (meets b), 1 must stay (meets c), and 1 more reasons; the ratio is taken of the 3 others',
    );
  });

  it('takes its share of each lane of a layer: queries and keys go with other lanes than values', () => {
    const groups = madeGroups([{ name: 'qkv', units: 16 }]);
    const [lane] = groups.lanes;
    const [first, second] = [lane!.cells[0]!.slice(0, 8), lane!.cells[0]!.slice(8)];
    const split = {
      ...groups,
      lanes: [first, second].map((units) => ({ cells: [units], drop: [1], maxSteps: 7 })),
    };
    const { removed } = decide(split, rising(groups), { ratio: 0.5 });
    for (const units of [first, second]) {
      expect(units.reduce((sum, unit) => sum + removed[unit]!, 0)).toBe(4);
    }
  });

  describe('lanes of several cells', () => {
    const layers: MadeLayer[] = [
      { name: 'a', units: 4 },
      { name: 'b', units: 4 },
    ];
    const both: MadeLane[] = [
      {
        cells: [
          { layer: 'a', units: [0, 1, 2, 3] },
          { layer: 'b', units: [0, 1, 2, 3] },
        ],
        drop: [1, 1],
        maxSteps: 3,
      },
    ];

    it('lose equally many from each', () => {
      const groups = madeGroups(layers, both);
      const decision = decide(groups, Float64Array.of(1, 4, 3, 2, 40, 30, 20, 10), { ratio: 0.5 });
      expect(gone(decision, 'a', decision.removed)).toEqual([0, 3]);
      expect(gone(decision, 'b', decision.removed)).toEqual([2, 3]);
    });

    it('lose no more than the layer that may lose least', () => {
      const groups = madeGroups(layers, both);
      const decision = decide(groups, rising(groups), {
        ratio: 0.75,
        ratios: [{ pattern: 'b', ratio: 0.25 }],
      });
      expect(kept(decision)).toEqual([3, 3]);
      expect(whyNot(decision, 'a')).toBe(
        "1 of 4 go where 3 were asked for: the rest goes together with 'b', of which no more goes",
      );
      const ignoring = decide(groups, rising(groups), { ratio: 0.75, ignore: ['b'] });
      expect(whyNot(ignoring, 'a')).toBe(
        "nothing goes: the rest goes together with 'b': it is ignored, as it matches 'b'",
      );
    });

    it('say that channels go several at a time', () => {
      const lane: MadeLane = {
        cells: [
          { layer: 'a', units: [0, 1, 2] },
          { layer: 'a', units: [3, 4, 5] },
        ],
        drop: [1, 1],
        maxSteps: 2,
      };
      const groups = madeGroups([{ name: 'a', units: 6 }], [lane]);
      const decision = decide(groups, rising(groups), { ratio: 0.5 });
      expect(gone(decision, 'a', decision.removed)).toEqual([0, 3]);
      expect(whyNot(decision, 'a')).toBe('2 of 6 go where 3 were asked for: they go 2 at a time');
    });
  });

  it('leaves one of what is needed', () => {
    const groups = { ...madeGroups([{ name: 'a', units: 6 }]), needed: [Int32Array.of(0, 1)] };
    const decision = decide(groups, rising(groups), { ratio: 0.9 });
    expect(gone(decision, 'a', decision.removed)).toEqual([0]);
    expect(whyNot(decision, 'a')).toBe(
      '1 of 6 go where 6 were asked for: something that reads the rest would be left with no channel',
    );
  });

  describe('rounding', () => {
    const round = (units: number, ratio: number, options: Partial<DecideOptions>, each = 1): number => {
      const groups = madeGroups([{ name: 'a', units, each }]);
      return kept(decide(groups, rising(groups), { ratio, ...options }))[0]!;
    };

    it('keeps more channels to reach a multiple', () => {
      expect(round(64, 0.5, { roundTo: 8 })).toBe(32);
      expect(round(64, 0.45, { roundTo: 8 })).toBe(40);
      expect(round(60, 0.1, { roundTo: 8 })).toBe(56);
      expect(round(64, 0.99, { roundTo: 16 })).toBe(16);
    });

    it('goes to the nearer multiple, the larger one of two', () => {
      expect(round(64, 0.45, { roundTo: 8, rounding: 'nearest' })).toBe(32);
      expect(round(64, 0.4375, { roundTo: 8, rounding: 'nearest' })).toBe(40);
      expect(round(64, 0.99, { roundTo: 16, rounding: 'nearest' })).toBe(16);
    });

    it('counts channels, not units, where each unit is several', () => {
      expect(round(12, 0.5, { roundTo: 8 }, 4)).toBe(6);
      expect(round(12, 0.4, { roundTo: 8 }, 4)).toBe(8);
      expect(round(12, 0.4, { roundTo: 8 }, 64)).toBe(7);
    });

    it('never goes to nothing, and says where it leaves a layer whole', () => {
      const groups = madeGroups([
        { name: 'small', units: 6 },
        { name: 'large', units: 64 },
      ]);
      const decision = decide(groups, rising(groups), { ratio: 0.05, roundTo: 8 });
      expect(kept(decision)).toEqual([6, 64]);
      expect(whyNot(decision, 'small')).toBe(
        'nothing goes: it has 6 channels, and multiples of 8 are to stay',
      );
      expect(whyNot(decision, 'large')).toBe(
        'nothing goes: rounded to a multiple of 8, all stay (60 of 64 were to)',
      );
      const more = decide(groups, rising(groups), { ratio: 0.2, roundTo: 8 });
      expect(whyNot(more, 'large')).toBe(
        '8 of 64 go where 13 were asked for: what stays is rounded to a multiple of 8',
      );
    });

    it('leaves whole what can come to no multiple', () => {
      const lane: MadeLane = {
        cells: [{ layer: 'a', units: Array.from({ length: 20 }, (_, index) => index + 1) }],
        drop: [2],
        maxSteps: 10,
      };
      const groups = madeGroups([{ name: 'a', units: 21, frozen: ['stays'] }], [lane]);
      for (const rounding of ['up', 'nearest'] as const) {
        const decision = decide(groups, rising(groups), { ratio: 0.5, roundTo: 8, rounding });
        expect(kept(decision)).toEqual([21]);
        expect(whyNot(decision, 'a')).toMatch(/rounded to a multiple of 8, all stay \(11 of 21 were to\)/);
      }
    });
  });

  it('refuses options and scores that cannot be, by name', () => {
    const groups = madeGroups([{ name: 'a', units: 4 }]);
    const scores = rising(groups);
    const refused = (options: object, message: RegExp): void => {
      const asked = { ratio: 0.5, ...options } as DecideOptions;
      expect(() => decide(groups, scores, asked)).toThrow(ArgumentError);
      expect(() => decide(groups, scores, asked)).toThrow(message);
    };
    refused({ ratio: 1.5 }, /decide: ratio must be a number from 0 to 1, got 1.5/);
    refused({ ratio: Number.NaN }, /ratio must be .* got NaN/);
    refused({ ratios: [{ pattern: 'a', ratio: -1 }] }, /ratios\[0\]\.ratio must be .* got -1/);
    refused({ maxRatio: 2 }, /maxRatio must be a number from 0 to 1, got 2/);
    refused({ keepAtLeast: 0 }, /keepAtLeast must be a whole number >= 1, got 0/);
    refused({ roundTo: 1.5 }, /roundTo must be a whole number >= 1, got 1.5/);
    refused({ scope: 'all' }, /scope must be layer, global, isomorphic, got all/);
    refused({ rounding: 'down' }, /rounding must be up or nearest, got down/);
    refused({ ignore: ['b.*'] }, /decide: ignore: no layer matches 'b\.\*'; layers are a/);
    refused({ ratios: [{ pattern: 'b', ratio: 0.5 }] }, /decide: ratios: no layer matches 'b'/);
    expect(() => decide(groups, new Float64Array(3), { ratio: 0.5 })).toThrow(
      'decide: expected a score for each of 4 units, got 3',
    );
    expect(() => decide(groups, Float64Array.of(1, 2, Number.NaN, 4), { ratio: 0.5 })).toThrow(
      "decide: the score of unit 2 ('a') is NaN; expected finite numbers",
    );
  });
});

describe('any decision', () => {
  /** Layers of which some are tied pairwise, some partly frozen; scores with ties. */
  const cases = fc
    .record({
      sizes: fc.array(fc.integer({ min: 1, max: 24 }), { minLength: 1, maxLength: 6 }),
      frozen: fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }),
      cells: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 6, maxLength: 6 }),
      scores: fc.infiniteStream(fc.integer({ min: 0, max: 9 })),
    })
    .map(({ sizes, frozen, cells, scores }) => {
      const layers = sizes.map((size, index) => ({
        name: `l${index}`,
        units: size * cells[index]!,
        frozen: frozen[index] ? ['stays'] : [],
      }));
      const lanes = layers.flatMap(({ name, units }, index): MadeLane[] => {
        const count = cells[index]!;
        const each = units / count;
        // A unit that stays keeps one of each row from going.
        const maxSteps = each - 1;
        if (maxSteps < 1) return [];
        const first = frozen[index] ? 1 : 0;
        return [
          {
            cells: Array.from({ length: count }, (_, cell) => ({
              layer: name,
              units: Array.from({ length: each }, (_unused, unit) => cell * each + unit).slice(
                cell === 0 ? first : 0,
              ),
            })),
            drop: new Array<number>(count).fill(1),
            maxSteps,
          },
        ];
      });
      const groups = madeGroups(layers, lanes);
      return { groups, scores: Float64Array.from(scores.take(groups.unitCount)) };
    });
  const options = fc.record({
    scope: fc.constantFrom('layer' as const, 'global' as const, 'isomorphic' as const),
    keepAtLeast: fc.integer({ min: 1, max: 4 }),
    maxRatio: fc.constantFrom(1, 0.6),
    roundTo: fc.constantFrom(1, 4),
    rounding: fc.constantFrom('up' as const, 'nearest' as const),
  });
  const ratio = fc.integer({ min: 0, max: 20 }).map((twentieths) => twentieths / 20);

  it('takes whole steps of lanes, keeps every limit, and has a reason where it takes less', () => {
    fc.assert(
      fc.property(cases, options, ratio, ({ groups, scores }, given, asked) => {
        const decision = decide(groups, scores, { ratio: asked, ...given });
        const { removed } = decision;
        groups.whyNot.forEach((why, unit) => {
          if (why !== null) expect(removed[unit]).toBe(0);
        });
        for (const { cells, drop, maxSteps } of groups.lanes) {
          const steps = cells.map(
            (units, index) => units.filter((unit) => removed[unit]).length / drop[index]!,
          );
          expect(new Set(steps).size).toBe(1);
          expect(steps[0]).toBeLessThanOrEqual(maxSteps);
          for (const units of cells) {
            const stay = units.filter((unit) => !removed[unit]).map((unit) => scores[unit]!);
            const go = units.filter((unit) => removed[unit]).map((unit) => scores[unit]!);
            if (go.length > 0 && stay.length > 0)
              expect(Math.max(...go)).toBeLessThanOrEqual(Math.min(...stay));
          }
        }
        for (const { group, units, removed: count, asked: share, whyNot: why } of decision.groups) {
          expect(count).toBe(group.units.filter((unit) => removed[unit]).length);
          if (count > 0) {
            expect(units - count).toBeGreaterThanOrEqual(given.keepAtLeast);
            expect(count / units).toBeLessThanOrEqual(given.maxRatio + 1e-9);
            if (given.roundTo > 1) expect((units - count) % given.roundTo).toBe(0);
          }
          const enough = count > 0 && count >= unitsToRemove(units, share);
          // Ranked over several layers, one of which some goes has nothing to explain.
          if (given.scope === 'layer' || count === 0) expect(why === null).toBe(enough);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('takes no less at a larger ratio', () => {
    fc.assert(
      fc.property(cases, options, ratio, ratio, ({ groups, scores }, given, a, b) => {
        const [low, high] = a < b ? [a, b] : [b, a];
        const count = (share: number): number =>
          decide(groups, scores, { ...given, roundTo: 1, ratio: share }).removed.filter(Boolean).length;
        expect(count(low)).toBeLessThanOrEqual(count(high));
      }),
      { numRuns: 200 },
    );
  });
});
