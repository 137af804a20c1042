import { type DType, dtypeOfCode } from '../../core/dtype.ts';
import type { Dim, TensorType, ValueType } from '../../ir/index.ts';
import {
  DIMENSION,
  ELEMENT_TYPE,
  type Fields,
  MAP_TYPE,
  OPAQUE_TYPE,
  SHAPE,
  TENSOR_TYPE,
  TYPE,
} from './fields.ts';
import { keepFields } from './kept.ts';
import type { WireReader } from './wire-reader.ts';

/** Reads a `TypeProto`; null where it says nothing. */
export function readType(reader: WireReader): ValueType | null {
  let type: ValueType | null = null;
  let denotation = '';
  const unknown: Uint8Array[] = [];
  const nested = (fields: Fields): WireReader => {
    if (type !== null) throw reader.fail('the type is given twice');
    return reader.message(fields);
  };
  while (reader.next()) {
    switch (reader.field) {
      case TYPE.tensor_type:
        type = readTensorType(nested(TENSOR_TYPE), 'tensor');
        break;
      case TYPE.sparse_tensor_type:
        type = readTensorType(nested(TENSOR_TYPE), 'sparse-tensor');
        break;
      case TYPE.sequence_type:
        type = readElementType(nested(ELEMENT_TYPE), 'sequence');
        break;
      case TYPE.optional_type:
        type = readElementType(nested(ELEMENT_TYPE), 'optional');
        break;
      case TYPE.map_type:
        type = readMapType(nested(MAP_TYPE));
        break;
      case TYPE.opaque_type:
        type = readOpaqueType(nested(OPAQUE_TYPE));
        break;
      case TYPE.denotation:
        denotation = reader.string();
        break;
      default:
        unknown.push(reader.raw());
    }
  }
  if (type === null && denotation === '' && unknown.length === 0) return null;
  // A type of a newer kind, or one that has a denotation alone, is a tensor of which nothing is known.
  const known: ValueType = type ?? { kind: 'tensor', dtype: null, shape: null };
  if (denotation !== '') Object.assign(known, { denotation });
  keepFields(known, unknown);
  return known;
}

/** The dtype of an element type code; null for 0 (undefined). */
export function readDType(reader: WireReader): DType | null {
  const code = reader.int32();
  if (code === 0) return null;
  const dtype = dtypeOfCode(code);
  if (dtype === undefined) throw reader.fail(`the element type ${code} is not known`);
  return dtype;
}

function readTensorType(reader: WireReader, kind: TensorType['kind']): TensorType {
  let dtype: DType | null = null;
  let shape: Dim[] | null = null;
  const denotations: (string | undefined)[] = [];
  const unknown: Uint8Array[] = [];
  const unknownShape: Uint8Array[] = [];
  const unknownDims = new Map<number, Uint8Array[]>();
  while (reader.next()) {
    if (reader.field === TENSOR_TYPE.elem_type) {
      dtype = readDType(reader);
    } else if (reader.field === TENSOR_TYPE.shape) {
      if (shape !== null) throw reader.fail('the shape is given twice');
      shape = [];
      const dims = reader.message(SHAPE);
      while (dims.next()) {
        if (dims.field !== SHAPE.dim) {
          unknownShape.push(dims.raw());
          continue;
        }
        const index = shape.length;
        const { dim, denotation, unknown: rest } = readDim(dims.message(DIMENSION, index));
        shape.push(dim);
        denotations.push(denotation);
        unknownDims.set(index, rest);
      }
    } else {
      unknown.push(reader.raw());
    }
  }
  const named = denotations.some((denotation) => denotation !== undefined);
  const type: TensorType = { kind, dtype, shape, ...(named ? { dimDenotations: denotations } : {}) };
  keepFields(type, unknown, 'tensor');
  keepFields(type, unknownShape, 'shape');
  for (const [index, fields] of unknownDims) keepFields(type, fields, index);
  return type;
}

function readDim(reader: WireReader): { dim: Dim; denotation: string | undefined; unknown: Uint8Array[] } {
  let dim: Dim = null;
  let denotation: string | undefined;
  const unknown: Uint8Array[] = [];
  while (reader.next()) {
    if (reader.field === DIMENSION.dim_value) {
      const size = reader.safeInteger();
      if (size < -1) throw reader.fail(`the dimension ${size} is negative`);
      // Some exporters write -1 where nothing is known of a dimension; ONNX leaves the field out.
      dim = size === -1 ? null : size;
    } else if (reader.field === DIMENSION.dim_param) {
      const symbol = reader.string();
      dim = symbol === '' ? null : symbol;
    } else if (reader.field === DIMENSION.denotation) {
      denotation = reader.string();
    } else {
      unknown.push(reader.raw());
    }
  }
  return { dim, denotation, unknown };
}

function readElementType(reader: WireReader, kind: 'sequence' | 'optional'): ValueType {
  let element: ValueType | null = null;
  const unknown: Uint8Array[] = [];
  while (reader.next()) {
    if (reader.field === ELEMENT_TYPE.elem_type) element = readType(reader.message(TYPE));
    else unknown.push(reader.raw());
  }
  const type: ValueType = { kind, element };
  keepFields(type, unknown, 'element');
  return type;
}

function readMapType(reader: WireReader): ValueType {
  let key: DType | null = null;
  let value: ValueType | null = null;
  const unknown: Uint8Array[] = [];
  while (reader.next()) {
    if (reader.field === MAP_TYPE.key_type) key = readDType(reader);
    else if (reader.field === MAP_TYPE.value_type) value = readType(reader.message(TYPE));
    else unknown.push(reader.raw());
  }
  if (key === null) throw reader.failHere('a map type has no type of keys', 'key_type');
  const type: ValueType = { kind: 'map', key, value };
  keepFields(type, unknown, 'map');
  return type;
}

function readOpaqueType(reader: WireReader): ValueType {
  let domain = '';
  let name = '';
  const unknown: Uint8Array[] = [];
  while (reader.next()) {
    if (reader.field === OPAQUE_TYPE.domain) domain = reader.string();
    else if (reader.field === OPAQUE_TYPE.name) name = reader.string();
    else unknown.push(reader.raw());
  }
  const type: ValueType = { kind: 'opaque', domain, name };
  keepFields(type, unknown, 'opaque');
  return type;
}
