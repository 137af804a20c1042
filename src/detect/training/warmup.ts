import { roundHalfEven } from '../../core/numeric.ts';
import type { DetectorHyperparameters } from './hyperparameters.ts';

/** Batches that are warmed up for at least. */
const LEAST_WARMUP = 100;

/** Batches of so many images that make up one update after warm-up: as near to `nbs` images as whole batches come. */
export const accumulatedBatches = (batchSize: number, nbs: number): number =>
  Math.max(roundHalfEven(nbs / batchSize), 1);

/** Batches that a run is warmed up for, of so many an epoch. */
export const warmupBatches = (warmupEpochs: number, batches: number): number =>
  Math.max(roundHalfEven(warmupEpochs * batches), LEAST_WARMUP);

/** What a straight line from `from` to `to` is at a share of the way. */
export const between = (from: number, to: number, share: number): number => from + (to - from) * share;

/**
 * Batches for one update at each batch of a run, for the trainer's `accumulate`: one at first, growing through warm-up to `accumulatedBatches`. Source: train.py of YOLOv5 v7.0, which besides drops the
 * gradients that wait when an epoch ends; here they wait for the next.
 */
export function detectorAccumulate(
  { warmupEpochs, nbs }: Pick<DetectorHyperparameters, 'warmupEpochs' | 'nbs'>,
  { batchSize, batches }: { readonly batchSize: number; readonly batches: number },
): (batch: number) => number {
  const warmup = warmupBatches(warmupEpochs, batches);
  return (batch) =>
    batch > warmup
      ? accumulatedBatches(batchSize, nbs)
      : Math.max(1, roundHalfEven(between(1, nbs / batchSize, batch / warmup)));
}
