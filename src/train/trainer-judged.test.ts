import { describe, expect, it } from 'vitest';
import { DataLoader } from '../data/index.ts';
import { F } from '../nn/index.ts';
import { MemoryCheckpoint } from './checkpoint.ts';
import { evaluate, type Judge } from './evaluate.ts';
import { iterate } from './iterate.ts';
import type { LossFunction } from './objective.ts';
import { SGD } from './optimizers/index.ts';
import { LambdaLR } from './schedules/index.ts';
import { shrinkInRounds } from './shrink-rounds.ts';
import { blobs, plainNet, smallNet, weightsOf } from './testdata/blobs.ts';
import { options as iterateOptions, trained } from './testdata/rounds.ts';
import { options as shrinkOptions, trainedGraph } from './testdata/shrinking.ts';
import { Trainer } from './trainer.ts';

const data = blobs(48);
const held = new DataLoader(blobs(30, 6), { batchSize: 16 });
const loader = (batchSize = 16): DataLoader => new DataLoader(data, { batchSize, shuffle: true, seed: 3 });

/** Cross-entropy and a tenth of the outputs' squares, told apart. */
const twoParts: LossFunction = (output, target) => {
  const classes = F.crossEntropy(output, target);
  const size = output.mul(output).mean().mul(0.1);
  return { loss: classes.add(size), parts: { classes, size } };
};

describe('a loss with parts', () => {
  it('tells the means of its parts beside its own, in training and validation', async () => {
    const model = smallNet();
    const trainer = new Trainer(model, {
      optimizer: new SGD(model.parameters(), { lr: 0.05 }),
      loss: twoParts,
      metrics: [],
      threads: 1,
    });
    const { epochs, best } = await trainer.fit(loader(), { epochs: 2, validation: held });
    await trainer.dispose();
    for (const { train, validation } of epochs) {
      for (const numbers of [train, validation!]) {
        expect(Object.keys(numbers)).toEqual(['loss', 'classes', 'size']);
        expect(numbers.classes! + numbers.size!).toBeCloseTo(numbers.loss!, 5);
        expect(numbers.size).toBeGreaterThan(0);
      }
    }
    // Without metrics epochs are compared by the loss.
    expect(best!.value).toBe(Math.min(...epochs.map(({ validation }) => validation!.loss!)));
  });

  it('refuses a part that is no number', async () => {
    const model = smallNet();
    const trainer = new Trainer(model, {
      optimizer: new SGD(model.parameters()),
      loss: (output, target) => ({ loss: F.crossEntropy(output, target), parts: { all: output } }),
      threads: 1,
    });
    await expect(trainer.fit(loader(), { epochs: 1 })).rejects.toThrow(
      "training: 'all', a part of the loss, must be one number, got shape [16, 3]; reduce it with mean() or sum()",
    );
    await trainer.dispose();
  });
});

describe('a function that judges', () => {
  it('sees the averages, in evaluation mode, and its numbers are the validation', async () => {
    const model = smallNet();
    const seen: number[][] = [];
    const judge: Judge = async (judged) => {
      expect(judged.training).toBe(false);
      expect(judged).toBe(model);
      seen.push(weightsOf(judged));
      // The second of four is the best.
      return { score: [1, 3, 2, 0][seen.length - 1]!, other: 5 };
    };
    const trainer = new Trainer(model, {
      optimizer: new SGD(model.parameters(), { lr: 0.05 }),
      metrics: [],
      ema: 0.9,
      threads: 1,
    });
    const history = await trainer.fit(loader(), { epochs: 4, validation: judge, restoreBest: true });
    expect(history.epochs.map(({ validation }) => validation)).toEqual(
      [1, 3, 2, 0].map((score) => ({ score, other: 5 })),
    );
    expect(history.best).toEqual({ epoch: 2, value: 3 });
    expect(new Set(seen.map((weights) => weights.join())).size).toBe(4);
    // The weights that were best are those that were judged, the averages.
    expect(weightsOf(model)).toEqual(seen[1]);
    await trainer.evaluate(async (judged) => {
      expect(weightsOf(judged)).toEqual(seen[1]);
      return {};
    });
    await trainer.dispose();
    expect(weightsOf(model)).toEqual(seen[1]);
    expect(model.training).toBe(true);
  });

  it('compares epochs by the number that is asked for, and says where there is none', async () => {
    const run = async (monitor: string): Promise<unknown> => {
      const model = smallNet();
      const trainer = new Trainer(model, { optimizer: new SGD(model.parameters()), threads: 1 });
      let epoch = 0;
      try {
        const fit = { epochs: 2, validation: async () => ({ a: ++epoch, loss: epoch }), monitor };
        return (await trainer.fit(loader(), fit)).best;
      } finally {
        await trainer.dispose();
      }
    };
    expect(await run('a')).toEqual({ epoch: 2, value: 2 });
    expect(await run('loss')).toEqual({ epoch: 1, value: 1 });
    await expect(run('mAP50')).rejects.toThrow(
      "Trainer.fit: nothing is called 'mAP50' to monitor; the validation gave a, loss",
    );
  });

  it('judges rounds of pruning and of cutting', async () => {
    const model = await trained();
    const judge: Judge = async (judged) => {
      const { accuracy } = await evaluate(judged, held, { threads: 1 });
      return { fitness: accuracy! / 2 };
    };
    const given = iterateOptions(model);
    const pruned = await iterate({
      ...given,
      data: { ...given.data, validation: judge },
      target: { fileSize: 1e9 },
      floor: { metric: 'fitness', drop: 1 },
    });
    expect(Object.keys(pruned.dense)).toEqual(['fitness']);
    // A floor by a number that the function does not give.
    await expect(
      iterate({ ...given, data: { ...given.data, validation: judge }, floor: { drop: 0.1 } }),
    ).rejects.toThrow("iterate: nothing is called 'accuracy' to hold; expected one of fitness");

    const cutting = shrinkOptions(await trainedGraph());
    const { history } = await shrinkInRounds({
      ...cutting,
      data: { ...cutting.data, validation: judge },
      rounds: 1,
    });
    const [round] = history.rounds;
    expect(Object.keys(history.dense)).toEqual(['fitness']);
    expect(Object.keys(round!.before)).toEqual(['fitness']);
    expect(round!.after.fitness).toBeGreaterThan(0.3);
    expect(round!.epochs[0]!.validation).toEqual(round!.after);
  });
});

