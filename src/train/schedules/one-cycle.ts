import { ArgumentError } from '../../core/errors.ts';
import { expectCount, expectNumber, LRScheduler, type ScheduleOptions } from './scheduler.ts';
import { perGroup } from './state.ts';
import type { Schedulable, ScheduledGroup, ScheduleState } from './types.ts';

/** Options of `OneCycleLR`. */
export interface OneCycleLROptions extends ScheduleOptions {
  /** Highest learning rate: one for all groups, or one each. */
  readonly maxLr: number | readonly number[];
  /** Steps of the cycle; else `epochs` times `stepsPerEpoch`. */
  readonly totalSteps?: number;
  readonly epochs?: number;
  readonly stepsPerEpoch?: number;
  /** Share of the steps in which the learning rate rises, in [0, 1]; default 0.3. */
  readonly pctStart?: number;
  /** Default `cos`. */
  readonly annealStrategy?: 'cos' | 'linear';
  /** Moves momentum, or beta1, the other way; default true. */
  readonly cycleMomentum?: boolean;
  /** Lowest momentum, at the highest learning rate; default 0.85. */
  readonly baseMomentum?: number | readonly number[];
  /** Highest momentum; default 0.95. */
  readonly maxMomentum?: number | readonly number[];
  /** First learning rate: `maxLr / divFactor`; default 25. */
  readonly divFactor?: number;
  /** Last learning rate: the first divided by this; default 1e4. */
  readonly finalDivFactor?: number;
  /** Comes down as it went up, then to the last learning rate; default false, down at once. */
  readonly threePhase?: boolean;
}

interface Cycle {
  readonly totalSteps: number;
  readonly pctStart: number;
  readonly annealStrategy: 'cos' | 'linear';
  readonly cycleMomentum: boolean;
  readonly threePhase: boolean;
  readonly initialLrs: readonly number[];
  readonly maxLrs: readonly number[];
  readonly minLrs: readonly number[];
  readonly baseMomentums: readonly number[];
  readonly maxMomentums: readonly number[];
}

/** A number for each group, at the start and at the end of a phase. */
interface Phase {
  readonly end: number;
  readonly lr: readonly [readonly number[], readonly number[]];
  readonly momentum: readonly [readonly number[], readonly number[]];
}

const anneal = (strategy: 'cos' | 'linear', start: number, end: number, share: number): number =>
  strategy === 'cos'
    ? end + ((start - end) / 2) * (Math.cos(Math.PI * share) + 1)
    : (end - start) * share + start;

/** The 1cycle policy (`torch.optim.lr_scheduler.OneCycleLR`; Smith and Topin 2018): up to `maxLr`, down to almost nothing. Meant to step after every batch. */
export class OneCycleLR extends LRScheduler<Cycle> {
  /** Throws ArgumentError for options that cannot be, and where momentum is to be cycled and a group has none. Sets each group's `initialLr` and momentum. */
  constructor(optimizer: Schedulable, options: OneCycleLROptions) {
    const {
      maxLr,
      pctStart = 0.3,
      annealStrategy = 'cos',
      cycleMomentum = true,
      baseMomentum = 0.85,
      maxMomentum = 0.95,
      divFactor = 25,
      finalDivFactor = 1e4,
      threePhase = false,
      lastEpoch = -1,
    } = options;
    const totalSteps = totalOf(options);
    const maxLrs = perGroup('OneCycleLR: maxLr', optimizer, maxLr);
    const initialLrs = maxLrs.map((lr) => lr / divFactor);
    const cycle: Cycle = {
      totalSteps,
      pctStart,
      annealStrategy,
      cycleMomentum,
      threePhase,
      initialLrs,
      maxLrs,
      minLrs: initialLrs.map((lr) => lr / finalDivFactor),
      baseMomentums: perGroup('OneCycleLR: baseMomentum', optimizer, baseMomentum),
      maxMomentums: perGroup('OneCycleLR: maxMomentum', optimizer, maxMomentum),
    };
    const { paramGroups } = optimizer;
    if (cycleMomentum && !paramGroups.every(hasMomentum)) {
      throw new ArgumentError(
        'OneCycleLR: the optimizer must support momentum or beta1 with `cycleMomentum` enabled; give { cycleMomentum: false }',
      );
    }
    super('OneCycleLR', optimizer, cycle, lastEpoch);
    if (lastEpoch === -1) {
      paramGroups.forEach((group, index) => {
        group.initialLr = initialLrs[index]!;
      });
      this.baseLrs = initialLrs;
    }
    this.begin(lastEpoch);
  }

