import { ArgumentError } from '../core/errors.ts';
import { serializeOnnx } from '../io/index.ts';
import { type AnyModule, toGraph } from '../nn/index.ts';
import { type Compressors, fileSizes, webCompressors } from '../profile/index.ts';
import { schedule } from '../prune/index.ts';
import type { Prunable } from './prunable.ts';

/** When a run of rounds is done. */
export type IterateTarget =
  /** Share of pruned entries among the weights that are pruned, in [0, 1). */
  | { readonly sparsity: number }
  /** Parameters that are not zero, at most. */
  | { readonly parameters: number }
  /** Bytes of the ONNX file with gzip, at most. */
  | FileSizeTarget;

/** A size that the file is to have, measured after each round. */
export interface FileSizeTarget {
  /** Bytes, at most. */
  readonly fileSize: number;
  /** Gives the bytes in place of the ONNX file with gzip: of a file with brotli, or of a format of your own. */
  readonly measure?: (model: AnyModule) => number | Promise<number>;
  /** What makes the gzip; `webCompressors` by default, in Node `nodeCompressors` of `secateur/node` is faster. */
  readonly compressors?: Compressors;
}

/**
 * How sparsity grows from round to round: a name, or the sparsity of each round, counted from 1. Names are those of `schedule` of `secateur/prune`. Where the target is a file size, which only measuring
 * tells, each round prunes the same share of what remains, whatever the name.
 */
export type RoundSchedule = 'one-shot' | 'linear' | 'cubic' | 'exponential' | ((round: number) => number);

/** The sparsity a target means for the weights that are pruned; null where only measuring tells. Throws ArgumentError where it cannot be reached. */
export function sparsityOf(
  target: IterateTarget,
  model: AnyModule,
  weights: readonly Prunable[],
): number | null {
  const own = weights.reduce((sum, { parameter }) => sum + parameter.size, 0);
  if ('sparsity' in target) {
    const { sparsity } = target;
    if (sparsity >= 0 && sparsity < 1) return sparsity;
    throw new ArgumentError(`iterate: target.sparsity expects a share in [0, 1), got ${sparsity}`);
  }
  if ('fileSize' in target) {
    if (target.fileSize > 0) return null;
    throw new ArgumentError(`iterate: target.fileSize expects bytes above 0, got ${target.fileSize}`);
  }
  if (!(target.parameters > 0)) {
    throw new ArgumentError(
      `iterate: target expects { sparsity }, { parameters } or { fileSize } above 0, got { ${Object.entries(target).join(' ').replace(',', ': ')} }`,
    );
  }
  const others = [...model.parameters()].reduce((sum, { size }) => sum + size, 0) - own;
  const left = target.parameters - others;
  if (left > 0) return Math.max(0, 1 - left / own);
  throw new ArgumentError(
    `iterate: target.parameters is ${target.parameters}, but ${others} parameters are not pruned at all; ask for more, or include more layers`,
  );
}

/** Sparsity of a round of so many, from `initial` on. Throws ArgumentError where a function gives no share in [0, 1), and for a name that is not known. */
export function roundSparsity(
  given: RoundSchedule,
  final: number,
  rounds: number,
  round: number,
  initial = 0,
): number {
  if (typeof given === 'function') {
    const sparsity = given(round);
    if (sparsity >= 0 && sparsity < 1) return sparsity;
    throw new ArgumentError(`iterate: schedule(${round}) expects a share in [0, 1), got ${sparsity}`);
  }
  const options = { initial: Math.min(initial, final), final, steps: rounds };
  switch (given) {
    case 'one-shot':
      return final;
    case 'linear':
      return schedule.linear(options)(round);
    case 'cubic':
      return schedule.cubic(options)(round);
    case 'exponential':
      return schedule.exponential(options)(round);
    default:
      throw new ArgumentError(
        `iterate: schedule '${String(given)}' is not known; expected one-shot, linear, cubic, exponential or a function`,
      );
  }
}

/** Bytes that a target of file size is about; `inputShape` is that of the model's input with its batch. Throws ArgumentError where what was measured is no number. */
export async function measuredSize(
  { measure, compressors = webCompressors }: FileSizeTarget,
  model: AnyModule,
  inputShape: readonly number[],
  signal?: AbortSignal,
): Promise<number> {
  if (measure) {
    const size = await measure(model);
    if (size >= 0) return size;
    throw new ArgumentError(`iterate: target.measure gave ${size}, expected bytes`);
  }
  const chunks = serializeOnnx(toGraph(model, [inputShape]));
  const { gzip } = await fileSizes(chunks, { compressors, ...(signal ? { signal } : {}) });
  if (gzip !== null) return gzip;
  throw new ArgumentError('iterate: target.compressors has no gzip; give measure for another format');
}
