import { existsSync } from 'node:fs';
import type { CheckpointStore } from '../train/index.ts';
import { readBytes, writeFileAtomic } from './file.ts';

/**
 * A checkpoint in a file. Each write makes the file whole or leaves the one before: it goes to a file beside it, which then takes its name. Throws FileError where it cannot be read or written.
 */
export const fileCheckpoint = (path: string): CheckpointStore => ({
  read: async () => (existsSync(path) ? readBytes(path) : null),
  write: async (chunks) => writeFileAtomic(path, chunks, { force: true }),
});
