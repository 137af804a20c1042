import { ArgumentError } from '../../core/errors.ts';
import type { Schedulable, ScheduleJson, ScheduleState } from './types.ts';

/** Reads the fields of a saved state. Each method throws ArgumentError where the field is missing or of another kind. */
export class StateReader {
  readonly #name: string;
  readonly #state: ScheduleState;

  constructor(name: string, state: ScheduleState) {
    this.#name = name;
    this.#state = state;
  }

  #field<T extends ScheduleJson>(key: string, expected: string, fits: (value: unknown) => value is T): T {
    const value: unknown = Object.hasOwn(this.#state, key) ? this.#state[key] : undefined;
    if (fits(value)) return value;
    throw new ArgumentError(
      `${this.#name}: the state's '${key}' should be ${expected}, got ${JSON.stringify(value)}; load what stateDict of the same schedule gave`,
    );
  }

  number(key: string): number {
    return this.#field(key, 'a number', (value): value is number => typeof value === 'number');
  }

  string(key: string): string {
    return this.#field(key, 'a text', (value): value is string => typeof value === 'string');
  }

  /** A list of that many numbers, copied. */
  numbers(key: string, length: number): number[] {
    const fits = (value: unknown): value is number[] =>
      Array.isArray(value) && value.length === length && value.every((item) => typeof item === 'number');
    return [...this.#field(key, `a list of ${length} numbers, one a group`, fits)];
  }

  /** A list of that many states. */
  states(key: string, length: number): readonly ScheduleState[] {
    const fits = (value: unknown): value is ScheduleState[] =>
      Array.isArray(value) && value.length === length && value.every(isState);
    return this.#field(key, `a list of ${length} states, one a schedule`, fits);
  }

  /** A record with the keys of another, and values of the same kinds. */
  like<T extends object>(key: string, example: T): T {
    const record = this.#field(key, 'a record', isState);
    const options = new StateReader(`${this.#name} ${key}`, record);
    for (const [option, own] of Object.entries(example)) {
      const kind = Array.isArray(own) ? 'list' : typeof own;
      options.#field(option, `a ${kind}`, (value): value is ScheduleJson =>
        kind === 'list' ? Array.isArray(value) : typeof value === kind && !Array.isArray(value),
      );
    }
    return { ...example, ...(record as Partial<T>) };
  }

  /** Throws ArgumentError unless the state is one of that schedule. */
  expectKind(): void {
    const kind = this.string('scheduler');
    if (kind !== this.#name) throw new ArgumentError(`${this.#name}: the state is one of ${kind}`);
  }
}

const isState = (value: unknown): value is ScheduleState =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Learning rates of the groups now. */
export const lrsOf = (optimizer: Schedulable): number[] => optimizer.paramGroups.map(({ lr }) => lr);

/** Sets the learning rates of the groups. */
export function setLrs(optimizer: Schedulable, lrs: readonly number[]): void {
  optimizer.paramGroups.forEach((group, index) => {
    group.lr = lrs[index]!;
  });
}

/** One number for each group, out of one for all or a list. Throws ArgumentError where the list has another length. */
export function perGroup<T>(name: string, optimizer: Schedulable, value: T | readonly T[]): T[] {
  const count = optimizer.paramGroups.length;
  const isList = (given: T | readonly T[]): given is readonly T[] => Array.isArray(given);
  if (!isList(value)) return new Array<T>(count).fill(value);
  if (value.length === count) return [...value];
  throw new ArgumentError(`${name} expects ${count} values, one for each group, got ${value.length}`);
}
