import { ArgumentError } from '../core/errors.ts';
import type { Metric } from './metrics.ts';
import type { FitOptions } from './trainer.ts';

/** How epochs are compared. */
export interface MonitorSettings {
  /** Null: the first number of the validation. */
  readonly monitor: string | null;
  readonly mode: 'min' | 'max';
  readonly minDelta: number;
}

/** What the options say of it. Throws ArgumentError for options that cannot be. */
export function monitorSettings(
  options: FitOptions,
  metrics: Readonly<Record<string, Metric>>,
): MonitorSettings {
  const { epochs, earlyStopping, validation } = options;
  if (!Number.isInteger(epochs) || epochs < 1) {
    throw new ArgumentError(`Trainer.fit: epochs expects a whole number of at least 1, got ${epochs}`);
  }
  if (earlyStopping && !validation) {
    throw new ArgumentError('Trainer.fit: early stopping needs validation data; give { validation: loader }');
  }
  // What a function gives is known once it was called.
  const isOpen = typeof validation === 'function';
  const monitor = options.monitor ?? (isOpen ? null : (Object.keys(metrics)[0] ?? 'loss'));
  if (!isOpen && monitor !== null && monitor !== 'loss' && !(monitor in metrics)) {
    throw new ArgumentError(
      `Trainer.fit: nothing is called '${monitor}' to monitor; expected loss or one of ${Object.keys(metrics).join(', ')}`,
    );
  }
  return {
    monitor,
    mode: options.mode ?? (monitor === 'loss' ? 'min' : 'max'),
    minDelta: earlyStopping?.minDelta ?? 0,
  };
}

/** The number that epochs are compared by. Throws ArgumentError where the validation has none of that name. */
export function monitoredOf(
  monitor: string | null,
  validation: Readonly<Record<string, number>> | null,
  training: Readonly<Record<string, number>>,
): number {
  const numbers = validation ?? training;
  const name = monitor ?? Object.keys(numbers)[0] ?? 'loss';
  const value = numbers[name];
  if (value !== undefined) return value;
  throw new ArgumentError(
    `Trainer.fit: nothing is called '${name}' to monitor; the validation gave ${Object.keys(numbers).join(', ') || 'nothing'}`,
  );
}
