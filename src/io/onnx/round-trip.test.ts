import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { graphFacts } from '../../../test/graph-facts.ts';
import { futureField, richGraph, sampleTensor } from '../../../test/rich-graph.ts';
import { byteLengthOf, DTYPES, type DType } from '../../core/dtype.ts';
import { ArgumentError, GraphError } from '../../core/errors.ts';
import { sizeOf, Tensor } from '../../core/tensor.ts';
import { type Attribute, attr, Graph, tensorType } from '../../ir/index.ts';
import { byteLengthOfChunks, concatBytes } from '../chunks.ts';
import { keepFields, keepNotes, keptFields, keptNotes } from './kept.ts';
import { parseOnnx } from './read-model.ts';
import { onnxByteLength, serializeOnnx } from './write-model.ts';

const again = (graph: Graph): Graph => parseOnnx(concatBytes(serializeOnnx(graph)));

const DTYPE_NAMES = Object.keys(DTYPES) as DType[];

describe.each(['models', 'data/onnx'])('files of shared/%s', (folder) => {
  const path = fileURLToPath(new URL(`../../../../shared/${folder}/`, import.meta.url));
  const files = existsSync(path) ? readdirSync(path).filter((file) => file.endsWith('.onnx')) : [];
  // Without the folder beside the checkout there is nothing to read.
  it.skipIf(files.length === 0).for(files.length === 0 ? ['the folder is absent'] : files)(
    '%s reads the same after it was written',
    (file) => {
      const graph = parseOnnx(readFileSync(path + file));
      expect(graph.lint()).toEqual([]);
      expect(graphFacts(again(graph))).toEqual(graphFacts(graph));
    },
  );
});

describe('round trip', () => {
  it('keeps everything a model can say', () => {
    const graph = richGraph();
    expect(graphFacts(again(graph))).toEqual(graphFacts(graph));
  });

  it('writes what it read byte for byte the same the second time', () => {
    const first = concatBytes(serializeOnnx(richGraph()));
    expect(concatBytes(serializeOnnx(parseOnnx(first)))).toEqual(first);
  });

  it('keeps fields of newer formats on messages that have no object of their own', () => {
    const graph = richGraph();
    const x = graph.value('x');
    const tensor = graph.value('w.float32').initializer!;
    keepFields(x.type!, [futureField(10)]);
    keepFields(x.type!, [futureField(11)], 'tensor');
    keepFields(x.type!, [futureField(12)], 'shape');
    keepFields(x.type!, [futureField(13)], 1);
    keepFields(tensor, [futureField(14)]);
    keepFields(graph.value('sparse').sparseInitializer!, [futureField(15)]);
    keepFields(graph.meta.metadata, [futureField(16)], 'author');
    keepFields(graph.opsetImports, [futureField(17)], 'com.example');
    keepFields(graph.quantizationAnnotations[0]!, [futureField(18)]);
    keepNotes(graph.value('fed').initializer!, {
      name: '',
      docString: 'of the tensor',
      metadata: new Map([['k', 'v']]),
    });
    const read = again(again(graph));
    const type = read.value('x').type!;
    expect([
      keptFields(type),
      keptFields(type, 'tensor'),
      keptFields(type, 'shape'),
      keptFields(type, 1),
      keptFields(read.value('w.float32').initializer!),
      keptFields(read.value('sparse').sparseInitializer!),
      keptFields(read.meta.metadata, 'author'),
      keptFields(read.opsetImports, 'com.example'),
      keptFields(read.quantizationAnnotations[0]!),
    ]).toEqual([10, 11, 12, 13, 14, 15, 16, 17, 18].map((value) => [futureField(value)]));
    expect(keptNotes(read.value('fed').initializer!)).toMatchObject({
      docString: 'of the tensor',
      metadata: new Map([['k', 'v']]),
    });
  });

  it('holds for models made at random', () => {
    const tensor = fc
      .record({
        dtype: fc.constantFrom(...DTYPE_NAMES.filter((dtype) => dtype !== 'string')),
        shape: fc.array(fc.nat(4), { maxLength: 3 }),
        seed: fc.nat(255),
      })
      .map(({ dtype, shape, seed }) => {
        const bytes = new Uint8Array(byteLengthOf(dtype, sizeOf(shape)));
        return new Tensor(dtype, shape, { bytes: bytes.map((_, index) => (index * 31 + seed) & 255) });
      });
    const attribute: fc.Arbitrary<Attribute> = fc.oneof(
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(attr.int),
      fc.float().map(attr.float),
      fc.string({ unit: 'grapheme' }).map(attr.string),
      fc.array(fc.float()).map(attr.floats),
      fc.array(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })).map(attr.ints),
      fc.array(fc.string()).map(attr.strings),
      tensor.map(attr.tensor),
    );
    const spec = fc.record({
      tensors: fc.array(tensor, { maxLength: 4 }),
      nodes: fc.array(
        fc.record({
          attributes: fc.dictionary(fc.string({ minLength: 1 }), attribute, { maxKeys: 3 }),
          outputs: fc.integer({ min: 1, max: 3 }),
          picks: fc.array(fc.nat(), { maxLength: 3 }),
        }),
        { minLength: 1, maxLength: 6 },
      ),
    });
    fc.assert(
      fc.property(spec, ({ tensors, nodes }) => {
        const graph = new Graph();
        const values = [graph.addInput('x', tensorType('float32', ['n', 3]))];
        tensors.forEach((data, index) => {
          values.push(graph.addInitializer(`w${index}`, data));
        });
        nodes.forEach(({ attributes, outputs, picks }, index) => {
          const node = graph.addNode({
            opType: 'Op',
            name: `node${index}`,
            inputs: picks.map((pick) => (pick % 7 === 0 ? null : values[pick % values.length]!)),
            outputs,
            attributes: new Map(Object.entries(attributes)),
          });
          values.push(...node.outputs.filter((value) => value !== null));
        });
        graph.addOutput(values.at(-1)!);
        expect(graphFacts(again(graph))).toEqual(graphFacts(graph));
      }),
      { numRuns: 150 },
    );
  });
});

