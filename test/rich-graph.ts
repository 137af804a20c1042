import { byteLengthOf, DTYPES, type DType } from '../src/core/dtype.ts';
import { Tensor } from '../src/core/tensor.ts';
import { type Attribute, attr, Graph, tensorType } from '../src/ir/index.ts';

/** A field of a format to come: number 100, the varint `value`. */
export const futureField = (value: number): Uint8Array => Uint8Array.of(0xa0, 0x06, value);

/** A tensor of any dtype, of 3 elements whose bytes are `seed`, `seed + 1`, … */
export function sampleTensor(dtype: DType, seed = 1): Tensor {
  if (dtype === 'string') return new Tensor(dtype, [3], ['', 'häßlich', `\uFEFF${seed}`]);
  const bytes = Uint8Array.from({ length: byteLengthOf(dtype, 3) }, (_, index) =>
    dtype === 'bool' ? index % 2 : (seed + index) % 64,
  );
  return new Tensor(dtype, [3], { bytes });
}

/** A model that uses everything the format has, small enough to be cut at each of its bytes. */
export function richGraph(): Graph {
  const graph = new Graph({ name: 'rich', opset: 21 });
  const { meta } = graph;
  meta.irVersion = 10;
  meta.producerVersion = '1.2';
  meta.domain = 'org.example';
  meta.modelVersion = -(2n ** 63n);
  meta.docString = 'A model.\nWith lines.';
  meta.metadata.set('author', 'Ünïcode').set('empty', '');
  meta.unknownFields = [futureField(1)];
  graph.opsetImports.set('com.example', 2);
  graph.docString = 'the graph';
  graph.metadata.set('key', 'value');
  graph.unknownFields = [futureField(2)];

  const x = graph.addInput('x', {
    kind: 'tensor',
    dtype: 'float32',
    shape: ['batch', 3, null, 0],
    dimDenotations: ['DATA_BATCH', undefined, undefined, undefined],
    denotation: 'IMAGE',
  });
  x.docString = 'the input';
  x.metadata.set('range', '0..1');
  x.unknownFields = [futureField(3)];
  graph.addInput('sequence', {
    kind: 'sequence',
    element: { kind: 'map', key: 'int64', value: tensorType('string', []) },
  });
  graph.addInput('optional', {
    kind: 'optional',
    element: { kind: 'sparse-tensor', dtype: 'float16', shape: null },
  });
  graph.addInput('opaque', { kind: 'opaque', domain: 'd', name: 'n', denotation: 'o' });
  graph.addInput('untyped', null);
  const condition = graph.addInput('condition', tensorType('bool', []));
  const scale = graph.addInitializer('scale', Tensor.of(Float32Array.of(0.5, -0, Number.NaN)));
  scale.docString = 'of the tensor';
  graph.markInput(graph.addInitializer('fed', Tensor.int64([1, -1])));
  for (const dtype of Object.keys(DTYPES) as DType[]) graph.addInitializer(`w.${dtype}`, sampleTensor(dtype));
  graph.addInitializer('scalar', Tensor.int64(7));
  graph.addInitializer('empty', Tensor.zeros('float32', [0, 5]));
  const sparse = {
    values: Tensor.of(Float32Array.of(3, 4)),
    indices: new Tensor('int64', [2, 2], BigInt64Array.of(0n, 1n, 2n, 0n)),
    dims: [3, 2],
  };
  graph.addSparseInitializer('sparse', sparse);

  const attributes: Record<string, Attribute> = {
    float: { ...attr.float(0.1), docString: 'a tenth', unknownFields: [futureField(4)] },
    int: attr.int(-(2n ** 63n)),
    string: attr.string('text'),
    bytes: attr.string(Uint8Array.of(0xff, 0xfe)),
    tensor: attr.tensor(sampleTensor('int4')),
    'sparse-tensor': { kind: 'sparse-tensor', value: sparse },
    type: { kind: 'type', value: tensorType('bfloat16', ['n', 2]) },
    floats: attr.floats([1.5, -2, Number.POSITIVE_INFINITY]),
    ints: attr.ints([0, 127, 128, -1, 2n ** 63n - 1n]),
    strings: attr.strings(['a', '', Uint8Array.of(0x80)]),
    tensors: { kind: 'tensors', value: [sampleTensor('bool'), sampleTensor('string')] },
    graphs: { kind: 'graphs', value: [] },
    'sparse-tensors': { kind: 'sparse-tensors', value: [sparse] },
    types: { kind: 'types', value: [tensorType(null, null), { kind: 'sequence', element: null }] },
    none: attr.ints([]),
  };
  const custom = graph.addNode({
    opType: 'Everything',
    domain: 'com.example',
    overload: 'o',
    name: 'all attributes',
    inputs: [x, null, scale, null],
    outputs: ['made', null, 'second'],
    attributes,
  });
  custom.docString = 'the node';
  custom.metadata.set('namespace', 'a/b');
  custom.unknownFields = [futureField(5)];
  custom.output(0).type = tensorType('float32', ['batch', '2*n']);
  custom.output(2).docString = 'only a doc string';

  const branch = (name: string): Graph => {
    const body = new Graph({ name, parent: graph });
    const local = body.addInitializer(`${name}.w`, Tensor.of(Float32Array.of(1)));
    const sum = body.addNode({ opType: 'Add', inputs: [custom.output(), local], outputs: [`${name}.sum`] });
    body.addOutput(sum.output());
    return body;
  };
  const chosen = graph.addNode({
    opType: 'If',
    name: 'choice',
    inputs: [condition],
    outputs: ['chosen'],
    attributes: { then_branch: attr.graph(branch('then')), else_branch: attr.graph(branch('else')) },
  });
  const loop = new Graph({ name: 'body', parent: graph });
  loop.addInput('i', tensorType('int64', []));
  const going = loop.addInput('going', tensorType('bool', []));
  loop.addOutput(going);
  loop.addOutput(chosen.output());
  graph.addNode({
    opType: 'Loop',
    inputs: [null, condition],
    outputs: ['looped'],
    attributes: { body: attr.graph(loop) },
  });
  const call = graph.addNode({
    opType: 'Twice',
    domain: 'com.example',
    inputs: [chosen.output()],
    outputs: ['twice'],
    attributes: { axis: attr.int(1) },
  });
  graph.addOutput(call.output());
  graph.addOutput(graph.value('looped'));
  call.output().type = tensorType('float32', null);
  graph.quantizationAnnotations.push({
    value: custom.output(),
    parameters: new Map<string, Graph['inputs'][number] | string>([
      ['SCALE_TENSOR', scale],
      ['ZERO_POINT_TENSOR', 'elsewhere'],
    ]),
  });

  const body = new Graph({ name: 'Twice', opset: 20 });
  body.docString = 'adds a value to itself';
  body.metadata.set('k', 'v');
  body.unknownFields = [futureField(6)];
  const a = body.addInput('a', null);
  const sum = body.addNode({
    opType: 'Add',
    inputs: [a, a],
    outputs: ['b'],
    attributes: { axis: { kind: 'reference', name: 'axis', of: 'int' } },
  });
  sum.output().type = tensorType('float32', null);
  body.addOutput(sum.output());
  meta.functions.push({
    name: 'Twice',
    domain: 'com.example',
    overload: '',
    attributeNames: ['axis'],
    attributeDefaults: new Map([['alpha', attr.float(1)]]),
    graph: body,
  });
  return graph;
}
