import type { Trainer } from '../trainer.ts';
import { type GradualOptions, ScheduledPruning } from './scheduled.ts';
import type { GradualTarget } from './targets.ts';

/**
 * Gradual magnitude pruning (Zhu & Gupta 2017, "To prune, or not to prune"): while the schedule rises, the smallest weights are masked every `every` updates; once it stands still the masks stay.
 *
 * Masks are computed from all weights, and so one that was masked comes back where the others have become smaller. While it is masked it gets no gradient: it keeps its value, but for what its
 * momentum still moves it and weight decay takes off. The schedule rules from the start: what an earlier mask prunes comes back where the schedule of step 0 says less.
 *
 * ```ts
 * const gradual = new GradualMagnitude({ model, schedule: schedule.cubic({ final: 0.9, end: 2000 }) });
 * const trainer = new Trainer(model, { optimizer, callbacks: [gradual] });
 * ```
 *
 * Weights keep their masks after training: `remove` makes them permanent. `restoreBest` goes back to the masks of the best epoch, which may be less sparse.
 */
export class GradualMagnitude extends ScheduledPruning {
  /** Throws ArgumentError where nothing is selected or `every` is no whole number of at least 1. */
  constructor(options: GradualOptions) {
    super(options, {
      caller: 'GradualMagnitude',
      name: 'gradual-magnitude',
      absolute: true,
      restless: false,
    });
  }

  protected override scores(_trainer: Trainer, { parameter }: GradualTarget): Float32Array {
    return parameter.orig.float32;
  }
}
