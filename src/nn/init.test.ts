import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ArgumentError } from '../core/errors.ts';
import { defaultGenerator, Generator, manualSeed } from '../core/random.ts';
import { Tensor } from '../core/tensor.ts';
import { parseSafetensors } from '../io/index.ts';
import * as init from './init.ts';
import { BatchNorm1d, Linear } from './layers/index.ts';
import { Parameter } from './parameter.ts';

/** One call as PyTorch makes it; made by testdata/generate.py. */
interface Case {
  readonly name: string;
  readonly seed: number;
  readonly shape: readonly number[];
  readonly result: string;
  /** The next number of the generator: as many draws were taken. */
  readonly after: number;
}

const read = (name: string): Buffer => readFileSync(new URL(`testdata/${name}`, import.meta.url));
const { inits } = JSON.parse(read('layers.json').toString()) as { inits: Case[] };
const { tensors } = parseSafetensors(read('layers.safetensors'));

const CALLS: Readonly<Record<string, (target: Tensor) => Tensor>> = {
  uniformUnit: (t) => init.uniform_(t),
  uniformRange: (t) => init.uniform_(t, -0.3, 1.7),
  normalUnit: (t) => init.normal_(t),
  normalFew: (t) => init.normal_(t, 0.5, 2),
  normalMany: (t) => init.normal_(t, -1, 0.02),
  constant: (t) => init.constant_(t, 0.1),
  zeros: (t) => init.zeros_(t),
  ones: (t) => init.ones_(t),
  xavierUniform: (t) => init.xavierUniform_(t),
  xavierUniformGain: (t) => init.xavierUniform_(t, init.calculateGain('tanh')),
  xavierNormal: (t) => init.xavierNormal_(t, 1.5),
  kaimingUniform: (t) => init.kaimingUniform_(t),
  kaimingUniformLeaky: (t) => init.kaimingUniform_(t, { a: Math.sqrt(5) }),
  kaimingUniformOut: (t) => init.kaimingUniform_(t, { mode: 'fan_out', nonlinearity: 'relu' }),
  kaimingNormal: (t) => init.kaimingNormal_(t),
  kaimingNormalOut: (t) => init.kaimingNormal_(t, { mode: 'fan_out', nonlinearity: 'tanh' }),
  truncNormal: (t) => init.truncNormal_(t),
  truncNormalSmall: (t) => init.truncNormal_(t, 0, 0.02),
  truncNormalTail: (t) => init.truncNormal_(t, 0, 1, 1, 3),
  truncNormalNarrow: (t) => init.truncNormal_(t, 0.5, 2, 0, 0.5),
};

describe('initialization', () => {
  it.each(inits.map((golden): [string, Case] => [golden.name, golden]))(
    'draws the bytes and as many numbers as PyTorch: %s',
    (name, golden) => {
      manualSeed(golden.seed);
      const target = Tensor.full(golden.shape, 7);
      expect(CALLS[name]!(target)).toBe(target);
      expect(target.float32).toEqual(tensors.get(golden.result)!.float32);
      expect(defaultGenerator.rand(1)[0]).toBe(golden.after);
    },
  );

  it('draws from a generator that is given, and leaves the default one alone', () => {
    manualSeed(3);
    const before = defaultGenerator.getState();
    const own = init.uniform_(Tensor.full([4], 0), 0, 1, new Generator(9));
    expect(defaultGenerator.getState()).toEqual(before);
    expect(own.float32).toEqual(new Generator(9).rand(4));
  });

  it('fills the original of a pruned parameter and masks it anew', () => {
    const parameter = new Parameter(Tensor.full([4], 5));
    parameter.setPruning({ tensorName: 'weight' }, Tensor.of(Float32Array.of(1, 0, 1, 0)));
    init.constant_(parameter, 2);
    expect([...parameter.orig.float32]).toEqual([2, 2, 2, 2]);
    expect([...parameter.data.float32]).toEqual([2, 0, 2, 0]);
  });

  it('knows the gains of nonlinearities', () => {
    expect(init.calculateGain('linear')).toBe(1);
    expect(init.calculateGain('relu')).toBe(Math.SQRT2);
    expect(init.calculateGain('leaky_relu', 2)).toBe(Math.sqrt(2 / 5));
    expect(init.calculateGain('selu')).toBe(0.75);
    expect(() => Reflect.apply(init.calculateGain, null, ['swish'])).toThrow(
      new ArgumentError("calculateGain: unsupported nonlinearity 'swish'"),
    );
  });

  it('refuses vectors where a fan is asked for, other dtypes, and empty ranges', () => {
    expect(() => init.kaimingUniform_(Tensor.full([4], 0))).toThrow(
      'kaimingUniform_: fan in and fan out can not be computed for a tensor with fewer than 2 dimensions, got [4]',
    );
    expect(() => init.zeros_(Tensor.int64([1]))).toThrow('constant_: expects a float32 tensor, got int64[1]');
    expect(() => init.truncNormal_(Tensor.full([4], 0), 0, 1, 2, 2)).toThrow(
      'truncNormal_: expects a < b and std > 0, got a=2, b=2, std=1',
    );
  });
});

describe('skipInit', () => {
  it('leaves weights zero and the generator where it was, also where making fails', () => {
    manualSeed(3);
    const next = new Generator(3).rand(1)[0];
    const layer = init.skipInit(() => new BatchNorm1d(2));
    const [linear, outer] = init.skipInit(() => [new Linear(4, 3), init.skipInit(() => new Linear(1, 1))]);
    expect([...linear!.weight.data.float32, ...outer!.bias!.data.float32].every((value) => value === 0)).toBe(
      true,
    );
    expect([...layer.weight!.data.float32]).toEqual([1, 1]);
    expect(() => init.skipInit(() => new Linear(-1, 1))).toThrow();
    expect(defaultGenerator.rand(1)[0]).toBe(next);
    expect(new Linear(4, 3).weight.data.float32.some((value) => value !== 0)).toBe(true);
  });
});
