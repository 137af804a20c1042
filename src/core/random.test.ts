import { existsSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseSafetensors } from '../io/index.ts';
import { ArgumentError } from './errors.ts';
import { defaultGenerator, Generator, manualSeed } from './random.ts';

/** Made by testdata/draws.py with PyTorch 2.13; numbers as the base64 of their bytes. */
interface Draws {
  readonly cases: readonly {
    readonly call: 'rand' | 'rand64' | 'randn' | 'normal' | 'uniform' | 'randperm' | 'randint';
    readonly seed: string;
    readonly args: readonly [n: number, low?: number, high?: number];
    readonly out: string;
    readonly then: string;
    readonly last: string;
  }[];
  readonly states: readonly {
    readonly seed: string;
    readonly call: 'rand' | 'randn';
    readonly n: number;
    readonly state: string;
    readonly randn: string;
    readonly rand: string;
  }[];
}

const draws: Draws = JSON.parse(readFileSync(new URL('testdata/draws.json', import.meta.url), 'utf8'));

type Numbers = Float32Array | Float64Array | Int32Array | Uint8Array;

const coded = ({ buffer, byteOffset, byteLength }: Numbers): string =>
  Buffer.from(buffer, byteOffset, byteLength).toString('base64');

function draw(generator: Generator, { call, args: [n, low = 0, high = 1] }: Draws['cases'][number]): Numbers {
  switch (call) {
    case 'normal':
    case 'uniform':
    case 'randint':
      return generator[call](n, low, high);
    default:
      return generator[call](n);
  }
}

describe('Generator', () => {
  it.each(
    draws.cases.map(
      (entry) => [`${entry.call}(${entry.args.join(', ')}) of seed ${entry.seed}`, entry] as const,
    ),
  )('draws the bytes that PyTorch draws: %s', (_, entry) => {
    const generator = new Generator(BigInt(entry.seed));
    expect(coded(draw(generator, entry))).toBe(entry.out);
    // As many words were taken, and a normal number was kept where PyTorch keeps one.
    expect(coded(generator.randn(3))).toBe(entry.then);
    expect(coded(generator.rand(2))).toBe(entry.last);
  });

  it.each(draws.states.map((entry) => [`${entry.call}(${entry.n})`, entry] as const))(
    "gives and takes PyTorch's state after %s",
    (_, entry) => {
      const drawn = new Generator(BigInt(entry.seed));
      drawn[entry.call](entry.n);
      expect(coded(drawn.getState())).toBe(entry.state);
      const generator = new Generator(0).setState(new Uint8Array(Buffer.from(entry.state, 'base64')));
      expect(coded(generator.getState())).toBe(entry.state);
      expect(generator.initialSeed()).toBe(BigInt(entry.seed));
      expect(coded(generator.randn(5))).toBe(entry.randn);
      expect(coded(generator.rand(5))).toBe(entry.rand);
    },
  );

  it('goes on from a state as the generator that gave it, wherever that was', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
        fc.nat(1300),
        fc.nat(9),
        (seed, words, normals) => {
          const generator = new Generator(seed);
          generator.rand(words);
          generator.randn(normals);
          const copy = new Generator().setState(generator.getState());
          expect(copy.initialSeed()).toBe(seed);
          expect(coded(copy.randn(3))).toBe(coded(generator.randn(3)));
          expect(coded(copy.rand(630))).toBe(coded(generator.rand(630)));
        },
      ),
      { numRuns: 40 },
    );
  });

  it('refuses bytes that are no state, and stays where it was', () => {
    const generator = new Generator(1);
    const before = generator.getState();
    expect(() => generator.setState(before.subarray(1))).toThrow(
      'setState: expected the 5056 bytes of a PyTorch CPU generator, got 5055',
    );
    expect(() => generator.setState(new Uint8Array(5056))).toThrow(
      'setState: the state was never seeded; pass bytes that getState returned',
    );
    const wrong = before.slice();
    new DataView(wrong.buffer).setBigUint64(16, 10n ** 18n, true);
    expect(() => generator.setState(wrong)).toThrow(
      /invalid mt19937 state: 624 words, next word 1000000000000000000/,
    );
    expect(coded(generator.getState())).toBe(coded(before));
  });

  it('starts over from a seed, and forgets the normal number it kept', () => {
    const generator = new Generator(5);
    const first = coded(generator.randn(3));
    generator.randn(2);
    expect(coded(generator.manualSeed(5).randn(3))).toBe(first);
    expect(coded(generator.manualSeed(5n).randn(3))).toBe(first);
  });

  it('has the default seed of torch.Generator, and wraps negative seeds to 64 bits', () => {
    expect(new Generator().initialSeed()).toBe(67280421310721n);
    expect(new Generator(-1).initialSeed()).toBe(2n ** 64n - 1n);
    expect(new Generator(-(2n ** 63n)).initialSeed()).toBe(2n ** 63n);
  });

  it('refuses seeds that PyTorch refuses', () => {
    const generator = new Generator(3);
    const before = coded(generator.getState());
    for (const seed of [0.5, Number.NaN, 2 ** 53]) {
      expect(() => generator.manualSeed(seed)).toThrow(
        `manualSeed: expected an integer, got ${seed}; write seeds beyond 2^53 as bigint`,
      );
    }
    for (const seed of [2n ** 64n, -(2n ** 63n) - 1n]) {
      expect(() => generator.manualSeed(seed)).toThrow(
        `manualSeed: expected a seed in [-2^63, 2^64 - 1], got ${seed}`,
      );
    }
    expect(coded(generator.getState())).toBe(before);
  });

  it('seeds itself from entropy and says with what', () => {
    const generator = new Generator(0);
    const seed = generator.seed();
    expect(generator.initialSeed()).toBe(seed);
    expect(generator.seed()).not.toBe(seed);
    expect(coded(generator.manualSeed(seed).rand(4))).toBe(coded(new Generator(seed).rand(4)));
  });

  it('draws 32 and 64 bits, the first word on top', () => {
    // The first outputs of MT19937 of seed 5489, from its authors' reference.
    const generator = new Generator(5489);
    expect([generator.random32(), generator.random32()]).toEqual([3499211612, 581869302]);
    expect(new Generator(5489).random64()).toBe((3499211612n << 32n) | 581869302n);
  });

  it('draws Bernoulli numbers by comparing 53-bit uniform ones', () => {
    const uniform = new Generator(9).rand64(500);
    expect([...new Generator(9).bernoulli(500, 0.3)]).toEqual(Array.from(uniform, (u) => Number(u < 0.3)));
    expect(new Generator(9).bernoulli(20, 0).includes(1)).toBe(false);
    expect(new Generator(9).bernoulli(20, 1).includes(0)).toBe(false);
  });

  it('permutes: every number once', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(400), (seed, n) => {
        expect(new Generator(seed).randperm(n).sort()).toEqual(Int32Array.from({ length: n }, (_, i) => i));
      }),
    );
  });

  it('refuses arguments it cannot draw with, before it draws', () => {
    const generator = new Generator(3);
    const before = coded(generator.getState());
    const refusals: [() => unknown, string][] = [
      ...(['rand', 'rand64', 'randn', 'uniform', 'normal', 'randperm'] as const).map(
        (call): [() => unknown, string] => [
          () => generator[call](-1),
          `${call === 'randn' ? 'normal' : call}: expected a whole number n >= 0 of draws, got -1`,
        ],
      ),
      [() => generator.rand(1.5), 'rand: expected a whole number n >= 0 of draws, got 1.5'],
      [() => generator.uniform(1, 2, 1), 'uniform: expected from <= to, got from=2 > to=1'],
      [
        () => generator.uniform(1, 0, 1e39),
        'uniform: expected bounds that float32 holds, got from=0, to=1e+39',
      ],
      [
        () => generator.uniform(1, Number.NaN, 1),
        'uniform: expected bounds that float32 holds, got from=NaN, to=1',
      ],
      [
        () => generator.uniform(1, -3e38, 3e38),
        'uniform: expected to - from within float32, got from=-3e+38, to=3e+38',
      ],
      [() => generator.normal(1, 0, -1), 'normal: expected std >= 0, got -1'],
      [() => generator.normal(1, 0, Number.NaN), 'normal: expected std >= 0, got NaN'],
      [() => generator.randperm(2 ** 31), 'randperm: expected n < 2^31, got 2147483648'],
      [() => generator.randint(-1, 0, 2), 'randint: expected a whole number n >= 0 of draws, got -1'],
      [() => generator.randint(1, 2, 2), 'randint: expected low < high, got low=2, high=2'],
      [
        () => generator.randint(1, 0, 2.5),
        'randint: expected integers of at most 53 bits, got low=0, high=2.5',
      ],
      [() => generator.bernoulli(-1, 0.5), 'bernoulli: expected a whole number n >= 0 of draws, got -1'],
      [() => generator.bernoulli(1, 1.1), 'bernoulli: expected p in [0, 1], got 1.1'],
      [() => generator.bernoulli(1, Number.NaN), 'bernoulli: expected p in [0, 1], got NaN'],
    ];
    for (const [call, message] of refusals) {
      expect(call).toThrow(message);
      expect(call).toThrow(ArgumentError);
    }
    expect(coded(generator.getState())).toBe(before);
  });
});

