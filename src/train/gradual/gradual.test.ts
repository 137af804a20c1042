import { describe, expect, it } from 'vitest';
import { Tensor } from '../../core/tensor.ts';
import { DataLoader } from '../../data/index.ts';
import type { Module, Parameter } from '../../nn/index.ts';
import { customFromMask, l1Unstructured, schedule } from '../../prune/index.ts';
import { MemoryCheckpoint } from '../checkpoint.ts';
import { Adam, type Optimizer, SGD } from '../optimizers/index.ts';
import { blobs, plainNet, type SmallNet, smallNet, weightsOf } from '../testdata/blobs.ts';
import { type FitOptions, Trainer, type TrainerOptions, type TrainingCallback } from '../trainer.ts';
import { GradualMagnitude, MovementPruning, RigL, type RigLOptions } from './index.ts';

const data = blobs(60);
/** Batches of 16 and a last one of 12: 4 updates an epoch. */
const loader = (): DataLoader => new DataLoader(data, { batchSize: 16, shuffle: true, seed: 3 });
const sgd = (model: Module): Optimizer =>
  new SGD(model.parameters(), { lr: 0.05, momentum: 0.9, weightDecay: 5e-4 });

const zeros = ({ mask }: Parameter): number => mask!.float32.filter((kept) => kept === 0).length;

/** Trains, and calls back after each update and everything that takes part in it. */
async function trained(
  model: Module,
  callbacks: readonly TrainingCallback[],
  options: Partial<TrainerOptions> & {
    epochs?: number;
    after?: (trainer: Trainer, step: number) => void;
  } = {},
): Promise<void> {
  const { epochs = 3, after, ...rest } = options;
  const watch: TrainingCallback = {
    name: 'watch',
    onStep: (trainer) => after?.(trainer, trainer.step.steps),
  };
  const trainer = new Trainer(model, {
    optimizer: sgd(model),
    threads: 1,
    callbacks: [...callbacks, watch],
    ...rest,
  });
  try {
    await trainer.fit(loader(), { epochs });
  } finally {
    await trainer.dispose();
  }
}

/** Entries that are masked but not exactly +0. */
const leaks = ({ data: { float32 }, mask }: Parameter): number =>
  float32.filter((value, index) => mask!.float32[index] === 0 && !Object.is(value, 0)).length;

