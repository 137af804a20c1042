import type * as Ort from 'onnxruntime-common';
import { EngineError } from '../core/errors.ts';

/** What the rest of the house uses of an engine package. */
export type Engine = Pick<typeof Ort, 'InferenceSession' | 'Tensor'>;

/** Where the engine runs, for reports. */
export const ENGINE_NAME = 'onnxruntime-web';

/** True where outputs can be written into memory handed over; this engine copies them out whatever it is given. */
export const WRITES_INTO_OUTPUTS: boolean = false;

/** Threads the browser says the machine can run at once. */
export const hardwareThreads = async (): Promise<number> => globalThis.navigator?.hardwareConcurrency ?? 1;

/** Loads onnxruntime-web when it is first needed. Throws EngineError where it is not installed. */
export async function loadEngine(): Promise<Engine> {
  try {
    return await import('onnxruntime-web');
  } catch (cause) {
    throw new EngineError(
      'running a model in a browser needs the package onnxruntime-web, which could not be loaded; install it: npm install onnxruntime-web',
      { cause },
    );
  }
}
