import { ArgumentError } from '../../core/errors.ts';
import { expectCount, expectNumber, LRScheduler, type ScheduleOptions } from './scheduler.ts';
import { StateReader } from './state.ts';
import type { Schedulable, ScheduleState } from './types.ts';

/** Options of `CosineAnnealingLR`. */
export interface CosineAnnealingLROptions extends ScheduleOptions {
  /** Steps down to the lowest learning rate. */
  readonly tMax: number;
  /** Lowest learning rate; default 0. */
  readonly etaMin?: number;
}

/**
 * Half a cosine from the first learning rate to `etaMin` in `tMax` steps, and back up after them (`torch.optim.lr_scheduler.CosineAnnealingLR`; Loshchilov and Hutter 2017,
 * without restarts).
 */
export class CosineAnnealingLR extends LRScheduler<{ readonly tMax: number; readonly etaMin: number }> {
  /** Throws ArgumentError unless `tMax` is a whole number above 0. */
  constructor(optimizer: Schedulable, { tMax, etaMin = 0, lastEpoch = -1 }: CosineAnnealingLROptions) {
    super('CosineAnnealingLR', optimizer, { tMax, etaMin }, lastEpoch);
    this.begin(lastEpoch);
  }

  protected override check({ tMax, etaMin }: { tMax: number; etaMin: number }): void {
    expectCount('CosineAnnealingLR', 'tMax', tMax, 1);
    expectNumber('CosineAnnealingLR', 'etaMin', etaMin);
  }

  protected override lrs(initial: boolean): number[] {
    const { tMax, etaMin } = this.options;
    if (initial) return this.each((lr) => lr);
    // The step after a lowest point: the factor below would divide by zero.
    if ((this.lastEpoch - 1 - tMax) % (2 * tMax) === 0) {
      return this.each(
        (lr, index) => lr + ((this.baseLrs[index]! - etaMin) * (1 - Math.cos(Math.PI / tMax))) / 2,
      );
    }
    const now = 1 + Math.cos((Math.PI * this.lastEpoch) / tMax);
    const before = 1 + Math.cos((Math.PI * (this.lastEpoch - 1)) / tMax);
    return this.each((lr) => (now / before) * (lr - etaMin) + etaMin);
  }

  protected override closedForm(): number[] {
    const { tMax, etaMin } = this.options;
    const height = 1 + Math.cos((Math.PI * this.lastEpoch) / tMax);
    return this.baseLrs.map((base) => etaMin + ((base - etaMin) * height) / 2);
  }
}

/** Options of `CosineAnnealingWarmRestarts`. */
export interface CosineAnnealingWarmRestartsOptions extends ScheduleOptions {
  /** Steps until the first restart. */
  readonly t0: number;
  /** Factor by which each round is longer than the one before; default 1. */
  readonly tMult?: number;
  /** Lowest learning rate; default 0. */
  readonly etaMin?: number;
}

interface Rounds {
  readonly t0: number;
  readonly tMult: number;
  readonly etaMin: number;
}

/** Half a cosine down to `etaMin`, again and again (`torch.optim.lr_scheduler.CosineAnnealingWarmRestarts`; Loshchilov and Hutter 2017). */
export class CosineAnnealingWarmRestarts extends LRScheduler<Rounds> {
  /** Steps since the last restart, and from that to the next. */
  #current: number;
  #length: number;

  /** Throws ArgumentError unless `t0` and `tMult` are whole numbers above 0. */
  constructor(optimizer: Schedulable, options: CosineAnnealingWarmRestartsOptions) {
    const { t0, tMult = 1, etaMin = 0, lastEpoch = -1 } = options;
    super('CosineAnnealingWarmRestarts', optimizer, { t0, tMult, etaMin }, lastEpoch);
    this.#current = lastEpoch;
    this.#length = t0;
    this.begin(lastEpoch);
  }

  protected override check({ t0, tMult, etaMin }: Rounds): void {
    expectCount('CosineAnnealingWarmRestarts', 't0', t0, 1);
    expectCount('CosineAnnealingWarmRestarts', 'tMult', tMult, 1);
    expectNumber('CosineAnnealingWarmRestarts', 'etaMin', etaMin);
  }

  protected override lrs(): number[] {
    const { etaMin } = this.options;
    const height = 1 + Math.cos((Math.PI * this.#current) / this.#length);
    return this.baseLrs.map((base) => etaMin + ((base - etaMin) * height) / 2);
  }

  override step(_metric?: number): void {
    this.#advance();
    super.step();
  }

  override begin(lastEpoch: number): void {
    if (lastEpoch < 0) this.#place(0);
    else this.#advance();
    super.begin(lastEpoch);
  }

  override restart(): void {
    this.#place(0);
    super.restart();
  }

  /**
   * Goes to an epoch, which may be a fraction: `stepTo(epoch + batch / batches)` after each batch (PyTorch's `step(epoch)`). Throws ArgumentError for a negative one.
   */
  stepTo(epoch: number): void {
    if (!(epoch >= 0 && epoch < Number.POSITIVE_INFINITY)) {
      throw new ArgumentError(`CosineAnnealingWarmRestarts: expected a non-negative epoch, but got ${epoch}`);
    }
    this.#place(epoch);
    this.moveTo(Math.floor(epoch), () => this.lrs());
  }

  #advance(): void {
    this.#current++;
    if (this.#current < this.#length) return;
    this.#current %= this.#length;
    this.#length *= this.options.tMult;
  }

  #place(epoch: number): void {
    const { t0, tMult } = this.options;
    if (epoch < t0 || tMult === 1) {
      this.#current = epoch % t0;
      this.#length = t0;
      return;
    }
    // Rounds before this one: t0 (1 + tMult + tMult² + …) steps.
    const round = Math.floor(Math.log((epoch / t0) * (tMult - 1) + 1) / Math.log(tMult));
    this.#current = epoch - (t0 * (tMult ** round - 1)) / (tMult - 1);
    this.#length = t0 * tMult ** round;
  }

  override stateDict(): ScheduleState {
    return { ...super.stateDict(), current: this.#current, length: this.#length };
  }

  override loadStateDict(state: ScheduleState): void {
    const reader = new StateReader(this.name, state);
    reader.expectKind();
    const current = reader.number('current');
    const length = reader.number('length');
    super.loadStateDict(state);
    this.#current = current;
    this.#length = length;
  }
}
