import { concatBytes } from '../src/io/chunks.ts';
import {
  ENTRY,
  type Fields,
  GRAPH,
  MODEL,
  NODE,
  OPERATOR_SET,
  TENSOR,
  VALUE_INFO,
} from '../src/io/onnx/fields.ts';
import { WireWriter } from '../src/io/onnx/wire-writer.ts';

/** A field's name and its content: a varint, text, or bytes (a nested message among them). */
export type Part = readonly [name: string, value: number | bigint | string | Uint8Array];

/** A protobuf message with just these fields, in this order, whether or not they make sense. */
export function message(fields: Fields, ...parts: readonly Part[]): Uint8Array {
  const writer = new WireWriter();
  for (const [name, value] of parts) {
    const field = fields[name];
    if (field === undefined) throw new Error(`no field is named ${name}`);
    if (typeof value === 'string') writer.string(field, value);
    else if (value instanceof Uint8Array) writer.bytes(field, value);
    else writer.int(field, value);
  }
  return concatBytes(writer.finish());
}

/** A model around the bytes of its graph. */
export const modelOfGraph = (graph: Uint8Array): Uint8Array =>
  message(
    MODEL,
    ['ir_version', 8],
    ['opset_import', message(OPERATOR_SET, ['version', 17])],
    ['graph', graph],
  );

/** A model around the fields of its graph. */
export const modelOf = (...graph: readonly Part[]): Uint8Array => modelOfGraph(message(GRAPH, ...graph));

/** A node of a graph, with further fields. */
export const nodeOf = (
  opType: string,
  inputs: readonly string[],
  outputs: readonly string[],
  ...rest: Part[]
): Part => [
  'node',
  message(
    NODE,
    ...inputs.map((name): Part => ['input', name]),
    ...outputs.map((name): Part => ['output', name]),
    ['op_type', opType],
    ...rest,
  ),
];

/** An input or output of a graph, or what is said of one of its values. */
export const infoOf = (role: 'input' | 'output' | 'value_info', name: string, ...rest: Part[]): Part => [
  role,
  message(VALUE_INFO, ['name', name], ...rest),
];

/** An initializer of a graph; dims and dtype code come first. */
export const initializerOf = (
  name: string,
  dims: readonly (number | bigint)[],
  code: number | bigint,
  ...rest: Part[]
): Part => [
  'initializer',
  message(TENSOR, ...dims.map((dim): Part => ['dims', dim]), ['data_type', code], ['name', name], ...rest),
];

/** Entries of a list of keys and values. */
export const entriesOf = (field: string, entries: Readonly<Record<string, string>>): Part[] =>
  Object.entries(entries).map(
    ([key, value]): Part => [field, message(ENTRY, ['key', key], ['value', value])],
  );
