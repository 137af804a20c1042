import { ArgumentError, FormatError } from '../../core/errors.ts';
import type { MemoryBudget } from './budget.ts';
import { tensorOfArray } from './numpy-values.ts';
import { describeValue, isSequence, PickledObject, type PickleValue, shortened } from './pickle-values.ts';
import { RefusedTensor, StoredTensor } from './stored-tensor.ts';

/** Modules in modules that are followed. */
const MOST_NESTED = 200;
/** Bytes that a name takes, roughly. */
const NAME_BYTES = 96;

/** Tensors by name, as a file describes them. */
export type StoredTensors = Map<string, StoredTensor | RefusedTensor>;

const tensorLike = (
  value: PickleValue | undefined,
  budget: MemoryBudget,
): StoredTensor | RefusedTensor | undefined => {
  if (value instanceof StoredTensor || value instanceof RefusedTensor) return value;
  return value instanceof PickledObject ? tensorOfArray(value, budget) : undefined;
};

/** Dicts of a module by name; undefined where it has none. */
const dictOf = (value: PickledObject, name: string): Map<PickleValue, PickleValue> | undefined => {
  const dict = value.attribute(name);
  return dict instanceof Map ? dict : undefined;
};

/** Is it a pickled `nn.Module`, of whatever class? */
export const isModule = (value: PickleValue | undefined): value is PickledObject =>
  value instanceof PickledObject &&
  dictOf(value, '_modules') !== undefined &&
  dictOf(value, '_parameters') !== undefined;

/** Is it a dict that holds tensors by name? */
function isStateDict(
  value: PickleValue | undefined,
  budget: MemoryBudget,
): value is Map<PickleValue, PickleValue> | PickledObject {
  const entries = entriesOf(value);
  if (!entries || isModule(value)) return false;
  for (const [name, entry] of entries) {
    if (typeof name === 'string' && tensorLike(entry, budget)) return true;
  }
  return false;
}

/** Entries of a dict, also of a class of its own kind. */
export function entriesOf(value: PickleValue | undefined): Map<PickleValue, PickleValue> | undefined {
  if (value instanceof Map) return value;
  return value instanceof PickledObject && value.entries.size > 0 ? value.entries : undefined;
}

/** Tensors of a state dict, and the names of entries that are none. */
export function stateDictTensors(
  value: Map<PickleValue, PickleValue> | PickledObject,
  budget: MemoryBudget,
): { tensors: StoredTensors; others: string[] } {
  const tensors: StoredTensors = new Map();
  const others: string[] = [];
  for (const [name, entry] of entriesOf(value) ?? []) {
    const text = typeof name === 'string' ? name : describeValue(name);
    budget.charge(NAME_BYTES, { field: shortened(text) });
    const tensor = typeof name === 'string' ? tensorLike(entry, budget) : undefined;
    if (tensor) tensors.set(text, tensor);
    else others.push(text);
  }
  return { tensors, others };
}

interface Visit {
  readonly module: PickledObject;
  readonly prefix: string;
  readonly depth: number;
}

/**
 * What `state_dict()` of a pickled module gives: parameters, buffers but for those that are not persistent, then the same of its
 * submodules, depth first. Throws FormatError where modules are nested without end.
 */
export function moduleTensors(
  root: PickledObject,
  budget: MemoryBudget,
): { tensors: StoredTensors; others: string[] } {
  const tensors: StoredTensors = new Map();
  const others: string[] = [];
  const waiting: Visit[] = [{ module: root, prefix: '', depth: 0 }];
  for (let visit = waiting.pop(); visit !== undefined; visit = waiting.pop()) {
    const { module, prefix, depth } = visit;
    if (depth > MOST_NESTED) {
      throw new FormatError('PyTorch', `modules are nested more than ${MOST_NESTED} deep`, {
        field: shortened(prefix),
      });
    }
    const transient = module.attribute('_non_persistent_buffers_set');
    const isTransient = (name: PickleValue): boolean => transient instanceof Set && transient.has(name);
    for (const kind of ['_parameters', '_buffers'] as const) {
      for (const [name, value] of dictOf(module, kind) ?? []) {
        const path = `${prefix}${String(name)}`;
        budget.charge(NAME_BYTES + 2 * path.length, { field: shortened(path) });
        if (value === null || (kind === '_buffers' && isTransient(name))) continue;
        const tensor = tensorLike(value, budget);
        if (tensor) tensors.set(path, tensor);
        else others.push(path);
      }
    }
    const children: Visit[] = [];
    for (const [name, child] of dictOf(module, '_modules') ?? []) {
      const path = `${prefix}${String(name)}`;
      budget.charge(NAME_BYTES + 2 * path.length, { field: shortened(path) });
      if (isModule(child)) children.push({ module: child, prefix: `${path}.`, depth: depth + 1 });
      else if (child !== null) others.push(path);
    }
    for (const child of children.reverse()) waiting.push(child);
  }
  return { tensors, others };
}

/** A part of a checkpoint that holds weights. */
export interface WeightPart {
  /** Keys that lead to it, joined by dots; empty where it is the whole. */
  readonly path: string;
  readonly value: PickledObject | Map<PickleValue, PickleValue>;
  readonly kind: 'module' | 'state-dict';
}

