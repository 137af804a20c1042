import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EngineError } from '../../core/errors.ts';
import { Tensor } from '../../core/tensor.ts';
import { F, Module, run, trace, type Variable } from '../index.ts';

/** A module of one expression. */
class Expression extends Module<Variable> {
  readonly #body: (...inputs: Variable[]) => Variable;

  constructor(body: (...inputs: Variable[]) => Variable) {
    super();
    this.#body = body;
  }

  override forward(...inputs: Variable[]): Variable {
    return this.#body(...inputs);
  }
}

interface Result {
  readonly shape: readonly number[];
  readonly data: number[];
}

async function result(body: (...inputs: Variable[]) => Variable, ...inputs: Tensor[]): Promise<Result> {
  const { shape, float32 } = await run(new Expression(body), ...inputs);
  return { shape, data: [...float32] };
}

const value = async (body: (...inputs: Variable[]) => Variable, ...inputs: Tensor[]): Promise<number> => {
  const { shape, data } = await result(body, ...inputs);
  expect(shape).toEqual([]);
  return data[0]!;
};

const floats = (shape: number[], data: readonly number[]): Tensor =>
  Tensor.of(Float32Array.from(data), shape);

function expectClose(got: readonly number[], expected: readonly number[], label: string): void {
  expect(got.length, label).toBe(expected.length);
  for (const [index, want] of expected.entries()) {
    const error = Math.abs(got[index]! - want);
    expect(error, `${label} [${index}]: ${got[index]} for ${want}`).toBeLessThanOrEqual(
      2e-6 * (1 + Math.abs(want)),
    );
  }
}

interface StoredTensor {
  readonly dtype: 'float32' | 'int64';
  readonly shape: number[];
  readonly data: number[];
}

interface Case {
  readonly name: string;
  readonly args: StoredTensor[];
  readonly options: Record<string, number | string | boolean>;
  readonly tensors: Record<string, StoredTensor>;
  readonly shape: number[];
  readonly data: number[];
}

const { cases } = JSON.parse(readFileSync(new URL('../testdata/losses.json', import.meta.url), 'utf8')) as {
  cases: Case[];
};

const read = ({ dtype, shape, data }: StoredTensor): Tensor =>
  dtype === 'int64' ? new Tensor('int64', shape, BigInt64Array.from(data, BigInt)) : floats(shape, data);

const camel = (name: string): string => name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());

type Loss = (input: Variable, target: Variable, options?: object) => Variable;

const LOSSES: Readonly<Record<string, Loss>> = {
  cross_entropy: F.crossEntropy,
  nll_loss: F.nllLoss,
  binary_cross_entropy_with_logits: F.binaryCrossEntropyWithLogits,
  mse_loss: F.mseLoss,
  l1_loss: F.l1Loss,
  smooth_l1_loss: F.smoothL1Loss,
  huber_loss: F.huberLoss,
  kl_div: F.klDiv,
};

describe("PyTorch's numbers", () => {
  it.each(Object.keys(LOSSES))('%s', async (name) => {
    const mine = cases.filter((candidate) => candidate.name === name);
    expect(mine.length).toBeGreaterThan(2);
    for (const { args, options, tensors, shape, data } of mine) {
      const own = Object.fromEntries([
        ...Object.entries(options).map(([key, option]) => [camel(key), option]),
        ...Object.entries(tensors).map(([key, tensor]) => [camel(key), read(tensor)]),
      ]);
      const got = await result((input, target) => LOSSES[name]!(input!, target!, own), ...args.map(read));
      const label = `${name} ${JSON.stringify(options)} ${Object.keys(tensors)} ${args[1]?.shape}`;
      expect(got.shape, label).toEqual(shape);
      expectClose(got.data, data, label);
    }
  });
});

const label = (...labels: number[]): Tensor => Tensor.int64(labels);

const softmax = (scores: readonly number[]): number[] => {
  const top = Math.max(...scores);
  const parts = scores.map((score) => Math.exp(score - top));
  const total = parts.reduce((a, b) => a + b, 0);
  return parts.map((part) => part / total);
};