describe('GradualMagnitude', () => {
  it('prunes each layer as much as the schedule says, and stops where it ends', async () => {
    const model = smallNet();
    const gradual = new GradualMagnitude({
      model,
      schedule: schedule.cubic({ final: 0.75, end: 8 }),
      every: 2,
    });
    const seen: [number, number, number][] = [];
    const masks: number[][] = [];
    await trained(model, [gradual], {
      after: (_, step) => {
        seen.push([step, zeros(model.fc.weight), zeros(model.conv.weight)]);
        masks.push([...model.fc.weight.mask!.float32]);
      },
    });
    // 0.75 (1 - (1 - t / 8)³) of 108 and of 36.
    expect(seen).toEqual([
      [1, 0, 0],
      ...[2, 3].map((step) => [step, 47, 16]),
      ...[4, 5].map((step) => [step, 71, 24]),
      ...[6, 7].map((step) => [step, 80, 27]),
      ...[8, 9, 10, 11, 12].map((step) => [step, 81, 27]),
    ]);
    expect(masks[11]).toEqual(masks[7]);
    expect(gradual.sparsity).toBe(0.75);
    expect(leaks(model.fc.weight) + leaks(model.conv.weight)).toBe(0);
    expect(model.getParameter('bn.weight').mask).toBeNull();
  });

  it('masks the smallest weights of all layers together where the scope is global', async () => {
    const model = smallNet();
    const gradual = new GradualMagnitude({
      model,
      schedule: schedule.oneShot({ final: 0.5, start: 4 }),
      scope: 'global',
      every: 4,
    });
    let before: number[] = [];
    await trained(model, [gradual], {
      epochs: 1,
      after: (trainer) => {
        trainer.step.sync();
        before = [model.conv.weight, model.fc.weight].flatMap(({ orig }) => [...orig.float32].map(Math.abs));
      },
    });
    const masks = [model.conv.weight, model.fc.weight].flatMap(({ mask }) => [...mask!.float32]);
    const middle = before.toSorted((a, b) => a - b)[72]!;
    expect(masks).toEqual(before.map((magnitude) => (magnitude >= middle ? 1 : 0)));
    expect(zeros(model.conv.weight)).not.toBe(18);
    expect(gradual.sparsity).toBe(0.5);
  });

  it('takes masked weights back when others have become smaller, with the values they had', async () => {
    const model = plainNet();
    const linear = model.at(1) as Module & { weight: Parameter };
    const weights = linear.weight.data.float32;
    weights.fill(1);
    // 0 and 1 go first. Then 1 comes back, as the penalty takes from all others.
    weights[0] = 1e-3;
    weights[1] = 0.99;
    const optimizer = new SGD(model.parameters(), { lr: 0.5 });
    const shrink: TrainerOptions['loss'] = (output) => output.mul(0).sum();
    const gradual = new GradualMagnitude({
      model,
      include: '1',
      schedule: (step) => (step < 3 ? 2 : 3) / 432,
      every: 1,
    });
    const masks: number[][] = [];
    await trained(model, [gradual], {
      optimizer,
      loss: shrink,
      epochs: 1,
      regularizers: [
        (_, like) => like.tracer.tensor(linear.weight).mul(like.tracer.tensor(linear.weight)).sum().mul(0.1),
      ],
      after: () => masks.push([...linear.weight.mask!.float32.subarray(0, 2)]),
    });
    expect(masks).toEqual([
      [0, 0],
      [0, 0],
      [0, 1],
      [0, 1],
    ]);
    expect(zeros(linear.weight)).toBe(3);
    // Untouched while it was masked; the mask of step 3 lets the fourth update through, w -= 0.5 · 0.2 w.
    expect(linear.weight.data.float32[1]).toBeCloseTo(0.99 * 0.9, 6);
    expect(linear.weight.orig.float32[0]).toBe(Math.fround(1e-3));
  });

  it('starts from the sparsity of step 0, and lets layers differ', async () => {
    const model = smallNet();
    const gradual = new GradualMagnitude({
      model,
      schedule: (step, path) => (path === 'fc' ? 0.25 : 0) + step / 100,
      every: 100,
    });
    await trained(model, [gradual], { epochs: 1 });
    expect(zeros(model.fc.weight)).toBe(27);
    expect(zeros(model.conv.weight)).toBe(0);
  });

  it('refuses what cannot be', async () => {
    const model = smallNet();
    const given = { model, schedule: schedule.linear({ final: 0.5, end: 4 }) };
    expect(() => new GradualMagnitude({ ...given, every: 0 })).toThrow(
      'GradualMagnitude: every expects a whole number of at least 1, got 0',
    );
    expect(() => new GradualMagnitude({ ...given, include: 'nothing' })).toThrow(
      'selectParameters: no parameter',
    );
    const frozen = new GradualMagnitude(given);
    model.fc.weight.requiresGrad = false;
    await expect(trained(model, [frozen])).rejects.toThrow(
      "GradualMagnitude: 'fc.weight' is not trained; give it to the optimizer, or leave it out with exclude",
    );
    expect(model.conv.weight.mask).toBeNull();
    const wild = smallNet();
    await expect(
      trained(wild, [new GradualMagnitude({ model: wild, schedule: (step) => step, every: 2 })]),
    ).rejects.toThrow('GradualMagnitude: schedule expects to give a sparsity in [0, 1], got 2 at step 2');
    const other = new GradualMagnitude({ ...given, scope: 'global' });
    expect(() => other.loadStateDict(new GradualMagnitude(given).stateDict())).toThrow(
      'GradualMagnitude: expects the state of 1 groups of weights, got 2',
    );
  });
});

