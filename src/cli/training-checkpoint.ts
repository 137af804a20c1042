import { existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { FileError } from '../core/errors.ts';
import { firstDifference } from '../core/first-difference.ts';
import { concatBytes } from '../io/index.ts';
import { fileCheckpoint } from '../node/index.ts';
import { type CheckpointStore, type Json, parseCheckpoint, serializeCheckpoint } from '../train/index.ts';
import { resumeLine } from './command-line.ts';
import type { CheckpointOptions } from './training-options.ts';
import { UsageError } from './usage-error.ts';

/** Refuses a checkpoint before any work. Throws UsageError for `--resume` without one, FileError where one would be written over or cannot be written. */
export function checkCheckpoint({
  checkpoint,
  resume = false,
  force = false,
  checkpointEvery,
}: CheckpointOptions): void {
  if (checkpoint === undefined) {
    if (resume) throw new UsageError('--resume: say from which file to go on: --checkpoint FILE --resume');
    if (checkpointEvery !== undefined) {
      throw new UsageError('--checkpoint-every has no part here: give --checkpoint FILE');
    }
    return;
  }
  const folder = dirname(checkpoint);
  if (!existsSync(folder) || !statSync(folder).isDirectory()) {
    throw new FileError(checkpoint, `cannot be written: there is no folder '${folder}'`);
  }
  if (existsSync(checkpoint) && statSync(checkpoint).isDirectory()) {
    throw new FileError(checkpoint, 'cannot be written: it is a folder, not a file');
  }
  if (existsSync(checkpoint) && !resume && !force) {
    throw new FileError(
      checkpoint,
      'exists already; --resume goes on from it, --force starts anew and writes over it',
    );
  }
}

/**
 * The store that `--checkpoint` names; null where there is none. Settings are kept with each checkpoint; reading one that was written with others throws UsageError, which names
 * the first that differs: a run that goes on otherwise than it began could not be made again.
 */
export function openCheckpoint(
  { checkpoint, resume = false }: CheckpointOptions,
  settings: Readonly<Record<string, unknown>>,
): CheckpointStore | null {
  if (checkpoint === undefined) return null;
  if (resume && !existsSync(checkpoint)) {
    process.stderr.write(`secateur: ${checkpoint} is not there yet; beginning at the beginning\n`);
  }
  const store = fileCheckpoint(checkpoint);
  const own = JSON.parse(JSON.stringify(settings)) as Record<string, Json>;
  return {
    async read() {
      // `--force` without `--resume` begins anew.
      const bytes = resume ? await store.read() : null;
      if (bytes === null) return null;
      compare(checkpoint, parseCheckpoint(bytes).meta.settings, own);
      return bytes;
    },
    write(chunks) {
      const { tensors, meta } = parseCheckpoint(concatBytes(chunks));
      return store.write(serializeCheckpoint({ tensors, meta: { ...meta, settings: own } }));
    },
  };
}

function compare(path: string, found: Json | undefined, own: Readonly<Record<string, Json>>): void {
  if (typeof found !== 'object' || found === null || Array.isArray(found)) {
    throw new FileError(path, 'is a checkpoint of another program, not of this command; give another file');
  }
  const other = firstDifference(found as Readonly<Record<string, Json>>, own);
  if (other === null) return;
  throw new UsageError(
    `--resume: '${path}' was written with ${other.name} ${other.before}, this run has ${other.now}; give the same options, or --force without --resume to begin anew`,
  );
}

/** What an interrupted run says. */
export const interruptAdvice = ({ checkpoint }: CheckpointOptions, line: string): string =>
  checkpoint === undefined
    ? 'nothing was kept; with --checkpoint FILE it could go on from here'
    : existsSync(checkpoint)
      ? `${checkpoint} holds what was done so far; to go on:\n  ${resumeLine(line)}`
      : 'there was nothing to keep yet';
