import type { AttributeKind } from '../../ir/index.ts';

/** Codes of `AttributeProto.AttributeType` and the field of each. Source: onnx.proto of ONNX 1.20. */
export const ATTRIBUTE_KINDS = {
  float: { code: 1, field: 'f' },
  int: { code: 2, field: 'i' },
  string: { code: 3, field: 's' },
  tensor: { code: 4, field: 't' },
  graph: { code: 5, field: 'g' },
  floats: { code: 6, field: 'floats' },
  ints: { code: 7, field: 'ints' },
  strings: { code: 8, field: 'strings' },
  tensors: { code: 9, field: 'tensors' },
  graphs: { code: 10, field: 'graphs' },
  'sparse-tensor': { code: 11, field: 'sparse_tensor' },
  'sparse-tensors': { code: 12, field: 'sparse_tensors' },
  type: { code: 13, field: 'tp' },
  types: { code: 14, field: 'type_protos' },
} as const satisfies Record<AttributeKind, { readonly code: number; readonly field: string }>;

const kindByCode = new Map<number, AttributeKind>(
  (Object.keys(ATTRIBUTE_KINDS) as AttributeKind[]).map((kind) => [ATTRIBUTE_KINDS[kind].code, kind]),
);

/** The kind of an `AttributeType` code, or undefined where the code is unknown. */
export const attributeKindOf = (code: number): AttributeKind | undefined => kindByCode.get(code);