describe('MovementPruning', () => {
  it('masks the weights with the smallest -Σ w ∂L/∂w, and none before there are scores', async () => {
    const model = plainNet();
    const linear = model.at(1) as Module & { weight: Parameter };
    const movement = new MovementPruning({
      model,
      include: '1',
      schedule: schedule.linear({ initial: 0.25, final: 0.5, end: 4 }),
      every: 2,
    });
    const lr = 0.05;
    const sums = new Float64Array(432);
    let before = linear.weight.data.float32.slice();
    const seen: number[] = [];
    await trained(model, [movement], {
      optimizer: new SGD(model.parameters(), { lr }),
      epochs: 1,
      after: (trainer, step) => {
        // Before anything is masked, an update of plain SGD says what the gradient was.
        if (step <= 2) {
          trainer.step.sync();
          const after = linear.weight.orig.float32;
          for (let i = 0; i < sums.length; i++) sums[i]! += (before[i]! * (after[i]! - before[i]!)) / lr;
          before = after.slice();
        }
        seen.push(zeros(linear.weight));
        if (step !== 2) return;
        const smallest = [...sums.keys()].sort((a, b) => sums[a]! - sums[b]!).slice(0, seen.at(-1));
        const masked = [...linear.weight.mask!.float32].flatMap((kept, index) => (kept === 0 ? [index] : []));
        // Gradients read off the weights are not exact: those at the border may differ.
        expect(masked.filter((index) => !smallest.includes(index)).length).toBeLessThan(4);
      },
    });
    expect(seen).toEqual([0, 162, 162, 216]);
    expect(leaks(linear.weight)).toBe(0);
  });

  it('ranks weights by movement, not by size', async () => {
    const [byMovement, bySize] = [plainNet(), plainNet()];
    const options = { schedule: schedule.oneShot({ final: 0.5, start: 2 }), every: 2 };
    await trained(byMovement, [new MovementPruning({ model: byMovement, ...options })], { epochs: 1 });
    await trained(bySize, [new GradualMagnitude({ model: bySize, ...options })], { epochs: 1 });
    const maskOf = (net: Module): number[] => [...net.getParameter('1.weight').mask!.float32];
    expect(maskOf(byMovement)).not.toEqual(maskOf(bySize));
  });

  it('goes on ranking when the schedule has ended', async () => {
    const model = plainNet();
    const movement = new MovementPruning({ model, schedule: () => 0.5, every: 1 });
    const masks: string[] = [];
    await trained(model, [movement], {
      after: () => masks.push(model.getParameter('1.weight').mask!.float32.join('')),
    });
    expect(new Set(masks).size).toBeGreaterThan(6);
    expect(movement.sparsity).toBe(0.5);
  });
});

