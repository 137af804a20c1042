import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Tensor } from '../core/tensor.ts';
import { parseCheckpoint, serializeCheckpoint } from '../train/index.ts';
import { fileCheckpoint } from './checkpoint-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'secateur-checkpoint-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('fileCheckpoint', () => {
  it('gives nothing before the first write, then the last one, and leaves no other file', async () => {
    const store = fileCheckpoint(join(folder, 'run.checkpoint'));
    expect(await store.read()).toBeNull();
    for (const value of [1, 2]) {
      const tensors = new Map([['w', Tensor.of(Float32Array.of(value))]]);
      await store.write(serializeCheckpoint({ tensors, meta: { value } }));
    }
    const { tensors, meta } = parseCheckpoint((await store.read())!);
    expect(meta).toEqual({ value: 2 });
    expect([...tensors.get('w')!.float32]).toEqual([2]);
    expect(readdirSync(folder)).toEqual(['run.checkpoint']);
  });

  it('says where it cannot be written, and that a file of weights is none', async () => {
    const lost = fileCheckpoint(join(folder, 'nowhere', 'run.checkpoint'));
    await expect(lost.write([Uint8Array.of(1)])).rejects.toThrow('nowhere');
    expect(existsSync(join(folder, 'nowhere'))).toBe(false);
    const path = join(folder, 'weights');
    writeFileSync(path, Buffer.from([8, 0, 0, 0, 0, 0, 0, 0, ...Buffer.from('{}      ')]));
    const bytes = await fileCheckpoint(path).read();
    expect(() => parseCheckpoint(bytes!)).toThrow(
      "checkpoint: its metadata has the format 'none', expected 'secateur-checkpoint/1'; is it a file of weights?",
    );
  });
});
