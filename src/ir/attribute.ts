import type { SparseTensor, Tensor } from '../core/tensor.ts';
import type { Graph } from './graph.ts';
import type { ValueType } from './types.ts';

/** ONNX strings are bytes; those that are not UTF-8 stay bytes. */
export type AttributeString = string | Uint8Array;

/** What each attribute type of ONNX holds. Integers are 64 bits wide, hence bigint; `Node.int` reads them as numbers. */
export interface AttributeValues {
  float: number;
  int: bigint;
  string: AttributeString;
  tensor: Tensor;
  graph: Graph;
  'sparse-tensor': SparseTensor;
  type: ValueType;
  floats: readonly number[];
  ints: readonly bigint[];
  strings: readonly AttributeString[];
  tensors: readonly Tensor[];
  graphs: readonly Graph[];
  'sparse-tensors': readonly SparseTensor[];
  types: readonly ValueType[];
}

/** Name of an attribute type. */
export type AttributeKind = keyof AttributeValues;

/** Parts of an attribute that are kept but mean nothing to computation. */
interface AttributeExtras {
  readonly docString?: string;
  readonly unknownFields?: readonly Uint8Array[];
}

/** An attribute of a node: a value with its type, or, in a function's body, a reference to the call's attribute. */
export type Attribute =
  | {
      [K in AttributeKind]: { readonly kind: K; readonly value: AttributeValues[K] } & AttributeExtras;
    }[AttributeKind]
  | ({ readonly kind: 'reference'; readonly name: string; readonly of: AttributeKind } & AttributeExtras);

/** Attributes by name, in the order of the file. */
export type Attributes = Map<string, Attribute>;

const toBigInt = (value: number | bigint): bigint => BigInt(value);

/** Makers of attributes. JavaScript cannot tell 1 from 1.0, so the type is always said. */
export const attr = {
  float: (value: number): Attribute => ({ kind: 'float', value: Math.fround(value) }),
  int: (value: number | bigint): Attribute => ({ kind: 'int', value: toBigInt(value) }),
  string: (value: AttributeString): Attribute => ({ kind: 'string', value }),
  tensor: (value: Tensor): Attribute => ({ kind: 'tensor', value }),
  graph: (value: Graph): Attribute => ({ kind: 'graph', value }),
  floats: (value: readonly number[]): Attribute => ({ kind: 'floats', value: value.map(Math.fround) }),
  ints: (value: readonly (number | bigint)[]): Attribute => ({ kind: 'ints', value: value.map(toBigInt) }),
  strings: (value: readonly AttributeString[]): Attribute => ({ kind: 'strings', value }),
} as const;
