import { ArgumentError } from '../core/errors.ts';

/** Where a value stands: who reads it, and its path, such as `sections[0].items[2]`; `''` for the whole. */
export interface Place {
  readonly who: string;
  readonly path: string;
}

/** Gives a value as what it should be; throws ArgumentError naming the place where it is something else. */
export type Read<T> = (value: unknown, place: Place) => T;

/** A reader of a field that may be missing. */
export interface OptionalField<T> {
  readonly optional: Read<T>;
}

/** A reader for every field of T; those that T lets be missing are marked. */
export type Fields<T> = {
  readonly [K in keyof T]-?: Record<never, never> extends Pick<T, K>
    ? OptionalField<Exclude<T[K], undefined>>
    : Read<T[K]>;
};

/** The place of a field or element of what stands at `place`. */
const within = ({ who, path }: Place, key: string | number): Place => {
  if (typeof key === 'number') return { who, path: `${path}[${key}]` };
  return { who, path: path === '' ? key : `${path}.${key}` };
};

function describe(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 39)}…` : value);
  if (Array.isArray(value)) return `an array of ${value.length}`;
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}

/** Throws ArgumentError: what should stand at `place`, and what does (`found`, in words, or a description of the value). */
export function refuse(place: Place, expected: string, value: unknown, found = describe(value)): never {
  throw new ArgumentError(
    `${place.who}: ${place.path === '' ? 'the report' : place.path} must be ${expected}, got ${found}`,
  );
}

/** A string. */
export const text: Read<string> = (value, place) =>
  typeof value === 'string' ? value : refuse(place, 'a string', value);

/** A finite number. */
export const number: Read<number> = (value, place) =>
  typeof value === 'number' && Number.isFinite(value) ? value : refuse(place, 'a finite number', value);

/** A whole number from `low` to `high`. */
export const whole =
  (low = 0, high = Number.MAX_SAFE_INTEGER): Read<number> =>
  (value, place) => {
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= low && value <= high)
      return value;
    const range = high === Number.MAX_SAFE_INTEGER ? `>= ${low}` : `from ${low} to ${high}`;
    return refuse(place, `a whole number ${range}`, value);
  };

/** True or false. */
export const flag: Read<boolean> = (value, place) =>
  typeof value === 'boolean' ? value : refuse(place, 'true or false', value);

/** A number or null; NaN and infinities, which JSON cannot hold, become null. */
export const numberOrNull: Read<number | null> = (value, place) => {
  if (value === null) return null;
  if (typeof value !== 'number') return refuse(place, 'a number or null', value);
  return Number.isFinite(value) ? value : null;
};

/** A string, a number or null; NaN and infinities become null. */
export const cell: Read<string | number | null> = (value, place) => {
  if (typeof value === 'string') return value;
  if (value !== null && typeof value !== 'number') return refuse(place, 'a string, a number or null', value);
  return numberOrNull(value, place);
};

/** One of some strings. */
export const oneOf =
  <const T extends string>(...choices: readonly T[]): Read<T> =>
  (value, place) =>
    choices.find((choice) => choice === value) ??
    refuse(place, `one of ${choices.map((choice) => `'${choice}'`).join(', ')}`, value);

/** An array of at least `least` elements. */
export const list =
  <T>(read: Read<T>, least = 0): Read<readonly T[]> =>
  (value, place) => {
    if (!Array.isArray(value)) return refuse(place, 'an array', value);
    if (value.length < least) return refuse(place, `an array of at least ${least}`, value);
    // Array.from: gaps are read too, as missing elements.
    return Array.from<unknown, T>(value, (element, index) => read(element, within(place, index)));
  };

/** An array with a reader for each element. */
export const tuple =
  <T extends readonly unknown[]>(...reads: { readonly [I in keyof T]: Read<T[I]> }): Read<T> =>
  (value, place) => {
    if (!Array.isArray(value) || value.length !== reads.length) {
      return refuse(place, `an array of ${reads.length}`, value);
    }
    return reads.map((read, index) => read(value[index], within(place, index))) as unknown as T;
  };

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** An object of strings under any names, which are put in order. */
export const texts: Read<Readonly<Record<string, string>>> = (value, place) => {
  if (!isObject(value)) return refuse(place, 'an object of strings', value);
  const entries = Object.entries(value).map(
    ([key, entry]) => [key, text(entry, within(place, key))] as const,
  );
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
};

/** A field that may be missing. Undefined counts as missing. */
export const optional = <T>(read: Read<T>): OptionalField<T> => ({ optional: read });

/** An object of certain fields and no others; gives a new one with the fields in the order of `fields`. */
export const object =
  <T>(fields: Fields<T>): Read<T> =>
  (value, place) => {
    if (!isObject(value)) return refuse(place, 'an object', value);
    const readers = Object.entries<Read<unknown> | OptionalField<unknown>>(fields);
    for (const key of Object.keys(value)) {
      if (Object.hasOwn(fields, key)) continue;
      const names = readers.map(([name]) => name).join(', ');
      refuse(within(place, key), `left out (fields here: ${names})`, value[key]);
    }
    const result: Record<string, unknown> = {};
    for (const [key, reader] of readers) {
      const field = Object.hasOwn(value, key) ? value[key] : undefined;
      if (typeof reader === 'function') result[key] = reader(field, within(place, key));
      else if (field !== undefined) result[key] = reader.optional(field, within(place, key));
    }
    return result as T;
  };
