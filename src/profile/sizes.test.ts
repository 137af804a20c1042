import { describe, expect, it } from 'vitest';
import { nodeCompressors } from '../node/index.ts';
import { fileSizes, webCompressors } from './sizes.ts';

/** A million bytes in two chunks: noise, then zeros. */
function chunks(): Uint8Array[] {
  let state = 1;
  const noise = Uint8Array.from({ length: 500_000 }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  });
  return [noise, new Uint8Array(500_000)];
}

describe('fileSizes', () => {
  it('gives the size as it is and compressed, with the settings', async () => {
    const sizes = await fileSizes(chunks(), { compressors: nodeCompressors });
    expect(sizes.raw).toBe(1_000_000);
    for (const size of [sizes.gzip, sizes.brotli]) {
      // Noise does not compress, zeros vanish.
      expect(size).toBeGreaterThan(499_000);
      expect(size).toBeLessThan(505_000);
    }
    expect(sizes.settings).toEqual({ gzip: 'level 6', brotli: 'quality 5' });
  });

  it('measures gzip alike on every platform, and brotli nowhere but in Node', async () => {
    const web = await fileSizes(chunks());
    const node = await fileSizes(chunks(), { compressors: nodeCompressors });
    expect(web.gzip).toBe(node.gzip);
    expect(web).toMatchObject({ brotli: null, settings: { gzip: 'default level', brotli: null } });
  });

  it('joins chunks: the size is that of one file', async () => {
    const whole = await fileSizes([new Uint8Array(8).fill(7)], { compressors: nodeCompressors });
    const parts = await fileSizes(
      Array.from({ length: 8 }, () => Uint8Array.of(7)),
      { compressors: nodeCompressors },
    );
    expect(parts).toEqual(whole);
  });

  it('refuses nothing to measure, and stops when told to', async () => {
    await expect(fileSizes([])).rejects.toThrow('fileSizes: there are no bytes to measure');
    for (const compressors of [webCompressors, nodeCompressors]) {
      await expect(fileSizes(chunks(), { compressors, signal: AbortSignal.abort() })).rejects.toThrow(
        /abort/i,
      );
    }
  });

  it('hands over to any other compressor', async () => {
    const none = { setting: 'none', size: async (parts: readonly Uint8Array[]) => parts.length };
    expect(await fileSizes(chunks(), { compressors: { gzip: none, brotli: null } })).toMatchObject({
      gzip: 2,
      brotli: null,
    });
  });
});
