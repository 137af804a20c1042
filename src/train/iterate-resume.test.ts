import { describe, expect, it } from 'vitest';
import { Generator } from '../core/random.ts';
import { concatBytes } from '../io/index.ts';
import { randomUnstructured } from '../prune/index.ts';
import { type CheckpointStore, MemoryCheckpoint, modelTensors } from './checkpoint.ts';
import { GradualMagnitude } from './gradual/index.ts';
import { type IterateOptions, iterate } from './iterate.ts';
import { SGD } from './optimizers/index.ts';
import { type SmallNet, smallNet, weightsOf } from './testdata/blobs.ts';
import { options, timeless, train, trained, valuesOf } from './testdata/rounds.ts';
import { Trainer } from './trainer.ts';

describe('iterate, stopped', () => {
  /** Runs of two rounds that have everything a checkpoint must hold, by name. */
  const runs: Readonly<Record<string, (model: SmallNet) => Partial<IterateOptions>>> = {
    plain: () => ({}),
    'under a floor': () => ({
      schedule: (round) => [0.3, 0.97][round - 1]!,
      target: { sparsity: 0.97 },
      floor: { drop: 0.1 },
    }),
    'with averages, rewinding and a method that is drawn': (model) => ({
      method: (net, sparsity, round) => {
        randomUnstructured((net as SmallNet).fc, 'weight', sparsity / 3, { generator: new Generator(round) });
      },
      finetune: {
        ...options(model).finetune,
        ema: 0.9,
        rewind: modelTensors(smallNet(3)),
      },
    }),
    'with a callback that remembers': (model) => ({
      exclude: 'conv',
      finetune: {
        ...options(model).finetune,
        callbacks: [
          new GradualMagnitude({
            model,
            include: 'conv',
            every: 2,
            schedule: (step) => Math.min(0.5, step / 8),
          }),
        ],
      },
    }),
  };
  const run = (
    model: SmallNet,
    make: (model: SmallNet) => Partial<IterateOptions>,
    more: Partial<IterateOptions>,
  ) => iterate(options(model, { rounds: 2, checkpointEvery: 2, ...make(model), ...more }));

  for (const [name, make] of Object.entries(runs)) {
    it(`goes on from any checkpoint to the same bits, ${name}`, async () => {
      const written: Uint8Array[] = [];
      const recorder: CheckpointStore = {
        read: async () => null,
        write: async (chunks) => {
          written.push(concatBytes(chunks));
        },
      };
      const alone = await trained();
      const expected = await run(alone, make, { checkpoint: recorder });
      expect(expected.rounds).toHaveLength(2);
      // A checkpoint is no part of what comes out.
      const without = await trained();
      expect(timeless(await run(without, make, {}))).toEqual(timeless(expected));
      expect(valuesOf(modelTensors(without))).toEqual(valuesOf(modelTensors(alone)));
      // Per round: pruned, within and after each of two epochs, the end; and the end of all.
      expect(written.length).toBeGreaterThanOrEqual(2 * 5 + 1);
      for (const [index, bytes] of written.entries()) {
        const store = new MemoryCheckpoint();
        await store.write([bytes]);
        // Whatever the model holds: all comes from the checkpoint.
        const model = smallNet(50);
        const history = await run(model, make, { checkpoint: store });
        expect(valuesOf(modelTensors(model)), `from checkpoint ${index}`).toEqual(
          valuesOf(modelTensors(alone)),
        );
        expect(timeless(history)).toEqual(timeless(expected));
      }
    });
  }

  it('goes on after a stop at any batch, again and again', async () => {
    const alone = await trained();
    const expected = await run(alone, () => ({}), {});
    for (const batches of [1, 2, 3, 5]) {
      const checkpoint = new MemoryCheckpoint();
      let model = await trained();
      for (let stops = 0; ; stops++) {
        const controller = new AbortController();
        let seen = 0;
        const outcome = await run(model, () => ({}), {
          checkpoint,
          signal: controller.signal,
          onProgress: ({ phase }) => {
            if (phase === 'train' && ++seen === batches) controller.abort(new Error('stopped'));
          },
        }).catch((error: Error) => error);
        if (!(outcome instanceof Error)) {
          expect(timeless(outcome)).toEqual(timeless(expected));
          expect(stops).toBeGreaterThan(1);
          break;
        }
        expect(outcome.message).toBe('stopped');
        model = smallNet(50);
      }
      expect(weightsOf(model), `every ${batches} batches`).toEqual(weightsOf(alone));
    }
  });

  it('stops between rounds too, and begins anew where it is told to', async () => {
    const checkpoint = new MemoryCheckpoint();
    const controller = new AbortController();
    const stopped = run(await trained(), () => ({}), {
      checkpoint,
      signal: controller.signal,
      onRound: () => controller.abort(new Error('enough')),
    });
    await expect(stopped).rejects.toThrow('enough');
    const alone = await trained();
    const expected = await run(alone, () => ({}), {});
    const rounds: number[] = [];
    const model = smallNet(50);
    await run(model, () => ({}), { checkpoint, onRound: ({ round }) => rounds.push(round) });
    expect(rounds).toEqual([2]);
    expect(weightsOf(model)).toEqual(weightsOf(alone));
    const anew = await run(await trained(), () => ({}), { checkpoint, resume: false });
    expect(timeless(anew)).toEqual(timeless(expected));
  });

  it('refuses checkpoints of other runs', async () => {
    const checkpoint = new MemoryCheckpoint();
    await run(await trained(), () => ({}), { checkpoint });
    await expect(run(await trained(), () => ({}), { checkpoint, target: { sparsity: 0.8 } })).rejects.toThrow(
      'the checkpoint was written with target {"sparsity":0.75}, this run has {"sparsity":0.8}; use another checkpoint or resume: false',
    );
    const trainers = new MemoryCheckpoint();
    const model = smallNet();
    const trainer = new Trainer(model, { optimizer: new SGD(model.parameters(), { lr: 0.1 }), threads: 1 });
    await trainer.fit(train, { epochs: 1, checkpoint: trainers });
    await trainer.dispose();
    await expect(run(model, () => ({}), { checkpoint: trainers })).rejects.toThrow(
      'the checkpoint is none of a pruning run; use another file',
    );
  });
});
