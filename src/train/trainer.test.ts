import { describe, expect, it } from 'vitest';
import { NonFiniteError } from '../core/errors.ts';
import { Tensor } from '../core/tensor.ts';
import { DataLoader } from '../data/index.ts';
import { F } from '../nn/index.ts';
import { l1Unstructured, lnStructured } from '../prune/index.ts';
import { MemoryCheckpoint } from './checkpoint.ts';
import { evaluate } from './evaluate.ts';
import { distillationLoss } from './objective.ts';
import { Adam, AdamW, type Optimizer, RMSprop, SGD } from './optimizers/index.ts';
import { CosineAnnealingLR, OneCycleLR } from './schedules/index.ts';
import { blobs, plainNet, type SmallNet, smallNet, weightsOf } from './testdata/blobs.ts';
import { type FitOptions, Trainer, type TrainerOptions } from './trainer.ts';

const data = blobs(60);
const held = new DataLoader(blobs(30, 6), { batchSize: 16 });
/** Batches of 16 and a last one of 12. */
const loader = (): DataLoader => new DataLoader(data, { batchSize: 16, shuffle: true, seed: 3 });
const sgd = (model: SmallNet): Optimizer =>
  new SGD(model.parameters(), { lr: 0.05, momentum: 0.9, weightDecay: 5e-4 });

async function trained(
  model: SmallNet,
  options: Omit<TrainerOptions, 'optimizer'> & { optimizer?: Optimizer },
  fit: FitOptions,
): Promise<Trainer> {
  const trainer = new Trainer(model, { optimizer: sgd(model), threads: 1, ...options });
  await trainer.fit(loader(), fit);
  await trainer.dispose();
  return trainer;
}

