import type { Session } from './session.ts';

/** Compiled graphs by key, of which those that were used last are kept; the memory of others is freed. */
export class SessionCache<T extends { readonly session: Session }> {
  readonly #most: number;
  /** The one used last is the last. */
  readonly #compiled = new Map<string, Promise<T>>();

  /** Keeps at most so many. */
  constructor(most: number) {
    this.#most = most;
  }

  /** What was compiled under the key, or compiles it. Throws as `compile`; the next call then tries again. */
  async get(key: string, compile: () => Promise<T>): Promise<T> {
    const known = this.#compiled.get(key);
    this.#compiled.delete(key);
    if (!known) await this.#free([...this.#compiled.keys()].slice(0, 1 - this.#most || undefined));
    const compiled = known ?? compile();
    this.#compiled.set(key, compiled);
    compiled.catch(() => this.#compiled.delete(key));
    return compiled;
  }

  /** Frees them all. */
  async dispose(): Promise<void> {
    await this.#free([...this.#compiled.keys()]);
  }

  async #free(keys: readonly string[]): Promise<void> {
    const freed = keys.map((key) => this.#compiled.get(key)!);
    for (const key of keys) this.#compiled.delete(key);
    for (const each of freed) await (await each.catch(() => null))?.session.dispose();
  }
}
