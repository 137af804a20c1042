import type { FormatError } from '../../core/errors.ts';
import type { MemoryBudget } from './budget.ts';
import { typeOfDType } from './element-types.ts';
import { numpyScalar } from './numpy-values.ts';
import { latin1Bytes } from './pickle-reader.ts';
import {
  describeValue,
  isSequence,
  isWhole,
  PickledGlobal,
  PickledObject,
  type PickleValue,
} from './pickle-values.ts';
import { type ElementType, RefusedTensor, StoredTensor, TensorStorage } from './stored-tensor.ts';

/** What a call may use beside its arguments. */
export interface CallContext {
  fail(message: string): FormatError;
  /** Takes memory from the budget. */
  charge(bytes: number): void;
}

/** Gives undefined where the arguments are well formed but make nothing that is known here. */
type Call = (args: readonly PickleValue[], context: CallContext, path: string) => PickleValue | undefined;

/** Axes of a tensor at most. Source: `MAX_DIMS` of PyTorch's TensorIterator. */
const MOST_AXES = 64;

/** Bytes that an element of a list and an entry of a dict take, roughly. */
export const ITEM_BYTES = 16;
export const ENTRY_BYTES = 80;

const wrong = (context: CallContext, path: string, args: readonly PickleValue[]): FormatError =>
  context.fail(
    `${path} is not made from ${args.length === 0 ? 'nothing' : args.slice(0, 4).map(describeValue).join(', ')}`,
  );

/** A dict of what `OrderedDict`, `dict` and `Counter` take: nothing, another dict, or a list of pairs. */
const dict: Call = ([from], context) => {
  if (from === undefined) return new Map();
  if (from instanceof Map) {
    context.charge(from.size * ENTRY_BYTES);
    return new Map(from);
  }
  if (!isSequence(from)) return undefined;
  context.charge(from.length * ENTRY_BYTES);
  const made = new Map<PickleValue, PickleValue>();
  for (const pair of from) {
    if (!isSequence(pair) || pair.length !== 2) return undefined;
    made.set(pair[0]!, pair[1]!);
  }
  return made;
};

/** What lists, tuples and sets are made from: nothing, or another of them. */
function elements(args: readonly PickleValue[], context: CallContext): readonly PickleValue[] | undefined {
  const [from = []] = args;
  if (!(from instanceof Set || isSequence(from)) || args.length > 1) return undefined;
  const count = from instanceof Set ? from.size : from.length;
  context.charge(count * ITEM_BYTES);
  return [...from];
}

const list: Call = (args, context) => elements(args, context);

const tuple: Call = (args, context) => {
  const items = elements(args, context);
  return items && Object.freeze(items);
};

const set: Call = (args, context) => {
  const items = elements(args, context);
  if (!items) return undefined;
  context.charge(items.length * ENTRY_BYTES);
  return new Set(items);
};

/** `bytes` of Python 2's pickles: a text in Latin-1. */
const encoded: Call = ([text, encoding], context) => {
  if (typeof text !== 'string' || (encoding !== 'latin1' && encoding !== 'latin-1')) return undefined;
  context.charge(text.length);
  return latin1Bytes(text);
};

/** `bytes()`, `bytearray(b'…')`, `bytearray('…', 'latin-1')`. */
const rawBytes: Call = (args, context, path) => {
  const [from] = args;
  if (from === undefined) return new Uint8Array(0);
  return from instanceof Uint8Array ? from : encoded(args, context, path);
};

/** How protocols 0 and 1 make objects: `(class, base, state of the base)`. */
const reconstructed: Call = (args, context, path) => {
  const [type] = args;
  if (!(type instanceof PickledGlobal)) throw wrong(context, path, args);
  return new PickledObject(type, []);
};

const sizes = (value: PickleValue | undefined): number[] | undefined =>
  isSequence(value) && value.length <= MOST_AXES && value.every((dim) => isWhole(dim) && dim >= 0)
    ? (value as number[])
    : undefined;

function viewOf(
  args: readonly PickleValue[],
  context: CallContext,
  path: string,
  typed?: ElementType,
): StoredTensor {
  const [storage, offset, shape, strides] = args;
  const dims = sizes(shape);
  const steps = sizes(strides);
  if (storage instanceof PickledObject && storage.type.path === 'torch.storage._load_from_bytes') {
    throw context.fail('the tensor was written by pickle.dump, which is not read; write it by torch.save');
  }
  if (
    !(storage instanceof TensorStorage && isWhole(offset) && offset >= 0 && dims && steps) ||
    dims.length !== steps.length
  ) {
    throw wrong(context, path, args.slice(0, 4));
  }
  const product = dims.reduce((size, dim) => size * Math.max(dim, 1), 1);
  if (!Number.isSafeInteger(product)) {
    throw context.fail(`the shape [${dims.join(', ')}] has more elements than can be counted`);
  }
  context.charge(256 + dims.length * 32);
  return new StoredTensor(storage, typed ?? storage.type, offset, [...dims], [...steps]);
}

