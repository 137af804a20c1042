import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ArgumentError } from './errors.ts';
import { MT19937_WORDS, Mt19937, type Mt19937State } from './mt19937.ts';

describe('Mt19937', () => {
  it("draws the numbers of the authors' reference", () => {
    const twister = new Mt19937(5489n);
    expect([twister.next32(), twister.next32(), twister.next32()]).toEqual([
      3499211612, 581869302, 3890346734,
    ]);
    // The C++ standard asks this of std::mt19937 (rand.predef): the 10000th number of the default seed.
    for (let i = 3; i < 9999; i++) twister.next32();
    expect(twister.next32()).toBe(4123659995);
  });

  it('takes the low 32 bits of a seed, and remembers all of it', () => {
    const seed = 2n ** 63n + 5n;
    const twister = new Mt19937(seed);
    expect(twister.seed).toBe(seed);
    expect(twister.next32()).toBe(new Mt19937(5n).next32());
    expect(twister.next32()).not.toBe(new Mt19937(6n).next32());
  });

  it('fills arrays with the words it draws one by one, across blocks', () => {
    fc.assert(
      fc.property(fc.nat(1300), fc.nat(1300), (skipped, count) => {
        const [one, filled, double] = [new Mt19937(1n), new Mt19937(1n), new Mt19937(1n)];
        for (let i = 0; i < skipped; i++) {
          one.next32();
          double.next32();
        }
        filled.fill24(new Float32Array(skipped));
        const words = Array.from({ length: 2 * count }, () => one.next32());
        const out = new Float32Array(count);
        filled.fill24(out);
        expect([...out]).toEqual(words.slice(0, count).map((word) => (word & 0xffffff) / 2 ** 24));
        const wide = new Float64Array(count);
        double.fill53(wide);
        const expected = Array.from(wide, (_, i) => {
          const bits = (BigInt(words[2 * i]!) << 32n) | BigInt(words[2 * i + 1]!);
          return Number(bits & (2n ** 53n - 1n)) / 2 ** 53;
        });
        expect([...wide]).toEqual(expected);
      }),
      { numRuns: 30 },
    );
  });

  it('goes on from a copy of its state', () => {
    fc.assert(
      fc.property(fc.nat(1300), (skipped) => {
        const twister = new Mt19937(3n);
        twister.fill24(new Float32Array(skipped));
        const state = twister.state();
        const copy = Mt19937.fromState(state);
        expect(copy.state()).toEqual(state);
        const next = twister.next32();
        expect(copy.next32()).toBe(next);
        // Neither the twister nor its copy writes to the state it was made of.
        expect(Mt19937.fromState(state).next32()).toBe(next);
      }),
      { numRuns: 30 },
    );
  });

  it('refuses states that no twister is in', () => {
    const state = new Mt19937(3n).state();
    const wrong: readonly Partial<Mt19937State>[] = [
      { left: 0 },
      { next: -1 },
      { next: 2 },
      { next: Number.NaN },
      { words: new Int32Array(MT19937_WORDS - 1) },
    ];
    const base = { ...state, left: MT19937_WORDS };
    for (const part of wrong) {
      expect(() => Mt19937.fromState({ ...base, ...part })).toThrow(ArgumentError);
    }
    expect(() => Mt19937.fromState({ ...base, next: 2 })).toThrow(
      'invalid mt19937 state: 624 words, next word 2, 623 left to draw; expected 624 words and next + left to draw ' +
        'within them. Pass bytes that getState returned.',
    );
    expect(Mt19937.fromState({ ...base, next: 1 }).next32()).toBeGreaterThanOrEqual(0);
  });
});
