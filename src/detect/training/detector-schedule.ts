import { ArgumentError } from '../../core/errors.ts';
import { LRScheduler, type Schedulable, type ScheduleState } from '../../train/index.ts';
import { BIAS_GROUP } from './detector-optimizer.ts';
import type { DetectorHyperparameters } from './hyperparameters.ts';
import { between, warmupBatches } from './warmup.ts';

/** Decay of the moving average of the weights at an update, counted from 1: `0.9999 (1 - exp(-update / 2000))`. Source: `ModelEMA` of YOLOv5 v7.0. */
export const detectorEma = (update: number): number => 0.9999 * (1 - Math.exp(-update / 2000));

/** Options of `DetectorSchedule`. */
export interface DetectorScheduleOptions {
  readonly epochs: number;
  /** Batches of an epoch. */
  readonly batches: number;
  /** Fall along half a cosine; else, by default, along a straight line. */
  readonly cosine?: boolean;
}

/** As good as none. */
const LEAST_MOMENTUM = 1e-6;

type Settings = Required<DetectorScheduleOptions> &
  Pick<DetectorHyperparameters, 'lrf' | 'momentum' | 'warmupEpochs' | 'warmupMomentum' | 'warmupBiasLr'>;

/**
 * YOLOv5's schedule, moved on by each batch, for the groups of `detectorOptimizer`: from the first learning rate to `lrf` of it, epoch by epoch. In warm-up (`warmupEpochs`, 100 batches at least) learning rates rise from 0, that of
 * biases falls from `warmupBiasLr`, and momentum goes from `warmupMomentum` to `momentum`. Source: train.py of YOLOv5 v7.0.
 */
export class DetectorSchedule extends LRScheduler<Settings> {
  /** Throws ArgumentError where epochs or batches are no whole numbers above 0, or the optimizer has other groups. */
  constructor(
    optimizer: Schedulable,
    hyperparameters: DetectorHyperparameters,
    { epochs, batches, cosine = false }: DetectorScheduleOptions,
  ) {
    const { lrf, momentum, warmupEpochs, warmupMomentum, warmupBiasLr } = hyperparameters;
    const settings = { epochs, batches, cosine, lrf, momentum, warmupEpochs, warmupMomentum, warmupBiasLr };
    super('DetectorSchedule', optimizer, settings);
    this.begin(-1);
  }

  protected override check({ epochs, batches }: Settings): void {
    for (const [name, value] of Object.entries({ epochs, batches })) {
      if (Number.isSafeInteger(value) && value > 0) continue;
      throw new ArgumentError(`DetectorSchedule: ${name} expects a whole number above 0, got ${value}`);
    }
    if (this.optimizer.paramGroups.length !== BIAS_GROUP + 1) {
      throw new ArgumentError(
        `DetectorSchedule: expects the ${BIAS_GROUP + 1} groups of detectorOptimizer, got ${this.optimizer.paramGroups.length}`,
      );
    }
  }

  /** Share of the first learning rate that is left in an epoch, counted from 0. */
  #left(epoch: number): number {
    const { epochs, lrf, cosine } = this.options;
    if (cosine) return between(1, lrf, (1 - Math.cos((epoch * Math.PI) / epochs)) / 2);
    return (1 - epoch / epochs) * (1 - lrf) + lrf;
  }

  protected override lrs(): number[] {
    const { batches, momentum, warmupEpochs, warmupMomentum, warmupBiasLr } = this.options;
    const batch = this.lastEpoch;
    const warmup = warmupBatches(warmupEpochs, batches);
    const share = Math.min(1, batch / warmup);
    const epoch = Math.floor(batch / batches);
    // train.py sets its scheduler back by one, so that after the epoch in which warm-up ends it is an epoch late.
    const left = this.#left(epoch <= Math.floor(warmup / batches) ? epoch : epoch - 1);
    for (const group of this.optimizer.paramGroups) {
      // Without momentum there is no buffer of it, which an update may not lack or gain on the way.
      if (group.momentum !== undefined && momentum > 0)
        group.momentum = Math.max(between(warmupMomentum, momentum, share), LEAST_MOMENTUM);
    }
    return this.each((_, index) =>
      between(index === BIAS_GROUP ? warmupBiasLr : 0, this.baseLrs[index]! * left, share),
    );
  }

  override loadStateDict(state: ScheduleState): void {
    super.loadStateDict(state);
    // Momentum follows from the batch.
    this.lrs();
  }
}
