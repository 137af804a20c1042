import { FormatError } from '../../core/errors.ts';
import type { MemoryBudget } from './budget.ts';
import { type Container, type StorageId, storageId, storageKey } from './container.ts';
import type { CallContext } from './pickle-calls.ts';
import { unpickle } from './pickle-machine.ts';
import { describeValue, isSequence, isWhole, type PickleValue, shortened } from './pickle-values.ts';
import { type ElementType, TensorStorage } from './stored-tensor.ts';

/** What the file begins with, and the only version there ever was. Source: torch/serialization.py. */
const MAGIC = 0x1950a86a20f9469cfc6cn;
const VERSION = 1001;
/** Bytes in front of a storage: its number of elements. */
const COUNT_BYTES = 8;
/** Bytes that what is known of a storage takes, roughly. */
const STORAGE_BYTES = 512;

/** A storage the pickle names, and where its bytes are, once that is known. */
interface Announced {
  readonly type: ElementType;
  readonly count: number;
  bytes: Uint8Array | undefined;
}

/**
 * Reads the format before PyTorch 1.6: five pickles one after another (magic number, version, system, the value, keys of the storages), then the
 * storages in the order of the keys, each with its number of elements in front. It is little-endian whatever machine wrote it, and has no
 * checksums. Tensors are views of the file.
 *
 * Throws FormatError where a pickle or a storage is cut off, damaged or of another size than announced.
 */
export function readLegacyContainer(bytes: Uint8Array, budget: MemoryBudget): Container {
  const announced = new Map<string, Announced>();
  const views = new Map<string, TensorStorage>();
  let position = 0;
  const next = (
    field: string,
    persistent: (id: PickleValue, context: CallContext) => PickleValue,
  ): PickleValue => {
    const { value, end } = unpickle(bytes, position, { base: 0, field }, { budget, persistent });
    position = end;
    return value;
  };
  const none = (_: PickleValue, context: CallContext): PickleValue => {
    throw context.fail('a persistent id stands where none is expected');
  };
  const expectValue = (field: string, expected: number | bigint, what: string): void => {
    const offset = position;
    const found = next(field, none);
    if (found === expected) return;
    throw fail(`${what}, found ${describeValue(found)}`, offset, field);
  };

  expectValue(
    'magic number',
    MAGIC,
    "the file is a pickle, but does not begin with PyTorch's magic number: expected what torch.save writes",
  );
  expectValue('protocol version', VERSION, `expected version ${VERSION} of the format`);
  next('system', none);
  const root = next('value', (id, context) => {
    // Modules used to come with their source: `('module', class, file, source)`.
    if (isSequence(id) && id[0] === 'module' && id[1] !== undefined) return id[1];
    return announce(storageId(id, context), context, announced, views);
  });
  const keysAt = position;
  const keys = next('storage keys', none);
  if (!isSequence(keys)) throw fail(`expected a list, found ${describeValue(keys)}`, keysAt, 'storage keys');
  locate(bytes, position, keys, announced);
  for (const [key, { bytes: found }] of announced) {
    if (!found) throw fail(`the storage '${shortened(key)}' is not in the file`, keysAt, 'storage keys');
  }
  return { root, format: 'legacy' };
}

const fail = (message: string, offset: number, field: string): FormatError =>
  new FormatError('PyTorch', message, { offset, field: shortened(field) });

/** The storage of an id, or the part of it that a sixth element `(key, offset, count)` names. */
function announce(
  { key, type, count, parts }: StorageId,
  context: CallContext,
  announced: Map<string, Announced>,
  views: Map<string, TensorStorage>,
): TensorStorage {
  const known = announced.get(key) ?? { type, count, bytes: undefined };
  if (known.count !== count || known.type.name !== type.name) {
    throw context.fail(
      `the storage '${shortened(key)}' is ${count} elements of ${type.name} here, and ${known.count} of ${known.type.name} elsewhere`,
    );
  }
  announced.set(key, known);
  const view = parts[5] ?? null;
  let from = 0;
  let length = count;
  if (view !== null) {
    const [viewKey, viewOffset, viewCount] = isSequence(view) ? view : [];
    if (storageKey(viewKey) === undefined || !isWhole(viewOffset) || !isWhole(viewCount)) {
      throw context.fail(`a view of a storage is ${describeValue(view)}; expected key, offset and count`);
    }
    if (viewOffset < 0 || viewCount < 0 || viewOffset + viewCount > count) {
      throw context.fail(
        `a view of elements ${viewOffset} to ${viewOffset + viewCount} leaves the storage '${shortened(key)}', which has ${count}`,
      );
    }
    from = viewOffset;
    length = viewCount;
  }
  const place = `${from} ${length} ${key}`;
  const made = views.get(place);
  if (made) return made;
  context.charge(STORAGE_BYTES);
  const storage = new TensorStorage(key, type, length, () =>
    // Every storage that was announced is located before tensors are made.
    (known.bytes ?? new Uint8Array(0)).subarray(from * type.bytes, (from + length) * type.bytes),
  );
  views.set(place, storage);
  return storage;
}

/** Finds the bytes of the storages, which follow each other from `position`. */
function locate(
  file: Uint8Array,
  position: number,
  keys: readonly PickleValue[],
  announced: ReadonlyMap<string, Announced>,
): void {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  let at = position;
  for (const rawKey of keys) {
    const key = storageKey(rawKey);
    const storage = key === undefined ? undefined : announced.get(key);
    if (key === undefined || !storage) {
      throw fail(`${describeValue(rawKey)} is the key of no storage of the value`, position, 'storage keys');
    }
    const field = `storage '${key}'`;
    if (storage.bytes) throw fail('the storage is in the file twice', at, field);
    if (file.byteLength - at < COUNT_BYTES) throw fail('the file is cut off before the storage', at, field);
    const count = view.getBigInt64(at, true);
    if (count !== BigInt(storage.count)) {
      throw fail(`the storage has ${count} elements, the value says ${storage.count}`, at, field);
    }
    const length = storage.count * storage.type.bytes;
    const start = at + COUNT_BYTES;
    if (length > file.byteLength - start) {
      throw fail(
        `the storage takes ${length} bytes, but ${file.byteLength - start} are left; the file is cut off or damaged`,
        start,
        field,
      );
    }
    storage.bytes = file.subarray(start, start + length);
    at = start + length;
  }
}
