import { gzipSync } from 'fflate';
import { ArgumentError } from '../core/errors.ts';
import { type AnyModule, exportOnnx } from '../nn/index.ts';
import { schedule } from '../prune/index.ts';
import type { Prunable } from './prunable.ts';

/** When a run of rounds is done. */
export type IterateTarget =
  /** Share of pruned entries among the weights that are pruned, in [0, 1). */
  | { readonly sparsity: number }
  /** Parameters that are not zero, at most. */
  | { readonly parameters: number }
  /** Bytes of the ONNX file with gzip, at most. */
  | { readonly fileSize: number };

/** How sparsity grows from round to round: a name, or the sparsity of each round, counted from 1. */
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
  const others = [...model.parameters()].reduce((sum, { size }) => sum + size, 0) - own;
  const left = target.parameters - others;
  if (left > 0) return Math.max(0, 1 - left / own);
  throw new ArgumentError(
    `iterate: target.parameters is ${target.parameters}, but ${others} parameters are not pruned at all; ask for more, or include more layers`,
  );
}

/** Sparsity of a round of so many. */
export function roundSparsity(
  name: 'one-shot' | 'linear' | 'cubic' | 'exponential',
  final: number,
  rounds: number,
  round: number,
): number {
  const options = { final, steps: rounds };
  switch (name) {
    case 'one-shot':
      return final;
    case 'linear':
      return schedule.linear(options)(round);
    case 'cubic':
      return schedule.cubic(options)(round);
    default:
      return schedule.exponential(options)(round);
  }
}

/** Bytes of a model's ONNX file with gzip. */
export const gzippedSize = (model: AnyModule, inputShape: readonly number[]): number =>
  gzipSync(exportOnnx(model, [inputShape])).length;
