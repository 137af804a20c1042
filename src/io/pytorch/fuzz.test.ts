import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { mutatedCheckpoints } from '../../../scripts/fuzz-pytorch.mjs';
import { SecateurError } from '../../core/errors.ts';
import { zipMembers } from '../zip.ts';
import { storeZip } from '../zip-writer.ts';
import { type PyTorchCheckpoint, parsePyTorch } from './parse-pytorch.ts';

const folder = new URL('testdata/', import.meta.url);
const files = readdirSync(folder)
  .filter((name) => name.endsWith('.pt'))
  .sort()
  .map((name) => ({ name, bytes: new Uint8Array(readFileSync(new URL(name, folder))) }));

/** Mutated checkpoints in the suite; `node scripts/fuzz-pytorch.mjs` reads ten thousand, and measures time and memory. */
const COUNT = 600;

describe('mutated checkpoints', () => {
  it('are read or refused with an error that says where', () => {
    const whole = new Map<{ readonly name: string }, PyTorchCheckpoint | null>(
      files.map((file) => [
        file,
        /state|module|checkpoint|parallel/.test(file.name) ? parsePyTorch(file.bytes) : null,
      ]),
    );
    const seen = { read: 0, refused: 0 };
    for (const { source, bytes, inside } of mutatedCheckpoints(files, 7, { storeZip, zipMembers })) {
      if (seen.read + seen.refused === COUNT) break;
      try {
        const { tensors } = parsePyTorch(bytes);
        seen.read++;
        // Archives have checksums: what is read of a changed one is what it held before.
        if (bytes[0] !== 0x50 || inside || source.name.includes('without-checksums')) continue;
        for (const [name, tensor] of tensors) {
          const was = whole.get(source)?.tensors.get(name);
          if (was) expect([name, tensor.bytes]).toEqual([name, was.bytes]);
        }
      } catch (error) {
        if (!(error instanceof SecateurError)) throw error;
        seen.refused++;
      }
    }
    // Neither is nothing: files are damaged, and not all of them beyond use.
    expect(seen.read).toBeGreaterThan(COUNT / 50);
    expect(seen.refused).toBeGreaterThan(COUNT / 2);
  });
});
