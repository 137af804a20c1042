import type { Parameter } from '../../nn/index.ts';
import type { Trainer } from '../trainer.ts';
import { type GradualOptions, ScheduledPruning } from './scheduled.ts';
import type { GradualTarget } from './targets.ts';

/**
 * Movement pruning (Sanh et al. 2020, the hard kind): weights are ranked by their movement `S = -Σ w ∂L/∂w`, summed up over all batches, and those that shrink are masked first. For fine-tuning: a
 * large weight that the new task does not want goes, a small one that grows stays.
 *
 * The derivative is that after the weight as if nothing were masked, so that scores of masked weights change and a weight may come back; also when the schedule has ended. Meanwhile its
 * value stays, but for momentum and weight decay. There are no scores before the first update, and so no masks but ones.
 *
 * ```ts
 * new MovementPruning({ model, schedule: schedule.cubic({ final: 0.85, start: 200, end: 2000 }), every: 10 });
 * ```
 */
export class MovementPruning extends ScheduledPruning {
  /** Parameters whose movement the training step sums up. */
  readonly movement: readonly Parameter[];

  /** Throws ArgumentError where nothing is selected or `every` is no whole number of at least 1. */
  constructor(options: GradualOptions) {
    super(options, { caller: 'MovementPruning', name: 'movement', absolute: false, restless: true });
    this.movement = this.targets.map(({ parameter }) => parameter);
  }

  protected override scores(trainer: Trainer, { parameter }: GradualTarget): Float32Array | null {
    return trainer.step.movement(parameter)?.float32 ?? null;
  }
}
