import { constants } from 'node:os';
import { SecateurError } from '../core/errors.ts';

/** A run was stopped by a signal. The message says what was kept and how to go on. */
export class InterruptedError extends SecateurError {
  readonly signal: NodeJS.Signals;

  constructor(signal: NodeJS.Signals, message: string) {
    super('interrupted', message);
    this.signal = signal;
  }

  /** What shells expect of a program that a signal ended. */
  get exitCode(): number {
    return 128 + constants.signals[this.signal];
  }
}

/**
 * Runs `work` with a signal that Ctrl-C (or SIGTERM) aborts, so that it can write a checkpoint; a second one ends the program at once, as
 * without this. Throws InterruptedError with `advice` where the run was stopped so.
 */
export async function interruptible<T>(
  work: (signal: AbortSignal) => Promise<T>,
  advice: () => string,
): Promise<T> {
  const controller = new AbortController();
  let by: NodeJS.Signals | null = null;
  const stop = (signal: NodeJS.Signals): void => {
    by ??= signal;
    for (const name of SIGNALS) process.off(name, stop);
    controller.abort();
  };
  for (const name of SIGNALS) process.on(name, stop);
  try {
    return await work(controller.signal);
  } catch (error) {
    if (by !== null && controller.signal.aborted && error === controller.signal.reason) {
      throw new InterruptedError(by, `interrupted; ${advice()}`);
    }
    throw error;
  } finally {
    for (const name of SIGNALS) process.off(name, stop);
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;
