import { describe, expect, it } from 'vitest';
import {
  entriesOf,
  infoOf,
  initializerOf,
  message,
  modelOf,
  nodeOf,
  type Part,
} from '../../../test/wire-message.ts';
import { FormatError } from '../../core/errors.ts';
import {
  ATTRIBUTE,
  DIMENSION,
  FUNCTION,
  GRAPH,
  MODEL,
  NODE,
  OPERATOR_SET,
  SHAPE,
  SPARSE_TENSOR,
  TENSOR,
  TENSOR_TYPE,
  TYPE,
  VALUE_INFO,
} from './fields.ts';
import { type ParseOnnxOptions, parseOnnx } from './read-model.ts';

/** The error of reading, which must be a FormatError. */
function errorOf(bytes: Uint8Array, options?: ParseOnnxOptions): FormatError {
  try {
    parseOnnx(bytes, options);
  } catch (error) {
    if (error instanceof FormatError) return error;
    throw error;
  }
  throw new Error('the bytes were read without an error');
}

const output = infoOf('output', 'y');
const fine: Part[] = [infoOf('input', 'x'), nodeOf('Relu', ['x'], ['y']), output];
const attribute = (...parts: Part[]): Uint8Array =>
  modelOf(
    infoOf('input', 'x'),
    nodeOf('Op', ['x'], ['y'], ['attribute', message(ATTRIBUTE, ...parts)]),
    output,
  );
const weight = (dims: readonly (number | bigint)[], code: number | bigint, ...rest: Part[]): Uint8Array =>
  modelOf(...fine, initializerOf('w', dims, code, ...rest));
const external = (entries: Readonly<Record<string, string>>): Uint8Array =>
  weight([2], 1, ...entriesOf('external_data', entries), ['data_location', 1]);
const typed = (...dim: Part[]): Uint8Array =>
  modelOf(
    infoOf('input', 'x', [
      'type',
      message(TYPE, [
        'tensor_type',
        message(
          TENSOR_TYPE,
          ['elem_type', 1],
          ['shape', message(SHAPE, ['dim', message(DIMENSION, ...dim)])],
        ),
      ]),
    ]),
    nodeOf('Relu', ['x'], ['y']),
    output,
  );
const withFunction = (...parts: Part[]): Uint8Array =>
  message(
    MODEL,
    ['ir_version', 8],
    ['opset_import', message(OPERATOR_SET, ['version', 17])],
    ['graph', message(GRAPH, ...fine)],
    ['functions', message(FUNCTION, ...parts)],
    ['functions', message(FUNCTION, ...parts)],
  );

function nested(depth: number): Uint8Array {
  let type = message(TYPE, ['denotation', 'innermost']);
  for (let level = 0; level < depth; level++)
    type = message(TYPE, ['sequence_type', message(TENSOR_TYPE, ['elem_type', type])]);
  return modelOf(infoOf('input', 'x', ['type', type]), nodeOf('Relu', ['x'], ['y']), output);
}

const raw = (count: number): Part => ['raw_data', new Uint8Array(count)];
const sparse = (values: Part[], indices: Part[], ...dims: number[]): Uint8Array =>
  modelOf(...fine, [
    'sparse_initializer',
    message(
      SPARSE_TENSOR,
      ['values', message(TENSOR, ...values)],
      ['indices', message(TENSOR, ...indices)],
      ...dims.map((dim): Part => ['dims', dim]),
    ),
  ]);

