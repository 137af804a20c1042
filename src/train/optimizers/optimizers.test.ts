import { describe, expect, it } from 'vitest';
import { Tensor } from '../../core/tensor.ts';
import { F, Module, Parameter, type Variable } from '../../nn/index.ts';
import { TrainStep } from '../train-step.ts';
import type { TrainStepOptions } from '../train-step-options.ts';
import { Adam, AdamW, type Optimizer, optimizerByName, RMSprop, SGD } from './index.ts';

/** Two vectors whose sum is pulled towards the input: the gradient of each is `2 (a + b - x) / n`. */
class Sum extends Module {
  a = new Parameter(Tensor.of(Float32Array.of(1, 2)));
  b = new Parameter(Tensor.of(Float32Array.of(0.5, -1)));

  override forward(x: Variable): Variable {
    return x.mul(0).add(x.tracer.tensor(this.a)).add(x.tracer.tensor(this.b));
  }
}

const input = Tensor.of(Float32Array.of(3, -2)).reshape([1, 2]);

/** Runs steps and gives a and b. */
async function steps(
  make: (model: Sum) => Optimizer,
  count: number,
  more: Partial<TrainStepOptions> = {},
): Promise<{ a: number[]; b: number[] }> {
  const model = new Sum();
  const step = new TrainStep(model, {
    optimizer: make(model),
    loss: (y, t) => F.mseLoss(y, t),
    threads: 1,
    ...more,
  });
  for (let index = 0; index < count; index++) await step.run([input], input);
  await step.dispose();
  return { a: [...model.a.data.float32], b: [...model.b.data.float32] };
}

const close = (found: readonly number[], wanted: readonly number[]): void => {
  wanted.forEach((value, index) => {
    expect(found[index]).toBeCloseTo(value, 5);
  });
};

// mse over two elements: gradient (a + b - x) = (-1.5, 3).
describe('optimizers', () => {
  it('give each parameter group its own numbers', async () => {
    const { a, b } = await steps(
      (m) => new SGD([{ params: [m.a], lr: 0.1 }, { params: [m.b] }], { lr: 0.01 }),
      1,
    );
    close(a, [1.15, 1.7]);
    close(b, [0.515, -1.03]);
  });

  it('clip gradients by norm over all of them, and by value', async () => {
    const norm = Math.hypot(1.5, 3, 1.5, 3);
    const byNorm = await steps((m) => new SGD(m.parameters(), { lr: 1 }), 1, { clipGradNorm: 1 });
    close(byNorm.a, [1 + 1.5 / norm, 2 - 3 / norm]);
    const loose = await steps((m) => new SGD(m.parameters(), { lr: 1 }), 1, { clipGradNorm: 100 });
    close(loose.a, [2.5, -1]);
    const byValue = await steps((m) => new SGD(m.parameters(), { lr: 1 }), 1, { clipGradValue: 2 });
    close(byValue.a, [2.5, 0]);
  });

  it('take dampening from the second step on, as PyTorch does', async () => {
    const { a } = await steps((m) => new SGD([m.a], { lr: 0.1, momentum: 0.5, dampening: 0.5 }), 2);
    // Step 1: b = g = (-1.5, 3), a = (1.15, 1.7). Step 2: g = (-1.35, 2.7), b = 0.5 b + 0.5 g.
    close(a, [1.15 + 0.1 * 0.5 * (1.5 + 1.35), 1.7 - 0.1 * 0.5 * (3 + 2.7)]);
  });

  it('keep the largest average with amsgrad, and centre with RMSprop', async () => {
    const first = await steps((m) => new Adam([m.a], { lr: 0.1, amsgrad: true }), 1);
    // The first step of Adam is lr in the gradient's direction.
    close(first.a, [1.1, 1.9]);
    const centred = await steps((m) => new RMSprop([m.a], { lr: 0.01, alpha: 0.5, centered: true }), 1);
    // v = 0.5 g², mean = 0.5 g: v - mean² = 0.25 g².
    close(centred.a, [1 + 0.01 * 2, 2 - 0.01 * 2]);
  });

  it('leave parameters alone that need no gradient or are not used', async () => {
    const model = new Sum();
    model.b.requiresGrad = false;
    const unused = new Parameter(Tensor.of(Float32Array.of(7)));
    model.registerParameter('unused', unused);
    const step = new TrainStep(model, {
      optimizer: new AdamW(model.parameters(), { lr: 0.1 }),
      loss: (y, t) => F.mseLoss(y, t),
      threads: 1,
    });
    await step.run([input], input);
    await step.dispose();
    expect([...model.b.data.float32]).toEqual([0.5, -1]);
    expect(model.a.data.float32[0]).not.toBe(1);
    // It shares a vector with a: weight decay alone moves it.
    expect(unused.data.float32[0]).toBeCloseTo(7 * (1 - 0.1 * 0.01), 5);
  });

  it('are found by PyTorch name with PyTorch options', () => {
    const { parameters } = { parameters: () => [new Sum().a] };
    const sgd = optimizerByName('sgd', parameters(), {
      lr: 0.5,
      weight_decay: 0.1,
      momentum: 0.9,
      nesterov: true,
    });
    expect(sgd).toBeInstanceOf(SGD);
    expect(sgd.paramGroups[0]).toMatchObject({ lr: 0.5, weightDecay: 0.1, momentum: 0.9, nesterov: true });
    expect(optimizerByName('AdamW', parameters()).paramGroups[0]).toMatchObject({
      lr: 1e-3,
      weightDecay: 1e-2,
    });
    expect(() => optimizerByName('lamb', parameters())).toThrow(
      "optimizer 'lamb' is not known; expected SGD, Adam, AdamW, RMSprop",
    );
  });

  it('refuse what cannot be', () => {
    const model = new Sum();
    expect(() => new SGD([])).toThrow('SGD: got an empty parameter list');
    expect(() => new SGD([{ params: [model.a] }, { params: [model.a] }])).toThrow(
      'SGD: some parameters appear in more than one parameter group',
    );
    expect(() => new SGD([model.a], { lr: -1 })).toThrow('Optimizer: invalid lr: -1');
    expect(() => new SGD([model.a], { lr: Number.NaN })).toThrow('Optimizer: invalid lr: NaN');
    expect(() => new SGD([model.a], { nesterov: true })).toThrow(
      'SGD: Nesterov momentum requires a momentum and zero dampening',
    );
    expect(() => new Adam([model.a], { betas: [0.9, 1] })).toThrow(
      'Optimizer: invalid beta parameter at index 1: 1',
    );
    expect(() => new Adam([model.a], { eps: -1 })).toThrow('Optimizer: invalid eps: -1');
    expect(() => new RMSprop([model.a], { alpha: -1 })).toThrow('Optimizer: invalid alpha: -1');
    const mixture = [model.a, { params: [model.b] }] as unknown as Parameter[];
    expect(() => new SGD(mixture)).toThrow(
      'Optimizer: expects parameters, or groups { params, … }, not a mixture of both',
    );
    const optimizer = new SGD([model.a]);
    expect(() => optimizer.loadStateDict({ step: 1, groups: [] })).toThrow(
      'SGD: expects the state of 1 parameter groups, got 0',
    );
    expect(optimizer.steps).toBe(0);
  });
});
