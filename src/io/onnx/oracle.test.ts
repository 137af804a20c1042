import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { ModelProtoSchema, TensorProto_DataType } from 'onnx-buf';
import { describe, expect, it } from 'vitest';
import { graphFacts } from '../../../test/graph-facts.ts';
import { richGraph } from '../../../test/rich-graph.ts';
import { concatBytes } from '../chunks.ts';
import { parseOnnx } from './read-model.ts';
import { serializeOnnx } from './write-model.ts';

/** `onnx-buf` is generated from ONNX's schema by others: what it decodes and encodes does not depend on our codec. */
describe('an independent protobuf implementation', () => {
  it('decodes what is written', () => {
    const model = fromBinary(ModelProtoSchema, concatBytes(serializeOnnx(richGraph())));
    expect(model).toMatchObject({
      irVersion: 10n,
      producerName: 'secateur',
      producerVersion: '1.2',
      domain: 'org.example',
      modelVersion: -(2n ** 63n),
      docString: 'A model.\nWith lines.',
      opsetImport: [
        { domain: '', version: 21n },
        { domain: 'com.example', version: 2n },
      ],
      metadataProps: [
        { key: 'author', value: 'Ünïcode' },
        { key: 'empty', value: '' },
      ],
    });
    expect(model.$unknown).toMatchObject([{ no: 100, wireType: 0 }]);
    const graph = model.graph!;
    expect(graph.node.map((node) => node.opType)).toEqual(['Everything', 'If', 'Loop', 'Twice']);
    expect(graph.input[0]).toMatchObject({
      name: 'x',
      docString: 'the input',
      type: {
        denotation: 'IMAGE',
        value: {
          case: 'tensorType',
          value: {
            elemType: 1,
            shape: {
              dim: [
                { value: { case: 'dimParam', value: 'batch' }, denotation: 'DATA_BATCH' },
                { value: { case: 'dimValue', value: 3n } },
                { value: { case: undefined } },
                { value: { case: 'dimValue', value: 0n } },
              ],
            },
          },
        },
      },
    });
    const node = graph.node[0]!;
    expect(node).toMatchObject({
      input: ['x', '', 'scale', ''],
      output: ['made', '', 'second'],
      domain: 'com.example',
      overload: 'o',
      name: 'all attributes',
    });
    const attribute = (name: string) => node.attribute.find((candidate) => candidate.name === name);
    expect(attribute('float')).toMatchObject({ type: 1, f: Math.fround(0.1), docString: 'a tenth' });
    expect(attribute('int')).toMatchObject({ type: 2, i: -(2n ** 63n) });
    expect(attribute('string')).toMatchObject({ type: 3, s: new TextEncoder().encode('text') });
    expect(attribute('floats')).toMatchObject({ type: 6, floats: [1.5, -2, Number.POSITIVE_INFINITY] });
    expect(attribute('ints')).toMatchObject({ type: 7, ints: [0n, 127n, 128n, -1n, 2n ** 63n - 1n] });
    expect(attribute('types')).toMatchObject({ type: 14 });
    expect(attribute('types')?.typeProtos).toHaveLength(2);
    const scale = graph.initializer.find(({ name }) => name === 'scale')!;
    expect(scale).toMatchObject({
      dims: [3n],
      dataType: TensorProto_DataType.FLOAT,
      docString: 'of the tensor',
    });
    expect(scale.rawData).toEqual(new Uint8Array(Float32Array.of(0.5, -0, Number.NaN).buffer));
    expect(graph.sparseInitializer).toMatchObject([{ dims: [3n, 2n], values: { name: 'sparse' } }]);
    expect(graph.quantizationAnnotation).toMatchObject([
      {
        tensorName: 'made',
        quantParameterTensorNames: [
          { key: 'SCALE_TENSOR', value: 'scale' },
          { key: 'ZERO_POINT_TENSOR', value: 'elsewhere' },
        ],
      },
    ]);
    expect(model.functions).toMatchObject([
      { name: 'Twice', domain: 'com.example', input: ['a'], output: ['b'], attribute: ['axis'] },
    ]);
    expect(model.functions[0]!.node[0]!.attribute).toMatchObject([
      { name: 'axis', refAttrName: 'axis', type: 2 },
    ]);
  });

  it('encodes the same model, in the order of field numbers, and it is read the same', () => {
    const graph = richGraph();
    const theirs = toBinary(
      ModelProtoSchema,
      fromBinary(ModelProtoSchema, concatBytes(serializeOnnx(graph))),
    );
    expect(graphFacts(parseOnnx(theirs))).toEqual(graphFacts(graph));
  });

  it('encodes typed data, which is read into the same tensors', () => {
    const model = create(ModelProtoSchema, {
      irVersion: 8n,
      opsetImport: [{ domain: '', version: 17n }],
      graph: {
        name: 'typed',
        initializer: [
          { name: 'f', dims: [2n], dataType: TensorProto_DataType.FLOAT, floatData: [1.5, -2] },
          { name: 'd', dims: [2n], dataType: TensorProto_DataType.DOUBLE, doubleData: [0.1, -0] },
          {
            name: 'i',
            dims: [3n],
            dataType: TensorProto_DataType.INT64,
            int64Data: [-1n, 300n, 2n ** 63n - 1n],
          },
          { name: 'u', dims: [1n], dataType: TensorProto_DataType.UINT64, uint64Data: [2n ** 64n - 1n] },
          { name: 'b', dims: [3n], dataType: TensorProto_DataType.INT8, int32Data: [-128, 0, 127] },
          { name: 'h', dims: [2n], dataType: TensorProto_DataType.FLOAT16, int32Data: [0x3c00, 0xfbff] },
          {
            name: 's',
            dims: [2n],
            dataType: TensorProto_DataType.STRING,
            stringData: [new TextEncoder().encode('é'), new Uint8Array(0)],
          },
        ],
        output: [{ name: 'f' }],
      },
    });
    const graph = parseOnnx(toBinary(ModelProtoSchema, model));
    const data = (name: string) =>
      Array.from<number | bigint, number | bigint>(graph.value(name).initializer!.data, (x) => x);
    expect(data('f')).toEqual([1.5, -2]);
    expect(data('d')).toEqual([0.1, -0]);
    expect(data('i')).toEqual([-1n, 300n, 2n ** 63n - 1n]);
    expect(data('u')).toEqual([2n ** 64n - 1n]);
    expect(data('b')).toEqual([-128, 0, 127]);
    expect(data('h')).toEqual([0x3c00, 0xfbff]);
    expect(graph.value('s').initializer!.strings).toEqual(['é', '']);
  });
});
