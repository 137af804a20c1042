import { type DType, dtypeInfo } from '../../core/dtype.ts';
import { FormatError, UnsupportedError } from '../../core/errors.ts';
import { toFloat32 } from '../../core/float16.ts';
import { sizeOf, Tensor } from '../../core/tensor.ts';
import type { MemoryBudget } from './budget.ts';

/** What the elements of a storage are; `dtype` null where it is no type that is read. */
export interface ElementType {
  /** As PyTorch names it: `torch.HalfStorage`. */
  readonly name: string;
  readonly dtype: DType | null;
  /** Bytes of one element. */
  readonly bytes: number;
}

/** Memory of a file that tensors are views of. Its bytes are fetched when a tensor is made. */
export class TensorStorage {
  readonly kind = 'storage';
  readonly key: string;
  readonly type: ElementType;
  /** Number of elements. */
  readonly count: number;
  readonly #fetch: (width: number) => Uint8Array;

  /** `fetch` gives the bytes; where they are big-endian, each `width` of them turned round. */
  constructor(key: string, type: ElementType, count: number, fetch: (width: number) => Uint8Array) {
    this.key = key;
    this.type = type;
    this.count = count;
    this.#fetch = fetch;
  }

  /** Its bytes, little-endian where they are elements of `type`. */
  bytes(type: ElementType): Uint8Array {
    return this.#fetch(swapWidth(type));
  }
}

/** A tensor of a checkpoint as it is described there: a view of a storage. */
export class StoredTensor {
  readonly kind = 'tensor';
  readonly storage: TensorStorage;
  readonly type: ElementType;
  /** Place of its first element in the storage, in elements of its own type. */
  readonly offset: number;
  readonly shape: readonly number[];
  /** In elements. */
  readonly strides: readonly number[];

  constructor(
    storage: TensorStorage,
    type: ElementType,
    offset: number,
    shape: readonly number[],
    strides: readonly number[],
  ) {
    this.storage = storage;
    this.type = type;
    this.offset = offset;
    this.shape = shape;
    this.strides = strides;
  }

  /** `torch.HalfStorage[16, 3, 6, 6]` */
  toString(): string {
    return `${this.type.dtype ?? this.type.name}[${this.shape.join(', ')}]`;
  }
}

/** A tensor of a kind that is not read: quantized, sparse, nested, without memory. */
export class RefusedTensor {
  readonly kind = 'refused';
  /** What it is and what to do, for the error where it is asked for. */
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }
}

const fail = (message: string, field: string): FormatError => new FormatError('PyTorch', message, { field });

/** Is the view row-major without gaps? Axes of one element may have any stride. */
function isContiguous({ shape, strides }: StoredTensor): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== expected) return false;
    expected *= shape[axis]!;
  }
  return true;
}

/**
 * Makes tensors of views, each distinct view once: names that share memory in the checkpoint share a Tensor.
 * Row-major views of what is stored as it stays are views of the file too; others are copies.
 */
export class TensorMaker {
  readonly #budget: MemoryBudget;
  readonly #keepHalf: boolean;
  readonly #made = new Map<TensorStorage, Map<string, Tensor>>();

  /** `keepHalf`: leave float16 and bfloat16 as they are; otherwise they become float32. */
  constructor(budget: MemoryBudget, keepHalf: boolean) {
    this.#budget = budget;
    this.#keepHalf = keepHalf;
  }

  /**
   * Makes the tensor called `name`. Throws FormatError where the view leaves its storage or takes more memory than is left,
   * UnsupportedError where its elements are of no type that is read.
   */
  make(stored: StoredTensor | RefusedTensor, name: string): Tensor {
    if (stored instanceof RefusedTensor) throw new UnsupportedError(`PyTorch: '${name}' is ${stored.reason}`);
    const { storage, type, offset, shape, strides } = stored;
    const made = this.#made.get(storage) ?? new Map<string, Tensor>();
    this.#made.set(storage, made);
    const key = `${type.name} ${offset} ${shape.join()} ${strides.join()}`;
    const known = made.get(key);
    if (known) return known;
    const tensor = this.#widened(this.#laidOut(stored, name), name);
    made.set(key, tensor);
    return tensor;
  }

  #widened(tensor: Tensor, name: string): Tensor {
    if (this.#keepHalf || (tensor.dtype !== 'float16' && tensor.dtype !== 'bfloat16')) return tensor;
    this.#budget.charge(tensor.size * 4, { field: name });
    return toFloat32(tensor);
  }

  #laidOut(stored: StoredTensor, name: string): Tensor {
    const { storage, type, offset, shape, strides } = stored;
    const { dtype, bytes: width } = type;
    if (dtype === null) {
      throw new UnsupportedError(
        `PyTorch: '${name}' has elements of ${type.name}, which are not read; convert it before saving: tensor.float(), or tensor.dequantize() of a quantized one`,
      );
    }
    const size = sizeOf(shape);
    if (size === 0) return Tensor.zeros(dtype, shape);
    const capacity = Math.floor((storage.count * storage.type.bytes) / width);
    const last = shape.reduce((sum, dim, axis) => sum + (dim - 1) * strides[axis]!, offset);
    if (!(last < capacity)) {
      throw fail(
        `${stored} with strides [${strides.join(', ')}] reaches element ${last} of the storage '${storage.key}', which has ${capacity}`,
        name,
      );
    }
    if (isContiguous(stored)) {
      return new Tensor(dtype, shape, {
        bytes: storage.bytes(type).subarray(offset * width, (offset + size) * width),
      });
    }
    this.#budget.charge(size * width, { field: name });
    return new Tensor(dtype, shape, { bytes: gathered(storage.bytes(type), stored, size) });
  }
}

/** The elements of a view in row-major order. */
function gathered(
  source: Uint8Array,
  { type, offset, shape, strides }: StoredTensor,
  size: number,
): Uint8Array {
  const width = type.bytes;
  const out = new Uint8Array(size * width);
  const index = new Array<number>(shape.length).fill(0);
  let from = offset;
  for (let element = 0; element < size; element++) {
    const [begin, to] = [from * width, element * width];
    for (let byte = 0; byte < width; byte++) out[to + byte] = source[begin + byte]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis]!;
      index[axis] = index[axis]! + 1;
      if (index[axis]! < shape[axis]!) break;
      from -= strides[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
  return out;
}

/** Bytes that are turned round as one in another byte order: an element, or the half of a complex number. */
function swapWidth({ dtype, bytes }: ElementType): number {
  return dtype !== null && dtypeInfo(dtype).pairs ? bytes / 2 : bytes;
}
