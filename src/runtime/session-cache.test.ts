import { describe, expect, it } from 'vitest';
import type { Session } from './session.ts';
import { SessionCache } from './session-cache.ts';

/** Notes what is compiled and freed. */
function setup(most: number) {
  const [made, freed]: [string[], string[]] = [[], []];
  const cache = new SessionCache<{ session: Session }>(most);
  const compile = (key: string) => async () => {
    made.push(key);
    return { session: { dispose: async () => void freed.push(key) } as unknown as Session };
  };
  const use = (keys: string) =>
    [...keys].reduce<Promise<unknown>>(
      (before, key) => before.then(() => cache.get(key, compile(key))),
      Promise.resolve(),
    );
  return { cache, made, freed, use };
}

describe('SessionCache', () => {
  it('keeps those used last, and frees the others', async () => {
    const { cache, made, freed, use } = setup(2);
    await use('abab');
    expect([made.join(''), freed.join('')]).toEqual(['ab', '']);
    await use('ac');
    expect([made.join(''), freed.join('')]).toEqual(['abc', 'b']);
    await use('ab');
    expect([made.join(''), freed.join('')]).toEqual(['abcb', 'bc']);
    await cache.dispose();
    expect(freed.join('')).toBe('bcab');
    await use('a');
    expect(made.join('')).toBe('abcba');
  });

  it('can keep a single one', async () => {
    const { made, freed, use } = setup(1);
    await use('aab');
    expect([made.join(''), freed.join('')]).toEqual(['ab', 'a']);
  });

  it('tries again what failed', async () => {
    const { cache, made, freed, use } = setup(2);
    await expect(cache.get('a', () => Promise.reject(new Error('no memory')))).rejects.toThrow('no memory');
    await use('ab');
    expect(made.join('')).toBe('ab');
    await cache.dispose();
    expect(freed.join('')).toBe('ab');
  });
});