describe('RigL', () => {
  const options = (model: SmallNet): RigLOptions => ({ model, sparsity: 0.75, end: 10, every: 2, seed: 1 });

  it('keeps the number of active weights, and changes which they are until the end', async () => {
    const model = smallNet();
    const rigl = new RigL(options(model));
    expect(rigl.sparsity).toBe(0);
    const counts: string[] = [];
    const masks: Float32Array[] = [];
    await trained(model, [rigl], {
      epochs: 4,
      after: () => {
        counts.push(`${zeros(model.conv.weight)} ${zeros(model.fc.weight)}`);
        masks.push(model.fc.weight.mask!.float32.slice());
      },
    });
    // Of 144 weights 36 are active, in proportion to 4+1+3+3 and 3+36: 36 · 11 / 50 = 7.92 and 28.08.
    expect(new Set(counts)).toEqual(new Set(['28 80']));
    expect(rigl.sparsity).toBe(0.75);
    // Shares of 28 weights: 0.15 (1 + cos(π t / 10)), rounded down.
    const changed = (step: number): number =>
      masks[step - 1]!.filter((kept, index) => kept === 0 && masks[step - 2]![index] === 1).length;
    const most = [2, 4, 6, 8].map((step) => Math.floor(28 * 0.15 * (1 + Math.cos((Math.PI * step) / 10))));
    expect(most).toEqual([7, 5, 2, 0]);
    const dropped = [2, 4, 6, 8].slice(1).map(changed);
    dropped.forEach((count, index) => {
      expect(count).toBeLessThanOrEqual(most[index + 1]!);
    });
    expect(dropped[0]).toBeGreaterThan(0);
    expect([3, 5, 7, 9, 10, 11, 12, 13, 14, 15, 16].map(changed)).toEqual(new Array(11).fill(0));
    expect(leaks(model.fc.weight) + leaks(model.conv.weight)).toBe(0);
  });

  it('drops the smallest active weights and grows those with the largest gradient, at 0 and without momentum', async () => {
    const model = plainNet();
    const weight = model.getParameter('1.weight');
    const rigl = new RigL({ model, include: '1', sparsity: 0.5, end: 100, every: 3, alpha: 0.2 });
    let before: { mask: Float32Array; weights: Float32Array; gradient: Float32Array } | null = null;
    const look: TrainingCallback = {
      name: 'look',
      onStep: (trainer, gradients) => {
        if (trainer.step.steps !== 3) return;
        trainer.step.sync();
        before = {
          mask: weight.mask!.float32.slice(),
          weights: weight.orig.float32.slice(),
          gradient: gradients.get(weight)!.float32.slice(),
        };
      },
    };
    let grown: number[] = [];
    await trained(model, [look, rigl], {
      epochs: 1,
      after: (trainer, step) => {
        if (step !== 3) return;
        const { mask, weights, gradient } = before!;
        const positions = [...mask.keys()];
        const active = positions.filter((index) => mask[index] === 1);
        expect(active).toHaveLength(216);
        const count = Math.floor(216 * 0.1 * (1 + Math.cos((Math.PI * 3) / 100)));
        expect(count).toBe(43);
        const bySize = active.toSorted((a, b) => Math.abs(weights[a]!) - Math.abs(weights[b]!));
        const stays = new Set(bySize.slice(count));
        const others = positions.filter((index) => !stays.has(index));
        const byGradient = others.toSorted((a, b) => Math.abs(gradient[b]!) - Math.abs(gradient[a]!));
        const expected = new Set([...stays, ...byGradient.slice(0, count)]);
        const after = weight.mask!.float32;
        expect(positions.filter((index) => after[index] === 1)).toEqual(
          positions.filter((p) => expected.has(p)),
        );
        grown = byGradient.slice(0, count).filter((index) => mask[index] === 0);
        expect(grown.length).toBeGreaterThan(0);
        const momentum = trainer.step.stateTensors().get('1.weight/momentum_buffer')!.float32;
        for (const index of positions) {
          const same = after[index] === mask[index];
          if (same) expect(weight.orig.float32[index]).toBe(weights[index]);
          else expect([weight.orig.float32[index], momentum[index]]).toEqual([0, 0]);
          if (after[index] === 0) expect(Object.is(weight.data.float32[index], 0)).toBe(true);
        }
      },
    });
    // The last update trained what was grown.
    expect(grown.every((index) => weight.data.float32[index] !== 0)).toBe(true);
    // What is masked is 0 before masking, too.
    expect(weight.orig.float32.filter((value) => value === 0)).toHaveLength(216);
  });

  it('spreads sparsity over layers', () => {
    const model = smallNet();
    const densities = (given: Partial<RigLOptions>): number[] =>
      [...new RigL({ ...options(model), ...given }).densities.values()].map((each) =>
        Number(each.toFixed(6)),
      );
    expect(densities({})).toEqual([Number((36 * (11 / 50 / 36)).toFixed(6)), 0.26]);
    // (4 + 1) / 4 and (3 + 36) / 108, so that 36 · d0 + 108 · d1 = 36: 45 ε + 39 ε = 36.
    expect(densities({ distribution: 'erdos-renyi' })).toEqual([
      Number(((5 / 4) * (36 / 84)).toFixed(6)),
      Number(((39 / 108) * (36 / 84)).toFixed(6)),
    ]);
    // At half of 144 the convolution would get 5 / 4 · 72 / 84 > 1: it stays dense and leaves 36 to the other.
    expect(densities({ distribution: 'erdos-renyi', sparsity: 0.5 })).toEqual([
      1,
      Number((36 / 108).toFixed(6)),
    ]);
    const uniform = new RigL({ ...options(model), distribution: 'uniform' });
    expect(Object.fromEntries(uniform.densities)).toEqual({ 'conv.weight': 1, 'fc.weight': 0.25 });
    expect(uniform.dense).toEqual([model.fc.weight]);
    expect(densities({ distribution: 'uniform', include: 'fc' })).toEqual([0.25]);
    expect(densities({ distribution: 'uniform', include: 'conv' })).toEqual([0.25]);
  });

  it('draws masks by its seed', async () => {
    const masks: string[] = [];
    for (const seed of [1, 1, 2]) {
      const model = smallNet();
      const rigl = new RigL({ model, sparsity: 0.75, steps: 4, seed });
      await trained(model, [rigl], { epochs: 1 });
      masks.push(model.fc.weight.mask!.float32.join(''));
    }
    expect(masks[1]).toBe(masks[0]);
    expect(masks[2]).not.toBe(masks[0]);
  });

  it('refuses what cannot be', async () => {
    const model = smallNet();
    const given = options(model);
    const { end: _, ...endless } = given;
    expect(() => new RigL({ ...given, sparsity: 1 })).toThrow(
      'RigL: sparsity expects a share in (0, 1), got 1',
    );
    expect(() => new RigL({ ...given, alpha: 0 })).toThrow('RigL: alpha expects a share in (0, 1], got 0');
    expect(() => new RigL({ ...given, every: 1.5 })).toThrow(
      'RigL: every expects a whole number of at least 1',
    );
    expect(() => new RigL({ ...given, end: 0 })).toThrow(
      'RigL: end expects a whole number of at least 1, got 0',
    );
    expect(() => new RigL({ ...endless, steps: 0 })).toThrow(
      'RigL: steps expects a whole number of at least 1',
    );
    expect(() => new RigL(endless)).toThrow('RigL: expects either end,');
    expect(() => new RigL({ ...given, distribution: 'even' as 'uniform' })).toThrow(
      "RigL: distribution 'even' is not known; expected uniform, erdos-renyi, erdos-renyi-kernel",
    );
    l1Unstructured(model.fc, 'weight', 0.5);
    await expect(trained(model, [new RigL(given)])).rejects.toThrow("RigL: 'fc.weight' is pruned already");
    expect(model.conv.weight.mask).toBeNull();
    const fresh = smallNet();
    const rigl = new RigL(options(fresh));
    const hidden: TrainingCallback = {
      name: 'hidden',
      onStart: (trainer) => rigl.onStart(trainer),
      onStep: (trainer, gradients) => rigl.onStep(trainer, gradients),
    };
    await expect(trained(fresh, [hidden])).rejects.toThrow(
      "RigL: there is no dense gradient of 'conv.weight'",
    );
  });
});

