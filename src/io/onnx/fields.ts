/**
 * Field numbers of ONNX's messages, under their names in the schema: the one place for these facts, used by reader, writer
 * and error messages alike. Source: onnx.proto of ONNX 1.20.
 */

/** Numbers of a message's fields by name. */
export type Fields = Readonly<Record<string, number>>;

export const MODEL = {
  ir_version: 1,
  producer_name: 2,
  producer_version: 3,
  domain: 4,
  model_version: 5,
  doc_string: 6,
  graph: 7,
  opset_import: 8,
  metadata_props: 14,
  training_info: 20,
  functions: 25,
  configuration: 26,
} as const;

export const OPERATOR_SET = { domain: 1, version: 2 } as const;

export const ENTRY = { key: 1, value: 2 } as const;

export const GRAPH = {
  node: 1,
  name: 2,
  initializer: 5,
  doc_string: 10,
  input: 11,
  output: 12,
  value_info: 13,
  quantization_annotation: 14,
  sparse_initializer: 15,
  metadata_props: 16,
} as const;

export const FUNCTION = {
  name: 1,
  input: 4,
  output: 5,
  attribute: 6,
  node: 7,
  doc_string: 8,
  opset_import: 9,
  domain: 10,
  attribute_proto: 11,
  value_info: 12,
  overload: 13,
  metadata_props: 14,
} as const;

export const ANNOTATION = { tensor_name: 1, quant_parameter_tensor_names: 2 } as const;

export const VALUE_INFO = { name: 1, type: 2, doc_string: 3, metadata_props: 4 } as const;

export const NODE = {
  input: 1,
  output: 2,
  name: 3,
  op_type: 4,
  attribute: 5,
  doc_string: 6,
  domain: 7,
  overload: 8,
  metadata_props: 9,
  device_configurations: 10,
} as const;

export const ATTRIBUTE = {
  name: 1,
  f: 2,
  i: 3,
  s: 4,
  t: 5,
  g: 6,
  floats: 7,
  ints: 8,
  strings: 9,
  tensors: 10,
  graphs: 11,
  doc_string: 13,
  tp: 14,
  type_protos: 15,
  type: 20,
  ref_attr_name: 21,
  sparse_tensor: 22,
  sparse_tensors: 23,
} as const;

export const TENSOR = {
  dims: 1,
  data_type: 2,
  segment: 3,
  float_data: 4,
  int32_data: 5,
  string_data: 6,
  int64_data: 7,
  name: 8,
  raw_data: 9,
  double_data: 10,
  uint64_data: 11,
  doc_string: 12,
  external_data: 13,
  data_location: 14,
  metadata_props: 16,
} as const;

export const SPARSE_TENSOR = { values: 1, indices: 2, dims: 3 } as const;

export const TYPE = {
  tensor_type: 1,
  sequence_type: 4,
  map_type: 5,
  denotation: 6,
  opaque_type: 7,
  sparse_tensor_type: 8,
  optional_type: 9,
} as const;

/** `TypeProto.Tensor` and `TypeProto.SparseTensor`. */
export const TENSOR_TYPE = { elem_type: 1, shape: 2 } as const;
/** `TypeProto.Sequence` and `TypeProto.Optional`. */
export const ELEMENT_TYPE = { elem_type: 1 } as const;
export const MAP_TYPE = { key_type: 1, value_type: 2 } as const;
export const OPAQUE_TYPE = { domain: 1, name: 2 } as const;
export const SHAPE = { dim: 1 } as const;
export const DIMENSION = { dim_value: 1, dim_param: 2, denotation: 3 } as const;

/** `TensorProto.DataLocation.EXTERNAL`. */
export const EXTERNAL = 1;