describe('crossEntropy', () => {
  it('is what the formula gives for any scores and labels (property)', async () => {
    const rows = fc.array(
      fc.tuple(
        fc.array(fc.float({ min: -20, max: 20, noNaN: true }), { minLength: 3, maxLength: 3 }),
        fc.integer({ min: 0, max: 2 }),
      ),
      { minLength: 1, maxLength: 5 },
    );
    await fc.assert(
      fc.asyncProperty(rows, async (samples) => {
        const expected =
          samples.reduce((total, [scores, y]) => total - Math.log(softmax(scores)[y]!), 0) / samples.length;
        const scores = floats(
          [samples.length, 3],
          samples.flatMap(([row]) => row),
        );
        const got = await value(
          (x, y) => F.crossEntropy(x!, y!),
          scores,
          label(...samples.map(([, y]) => y)),
        );
        expectClose([got], [expected], 'crossEntropy');
      }),
      { numRuns: 15 },
    );
  });

  it('takes int32 labels, and a batch of unknown size', async () => {
    const scores = floats([2, 3], [1, 2, 3, 0, 0, 0]);
    const labels = Tensor.of(Int32Array.of(2, 0));
    const expected = -(Math.log(softmax([1, 2, 3])[2]!) + Math.log(1 / 3)) / 2;
    expectClose([await value((x, y) => F.crossEntropy(x!, y!), scores, labels)], [expected], 'int32');
    const graph = trace(new Expression((x) => F.crossEntropy(x!, x!.select(1, 0).to('int64'))), ['batch', 3]);
    expect(graph.outputs[0]?.type).toMatchObject({ shape: [] });
  });

  it('passes over ignored labels, also where there are more classes than 100', async () => {
    const scores = floats(
      [2, 200],
      Array.from({ length: 400 }, (_, i) => Math.sin(i)),
    );
    const first = [...scores.float32.slice(0, 200)];
    const got = await value((x, y) => F.crossEntropy(x!, y!), scores, label(7, -100));
    expectClose([got], [-Math.log(softmax(first)[7]!)], 'ignored');
  });

  it('is NaN where all labels are ignored, and where one is no class', async () => {
    const scores = floats([2, 3], [1, 2, 3, 0, 0, 0]);
    expect(await value((x, y) => F.crossEntropy(x!, y!), scores, label(-100, -100))).toBeNaN();
    expect(await value((x, y) => F.crossEntropy(x!, y!), scores, label(0, 3))).toBeNaN();
    expect(await value((x, y) => F.crossEntropy(x!, y!), scores, label(-1, 0))).toBeNaN();
    // Far outside the engine itself refuses.
    const far = value((x, y) => F.crossEntropy(x!, y!), scores, label(0, 9));
    await expect(far).rejects.toThrow(EngineError);
    const weight = floats([3], [1, 2, 3]);
    for (const reduction of ['mean', 'sum'] as const) {
      const weighted = value((x, y) => F.crossEntropy(x!, y!, { weight, reduction }), scores, label(-1, 0));
      expect(await weighted, reduction).toBeNaN();
    }
  });

  it('is finite for scores that are far apart, and where a class is impossible', async () => {
    const far = floats([1, 3], [1000, -1000, 0]);
    expect(await value((x, y) => F.crossEntropy(x!, y!), far, label(1))).toBe(2000);
    const impossible = floats([1, 3], [0, Number.NEGATIVE_INFINITY, 0]);
    const got = await value((x, y) => F.crossEntropy(x!, y!), impossible, label(0));
    expectClose([got], [Math.LN2], 'impossible');
  });

  it('uses only operators that have simple gradients, and few of them', () => {
    const graph = trace(new Expression((x, y) => F.crossEntropy(x!, y!)), [
      [4, 10],
      { shape: [4], dtype: 'int64' },
    ]);
    const operators = [...graph.nodes].map(({ opType }) => opType);
    expect(operators.length).toBeLessThanOrEqual(14);
    const simple = 'Cast Div Equal Gather LogSoftmax Mul Neg ReduceSum Unsqueeze Where'.split(' ');
    expect(operators.filter((operator) => !simple.includes(operator))).toEqual([]);
  });
});

describe('other losses at their edges', () => {
  it('binaryCrossEntropyWithLogits does not overflow', async () => {
    const x = floats([4], [1000, -1000, 1000, -1000]);
    const t = floats([4], [1, 0, 0, 1]);
    const none = { reduction: 'none' } as const;
    const got = await result((a, b) => F.binaryCrossEntropyWithLogits(a!, b!, none), x, t);
    expect(got.data).toEqual([0, 0, 1000, 1000]);
    const weighted = { ...none, posWeight: 3 };
    const more = await result((a, b) => F.binaryCrossEntropyWithLogits(a!, b!, weighted), x, t);
    expect(more.data).toEqual([0, 0, 1000, 3000]);
  });

  it('mseLoss takes whole numbers as target', async () => {
    const got = await value((x, y) => F.mseLoss(x!, y!), floats([2], [1.5, 4]), label(1, 2));
    expect(got).toBe(2.125);
  });

  it('klDiv is 0 between equal distributions', async () => {
    const p = floats([1, 3], [0.5, 0.5, 0]);
    const got = await value((t) => F.klDiv(t!.clamp(1e-30).log(), t!, { reduction: 'sum' }), p);
    expect(Math.abs(got)).toBeLessThan(1e-6);
  });
});