describe('memory', () => {
  it('of weights is the file when reading, and the tensors when writing', () => {
    const graph = new Graph();
    const weights = Tensor.of(new Float32Array(1000).fill(1.5));
    const w = graph.addInitializer('w', weights);
    graph.addOutput(graph.addNode({ opType: 'Neg', inputs: [w] }).output());
    const chunks = serializeOnnx(graph);
    expect(chunks.some((chunk) => chunk.buffer === weights.data.buffer)).toBe(true);
    expect(onnxByteLength(graph)).toBe(byteLengthOfChunks(chunks));
    const file = concatBytes(chunks);
    expect(parseOnnx(file).value('w').initializer!.bytes.buffer).toBe(file.buffer);
  });

  it('of a Node Buffer from the pool is read right, at odd offsets too', () => {
    const graph = new Graph();
    const w = graph.addInitializer('w', Tensor.of(Float32Array.of(1, 2, 3)));
    graph.addOutput(graph.addNode({ opType: 'Neg', inputs: [w] }).output());
    for (let offset = 0; offset < 4; offset++) {
      const file = Buffer.from([...new Array<number>(offset).fill(0), ...concatBytes(serializeOnnx(graph))]);
      const read = parseOnnx(file.subarray(offset)).value('w').initializer!;
      expect([...read.float32]).toEqual([1, 2, 3]);
    }
  });
});

describe('external data', () => {
  const small = (): Graph => {
    const graph = new Graph();
    const values = [5000, 3, 2000].map((size, index) =>
      graph.addInitializer(`w${index}`, Tensor.of(new Float32Array(size).fill(index + 0.5))),
    );
    graph.addOutput(graph.addNode({ opType: 'Sum', inputs: values }).output());
    return graph;
  };

  it('is written at whole pages and read back, small tensors staying in the model', () => {
    const graph = small();
    const { model, data } = serializeOnnx(graph, {
      externalData: { location: 'sub/m.data', threshold: 100 },
    });
    expect(byteLengthOfChunks(model)).toBeLessThan(500);
    expect(byteLengthOfChunks(data)).toBe(20480 + 8000);
    const asked: string[] = [];
    const read = parseOnnx(concatBytes(model), {
      externalData: (location) => {
        asked.push(location);
        return concatBytes(data);
      },
    });
    expect(new Set(asked)).toEqual(new Set(['sub/m.data']));
    expect(graphFacts(read)).toEqual(graphFacts(graph));
    expect(graphFacts(again(read))).toEqual(graphFacts(graph));
  });

  it('is needed beyond 2 GiB, which protobuf does not allow', () => {
    const graph = new Graph();
    // Memory that is only announced: the writer copies and reads none of it.
    const half = new Tensor('uint8', [2 ** 30], new Uint8Array(2 ** 30));
    const w = graph.addInitializer('w0', half);
    graph.addOutput(graph.addNode({ opType: 'Sum', inputs: [w, graph.addInitializer('w1', half)] }).output());
    expect(() => serializeOnnx(graph)).toThrow(
      /takes 21474\d+ bytes, more than the 2147483647 protobuf allows; pass externalData/,
    );
    const { model, data } = serializeOnnx(graph, { externalData: { location: 'm.data' } });
    expect(byteLengthOfChunks(model)).toBeLessThan(500);
    // The same tensor twice takes its place once.
    expect(byteLengthOfChunks(data)).toBe(2 ** 30);
    const inConstant = new Graph();
    const constant = (): Graph['inputs'][number] =>
      inConstant
        .addNode({ opType: 'Constant', inputs: [], attributes: { value: attr.tensor(half) } })
        .output();
    inConstant.addOutput(inConstant.addNode({ opType: 'Sum', inputs: [constant(), constant()] }).output());
    expect(() => serializeOnnx(inConstant, { externalData: { location: 'm.data' } })).toThrow(
      /without its initializers the model still takes/,
    );
  });

  it('is refused outside the folder and below zero bytes', () => {
    expect(() => serializeOnnx(small(), { externalData: { location: '../m.data' } })).toThrow(
      new ArgumentError(
        "serializeOnnx: the location of external data '../m.data' leaves the model's folder; expected a file beside the model",
      ),
    );
    expect(() => serializeOnnx(small(), { externalData: { location: 'm', threshold: -1 } })).toThrow(
      /threshold/,
    );
  });
});

describe('serializeOnnx', () => {
  it('refuses a graph that is not well formed', () => {
    expect(() => serializeOnnx(new Graph())).toThrow(GraphError);
  });

  it('refuses text that has no UTF-8', () => {
    const graph = new Graph();
    graph.addOutput(graph.addInput('half \uD800', null));
    expect(() => serializeOnnx(graph)).toThrow(/half of a surrogate pair/);
  });

  it('writes every dtype', () => {
    for (const dtype of DTYPE_NAMES) {
      const graph = new Graph();
      const w = graph.addInitializer('w', sampleTensor(dtype));
      graph.addOutput(w);
      expect(graphFacts(again(graph)), dtype).toEqual(graphFacts(graph));
    }
  });
});
