import type { RefusedTensor, StoredTensor, TensorStorage } from './stored-tensor.ts';

/**
 * What a pickle holds: None as null, whole numbers beyond 2^53 as bigint, lists and tuples as arrays (tuples frozen), dicts as maps. Nothing
 * of it can run.
 */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly PickleValue[]
  | Map<PickleValue, PickleValue>
  | Set<PickleValue>
  | PickledGlobal
  | PickledObject
  | StoredTensor
  | RefusedTensor
  | TensorStorage;

/** Python 2 gave these modules other names. */
const RENAMED = new Map([
  ['__builtin__', 'builtins'],
  ['copy_reg', 'copyreg'],
]);

/** A class or function that a pickle names. It is a name here, nothing else. */
export class PickledGlobal {
  readonly module: string;
  readonly name: string;

  constructor(module: string, name: string) {
    this.module = RENAMED.get(module) ?? module;
    this.name = name;
  }

  /** `torch.nn.modules.conv.Conv2d` */
  get path(): string {
    return `${this.module}.${this.name}`;
  }
}

/** An object of a class that is not known here: its class, what it was to be made from, and its state, all inert. */
export class PickledObject {
  readonly type: PickledGlobal;
  /** Arguments its class or function was to be called with. */
  readonly args: readonly PickleValue[];
  /** What `__setstate__` was to get; undefined where nothing was. Mostly the dict of its attributes. */
  state: PickleValue | undefined = undefined;
  /** Elements, where the class is a kind of list or set. */
  readonly items: PickleValue[] = [];
  /** Entries, where the class is a kind of dict. */
  readonly entries: Map<PickleValue, PickleValue> = new Map();

  constructor(type: PickledGlobal, args: readonly PickleValue[]) {
    this.type = type;
    this.args = args;
  }

  /** An attribute by its name; undefined where it has none. */
  attribute(name: string): PickleValue | undefined {
    for (const part of this.#states()) if (part.has(name)) return part.get(name);
    return undefined;
  }

  /** All attributes, by name. */
  attributes(): Map<string, PickleValue> {
    const all = new Map<string, PickleValue>();
    for (const part of this.#states()) {
      for (const [name, value] of part) if (typeof name === 'string' && !all.has(name)) all.set(name, value);
    }
    return all;
  }

  /** Dicts of attributes: the state, or for classes with slots a pair of two. */
  #states(): Map<PickleValue, PickleValue>[] {
    const { state } = this;
    const parts: readonly PickleValue[] = isSequence(state) ? state : state === undefined ? [] : [state];
    return parts.filter((part) => part instanceof Map);
  }
}

/** Is it a list or a tuple? */
export const isSequence = (value: PickleValue | undefined): value is readonly PickleValue[] =>
  Array.isArray(value);

/** Is it a whole number that JavaScript holds exactly? */
export const isWhole = (value: PickleValue | undefined): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value);

/** A value as messages name it. */
export function describeValue(value: PickleValue | undefined): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'None';
  if (typeof value === 'string') return `the text '${shortened(value)}'`;
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'number') return `the number ${value}`;
  if (typeof value === 'bigint') return 'a number beyond 2^53';
  if (value instanceof Uint8Array) return `${value.byteLength} bytes`;
  if (value instanceof Map) return 'a dict';
  if (value instanceof Set) return 'a set';
  if (value instanceof PickledGlobal) return `the name ${shortened(value.path)}`;
  if (value instanceof PickledObject) return `an object of ${shortened(value.type.path)}`;
  if (isSequence(value)) return Object.isFrozen(value) ? 'a tuple' : 'a list';
  return value.kind === 'storage' ? 'a storage' : 'a tensor';
}

/** Text for a message: without what terminals obey, and not long. */
export const shortened = (text: string): string =>
  text.slice(0, 60).replace(/\p{Cc}/gu, '?') + (text.length > 60 ? '…' : '');