  protected override check(cycle: Cycle): void {
    expectCount('OneCycleLR', 'totalSteps', cycle.totalSteps, 1);
    if (!(cycle.pctStart >= 0 && cycle.pctStart <= 1)) {
      throw new ArgumentError(
        `OneCycleLR: expected pctStart to be a number between 0 and 1, but got ${cycle.pctStart}`,
      );
    }
    if (cycle.annealStrategy !== 'cos' && cycle.annealStrategy !== 'linear') {
      throw new ArgumentError(
        `OneCycleLR: annealStrategy must be one of 'cos' or 'linear', instead got '${String(cycle.annealStrategy)}'`,
      );
    }
    const { maxLrs, initialLrs, minLrs, baseMomentums, maxMomentums } = cycle;
    for (const list of [maxLrs, initialLrs, minLrs, baseMomentums, maxMomentums]) {
      perGroup('OneCycleLR: each option', this.optimizer, list);
    }
    for (const lr of maxLrs) expectNumber('OneCycleLR', 'maxLr', lr);
    for (const lr of initialLrs) expectNumber('OneCycleLR', 'maxLr / divFactor', lr);
    for (const lr of minLrs) expectNumber('OneCycleLR', 'maxLr / divFactor / finalDivFactor', lr);
    for (const momentum of baseMomentums) expectNumber('OneCycleLR', 'baseMomentum', momentum);
    for (const momentum of maxMomentums) expectNumber('OneCycleLR', 'maxMomentum', momentum);
  }

  protected override lrs(): number[] {
    const { totalSteps, annealStrategy, cycleMomentum } = this.options;
    const step = this.lastEpoch;
    if (step > totalSteps) {
      throw new ArgumentError(
        `OneCycleLR: tried to step ${step} times; the specified number of total steps is ${totalSteps}`,
      );
    }
    const phases = this.#phases();
    let start = 0;
    let phase = phases[0]!;
    for (const [index, next] of phases.entries()) {
      phase = next;
      if (step <= next.end || index === phases.length - 1) break;
      start = next.end;
    }
    // A phase without steps has no middle; PyTorch divides by zero.
    const share = phase.end === start ? 1 : (step - start) / (phase.end - start);
    const at = ([from, to]: Phase['lr'], index: number): number =>
      anneal(annealStrategy, from[index]!, to[index]!, share);
    if (cycleMomentum) {
      this.optimizer.paramGroups.forEach((group, index) => {
        setMomentum(group, at(phase.momentum, index));
      });
    }
    return this.optimizer.paramGroups.map((_, index) => at(phase.lr, index));
  }

  #phases(): readonly Phase[] {
    const { totalSteps, pctStart, threePhase, ...cycle } = this.options;
    const { initialLrs, maxLrs, minLrs, baseMomentums, maxMomentums } = cycle;
    const up: Phase = {
      end: pctStart * totalSteps - 1,
      lr: [initialLrs, maxLrs],
      momentum: [maxMomentums, baseMomentums],
    };
    const end = totalSteps - 1;
    if (!threePhase) return [up, { end, lr: [maxLrs, minLrs], momentum: [baseMomentums, maxMomentums] }];
    return [
      up,
      {
        end: 2 * pctStart * totalSteps - 2,
        lr: [maxLrs, initialLrs],
        momentum: [baseMomentums, maxMomentums],
      },
      { end, lr: [initialLrs, minLrs], momentum: [maxMomentums, maxMomentums] },
    ];
  }

  override loadStateDict(state: ScheduleState): void {
    super.loadStateDict(state);
    const { paramGroups } = this.optimizer;
    const now = paramGroups.map(({ lr }) => lr);
    // Momentum follows from the step; the learning rates may be a chain's.
    this.lrs();
    paramGroups.forEach((group, index) => {
      group.lr = now[index]!;
      group.initialLr = this.baseLrs[index]!;
    });
  }
}

function totalOf({ totalSteps, epochs, stepsPerEpoch }: OneCycleLROptions): number {
  if (totalSteps !== undefined) return totalSteps;
  if (epochs === undefined || stepsPerEpoch === undefined) {
    throw new ArgumentError('OneCycleLR: you must define either totalSteps or both epochs and stepsPerEpoch');
  }
  expectCount('OneCycleLR', 'epochs', epochs, 1);
  expectCount('OneCycleLR', 'stepsPerEpoch', stepsPerEpoch, 1);
  return epochs * stepsPerEpoch;
}

const hasMomentum = (group: ScheduledGroup): boolean =>
  group.betas !== undefined || group.momentum !== undefined;

function setMomentum(group: ScheduledGroup, momentum: number): void {
  if (group.betas) group.betas = [momentum, group.betas[1]];
  else group.momentum = momentum;
}
