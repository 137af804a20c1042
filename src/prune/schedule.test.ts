import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ArgumentError } from '../core/errors.ts';
import { type SparsityScheduleOptions, schedule, scheduleByName, scheduleNames } from './index.ts';

/** Sparsities of the steps from 0 up to, and without, a step. */
const sparsities = (of: (step: number) => number, count: number): number[] =>
  Array.from({ length: count }, (_, step) => of(step));

function expectClose(got: readonly number[], expected: readonly number[]): void {
  expect(got.length).toBe(expected.length);
  for (const [index, want] of expected.entries()) expect(got[index], `${index}`).toBeCloseTo(want, 12);
}

describe('schedules', () => {
  it('oneShot prunes at the start', () => {
    expect(sparsities(schedule.oneShot({ final: 0.8 }), 3)).toEqual([0.8, 0.8, 0.8]);
    expect(sparsities(schedule.oneShot({ initial: 0.1, final: 0.8, start: 2, end: 9 }), 4)).toEqual([
      0.1, 0.1, 0.8, 0.8,
    ]);
  });

  it('linear grows by as much each step', () => {
    expectClose(sparsities(schedule.linear({ final: 0.8, end: 4 }), 6), [0, 0.2, 0.4, 0.6, 0.8, 0.8]);
    expectClose(
      sparsities(schedule.linear({ initial: 0.5, final: 0.9, start: 2, steps: 2 }), 6),
      [0.5, 0.5, 0.5, 0.7, 0.9, 0.9],
    );
  });

  it('cubic is the formula of Zhu and Gupta', () => {
    const [initial, final, start, n, every] = [0.1, 0.9, 10, 5, 4];
    const grows = schedule.cubic({ initial, final, start, end: start + n * every, frequency: every });
    for (let t = start; t <= start + n * every; t += every) {
      const expected = final + (initial - final) * (1 - (t - start) / (n * every)) ** 3;
      // Between two prunings it stands still.
      for (let between = 0; between < every; between++) expect(grows(t + between)).toBeCloseTo(expected, 12);
    }
  });

  it('exponential prunes the same share of what remains each round', () => {
    const rounds = sparsities(schedule.exponential({ final: 1 - 0.8 ** 5, steps: 5 }), 6);
    expectClose(
      rounds,
      [0, 1, 2, 3, 4, 5].map((round) => 1 - 0.8 ** round),
    );
    const [first, second, third] = sparsities(schedule.exponential({ initial: 0.5, final: 0.9, end: 3 }), 3);
    expect((1 - second!) / (1 - first!)).toBeCloseTo((1 - third!) / (1 - second!), 12);
  });

  it('ends exactly where the frequency does not divide the steps', () => {
    const grows = schedule.linear({ final: 0.9, end: 10, frequency: 4 });
    expectClose(sparsities(grows, 11), [0, 0, 0, 0, 0.36, 0.36, 0.36, 0.36, 0.72, 0.72, 0.9]);
  });

  const options = fc
    .record({
      a: fc.double({ min: 0, max: 0.999, noNaN: true }),
      b: fc.double({ min: 0, max: 0.999, noNaN: true }),
      start: fc.nat({ max: 20 }),
      steps: fc.nat({ max: 40 }),
      frequency: fc.integer({ min: 1, max: 9 }),
    })
    .map(({ a, b, ...rest }) => ({ ...rest, initial: Math.min(a, b), final: Math.max(a, b) }));

  it.each(scheduleNames)('%s never falls, begins at initial and ends at final (property)', (name) => {
    fc.assert(
      fc.property(options, (given) => {
        const grows = schedule[name](given);
        const { initial, final, start, steps, frequency } = given;
        let before = initial;
        for (let step = 0; step < start + steps + 5; step++) {
          const now = grows(step);
          expect(now).toBeGreaterThanOrEqual(before - Number.EPSILON);
          expect(now).toBeLessThanOrEqual(final);
          expect(now).toBeGreaterThanOrEqual(initial);
          if (step < start) expect(now).toBe(initial);
          if (step >= start + steps) expect(now).toBe(final);
          if (step > start && step < start + steps && (step - start) % frequency !== 0) {
            expect(now).toBe(grows(step - 1));
          }
          before = now;
        }
        expect(grows(Number.POSITIVE_INFINITY)).toBe(final);
      }),
    );
  });

  it('are known by name, in any spelling', () => {
    for (const name of scheduleNames) {
      const given = { final: 0.7, steps: 7 };
      expect(sparsities(scheduleByName(name, given), 9)).toEqual(sparsities(schedule[name](given), 9));
    }
    expect(scheduleByName('one-shot', { final: 0.5 })(0)).toBe(0.5);
    expect(scheduleByName('Cubic', { final: 0.5, end: 2 })(2)).toBe(0.5);
    expect(Object.keys(schedule).sort()).toEqual([...scheduleNames].sort());
  });
});

describe('messages', () => {
  const refused: readonly (readonly [string, SparsityScheduleOptions])[] = [
    ['linear schedule: final expects a sparsity in [0, 1], got 1.5', { final: 1.5, end: 3 }],
    ['linear schedule: final expects a sparsity in [0, 1], got NaN', { final: Number.NaN, end: 3 }],
    ['linear schedule: final expects a sparsity in [0, 1], got undefined', { end: 3 } as never],
    ['linear schedule: initial expects a sparsity in [0, 1], got -0.1', { initial: -0.1, final: 1, end: 3 }],
    [
      'linear schedule: final expects at least the initial sparsity 0.5, got 0.2',
      { initial: 0.5, final: 0.2, end: 3 },
    ],
    ['linear schedule: start expects a whole number >= 0, got -1', { final: 1, start: -1, end: 3 }],
    ['linear schedule: frequency expects a whole number >= 1, got 0', { final: 1, end: 3, frequency: 0 }],
    ['linear schedule: steps expects a whole number >= 0, got 1.5', { final: 1, steps: 1.5 }],
    ['linear schedule: expects end or steps, not both', { final: 1, end: 3, steps: 3 }],
    ['linear schedule: expects end, or steps from the start on', { final: 1 }],
    [
      'linear schedule: end expects a whole number not before the start 5, got 4',
      { final: 1, start: 5, end: 4 },
    ],
  ];

  it.each(refused)('%s', (message, options) => {
    expect(() => schedule.linear(options)).toThrow(new ArgumentError(message));
  });

  it('exponential never reaches 1', () => {
    expect(() => schedule.exponential({ final: 1, end: 3 })).toThrow(
      'exponential schedule: final expects a sparsity below 1, since a share of what remains always remains, got 1',
    );
  });

  it('name steps and schedules that are not', () => {
    expect(() => schedule.cubic({ final: 1, end: 3 })(Number.NaN)).toThrow(
      'cubic schedule: step expects a number, got NaN',
    );
    expect(() => scheduleByName('cosine', { final: 1, end: 3 })).toThrow(
      "sparsity schedule 'cosine' is not known; expected oneShot, linear, cubic, exponential",
    );
  });
});
