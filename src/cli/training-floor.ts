import type { Floor } from '../train/index.ts';
import type { IterateCommandOptions } from './training-options.ts';
import { UsageError } from './usage-error.ts';

type FloorOptions = Pick<IterateCommandOptions, 'floor' | 'maxDrop'>;

/** Throws UsageError where two options say how far accuracy may fall. */
export function checkFloor({ floor, maxDrop }: FloorOptions): void {
  if (floor !== undefined && maxDrop !== undefined) {
    throw new UsageError('--floor and --max-drop both say how far accuracy may fall; give one of them');
  }
}

/** Below what a run turns back; null where nothing was said. */
export const floorOf = ({ floor, maxDrop }: FloorOptions): Floor | null =>
  floor !== undefined ? { atLeast: floor } : maxDrop !== undefined ? { drop: maxDrop } : null;

/** The accuracy that must be held, for the report's chart. */
export function floorLine(
  dense: Readonly<Record<string, number>>,
  { floor, maxDrop }: FloorOptions,
): { floor?: number } {
  if (floor !== undefined) return { floor };
  const { accuracy } = dense;
  return maxDrop === undefined || accuracy === undefined ? {} : { floor: accuracy - maxDrop };
}
