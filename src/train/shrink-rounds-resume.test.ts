import { beforeAll, describe, expect, it } from 'vitest';
import { concatBytes } from '../io/index.ts';
import type { Graph } from '../ir/index.ts';
import {
  type CheckpointStore,
  MemoryCheckpoint,
  parseCheckpoint,
  serializeCheckpoint,
} from './checkpoint.ts';
import type { Floor } from './iterate-options.ts';
import { SGD } from './optimizers/index.ts';
import { CosineAnnealingLR } from './schedules/index.ts';
import { shrinkInRounds } from './shrink-rounds.ts';
import type { ShrinkRoundsOptions } from './shrink-rounds-options.ts';
import type { Position } from './shrink-rounds-position.ts';
import { options, timeless, trainedGraph, valuesOf } from './testdata/shrinking.ts';

let dense: Graph;
beforeAll(async () => {
  dense = await trainedGraph();
});

describe('shrinkInRounds, stopped', () => {
  /** Runs of two rounds that together have everything a checkpoint must hold, by name. */
  const runs: Readonly<Record<string, Partial<ShrinkRoundsOptions>>> = {
    'sparse training, a teacher, averages and a schedule': {
      sparse: { method: 'slimming', lambda: 1e-2, epochs: 2 },
      distill: true,
      finetune: {
        epochs: 1,
        optimizer: (net) => new SGD(net.parameters(), { lr: 0.02, momentum: 0.9 }),
        scheduler: (optimizer, steps) => new CosineAnnealingLR(optimizer as SGD, { tMax: steps }),
        ema: 0.5,
        threads: 1,
      },
    },
    'growing regularization, ranked by gradients': {
      sparse: { method: 'growing', lambda: 1, epochs: 2 },
      shrink: { importance: { method: 'taylor' }, repair: true, scope: 'global' },
    },
    'a floor that the second falls under': {
      target: { ratio: 0.9 },
      sparse: { method: 'group-lasso', lambda: 1e-3, epochs: 1 },
      finetune: {
        epochs: 2,
        optimizer: (net) => new SGD(net.parameters(), { lr: 1e-4 }),
        restoreBest: true,
        threads: 1,
      },
    },
  };
  const run = (more: Partial<ShrinkRoundsOptions>) =>
    shrinkInRounds(options(dense, { checkpointEvery: 2, ...more }));

  /** A floor between what two rounds come to. */
  const floorBetween = async (more: Partial<ShrinkRoundsOptions>): Promise<Floor> => {
    const { history } = await run(more);
    const [one, two] = history.rounds.map(({ after }) => after.loss!);
    expect(one).toBeLessThan(two!);
    return { metric: 'loss', atLeast: (one! + two!) / 2 };
  };

  for (const [name, given] of Object.entries(runs)) {
    it(`goes on from any checkpoint to the same bits: ${name}`, async () => {
      const more = name.startsWith('a floor') ? { ...given, floor: await floorBetween(given) } : given;
      const written: Uint8Array[] = [];
      const recorder: CheckpointStore = {
        read: async () => null,
        write: async (chunks) => {
          written.push(concatBytes(chunks));
        },
      };
      const alone = await run({ ...more, checkpoint: recorder });
      const expected = timeless(alone.history);
      expect(alone.history.rounds).toHaveLength(2);
      expect(alone.history.ended === 'floor').toBe(more !== given);
      // A checkpoint is no part of what comes out.
      const without = await run(more);
      expect(timeless(without.history)).toEqual(expected);
      expect(valuesOf(without.model)).toEqual(valuesOf(alone.model));
      const phases = new Set<string>();
      for (const [index, bytes] of written.entries()) {
        const { meta } = parseCheckpoint(bytes);
        phases.add(phaseOf(meta.shrink as unknown as Position, meta.trainer !== null));
        const checkpoint = new MemoryCheckpoint();
        await checkpoint.write([bytes]);
        const { model, history } = await run({ ...more, checkpoint });
        expect(valuesOf(model), `from checkpoint ${index}`).toEqual(valuesOf(alone.model));
        expect(timeless(history)).toEqual(expected);
      }
      const before = more.sparse?.method === 'growing' ? ['chosen', 'growing'] : ['sparse'];
      for (const phase of [...before, 'cut', 'fine-tuning', 'between rounds', 'over'])
        expect([...phases]).toContain(phase);
    });
  }

  it('goes on after a stop at any batch, again and again', async () => {
    const more = runs['growing regularization, ranked by gradients']!;
    const alone = await run(more);
    for (const batches of [1, 4]) {
      const checkpoint = new MemoryCheckpoint();
      for (let stops = 0; ; stops++) {
        const controller = new AbortController();
        let seen = 0;
        const outcome = await run({
          ...more,
          checkpoint,
          signal: controller.signal,
          onProgress: ({ phase }) => {
            if (phase === 'train' && ++seen === batches) controller.abort(new Error('stopped'));
          },
        }).catch((error: Error) => error);
        if (!(outcome instanceof Error)) {
          expect(timeless(outcome.history)).toEqual(timeless(alone.history));
          expect(valuesOf(outcome.model), `every ${batches} batches`).toEqual(valuesOf(alone.model));
          expect(stops).toBeGreaterThan(1);
          break;
        }
        expect(outcome.message).toBe('stopped');
      }
    }
  });

  it('stops between rounds too, and begins anew where it is told to', async () => {
    const checkpoint = new MemoryCheckpoint();
    const controller = new AbortController();
    const stopped = run({
      checkpoint,
      signal: controller.signal,
      onRound: () => controller.abort(new Error('enough')),
    });
    await expect(stopped).rejects.toThrow('enough');
    const alone = await run({});
    const rounds: number[] = [];
    const { model } = await run({ checkpoint, onRound: ({ round }) => rounds.push(round) });
    expect(rounds).toEqual([2]);
    expect(valuesOf(model)).toEqual(valuesOf(alone.model));
    const anew = await run({ checkpoint, resume: false });
    expect(timeless(anew.history)).toEqual(timeless(alone.history));
  });

  it('refuses checkpoints of other runs', async () => {
    const checkpoint = new MemoryCheckpoint();
    await run({ checkpoint, rounds: 1 });
    await expect(run({ checkpoint, rounds: 2 })).rejects.toThrow(
      'shrinkInRounds: the checkpoint was written with rounds 1, this run has 2; use another checkpoint or resume: false',
    );
    await expect(run({ checkpoint, rounds: 1, target: { ratio: 0.5 } })).rejects.toThrow(
      'the checkpoint was written with target {"macs":{"share":0.5}}, this run has {"ratio":0.5}',
    );
    await expect(run({ checkpoint, rounds: 1, shrink: { scope: 'global' } })).rejects.toThrow(
      'the checkpoint was written with shrink {}, this run has {"scope":"global"}',
    );
    const other = new MemoryCheckpoint();
    await other.write(serializeCheckpoint({ tensors: new Map(), meta: { iterate: {} } }));
    await expect(run({ checkpoint: other })).rejects.toThrow(
      'shrinkInRounds: the checkpoint is none of a structural run; use another file',
    );
  });
});

/** Where a run was when it wrote a checkpoint. */
function phaseOf({ ended, sparse, cut, chosen }: Position, isTraining: boolean): string {
  if (ended) return 'over';
  if (sparse === null) return 'sparse';
  if (cut) return isTraining ? 'fine-tuning' : 'cut';
  if (chosen) return isTraining ? 'growing' : 'chosen';
  return 'between rounds';
}