/**
 * Keys under which checkpoints keep weights, those first that are chosen first: averaged weights are what is evaluated, as in YOLOv5's
 * `attempt_load`.
 */
const KEYS = [
  'ema',
  'model_ema',
  'ema_model',
  'state_dict_ema',
  'ema_state_dict',
  'params_ema',
  'model',
  'state_dict',
  'model_state_dict',
  'model_state',
  'module',
  'net',
  'network',
  'weights',
  'params',
];

/** Parts that an error lists. */
const MOST_LISTED = 8;

/** How far dicts in dicts are searched for weights, and the longest key that is followed. */
const MOST_SEARCHED = 4;
const MOST_KEY = 256;

const join = (path: string, key: string): string => (path === '' ? key : `${path}.${key}`);

interface Parts {
  readonly whole: WeightPart | undefined;
  /** Under the known keys, in their order. */
  readonly known: readonly WeightPart[];
  readonly others: readonly WeightPart[];
}

/** All parts that hold weights. Each dict is searched and judged once, also where many hold it. */
function partsOf(root: PickleValue, budget: MemoryBudget): Parts {
  const known: WeightPart[] = [];
  const others: WeightPart[] = [];
  const kinds = new Map<PickleValue, WeightPart['kind'] | undefined>();
  const kindOf = (value: PickleValue): WeightPart['kind'] | undefined => {
    if (!kinds.has(value)) {
      kinds.set(value, isModule(value) ? 'module' : isStateDict(value, budget) ? 'state-dict' : undefined);
    }
    return kinds.get(value);
  };
  const partAt = (value: PickleValue, path: string): WeightPart | undefined => {
    const kind = kindOf(value);
    // Only objects and dicts have a kind.
    return kind && { path, value: value as WeightPart['value'], kind };
  };
  const searched = new Set<PickleValue>();
  /** Did it find parts under the known keys? What lies deeper than a dict of weights belongs to it. */
  const search = (value: PickleValue, path: string, depth: number): boolean => {
    const entries = isModule(value) ? undefined : entriesOf(value);
    if (entries === undefined || depth === MOST_SEARCHED || searched.has(value)) return false;
    searched.add(value);
    const before = known.length;
    for (const [key, inner] of sorted(entries)) {
      const place = join(path, key);
      const beside = others.length;
      if (search(inner, place, depth + 1)) continue;
      const part = partAt(inner, place);
      if (!part) continue;
      others.length = beside;
      (KEYS.includes(key) ? known : others).push(part);
    }
    return known.length > before;
  };
  search(root, '', 0);
  return { known, others, whole: known.length === 0 ? partAt(root, '') : undefined };
}

/** Entries with text keys, the known ones first. */
function sorted(entries: Map<PickleValue, PickleValue>): [string, PickleValue][] {
  const rank = (key: string): number => (KEYS.includes(key) ? KEYS.indexOf(key) : KEYS.length);
  return [...entries]
    .filter(
      (entry): entry is [string, PickleValue] =>
        typeof entry[0] === 'string' && entry[0].length <= MOST_KEY && entry[1] instanceof Object,
    )
    .sort(([a], [b]) => rank(a) - rank(b));
}

/**
 * Chooses the part of a checkpoint whose weights are meant: the whole where it is a module or holds tensors by name; else what
 * lies under the first of the usual keys; else the only part there is. `wanted` names a part itself.
 *
 * Throws ArgumentError where `wanted` is no such part, or several are there and none under a usual key; FormatError where there is none.
 */
export function choosePart(
  root: PickleValue,
  budget: MemoryBudget,
  wanted?: string,
): { part: WeightPart; parts: readonly WeightPart[] } {
  const { whole, known, others } = partsOf(root, budget);
  const parts = [...(whole ? [whole] : []), ...known, ...others];
  const listed = (): string =>
    parts
      .slice(0, MOST_LISTED)
      .map(({ path }) => `'${shortened(path)}'`)
      .join(', ') + (parts.length > MOST_LISTED ? ', …' : '');
  if (wanted !== undefined) {
    const part = parts.find(({ path }) => path === wanted);
    if (part) return { part, parts };
    throw new ArgumentError(
      `parsePyTorch: no weights lie under '${shortened(wanted)}'; parts are ${listed() || 'not there'}`,
    );
  }
  const models = others.filter(({ path }) => !/optim|sched|scaler/i.test(path));
  const part = whole ?? known[0] ?? (models.length === 1 ? models[0] : undefined);
  if (part) return { part, parts };
  if (models.length > 1) {
    throw new ArgumentError(
      `parsePyTorch: the checkpoint holds several networks; name the part to read: ${listed()}`,
    );
  }
  throw new FormatError(
    'PyTorch',
    `the file holds no weights by name: it is ${describeValue(root)}${heldBy(root)}`,
  );
}

function heldBy(root: PickleValue): string {
  if (isSequence(root)) return ` of ${root.length}`;
  const keys = [...(entriesOf(root)?.keys() ?? [])].slice(0, 6).map((key) => describeValue(key));
  if (root instanceof Map && root.size === 0) return ' without entries';
  return keys.length === 0 ? '' : ` with ${keys.join(', ')}`;
}
