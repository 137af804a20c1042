import type * as Ort from 'onnxruntime-common';
import { EngineError } from '../core/errors.ts';

/** What the rest of the house uses of an engine package. */
export type Engine = Pick<typeof Ort, 'InferenceSession' | 'Tensor'>;

/** Where the engine runs, for reports. */
export const ENGINE_NAME = 'onnxruntime-node';

/** True where outputs can be written into memory handed over; the web engine copies them out whatever it is given. */
export const WRITES_INTO_OUTPUTS: boolean = true;

/** Threads the machine can run at once. */
export const hardwareThreads = async (): Promise<number> => (await import('node:os')).availableParallelism();

/** Loads onnxruntime-node when it is first needed. Throws EngineError where it is not installed. */
export async function loadEngine(): Promise<Engine> {
  try {
    return await import('onnxruntime-node');
  } catch (cause) {
    throw new EngineError(
      'running a model in Node needs the package onnxruntime-node, which could not be loaded; install it: npm install onnxruntime-node',
      { cause },
    );
  }
}
