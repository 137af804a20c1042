import type { DType } from '../core/dtype.ts';

/** A dimension: its size, the name of a symbol (`batch`, `2*batch`), or null where nothing is known. */
export type Dim = number | string | null;

/** Dimensions of a tensor; the rank is known. */
export type Shape = readonly Dim[];

/** A tensor's element type and shape; `dtype` or `shape` null where nothing is known of it. */
export interface TensorType {
  readonly kind: 'tensor' | 'sparse-tensor';
  readonly dtype: DType | null;
  readonly shape: Shape | null;
  /** ONNX's optional meaning of each dimension, such as `DATA_BATCH`. */
  readonly dimDenotations?: readonly (string | undefined)[];
  readonly denotation?: string;
}

/** Types of values that are not tensors. */
export type ContainerType =
  | { readonly kind: 'sequence'; readonly element: ValueType | null; readonly denotation?: string }
  | { readonly kind: 'optional'; readonly element: ValueType | null; readonly denotation?: string }
  | {
      readonly kind: 'map';
      readonly key: DType;
      readonly value: ValueType | null;
      readonly denotation?: string;
    }
  | { readonly kind: 'opaque'; readonly domain: string; readonly name: string; readonly denotation?: string };

/** Type of a value, with ONNX's `TypeProto` meaning. */
export type ValueType = TensorType | ContainerType;

/** A dense tensor type. */
export const tensorType = (dtype: DType | null, shape: Shape | null): TensorType => ({
  kind: 'tensor',
  dtype,
  shape,
});

/** `float32[batch, 3, 224, 224]`; unknown dimensions print as `?`, an unknown shape as `[...]`. */
export function printType(type: ValueType | null): string {
  if (type === null) return '?';
  switch (type.kind) {
    case 'tensor':
    case 'sparse-tensor': {
      const dims = type.shape === null ? '...' : type.shape.map((dim) => dim ?? '?').join(', ');
      return `${type.kind === 'tensor' ? '' : 'sparse '}${type.dtype ?? '?'}[${dims}]`;
    }
    case 'map':
      return `map(${type.key}, ${printType(type.value)})`;
    case 'opaque':
      return `opaque(${type.domain}, ${type.name})`;
    default:
      return `${type.kind}(${printType(type.element)})`;
  }
}

/** The shape as numbers, or null when a dimension is symbolic or unknown. */
export function staticShape(shape: Shape | null | undefined): readonly number[] | null {
  if (shape === null || shape === undefined) return null;
  const numbers: number[] = [];
  for (const dim of shape) {
    if (typeof dim !== 'number') return null;
    numbers.push(dim);
  }
  return numbers;
}
