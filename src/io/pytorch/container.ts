import type { FormatError } from '../../core/errors.ts';
import { typeOfStorage } from './element-types.ts';
import type { CallContext } from './pickle-calls.ts';
import {
  describeValue,
  isSequence,
  isWhole,
  PickledGlobal,
  type PickleValue,
  shortened,
} from './pickle-values.ts';
import type { ElementType } from './stored-tensor.ts';

/** A file taken apart: the value that was saved, and how the file is laid out. */
export interface Container {
  readonly root: PickleValue;
  /** `zip` since PyTorch 1.6; `legacy` is what was before, or `_use_new_zipfile_serialization=False`. */
  readonly format: 'zip' | 'legacy';
}

/** A persistent id that names a storage. */
export interface StorageId {
  readonly key: string;
  readonly type: ElementType;
  /** Number of elements. */
  readonly count: number;
  /** The whole id. */
  readonly parts: readonly PickleValue[];
}

/** Characters of a storage's key: PyTorch's are numbers. */
const MOST_KEY = 256;

/** Keys are texts; Python 2 wrote whole numbers too. */
export const storageKey = (value: PickleValue | undefined): string | undefined =>
  typeof value === 'string' ? value : isWhole(value) ? String(value) : undefined;

/**
 * Takes a persistent id `('storage', class, key, device, count, …)` apart. Throws FormatError where it is none.
 */
export function storageId(id: PickleValue, context: CallContext): StorageId {
  const wrong = (what: string): FormatError =>
    context.fail(`a persistent id ${what}; expected one of a storage`);
  if (typeof id === 'string') {
    throw context.fail(
      `a persistent id is ${describeValue(id)}, as pickle protocol 0 writes it, which PyTorch does not read either; save it with protocol 2`,
    );
  }
  if (!isSequence(id)) throw wrong(`is ${describeValue(id)}`);
  const [kind, global, rawKey, , count] = id;
  if (kind !== 'storage') throw wrong(`begins with ${describeValue(kind)}`);
  const type = global instanceof PickledGlobal ? typeOfStorage(global) : undefined;
  if (!type) throw wrong(`names ${describeValue(global)}`);
  const key = storageKey(rawKey);
  if (key === undefined || key.length > MOST_KEY) throw wrong(`has ${describeValue(rawKey)} as its key`);
  if (!isWhole(count) || count < 0 || !Number.isSafeInteger(count * type.bytes)) {
    throw context.fail(
      `the storage '${shortened(key)}' has ${describeValue(count)} as its number of elements`,
    );
  }
  return { key, type, count, parts: id };
}