describe('manualSeed', () => {
  it('seeds the default generator', () => {
    expect(manualSeed(7)).toBe(defaultGenerator);
    expect(coded(defaultGenerator.rand(3))).toBe(coded(new Generator(7).rand(3)));
  });
});

interface SharedCase {
  readonly kind: string;
  readonly seed: number;
  readonly n: number;
  readonly out: string | readonly string[];
}

const shared = new URL('../../../shared/golden/pytorch/', import.meta.url);

describe.skipIf(!existsSync(shared))('shared draws of PyTorch (skipped where ../shared is absent)', () => {
  const cases = (kind: string): readonly SharedCase[] => {
    const { cases: all }: { cases: readonly SharedCase[] } = JSON.parse(
      readFileSync(new URL('cases.json', shared), 'utf8'),
    );
    const found = all.filter((entry) => entry.kind === kind);
    expect(found.length).toBeGreaterThan(0);
    return found;
  };
  const expected = (): ((name: string) => number[]) => {
    const { tensors } = parseSafetensors(
      new Uint8Array(readFileSync(new URL('tensors.safetensors', shared))),
    );
    return (name) => tensors.get(name)!.toNumbers();
  };

  it.each(['rand', 'randn', 'randperm'] as const)('%s', (kind) => {
    const tensor = expected();
    for (const { seed, n, out } of cases(kind)) {
      expect([...new Generator(seed)[kind](n)], `seed ${seed}, n ${n}`).toEqual(tensor(String(out)));
    }
  });

  it('rand, then randn, then rand', () => {
    const tensor = expected();
    for (const { seed, n, out } of cases('rand_then_randn_then_rand')) {
      const generator = new Generator(seed);
      const drawn = [generator.rand(n), generator.randn(n), generator.rand(3)];
      drawn.forEach((numbers, index) => {
        expect([...numbers], `seed ${seed}, n ${n}`).toEqual(tensor(out[index]!));
      });
    }
  });
});