describe('batches for one update by a function', () => {
  it('are summed up, so many at a time as it says', async () => {
    // Batches 0; 1, 2; 3, 4, 5.
    const sizes = [1, 2, 2, 3, 3, 3];
    const asked: number[] = [];
    const model = plainNet();
    const lrs: number[] = [];
    const optimizer = new SGD(model.parameters(), { lr: 0.01 });
    const trainer = new Trainer(model, {
      optimizer,
      accumulate: (batch) => {
        asked.push(batch);
        return sizes[batch]!;
      },
      scheduler: new LambdaLR(optimizer, { lrLambda: (batch) => 1 / (batch + 1) }),
      schedulerInterval: 'batch',
      callbacks: [{ name: 'watch', onStep: () => void lrs.push(optimizer.paramGroups[0]!.lr) }],
      threads: 1,
    });
    await trainer.fit(new DataLoader(data, { batchSize: 8 }), { epochs: 1 });
    expect(asked).toEqual([0, 1, 2, 3, 4, 5]);
    expect(trainer.step.steps).toBe(3);
    // After batches 1, 3 and 6.
    expect(lrs).toEqual([0.01 / 2, 0.01 / 4, 0.01 / 7]);
    await trainer.dispose();

    // The same by hand: sums are means of batches that are as many times as large, with the learning rate as many times as large.
    const other = plainNet();
    const byHand = new SGD(other.parameters(), { lr: 0.01 });
    const second = new Trainer(other, { optimizer: byHand, threads: 1 });
    let from = 0;
    // The update of batch n is made with the learning rate of n batches before.
    for (const [count, lr] of [
      [1, 0.01],
      [2, 0.01 / 3],
      [3, 0.01 / 6],
    ] as const) {
      byHand.paramGroups[0]!.lr = lr * count;
      const { input, target } = data.batch(Array.from({ length: 8 * count }, (_, index) => from + index));
      await second.step.run([input], target);
      from += 8 * count;
    }
    await second.dispose();
    weightsOf(model).forEach((value, index) => {
      expect(value).toBeCloseTo(weightsOf(other)[index]!, 6);
    });
  });

  it('go on to the same bits where a run was stopped among them', async () => {
    const run = async (stopAt: number | null, checkpoint = new MemoryCheckpoint(), seed = 1) => {
      const model = smallNet(seed);
      const optimizer = new SGD(model.parameters(), { lr: 0.02, momentum: 0.9 });
      const controller = new AbortController();
      const trainer = new Trainer(model, {
        optimizer,
        loss: twoParts,
        metrics: [],
        accumulate: (batch) => 1 + (batch % 3),
        ema: (step) => 1 - 1 / (step + 1),
        scheduler: new LambdaLR(optimizer, { lrLambda: (batch) => 1 / (1 + batch) }),
        schedulerInterval: 'batch',
        threads: 1,
      });
      let seen = 0;
      const history = await trainer
        .fit(loader(8), {
          epochs: 2,
          validation: async (judged) => ({ sum: weightsOf(judged).reduce((sum, value) => sum + value, 0) }),
          restoreBest: true,
          checkpoint,
          signal: controller.signal,
          onProgress: ({ phase }) => {
            if (phase === 'train' && ++seen === stopAt) controller.abort(new Error('stopped'));
          },
        })
        .catch((error: unknown) => {
          if (!(error instanceof Error && error.message === 'stopped')) throw error;
          return null;
        });
      await trainer.dispose();
      return {
        weights: weightsOf(model),
        epochs: history?.epochs.map(({ train, validation }) => ({ train, validation })),
      };
    };
    const whole = await run(null);
    for (const stopAt of [2, 5, 8]) {
      const checkpoint = new MemoryCheckpoint();
      expect((await run(stopAt, checkpoint)).epochs).toBeUndefined();
      expect(await run(null, checkpoint, 9), `after ${stopAt} batches`).toEqual(whole);
    }
  });

  it('need a schedule by batches in rounds', async () => {
    const model = await trained();
    const given = iterateOptions(model);
    await expect(iterate({ ...given, finetune: { ...given.finetune, accumulate: () => 2 } })).rejects.toThrow(
      "finetune: how many steps there will be cannot be told from a function for accumulate; give schedulerInterval: 'batch'",
    );
    let moves = 0;
    await iterate({
      ...given,
      rounds: 1,
      finetune: {
        ...given.finetune,
        accumulate: () => 2,
        schedulerInterval: 'batch',
        scheduler: (optimizer, batches) => {
          moves = batches;
          return new LambdaLR(optimizer as SGD, { lrLambda: () => 1 });
        },
      },
    });
    expect(moves).toBe(6);
  });
});