/** Views that PyTorch conjugates or negates when they are read (`tensor.is_conj()`, `is_neg()`): the storage holds other values than they have. */
const isLazy = (metadata: PickleValue | undefined): boolean =>
  metadata instanceof Map && ['conj', 'neg'].some((bit) => metadata.get(bit) === true);

const LAZY = new RefusedTensor(
  'a view that is conjugated or negated when it is used, which is not read; save tensor.resolve_conj().resolve_neg()',
);

const tensor: Call = (args, context, path) => (isLazy(args[6]) ? LAZY : viewOf(args, context, path));

/** Tensors whose elements have no storage class: the type stands behind the usual arguments. */
const tensorOfType: Call = (args, context, path) => {
  const dtype = args[6];
  if (!(dtype instanceof PickledGlobal)) throw wrong(context, path, args);
  if (isLazy(args[7])) return LAZY;
  return viewOf(args, context, path, typeOfDType(dtype));
};

/** What wraps a tensor and gives it on: parameters, and tensors saved on another device. */
const first: Call = (args, context, path) => {
  const [value] = args;
  if (value instanceof StoredTensor || value instanceof RefusedTensor || value instanceof PickledObject)
    return value;
  throw wrong(context, path, args);
};

/** Tensors of a subclass, or with attributes: `(function, type, arguments, state)`. */
const typedTensor: Call = (args, context, path) => {
  const [rebuild, , inner] = args;
  if (!(rebuild instanceof PickledGlobal) || !isSequence(inner)) throw wrong(context, path, args);
  const call = TENSOR_CALLS.get(rebuild.path);
  if (!call) throw context.fail(`${path} wraps ${describeValue(rebuild)}, which makes no tensor`);
  return call(inner, context, rebuild.path);
};

const refused =
  (reason: string): Call =>
  () =>
    new RefusedTensor(reason);

const TENSOR_CALLS: ReadonlyMap<string, Call> = new Map([
  ['torch._utils._rebuild_tensor', tensor],
  ['torch._utils._rebuild_tensor_v2', tensor],
  ['torch._utils._rebuild_tensor_v3', tensorOfType],
  ['torch._utils._rebuild_parameter', first],
  ['torch._utils._rebuild_parameter_with_state', first],
  ['torch._utils._rebuild_device_tensor_from_cpu_tensor', first],
  ['torch._utils._rebuild_device_tensor_from_numpy', first],
  ['torch.nn.parameter.Parameter', first],
  ['torch.nn.parameter.Buffer', first],
  ['torch._utils._rebuild_qtensor', refused('quantized, which is not read; save tensor.dequantize()')],
  ['torch._utils._rebuild_sparse_tensor', refused('sparse, which is not read; save tensor.to_dense()')],
  ['torch._utils._rebuild_nested_tensor', refused('a nested tensor, which is not read; save its parts')],
  [
    'torch._utils._rebuild_meta_tensor_no_storage',
    refused('on the meta device: the file holds no elements of it'),
  ],
  [
    'torch._utils._rebuild_wrapper_subclass',
    refused('of a class without memory of its own, which is not read'),
  ],
]);

/**
 * The allow-list: what checkpoints are made with, and what it gives here. Everything else becomes an inert object. Source: PyTorch's
 * `_weights_only_unpickler`, and what its modules, NumPy and Python 2 wrote.
 */
const CALLS: ReadonlyMap<string, Call> = new Map<string, Call>([
  ...TENSOR_CALLS,
  ['torch._tensor._rebuild_from_type_v2', typedTensor],
  ['torch.Size', tuple],
  ['collections.OrderedDict', dict],
  ['collections.Counter', dict],
  ['collections.defaultdict', () => new Map()],
  ['builtins.dict', dict],
  ['builtins.set', set],
  ['builtins.frozenset', set],
  ['builtins.list', list],
  ['builtins.tuple', tuple],
  ['builtins.bytes', rawBytes],
  ['builtins.bytearray', rawBytes],
  ['_codecs.encode', encoded],
  ['numpy.core.multiarray.scalar', numpyScalar],
  ['numpy._core.multiarray.scalar', numpyScalar],
  ['copyreg._reconstructor', reconstructed],
]);

/** What a pickle gets for calling `callee`. Nothing is run but the functions above; throws FormatError where the arguments are not theirs. */
export function callInert(
  callee: PickleValue,
  args: readonly PickleValue[],
  context: CallContext,
): PickleValue {
  // What an inert function made cannot be called either: the result is inert under its name.
  const type = callee instanceof PickledObject ? callee.type : callee;
  if (!(type instanceof PickledGlobal))
    throw context.fail(`${describeValue(callee)} is called as a function`);
  const call = callee instanceof PickledGlobal ? CALLS.get(type.path) : undefined;
  return call?.(args, context, type.path) ?? new PickledObject(type, args);
}

/** For the machine: charges what an object of each kind takes, roughly. */
export const contextOf = (
  budget: MemoryBudget,
  reader: { readonly place: { offset: number; field: string }; fail(message: string): FormatError },
): CallContext => ({
  fail: (message) => reader.fail(message),
  charge: (bytes) => budget.charge(bytes, reader.place),
});