describe('a gradual run that was stopped and resumed', () => {
  const growing = { schedule: schedule.cubic({ final: 0.75, end: 9 }), every: 3 };
  const methods: Readonly<Record<string, (model: SmallNet) => TrainingCallback[]>> = {
    GradualMagnitude: (model) => [new GradualMagnitude({ model, scope: 'global', ...growing })],
    MovementPruning: (model) => [new MovementPruning({ model, ...growing })],
    RigL: (model) => [new RigL({ model, sparsity: 0.75, end: 10, every: 2, seed: 1 })],
    'two of them': (model) => [
      new GradualMagnitude({ model, include: 'conv', ...growing }),
      new GradualMagnitude({ model, include: 'fc', name: 'second', ...growing, every: 2 }),
    ],
  };
  for (const [what, callbacks] of Object.entries(methods)) {
    it(`ends with the same bits as one left alone: ${what}`, async () => {
      const run = async (model: SmallNet, fit: Partial<FitOptions>): Promise<void> => {
        const optimizer = new Adam(model.parameters(), { lr: 0.01, weightDecay: 0.01 });
        const trainer = new Trainer(model, { optimizer, threads: 1, callbacks: callbacks(model), ema: 0.9 });
        try {
          await trainer.fit(loader(), { epochs: 3, ...fit });
        } finally {
          await trainer.dispose();
        }
      };
      const alone = smallNet();
      await run(alone, {});
      for (const batches of [1, 3, 5, 8, 11]) {
        const checkpoint = new MemoryCheckpoint();
        const controller = new AbortController();
        let seen = 0;
        const onProgress: FitOptions['onProgress'] = ({ phase }) => {
          if (phase === 'train' && ++seen === batches) controller.abort(new Error('stopped'));
        };
        await expect(run(smallNet(), { checkpoint, signal: controller.signal, onProgress })).rejects.toThrow(
          'stopped',
        );
        // Another process starts from other weights.
        const second = smallNet(77);
        await run(second, { checkpoint });
        expect(weightsOf(second), `after ${batches} batches`).toEqual(weightsOf(alone));
      }
    });
  }

  it('follows the schedule from the start, whatever masks there were', async () => {
    const model = smallNet();
    customFromMask(model.fc, 'weight', Tensor.full([3, 36], 0));
    const start = schedule.oneShot({ initial: 0.25, final: 0.5, start: 2 });
    const gradual = new GradualMagnitude({ model, schedule: start, every: 2 });
    const seen: number[] = [];
    await trained(model, [gradual], { epochs: 1, after: () => seen.push(zeros(model.fc.weight)) });
    expect(seen).toEqual([27, 54, 54, 54]);
  });
});