describe('Trainer', () => {
  it('learns, and says what each epoch came to', async () => {
    const model = smallNet();
    const trainer = new Trainer(model, { optimizer: sgd(model), threads: 1 });
    const phases = new Set<string>();
    const history = await trainer.fit(loader(), {
      epochs: 8,
      validation: held,
      onProgress: ({ phase, batch, batches }) => phases.add(`${phase} ${batch}/${batches}`),
    });
    await trainer.dispose();
    expect(history.epochs.map(({ epoch, step }) => [epoch, step])).toEqual(
      [1, 2, 3, 4, 5, 6, 7, 8].map((n) => [n, 4 * n]),
    );
    expect(history.epochs[7]!.train.loss).toBeLessThan(history.epochs[0]!.train.loss! / 3);
    expect(history.epochs[7]!.validation!.accuracy).toBeGreaterThan(0.9);
    expect(history.best!.value).toBeGreaterThanOrEqual(history.epochs[7]!.validation!.accuracy!);
    expect(history.ended).toBe('epochs');
    expect(history.losses.length).toBe(32);
    expect([...phases]).toContain('train 1/4');
    expect([...phases]).toContain('validate 4/4');
    const again = await evaluate(model, held, { threads: 1 });
    expect(again.accuracy).toBeCloseTo(history.epochs[7]!.validation!.accuracy!, 6);
  });

  it('gives the same weights for the same seeds, and others for another seed of dropout', async () => {
    const runs: number[][] = [];
    for (const seed of [1, 1, 2]) {
      const model = smallNet();
      await trained(model, { seed }, { epochs: 2 });
      runs.push(weightsOf(model));
    }
    expect(runs[1]).toEqual(runs[0]);
    expect(runs[2]).not.toEqual(runs[0]);
  });

  it('drops others in each step, and the same ones in each run', async () => {
    const batch = { input: Tensor.full([8, 1, 6, 6], 1), target: Tensor.int64([0, 1, 2, 0, 1, 2, 0, 1]) };
    const runs: number[][] = [];
    for (let run = 0; run < 2; run++) {
      const model = smallNet();
      // Nothing is learnt: only dropout tells the steps apart.
      const trainer = new Trainer(model, {
        optimizer: new SGD(model.parameters(), { lr: 0 }),
        threads: 1,
        seed: 5,
      });
      const losses: number[] = [];
      for (let step = 0; step < 4; step++)
        losses.push((await trainer.step.run([batch.input], batch.target)).loss);
      await trainer.dispose();
      runs.push(losses);
    }
    expect(new Set(runs[0]).size).toBe(4);
    expect(runs[1]).toEqual(runs[0]);
  });

  it('keeps what is pruned exactly zero with every optimizer', async () => {
    const optimizers: ((model: SmallNet) => Optimizer)[] = [
      sgd,
      (model) => new SGD(model.parameters(), { lr: 0.05, momentum: 0.9, nesterov: true, weightDecay: 0.01 }),
      (model) => new Adam(model.parameters(), { lr: 0.01, weightDecay: 0.01 }),
      (model) => new AdamW(model.parameters(), { lr: 0.01, weightDecay: 0.1, amsgrad: true }),
      (model) =>
        new RMSprop(model.parameters(), { lr: 0.01, momentum: 0.5, centered: true, weightDecay: 0.01 }),
    ];
    for (const make of optimizers) {
      const model = smallNet();
      l1Unstructured(model.fc, 'weight', 0.5);
      lnStructured(model.conv, 'weight', 0.25, { n: 2, dim: 0 });
      const optimizer = make(model);
      const before = weightsOf(model);
      await trained(model, { optimizer, ema: 0.9, clipGradNorm: 1 }, { epochs: 2 });
      for (const parameter of [model.fc.weight, model.conv.weight]) {
        const zeros = parameter.data.float32.filter(
          (value, index) => parameter.mask!.float32[index] === 0 && !Object.is(value, 0),
        );
        expect(zeros, optimizer.name).toHaveLength(0);
        expect(parameter.data.float32.filter((value) => value === 0).length).toBe(
          parameter.size * (parameter === model.fc.weight ? 0.5 : 0.25),
        );
      }
      expect(weightsOf(model)).not.toEqual(before);
    }
  });

  it('ends early where validation stands still, and can go back to the best epoch', async () => {
    const model = smallNet();
    const trainer = new Trainer(model, { optimizer: new SGD(model.parameters(), { lr: 0 }), threads: 1 });
    const history = await trainer.fit(loader(), {
      epochs: 50,
      validation: held,
      earlyStopping: { patience: 2 },
    });
    await trainer.dispose();
    expect(history.ended).toBe('early-stopping');
    expect(history.epochs.length).toBeLessThan(20);

    const other = smallNet();
    const second = new Trainer(other, { optimizer: sgd(other), threads: 1 });
    const result = await second.fit(loader(), {
      epochs: 6,
      validation: held,
      monitor: 'loss',
      restoreBest: true,
    });
    const best = Math.min(...result.epochs.map(({ validation }) => validation!.loss!));
    expect((await second.evaluate(held)).loss).toBeCloseTo(best, 6);
    expect(result.best!.value).toBe(best);
    await second.dispose();
  });

  it('follows schedules by epoch and by step', async () => {
    const model = smallNet();
    const optimizer = new SGD(model.parameters(), { lr: 0.1 });
    const trainer = new Trainer(model, {
      optimizer,
      scheduler: new CosineAnnealingLR(optimizer, { tMax: 4 }),
      threads: 1,
    });
    const { epochs } = await trainer.fit(loader(), { epochs: 4 });
    await trainer.dispose();
    expect(epochs.map(({ lr }) => Number(lr.toFixed(5)))).toEqual([0.1, 0.08536, 0.05, 0.01464]);

    const byStep = new SGD(smallNet().parameters(), { lr: 0.1, momentum: 0.9 });
    expect(() => new OneCycleLR(byStep, { maxLr: 0.1, totalSteps: 8 })).not.toThrow();
  });

  it('adds gradients of several batches up to those of one', async () => {
    // Without dropout and batch norm, two halves of a batch are the batch.
    const runs: number[][] = [];
    for (const [batchSize, accumulate] of [
      [12, 1],
      [6, 2],
    ] as const) {
      const model = plainNet();
      const trainer = new Trainer(model, {
        optimizer: new SGD(model.parameters(), { lr: 0.05, momentum: 0.9 }),
        accumulate,
        threads: 1,
      });
      await trainer.fit(new DataLoader(data, { batchSize }), { epochs: 1 });
      expect(trainer.step.steps).toBe(5);
      await trainer.dispose();
      runs.push(weightsOf(model));
    }
    runs[0]!.forEach((value, index) => {
      expect(runs[1]![index]).toBeCloseTo(value, 5);
    });
  });

  it('learns from a teacher', async () => {
    const teacher = smallNet(9);
    await trained(teacher, {}, { epochs: 6 });
    const before = weightsOf(teacher);
    const student = smallNet(2);
    const trainer = new Trainer(student, {
      optimizer: sgd(student),
      loss: distillationLoss({ alpha: 1 }),
      teacher,
      threads: 1,
    });
    const { epochs } = await trainer.fit(loader(), { epochs: 6 });
    await trainer.dispose();
    expect(epochs[5]!.train.loss).toBeLessThan(epochs[0]!.train.loss! / 2);
    expect(weightsOf(teacher)).toEqual(before);
    expect(teacher.training).toBe(true);
  });

  it('stops at a loss that is not finite, with the step and the first value that is not', async () => {
    const model = smallNet();
    const images = Tensor.full([16, 1, 6, 6], 1);
    const target = Tensor.int64(new Array<number>(16).fill(0));
    const trainer = new Trainer(model, {
      optimizer: sgd(model),
      loss: (output, labels) => F.crossEntropy(output, labels).add(output.sub(output).log().sum()),
      threads: 1,
    });
    const before = weightsOf(model);
    const failed = await trainer.step.run([images], target).catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(NonFiniteError);
    expect((failed as NonFiniteError).code).toBe('non-finite');
    expect((failed as NonFiniteError).step).toBe(1);
    expect((failed as Error).message).toMatch(
      /^training: the loss is -?(Infinity|NaN) in step 1; the first value that is not finite is '.*' \(float32\[16, 3\]\) of Log '.*Log'\. Lower the learning rate/,
    );
    await trainer.dispose();
    expect(weightsOf(model)).toEqual(before);
    const infinite = smallNet();
    const second = new Trainer(infinite, { optimizer: sgd(infinite), threads: 1 });
    images.float32[3] = Number.POSITIVE_INFINITY;
    await expect(second.step.run([images], target)).rejects.toThrow(
      "the input 'input' is not finite already",
    );
    await second.dispose();
  });

  it('refuses options that do not fit', async () => {
    const model = smallNet();
    const optimizer = sgd(model);
    expect(() => new Trainer(model, { optimizer, accumulate: 0 })).toThrow(
      'Trainer: accumulate expects a whole number of at least 1, got 0',
    );
    expect(() => new Trainer(model, { optimizer, ema: 1 })).toThrow(
      'Trainer: ema expects a decay in [0, 1), got 1',
    );
    expect(() => new Trainer(model, { optimizer, loss: 'hinge' })).toThrow(
      "loss 'hinge' is not known; expected crossEntropy",
    );
    expect(() => new Trainer(model, { optimizer, metrics: ['f1'] })).toThrow(
      "metric 'f1' is not known; expected accuracy",
    );
    expect(() => new Trainer(model, { optimizer: sgd(smallNet()) })).toThrow(
      "SGD: has a parameter that is none of the model's",
    );
    const trainer = new Trainer(model, { optimizer, threads: 1 });
    await expect(trainer.fit(loader(), { epochs: 0 })).rejects.toThrow(
      'Trainer.fit: epochs expects a whole number of at least 1, got 0',
    );
    await expect(trainer.fit(loader(), { epochs: 1, monitor: 'recall' })).rejects.toThrow(
      "nothing is called 'recall' to monitor",
    );
    await expect(trainer.fit(loader(), { epochs: 1, earlyStopping: { patience: 1 } })).rejects.toThrow(
      'early stopping needs validation data',
    );
    const empty = new DataLoader(data, { batchSize: 100, dropLast: true });
    await expect(trainer.fit(empty, { epochs: 1 })).rejects.toThrow('Trainer.fit: the data has no batch');
    await trainer.dispose();
    const sum = new Trainer(model, { optimizer, loss: (output) => output, threads: 1 });
    await expect(sum.fit(loader(), { epochs: 1 })).rejects.toThrow(
      'training: the loss must be one number, got shape [16, 3]',
    );
    await sum.dispose();
    const apart = new Trainer(model, {
      optimizer,
      loss: (_, target) => target.to('float32').mean(),
      threads: 1,
    });
    await expect(apart.fit(loader(), { epochs: 1 })).rejects.toThrow(
      'the loss depends on none of the parameters',
    );
    await apart.dispose();
    await expect(trained(smallNet(), { loss: distillationLoss() }, { epochs: 1 })).rejects.toThrow(
      'distillationLoss: there is no teacher',
    );
  });
});