/** What is wrong, the bytes, the field the error names, and what it says. */
const CASES: [string, Uint8Array, string | undefined, RegExp][] = [
  ['no bytes', new Uint8Array(0), 'graph', /the model has no graph; is this an ONNX file\?/],
  ['a field numbered 0', Uint8Array.of(0x00), undefined, /a field has the number 0/],
  ['a field number beyond 29 bits', Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x10), undefined, /beyond 2\^29/],
  ['a group', Uint8Array.of(0x0b), 'ir_version', /wire type 3, which ONNX does not use/],
  [
    'a varint of 11 bytes',
    Uint8Array.of(0x08, ...new Array<number>(11).fill(0x80)),
    'ir_version',
    /beyond 10 bytes/,
  ],
  [
    'a varint of 70 bits',
    Uint8Array.of(0x08, ...new Array<number>(9).fill(0xff), 0x7f),
    'ir_version',
    /wider than 64 bits/,
  ],
  ['a varint cut off', Uint8Array.of(0x08, 0x80), 'ir_version', /ends inside a number/],
  [
    'a length beyond the end',
    Uint8Array.of(0x3a, 0x05, 0x00),
    'graph',
    /5 bytes are announced, but 1 are left/,
  ],
  [
    'a length beyond 4 GiB',
    Uint8Array.of(0x3a, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f),
    'graph',
    /4398046511103 bytes are announced/,
  ],
  [
    'a number where a message is due',
    message(MODEL, ['graph', 1]),
    'graph',
    /expected a length and bytes, found a varint/,
  ],
  ['an IR version beyond 2^53', message(MODEL, ['ir_version', 2n ** 60n]), 'ir_version', /beyond 2\^53/],
  ['no IR version', message(MODEL, ['graph', message(GRAPH, ...fine)]), 'ir_version', /IR version is 0/],
  [
    'no operator sets',
    message(MODEL, ['ir_version', 3], ['graph', message(GRAPH, ...fine)]),
    'opset_import',
    /imports no operator set/,
  ],
  [
    'two graphs',
    new Uint8Array([...modelOf(...fine), ...modelOf(...fine)]),
    'graph',
    /the model has two graphs/,
  ],
  [
    'two versions of a domain',
    new Uint8Array([
      ...modelOf(...fine),
      ...message(MODEL, ['opset_import', message(OPERATOR_SET, ['version', 3])]),
    ]),
    'opset_import[1]',
    /'' is imported with the versions 17 and 3/,
  ],
  [
    'metadata twice',
    modelOf(...fine, ...entriesOf('metadata_props', { a: '1' }), ...entriesOf('metadata_props', { a: '2' })),
    'graph.metadata_props',
    /the key 'a' is given twice/,
  ],
  [
    'a domain that is not imported',
    modelOf(infoOf('input', 'x'), nodeOf('Op', ['x'], ['y'], ['domain', 'com.other']), output),
    'graph',
    /operator domain 'com.other' is not among/,
  ],
  ['no outputs', modelOf(infoOf('input', 'x')), 'graph', /has no outputs/],
  [
    'a name that is not UTF-8',
    modelOf(...fine, ['name', Uint8Array.of(0xff)]),
    'graph.name',
    /not valid UTF-8/,
  ],
  [
    'an input nobody makes',
    modelOf(nodeOf('Relu', ['ghost'], ['y']), output),
    'graph.node[0].input[0]',
    /Relu '': input 0 'ghost' is neither input, initializer nor made by a node/,
  ],
  [
    'an output nobody makes',
    modelOf(infoOf('input', 'x'), output),
    'graph.output[0].name',
    /output 'y' is neither/,
  ],
  [
    'two inputs of one name',
    modelOf(infoOf('input', 'x'), ...fine),
    'graph.input[1].name',
    /two inputs are named 'x'/,
  ],
  [
    'two nodes making one name',
    modelOf(...fine, nodeOf('Neg', ['x'], ['y'])),
    'graph.node[1]',
    /two values are named 'y'/,
  ],
  [
    'a node making an initializer',
    modelOf(...fine, initializerOf('y', [], 1, raw(4))),
    'graph.node[0]',
    /two values are named 'y'/,
  ],
  [
    'two initializers of one name',
    modelOf(...fine, initializerOf('w', [], 1, raw(4)), initializerOf('w', [], 1, raw(4))),
    'graph.initializer[1]',
    /two values are named 'w'/,
  ],
  [
    'an input without a name',
    modelOf(infoOf('input', ''), ...fine),
    'graph.input[0].name',
    /a value has no name/,
  ],
  [
    'a cycle',
    modelOf(nodeOf('A', ['b'], ['a']), nodeOf('B', ['a'], ['b']), infoOf('output', 'a')),
    'graph',
    /A 'a': depends on itself; the graph '' has a cycle/,
  ],
  ['a node reading itself', modelOf(nodeOf('A', ['y'], ['y']), output), 'graph', /depends on itself/],
  [
    'a node without operator',
    modelOf(['node', message(NODE, ['name', 'n'], ['output', 'y'])], output),
    'graph.node[0].op_type',
    /node 'n' has no operator/,
  ],
  [
    'a subgraph reading what nobody makes',
    attribute(
      ['name', 'body'],
      ['type', 5],
      ['g', message(GRAPH, nodeOf('Neg', ['ghost'], ['z']), infoOf('output', 'z'))],
    ),
    'graph.node[0].attribute[0].g.node[0].input[0]',
    /'ghost' is neither/,
  ],
  [
    'a subgraph that takes a name from outside',
    attribute(['name', 'body'], ['type', 5], ['g', message(GRAPH, nodeOf('Neg', ['x'], ['y']), output)]),
    'graph.node[0].attribute[0].g.node[0]',
    /names must be unique in a graph and those around it/,
  ],
  [
    'a subgraph reading its own node',
    attribute(['name', 'body'], ['type', 5], ['g', message(GRAPH, infoOf('output', 'y'))]),
    'graph',
    /depends on itself/,
  ],
  [
    'an attribute without name',
    attribute(['type', 2], ['i', 1]),
    'graph.node[0].attribute[0].name',
    /an attribute has no name/,
  ],
  [
    'an attribute of unknown type',
    attribute(['name', 'a'], ['type', 99]),
    'graph.node[0].attribute[0].type',
    /attribute 'a' has the unknown type 99/,
  ],
  [
    'an attribute with nothing',
    attribute(['name', 'a']),
    'graph.node[0].attribute[0].type',
    /neither type nor value/,
  ],
  [
    'an attribute of two types',
    attribute(['name', 'a'], ['type', 2], ['s', 'text']),
    'graph.node[0].attribute[0].s',
    /is of type int but has a value of type string/,
  ],
  [
    'an attribute without its tensor',
    attribute(['name', 'a'], ['type', 4]),
    'graph.node[0].attribute[0].t',
    /of type tensor has no value/,
  ],
  [
    'a reference with a value',
    attribute(['name', 'a'], ['type', 2], ['i', 1], ['ref_attr_name', 'b']),
    'graph.node[0].attribute[0].i',
    /refers to 'b' and has a value too/,
  ],
  [
    'an attribute twice',
    modelOf(
      infoOf('input', 'x'),
      nodeOf(
        'Op',
        ['x'],
        ['y'],
        ...[1, 2].map(
          (value): Part => ['attribute', message(ATTRIBUTE, ['name', 'a'], ['i', value], ['type', 2])],
        ),
      ),
      output,
    ),
    'graph.node[0].attribute[1].name',
    /attribute 'a' is given twice/,
  ],
  [
    'a wrong field type inside',
    attribute(['name', 'a'], ['type', 4], ['t', message(TENSOR, ['raw_data', 1])]),
    'graph.node[0].attribute[0].t.raw_data',
    /expected a length and bytes/,
  ],
  [
    'floats of 3 bytes',
    attribute(['name', 'a'], ['type', 6], ['floats', new Uint8Array(3)]),
    'graph.node[0].attribute[0].floats',
    /no multiple of 4/,
  ],
  [
    'packed numbers cut off',
    attribute(['name', 'a'], ['type', 7], ['ints', Uint8Array.of(0x80)], ['type', 7]),
    'graph.node[0].attribute[0].ints',
    /runs beyond their list/,
  ],
  [
    'a negative dimension',
    weight([-3], 1, raw(4)),
    'graph.initializer[0].dims',
    /tensor 'w' has the negative dimension -3/,
  ],
  [
    'dimensions that overflow',
    weight([2 ** 40, 2 ** 40], 1, raw(4)),
    'graph.initializer[0].dims',
    /more elements than can be counted/,
  ],
  [
    'dimensions that overflow beside a zero',
    weight([2n ** 62n, 2n ** 62n, 0], 1),
    'graph.initializer[0].dims',
    /more elements than can be counted/,
  ],
  [
    'fewer bytes than the shape says',
    weight([3], 1, raw(8)),
    'graph.initializer[0]',
    /takes a Float32Array of 3 or 12 raw bytes, got 8 raw bytes/,
  ],
  [
    'fewer strings than the shape says',
    weight([3], 8, ['string_data', 'a']),
    'graph.initializer[0]',
    /takes 3 strings, got 1 strings/,
  ],
  ['no element type', weight([1], 0, raw(4)), 'graph.initializer[0].data_type', /no element type/],
  [
    'an unknown element type',
    weight([1], 99, raw(4)),
    'graph.initializer[0].data_type',
    /element type 99 is not known/,
  ],
  [
    'an element type beyond 32 bits',
    weight([1], 2n ** 40n, raw(4)),
    'graph.initializer[0].data_type',
    /does not fit into 32 bits/,
  ],
  [
    'elements in two fields',
    weight([1], 1, raw(4), ['float_data', new Uint8Array(4)]),
    'graph.initializer[0]',
    /in more than one field/,
  ],
  [
    'elements in the wrong field',
    weight([1], 1, ['int32_data', 1]),
    'graph.initializer[0].int32_data',
    /of float32 has its elements in int32_data; expected float_data or raw_data/,
  ],
  [
    'elements too wide',
    weight([1], 2, ['int32_data', 256]),
    'graph.initializer[0].int32_data',
    /uint8 has the element 256, wider than 8 bits/,
  ],
  [
    'a uint32 too wide',
    weight([1], 12, ['uint64_data', 2n ** 32n]),
    'graph.initializer[0].uint64_data',
    /uint32 has the element 4294967296/,
  ],
  ['strings in raw bytes', weight([1], 8, raw(4)), 'graph.initializer[0].raw_data', /cannot lie in raw_data/],
  [
    'a string that is not UTF-8',
    weight([1], 8, ['string_data', Uint8Array.of(0xc3)]),
    'graph.initializer[0].string_data[0]',
    /string 0 of tensor 'w' is not valid UTF-8/,
  ],
  [
    'a segment',
    weight([1], 1, ['segment', new Uint8Array(0)]),
    'graph.initializer[0].segment',
    /one segment of a larger tensor/,
  ],
  [
    'an unknown place',
    weight([1], 1, ['data_location', 7]),
    'graph.initializer[0].data_location',
    /the unknown location 7/,
  ],
  [
    'external data without location',
    external({}),
    'graph.initializer[0].external_data',
    /no location is given/,
  ],
  [
    'external data and raw bytes',
    weight([1], 1, raw(4), ['data_location', 1]),
    'graph.initializer[0].data_location',
    /both in the file and outside/,
  ],
  [
    'external data without a reader',
    external({ location: 'w' }),
    'graph.initializer[0].external_data',
    /give parseOnnx the option externalData/,
  ],
  [
    'external data of strings',
    weight([1], 8, ...entriesOf('external_data', { location: 'w' }), ['data_location', 1]),
    'graph.initializer[0].external_data',
    /strings cannot lie outside/,
  ],
  [
    'an offset that is no number',
    external({ location: 'w', offset: '-1' }),
    'graph.initializer[0].external_data',
    /offset is '-1', no whole number/,
  ],
  [
    'a length that does not fit',
    external({ location: 'w', length: '9' }),
    'graph.initializer[0].external_data',
    /9 bytes are announced; float32\[2\] takes 8/,
  ],
  ...['', '/etc/passwd', '../w', 'a/../../w', 'a\\w', 'C:w', 'w\0'].map(
    (location): [string, Uint8Array, string, RegExp] => [
      `the external location '${location}'`,
      external({ location }),
      'graph.initializer[0].external_data',
      /the location '[^']*' (is|holds|begins|leaves) .*expected a file beside the model/,
    ],
  ),
  [
    'a dimension below -1',
    typed(['dim_value', -2]),
    'graph.input[0].type.tensor_type.shape.dim[0].dim_value',
    /the dimension -2 is negative/,
  ],
  [
    'a map without keys',
    modelOf(infoOf('input', 'x', ['type', message(TYPE, ['map_type', new Uint8Array(0)])])),
    'graph.input[0].type.map_type.key_type',
    /no type of keys/,
  ],
  [
    'a type twice',
    modelOf(
      infoOf('input', 'x', [
        'type',
        message(TYPE, ['tensor_type', new Uint8Array(0)], ['sequence_type', new Uint8Array(0)]),
      ]),
    ),
    'graph.input[0].type.sequence_type',
    /the type is given twice/,
  ],
  [
    'a type of a value twice',
    modelOf(
      infoOf(
        'input',
        'x',
        ['type', message(TYPE, ['tensor_type', new Uint8Array(0)])],
        ['type', new Uint8Array(0)],
      ),
    ),
    'graph.input[0].type',
    /the type of 'x' is given twice/,
  ],
  ['messages 100 deep', nested(60), undefined, /nested more than 100 deep/],
  [
    'sparse indices of another count',
    sparse([['dims', 2], ['data_type', 1], raw(8)], [['dims', 1], ['data_type', 7], raw(8)], 4),
    'graph.sparse_initializer[0].indices',
    /float32\[2\] values and int64\[1\] indices; expected int64\[2\]/,
  ],
  [
    'sparse indices outside',
    sparse(
      [['dims', 1], ['data_type', 1], raw(4)],
      [
        ['dims', 1],
        ['data_type', 7],
        ['int64_data', 4],
      ],
      4,
    ),
    'graph.sparse_initializer[0].indices',
    /the index 4; expected 0 to 3/,
  ],
  [
    'sparse values missing',
    modelOf(...fine, ['sparse_initializer', new Uint8Array(0)]),
    'graph.sparse_initializer[0].values',
    /no values/,
  ],
  ['a function without name', withFunction(['input', 'a']), 'functions[0].name', /a function has no name/],
  [
    'two functions of one name',
    withFunction(['name', 'f']),
    'functions[1].name',
    /two functions are named '.f'/,
  ],
  [
    'functions that call each other',
    message(
      MODEL,
      ['ir_version', 8],
      ['opset_import', message(OPERATOR_SET, ['version', 17])],
      ['opset_import', message(OPERATOR_SET, ['domain', 'd'], ['version', 1])],
      ['graph', message(GRAPH, ...fine)],
      ...['f', 'g', 'h'].map(
        (name, index): Part => [
          'functions',
          message(
            FUNCTION,
            ['name', name],
            ['domain', 'd'],
            nodeOf(['g', 'f', 'f'][index]!, [], ['z'], ['domain', 'd']),
            ['opset_import', message(OPERATOR_SET, ['domain', 'd'], ['version', 1])],
          ),
        ],
      ),
    ),
    'functions',
    /function 'd\.f' calls itself/,
  ],
  [
    'a function with one input twice',
    withFunction(['name', 'f'], ['input', 'a'], ['input', 'a']),
    'functions[0].input',
    /two inputs named 'a'/,
  ],
  [
    'a function whose output nobody makes',
    withFunction(['name', 'f'], ['output', 'b']),
    'functions[0].output',
    /function 'f': output 'b' is neither/,
  ],
];

