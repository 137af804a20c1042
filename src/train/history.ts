/** What an epoch came to. */
export interface EpochRecord {
  /** Counted from 1. */
  readonly epoch: number;
  /** Updates made until its end. */
  readonly step: number;
  /** Learning rate of the first group at its beginning. */
  readonly lr: number;
  /** Means over the training batches, as the model was when it saw each: `{ loss, accuracy }`. */
  readonly train: Readonly<Record<string, number>>;
  /** Means over the validation data after the epoch; null without validation. */
  readonly validation: Readonly<Record<string, number>> | null;
  /** Wall time. It is no part of what a resumed run repeats. */
  readonly seconds: number;
}

/** What a run came to. */
export interface History {
  readonly epochs: readonly EpochRecord[];
  /** Loss over time: `[step, mean loss since the last point]`. */
  readonly losses: readonly (readonly [step: number, loss: number])[];
  /** The best epoch by the monitored number, counted from 1; null without validation. */
  readonly best: { readonly epoch: number; readonly value: number } | null;
  /** Why the run ended. */
  readonly ended: 'epochs' | 'early-stopping';
}

/** Where a run is, for progress bars. */
export interface Progress {
  readonly phase: 'train' | 'validate';
  /** Counted from 1. */
  readonly epoch: number;
  readonly epochs: number;
  /** Batches done in this epoch, and how many there are. */
  readonly batch: number;
  readonly batches: number;
  /** Updates made so far. */
  readonly step: number;
  /** Mean loss and metrics of the epoch so far. */
  readonly means: Readonly<Record<string, number>>;
  readonly lr: number;
}