/** Stops a run after some batches, as Ctrl-C does. */
const stopAfter = (batches: number): Pick<FitOptions, 'signal' | 'onProgress'> => {
  const controller = new AbortController();
  let seen = 0;
  return {
    signal: controller.signal,
    onProgress: ({ phase }) => {
      if (phase === 'train' && ++seen === batches) controller.abort(new Error('stopped'));
    },
  };
};

describe('a run that was stopped and resumed', () => {
  const setups: Readonly<
    Record<string, (model: SmallNet) => Omit<TrainerOptions, 'optimizer'> & { optimizer: Optimizer }>
  > = {
    'SGD with a schedule by step': (model) => {
      const optimizer = new SGD(model.parameters(), { lr: 0.05, momentum: 0.9 });
      return {
        optimizer,
        scheduler: new OneCycleLR(optimizer, { maxLr: 0.1, totalSteps: 13 }),
        schedulerInterval: 'step',
      };
    },
    'Adam with averages, masks and accumulation': (model) => {
      l1Unstructured(model.fc, 'weight', 0.5);
      const optimizer = new Adam(model.parameters(), { lr: 0.01 });
      return { optimizer, ema: 0.9, accumulate: 3, scheduler: new CosineAnnealingLR(optimizer, { tMax: 3 }) };
    },
  };
  for (const [what, setup] of Object.entries(setups)) {
    it(`ends with the same bits as one left alone: ${what}`, async () => {
      const fit: FitOptions = { epochs: 3, validation: held, restoreBest: false };
      const alone = smallNet();
      const whole = new Trainer(alone, { threads: 1, seed: 4, ...setup(alone) });
      const expected = await whole.fit(loader(), fit);
      await whole.dispose();
      for (const batches of [1, 3, 4, 6, 11]) {
        const checkpoint = new MemoryCheckpoint();
        const first = smallNet();
        const before = new Trainer(first, { threads: 1, seed: 4, ...setup(first) });
        await expect(before.fit(loader(), { ...fit, checkpoint, ...stopAfter(batches) })).rejects.toThrow(
          'stopped',
        );
        await before.dispose();
        // Another process starts from other weights.
        const second = smallNet(77);
        const after = new Trainer(second, { threads: 1, seed: 4, ...setup(second) });
        const history = await after.fit(loader(), { ...fit, checkpoint });
        await after.dispose();
        expect(weightsOf(second), `after ${batches} batches`).toEqual(weightsOf(alone));
        const timeless = ({ epochs, ...rest }: typeof expected) => ({
          ...rest,
          epochs: epochs.map(({ seconds: _, ...epoch }) => epoch),
        });
        expect(timeless(history)).toEqual(timeless(expected));
      }
    });
  }

  it('ends with the averages also where all epochs were done before', async () => {
    const checkpoint = new MemoryCheckpoint();
    const first = smallNet();
    await trained(first, { ema: 0.9 }, { epochs: 2, checkpoint });
    const second = smallNet(8);
    await trained(second, { ema: 0.9 }, { epochs: 2, checkpoint });
    expect(weightsOf(second)).toEqual(weightsOf(first));
    const plain = smallNet();
    await trained(plain, {}, { epochs: 2 });
    expect(weightsOf(plain)).not.toEqual(weightsOf(first));
  });

  it('refuses the checkpoint of another model or optimizer', async () => {
    const checkpoint = new MemoryCheckpoint();
    await trained(smallNet(), {}, { epochs: 1, checkpoint });
    const model = smallNet();
    await expect(
      trained(model, { optimizer: new Adam(model.parameters()) }, { epochs: 1, checkpoint }),
    ).rejects.toThrow('the checkpoint was written with SGD, this run has Adam');
    const other = smallNet();
    other.registerBuffer('extra', Tensor.zeros('float32', [1]));
    await expect(trained(other, {}, { epochs: 2, checkpoint })).rejects.toThrow(
      "checkpoint: has no 'buffer/extra'; it is of another model",
    );
  });
});