describe('a model that is damaged gives an error with its place', () => {
  it.for(CASES)('%s', ([, bytes, field, text]) => {
    const error = errorOf(bytes);
    expect(error.message).toMatch(text);
    expect(error.code).toBe('format');
    expect(error.offset).toBeGreaterThanOrEqual(0);
    expect(error.offset).toBeLessThanOrEqual(bytes.byteLength);
    if (field !== undefined) expect(error.field).toBe(field);
  });

  it('external data shorter than the model says', () => {
    const options = { externalData: () => new Uint8Array(10) };
    expect(errorOf(external({ location: 'w', offset: '4' }), options).message).toMatch(
      /bytes 4 to 12 of 'w' are needed, which has 10/,
    );
    const read = parseOnnx(external({ location: './w', offset: '2', checksum: 'x' }), options);
    expect(read.value('w').initializer!.byteLength).toBe(8);
  });

  it('counts offsets from the start of the file', () => {
    const bytes = modelOf(...fine, ['doc_string', Uint8Array.of(0xff)]);
    expect(errorOf(bytes).offset).toBe(bytes.byteLength - 3);
  });
});

describe('what files of others do is read', () => {
  it('nodes in an impossible order are sorted, subgraphs counted', () => {
    const body = message(GRAPH, nodeOf('Neg', ['late'], ['inner']), infoOf('output', 'inner'));
    const graph = parseOnnx(
      modelOf(
        infoOf('input', 'x'),
        nodeOf(
          'If',
          ['x'],
          ['y'],
          ['attribute', message(ATTRIBUTE, ['name', 'then_branch'], ['type', 5], ['g', body])],
        ),
        nodeOf('Relu', ['x'], ['late']),
        output,
      ),
    );
    expect(graph.nodes.map((node) => node.opType)).toEqual(['Relu', 'If']);
  });

  it('files before IR version 4 list initializers among the inputs', () => {
    const graph = parseOnnx(modelOf(infoOf('input', 'w'), ...fine, initializerOf('w', [1], 1, raw(4))));
    expect(graph.inputs.map((value) => value.name)).toEqual(['w', 'x']);
    expect(graph.feeds.map((value) => value.name)).toEqual(['x']);
    expect(graph.value('w').initializer).not.toBeNull();
  });

  it('files before IR version 3 import no operator set', () => {
    const graph = parseOnnx(message(MODEL, ['ir_version', 1], ['graph', message(GRAPH, ...fine)]));
    expect(graph.opset()).toBe(1);
  });

  it('attributes without a type have that of their value', () => {
    const graph = parseOnnx(attribute(['name', 'a'], ['ints', 5], ['ints', 6]));
    expect(graph.nodes[0]!.ints('a')).toEqual([5, 6]);
  });

  it('-1 is a dimension of which nothing is known', () => {
    const graph = parseOnnx(typed(['dim_value', -1]));
    expect(graph.value('x').type).toEqual({ kind: 'tensor', dtype: 'float32', shape: [null] });
  });

  it('descriptions of values that are gone are left out', () => {
    const graph = parseOnnx(
      modelOf(...fine, infoOf('value_info', 'gone'), infoOf('value_info', 'y', ['doc_string', 'd'])),
    );
    expect(graph.find('gone')).toBeUndefined();
    expect(graph.value('y').docString).toBe('d');
  });

  it('training information and device configurations are kept as bytes', () => {
    const extra = message(
      MODEL,
      ['training_info', message(VALUE_INFO, ['name', 'any'])],
      ['configuration', 'c'],
    );
    const graph = parseOnnx(new Uint8Array([...modelOf(...fine), ...extra]));
    expect(graph.meta.unknownFields.flatMap((field) => [...field])).toEqual([...extra]);
  });

  it.for<[string, number, Part, readonly (number | bigint)[]]>([
    ['bool', 9, ['int32_data', Uint8Array.of(0, 1, 2)], [0, 1, 1]],
    ['int8', 3, ['int32_data', message({ a: 1 }, ['a', -1]).subarray(1)], [-1]],
    ['uint8', 2, ['int32_data', Uint8Array.of(0xff, 0x01)], [255]],
    ['int16', 5, ['int32_data', message({ a: 1 }, ['a', -300]).subarray(1)], [-300]],
    ['uint16', 4, ['int32_data', Uint8Array.of(0xff, 0xff, 0x03)], [65535]],
    ['int32', 6, ['int32_data', 7], [7]],
    ['float16', 10, ['int32_data', Uint8Array.of(0x80, 0x78)], [0x3c00]],
    ['bfloat16', 16, ['int32_data', Uint8Array.of(0x80, 0x7f)], [0x3f80]],
    ['float8e4m3fn', 17, ['int32_data', 0x38], [0x38]],
    ['int64', 7, ['int64_data', -5n], [-5n]],
    ['uint64', 13, ['uint64_data', 2n ** 64n - 1n], [2n ** 64n - 1n]],
    ['uint32', 12, ['uint64_data', 2n ** 32n - 1n], [2 ** 32 - 1]],
    ['float32', 1, ['float_data', new Uint8Array(Float32Array.of(1.5, -2).buffer)], [1.5, -2]],
    ['float64', 11, ['double_data', new Uint8Array(Float64Array.of(0.1).buffer)], [0.1]],
    ['complex64', 14, ['float_data', new Uint8Array(Float32Array.of(1, 2).buffer)], [1, 2]],
    ['complex128', 15, ['double_data', new Uint8Array(Float64Array.of(1, 2).buffer)], [1, 2]],
  ])('%s elements lie in their typed field', ([dtype, code, data, expected]) => {
    const count = expected.length / (dtype.startsWith('complex') ? 2 : 1);
    const { initializer } = parseOnnx(weight([count], code, data)).value('w');
    expect(initializer!.dtype).toBe(dtype);
    expect(Array.from<number | bigint, number | bigint>(initializer!.data, (element) => element)).toEqual(
      expected,
    );
  });

  it('4-bit elements in int32_data are packed two to a number', () => {
    const { initializer } = parseOnnx(weight([3], 22, ['int32_data', Uint8Array.of(0x21, 0x03)])).value('w');
    expect([...initializer!.bytes]).toEqual([0x21, 0x03]);
  });
});
