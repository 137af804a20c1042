import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { entryPoints, publicExports } from '../scripts/public-exports.mjs';

const committed: Record<string, { values: string[]; types: string[] }> = JSON.parse(
  readFileSync(new URL('../docs/public-exports.json', import.meta.url), 'utf8'),
);

describe('public exports', () => {
  it('are those of docs/public-exports.json (`npm run exports` writes it)', () => {
    expect(publicExports()).toEqual(committed);
  });

  it.each(Object.entries(entryPoints()))('of %s are there at run time', async (entry, path) => {
    const module: Record<string, unknown> = await import(new URL(`../${path}`, import.meta.url).href);
    expect(Object.keys(module).sort()).toEqual(committed[entry]?.values);
  });

  it.each(Object.entries(committed))('of %s have each name once', (_, { values, types }) => {
    const names = [...values, ...types];
    expect(new Set(names).size).toBe(names.length);
  });
});
