import { sizeOf } from '../../core/tensor.ts';
import type { MemoryBudget } from './budget.ts';
import { tensorOfArray } from './numpy-values.ts';
import {
  describeValue,
  isSequence,
  PickledGlobal,
  PickledObject,
  type PickleValue,
  shortened,
} from './pickle-values.ts';
import { StoredTensor, type TensorMaker } from './stored-tensor.ts';

/** Data without classes, as JSON has it (and numbers beyond 2^53 as bigint). */
export type PlainData =
  | null
  | boolean
  | number
  | bigint
  | string
  | readonly PlainData[]
  | { readonly [key: string]: PlainData };

/** How deep and how much data is followed; what is beyond is left out, as '…'. */
const MOST_NESTED = 24;
const MOST_ITEMS = 20_000;
/** Elements of a tensor that are given as numbers. */
const MOST_ELEMENTS = 1000;
const LEFT_OUT = '…';
/** Bytes that a value takes with its place in a list or record, roughly. */
const PLAIN_BYTES = 128;
/** Bytes that a number takes in nested lists, roughly. */
const NUMBER_BYTES = 32;
const METADATA = { field: 'metadata' };

/**
 * A value of a pickle as plain data: dicts as records (keys as text), sets and tuples as lists, small tensors as nested lists of numbers
 * and larger ones as text, inert objects as a record of their attributes with `class` and, where there are, `args` before them. What
 * many hold is made anew for each, and charged to the budget.
 */
export function plainData(value: PickleValue, maker: TensorMaker, budget: MemoryBudget): PlainData {
  let items = 0;
  const list = (values: Iterable<PickleValue>, depth: number): PlainData[] => {
    const plain: PlainData[] = [];
    for (const item of values) {
      plain.push(convert(item, depth + 1));
      if (items > MOST_ITEMS) break;
    }
    return plain;
  };
  const record = (
    entries: Iterable<readonly [PickleValue, PickleValue]>,
    depth: number,
  ): [string, PlainData][] => {
    const plain: [string, PlainData][] = [];
    for (const [key, item] of entries) {
      plain.push([keyText(key), convert(item, depth + 1)]);
      if (items > MOST_ITEMS) break;
    }
    return plain;
  };
  const convert = (value: PickleValue, depth: number): PlainData => {
    items++;
    budget.charge(PLAIN_BYTES, METADATA);
    if (items > MOST_ITEMS || depth > MOST_NESTED) return LEFT_OUT;
    if (value === null || ['boolean', 'number', 'bigint', 'string'].includes(typeof value)) {
      return value as PlainData;
    }
    if (isSequence(value)) return list(value, depth);
    if (value instanceof Set) return list(value, depth);
    // `fromEntries` makes `__proto__` a key as any other.
    if (value instanceof Map) return Object.fromEntries(record(value, depth));
    if (value instanceof PickledGlobal) return value.path;
    if (value instanceof StoredTensor) return numbersOf(value, maker, budget);
    if (!(value instanceof PickledObject)) return describeValue(value);
    const array = tensorOfArray(value, budget);
    if (array) return numbersOf(array, maker, budget);
    const { type, args, state, entries } = value;
    return Object.fromEntries([
      ['class', type.path],
      ...(args.length === 0 ? [] : [['args', list(args, depth)] as const]),
      ...(value.items.length === 0 ? [] : [['items', list(value.items, depth)] as const]),
      ...record(entries, depth),
      ...(state === undefined || state instanceof Map || isSequence(state)
        ? record(value.attributes(), depth)
        : [['state', convert(state, depth + 1)] as const]),
    ]);
  };
  return convert(value, 0);
}

/** Keys of dicts are mostly texts and numbers. Tuples are not followed further. */
const keyText = (key: PickleValue): string =>
  isSequence(key)
    ? `(${key
        .slice(0, MOST_NESTED)
        .map((part) => shortened(simpleKey(part)))
        .join(', ')})`
    : simpleKey(key);

const simpleKey = (key: PickleValue): string =>
  typeof key === 'string' || typeof key === 'number' || typeof key === 'bigint'
    ? String(key)
    : describeValue(key);

/** A small tensor as nested lists, a larger one as `float32[64, 3, 3, 3]`. */
function numbersOf(stored: StoredTensor, maker: TensorMaker, budget: MemoryBudget): PlainData {
  const { shape, type } = stored;
  // Axes of no elements are counted: lists would be made for the axes before them.
  const size = sizeOf(shape.map((dim) => Math.max(dim, 1)));
  if (size > MOST_ELEMENTS || shape.length > MOST_NESTED || type.dtype === null) return String(stored);
  if (/complex|float8/.test(type.dtype)) return String(stored);
  budget.charge(size * NUMBER_BYTES, METADATA);
  const tensor = maker.make(stored, 'metadata');
  const { data } = tensor;
  const truth = tensor.dtype === 'bool';
  let at = 0;
  const nested = (axis: number): PlainData => {
    if (axis === shape.length) {
      const element = Number(data[at++]);
      return truth ? element !== 0 : element;
    }
    return Array.from({ length: shape[axis]! }, () => nested(axis + 1));
  };
  return nested(0);
}