describe('distillation', () => {
  const student = [0.5, -1, 2, 1, 0, -2];
  const teacher = [1, 0, 3, 2, -1, 0.5];
  const formula = (temperature: number, alpha: number): number => {
    let soft = 0;
    let hard = 0;
    for (const [row, y] of [2, 0].entries()) {
      const part = (scores: number[], t: number): number[] =>
        softmax(scores.slice(3 * row, 3 * row + 3).map((score) => score / t));
      const q = part(teacher, temperature);
      const p = part(student, temperature);
      soft += q.reduce((total, qi, i) => total + qi * Math.log(qi / p[i]!), 0) / 2;
      hard -= Math.log(part(student, 1)[y]!) / 2;
    }
    return alpha * temperature ** 2 * soft + (1 - alpha) * hard;
  };
  const computed = (options?: { temperature?: number; alpha?: number }): Promise<number> =>
    value(
      (s, t, y) => F.distillation(s!, t!, y!, options),
      floats([2, 3], student),
      floats([2, 3], teacher),
      label(2, 0),
    );

  it("is Hinton's formula, with temperature 4 and alpha 0.9 by default", async () => {
    expectClose([await computed()], [formula(4, 0.9)], 'default');
    for (const [temperature, alpha] of [
      [1, 0.5],
      [2, 0],
      [3, 1],
      [6, 0.7],
    ] as const) {
      expectClose([await computed({ temperature, alpha })], [formula(temperature, alpha)], `${temperature}`);
    }
  });

  it('refuses temperatures and shares that make no sense', () => {
    const traced = (options: { temperature?: number; alpha?: number }) => () =>
      trace(new Expression((x) => F.distillation(x!, x!, x!, options)), [2, 3]);
    expect(traced({ temperature: 0 })).toThrow('distillation: temperature expects a number > 0, got 0');
    expect(traced({ temperature: Number.NaN })).toThrow('temperature expects a number > 0, got NaN');
    expect(traced({ alpha: 1.5 })).toThrow('distillation: alpha expects a number in [0, 1], got 1.5');
  });
});

describe('messages', () => {
  const traced = (body: (x: Variable) => Variable, shape: number[] = [2, 3]) => {
    const module = new Expression((x) => body(x!));
    return () => trace(module, shape);
  };
  const labels = (x: Variable): Variable => x.select(1, 0).to('int64');

  it('name shapes that do not fit', () => {
    expect(traced((x) => F.crossEntropy(x, x), [3])).toThrow(
      'crossEntropy: expects scores [N, C] or [N, C, d1, …], got float32[3]',
    );
    expect(traced((x) => F.crossEntropy(x, x.select(0, 0).to('int64')))).toThrow(
      "crossEntropy: expects class indices int64[2], or probabilities of the input's shape, got input float32[2, 3] and target int64[3]",
    );
    expect(traced((x) => F.nllLoss(x, x.select(1, 0)))).toThrow(
      'nllLoss: expects class indices int64[2], got input float32[2, 3] and target float32[2]',
    );
    expect(traced((x) => F.mseLoss(x, x.select(1, 0)))).toThrow(
      "mseLoss: expects a target of the input's shape, got input float32[2, 3] and target float32[2]",
    );
    expect(traced((x) => F.l1Loss(x.to('int64'), x))).toThrow(
      'l1Loss: expects an input of a float dtype, got int64[2, 3]',
    );
    expect(traced((x) => F.crossEntropy(x, labels(x), { weight: floats([2], [1, 1]) }))).toThrow(
      'crossEntropy: weight expects one number for each of the 3 classes, got float32[2]',
    );
  });

  it('name options that cannot be', () => {
    expect(traced((x) => F.mseLoss(x, x, { reduction: 'batchmean' as never }))).toThrow(
      "mseLoss: reduction expects mean, sum, none, got 'batchmean'",
    );
    expect(traced((x) => F.klDiv(x, x, { reduction: 'average' as never }))).toThrow(
      "klDiv: reduction expects mean, sum, none, batchmean, got 'average'",
    );
    expect(traced((x) => F.crossEntropy(x, labels(x), { labelSmoothing: 2 }))).toThrow(
      'crossEntropy: labelSmoothing must be between 0 and 1, got 2',
    );
    expect(traced((x) => F.crossEntropy(x, labels(x), { ignoreIndex: 0.5 }))).toThrow(
      'crossEntropy: ignoreIndex expects a whole number, got 0.5',
    );
    expect(traced((x) => F.crossEntropy(x, x, { ignoreIndex: 1 }))).toThrow(
      'crossEntropy: ignoreIndex is not supported for a target of probabilities, got 1',
    );
    expect(traced((x) => F.smoothL1Loss(x, x, { beta: -1 }))).toThrow(
      'smoothL1Loss: beta expects a number >= 0, got -1',
    );
    expect(traced((x) => F.huberLoss(x, x, { delta: 0 }))).toThrow(
      'huberLoss: delta expects a number > 0, got 0',
    );
  });
});
