import { describe, expect, it } from 'vitest';
import { ArgumentError } from '../core/errors.ts';
import { manualSeed } from '../core/random.ts';
import { Tensor } from '../core/tensor.ts';
import { Graph } from '../ir/index.ts';
import { yolov5 } from '../models/index.ts';
import { type AnyModule, fromGraph, run } from '../nn/index.ts';
import { Detector, exportDetector, rawDetector } from './index.ts';

const ANCHORS = [
  [5, 6, 7, 9, 12, 11],
  [20, 30, 41, 35, 50, 60],
  [80, 90, 120, 100, 200, 150],
];

const model = () => {
  manualSeed(0);
  return yolov5('n', { classes: 2, anchors: ANCHORS }).eval();
};

const shapes = ({ feeds, outputs }: Graph): unknown[] =>
  [...feeds, ...outputs].map((value) => [value.name, Graph.shapeOf(value)]);

const image = new Tensor(
  'uint8',
  [64, 96, 3],
  Uint8Array.from({ length: 64 * 96 * 3 }, (_, at) => (at * 37) % 256),
);

const boxes = async (of: Graph | AnyModule): Promise<Float32Array> => {
  const detector = new Detector(of, { threads: 1 });
  const { float32 } = await detector.predict([image]);
  await detector.dispose();
  return float32;
};

const gap = (a: Float32Array, b: Float32Array): number =>
  a.reduce((most, value, at) => Math.max(most, Math.abs(value - b[at]!)), 0);

describe('exportDetector', () => {
  it('names inputs, outputs and classes as Ultralytics does, and leaves the model as it was', async () => {
    const net = model();
    const graph = exportDetector(net, { names: ['cat', "dog's"], size: [64, 96] });
    expect(shapes(graph)).toEqual([
      ['images', ['batch', 3, 64, 96]],
      ['output0', ['batch', 378, 7]],
    ]);
    expect(Object.fromEntries(graph.meta.metadata)).toEqual({
      stride: '32',
      names: `{0: 'cat', 1: "dog's"}`,
      anchors: JSON.stringify(ANCHORS),
    });
    expect(net.decode).toBe(false);
    expect(graph.value('model.0.conv.weight').initializer).toBe(net.getParameter('model.0.conv.weight').data);
    net.decode = true;
    expect(gap(await boxes(graph), await boxes(net))).toBe(0);
  });

  it('gives raw maps where boxes are not to be decoded', () => {
    const graph = exportDetector(model(), { size: 64, batch: 2, decode: false });
    expect(shapes(graph)).toEqual([
      ['images', [2, 3, 64, 64]],
      ['output0', [2, 3, 8, 8, 7]],
      ['output1', [2, 3, 4, 4, 7]],
      ['output2', [2, 3, 2, 2, 7]],
    ]);
    const raw = rawDetector(graph);
    expect([raw.anchors, raw.anchorsFrom]).toEqual([ANCHORS, 'metadata']);
    expect(
      shapes(exportDetector(fromGraph(raw.graph), { ...raw, size: 32, decode: false })).slice(0, 2),
    ).toEqual([
      ['images', ['batch', 3, 32, 32]],
      ['output0', ['batch', 3, 4, 4, 7]],
    ]);
  });

  it('brings a file whose raw maps were trained back to boxes, under the same names', async () => {
    const graph = exportDetector(model(), { names: ['a', 'b'], size: [64, 96] });
    const raw = rawDetector(graph);
    const again = exportDetector(fromGraph(raw.graph), { ...raw, size: [64, 96] });
    expect(again.lint()).toEqual([]);
    const weights = (of: Graph): string[] =>
      of.initializers.map(({ name }) => name).filter((name) => /^model\.\d+\./.test(name));
    expect(weights(again).sort()).toEqual(weights(graph).sort());
    expect(again.meta.metadata).toEqual(graph.meta.metadata);
    expect(gap(await boxes(again), await boxes(graph))).toBeLessThan(1e-3);
    const [output] = (await run(
      fromGraph(again),
      new Tensor('float32', [3, 3, 64, 96], new Float32Array(3 * 3 * 64 * 96)),
    )) as readonly Tensor[];
    expect(output?.shape).toEqual([3, 378, 7]);
  });

  it('decodes with other anchors than the model has where they are given', async () => {
    const [net, other] = [model(), yolov5('n', { classes: 2 })];
    const anchors = other.detect.anchors;
    const graph = exportDetector(net, { anchors, size: [64, 96] });
    other.loadStateDict(
      new Map([...net.stateDict(), ['model.24.anchors', other.getBuffer('model.24.anchors').clone()]]),
    );
    expect(gap(await boxes(graph), await boxes(exportDetector(other, { size: [64, 96] })))).toBeLessThan(
      1e-4,
    );
    expect(rawDetector(graph)).toMatchObject({ anchors, anchorsFrom: 'metadata' });
    expect(graph.find('model.0.conv.weight')?.initializer).toBe(net.getParameter('model.0.conv.weight').data);
    expect([net.decode, net.detect.anchors]).toEqual([false, ANCHORS]);
  });

  it('refuses sizes between strides, and names of other classes', () => {
    expect(() => exportDetector(model(), { size: [64, 100] })).toThrow(
      new ArgumentError('exportDetector: size expects multiples of the largest stride, 32, got 64 x 100'),
    );
    expect(() => exportDetector(model(), { size: 64, names: ['a'] })).toThrow(
      new ArgumentError('exportDetector: there are names of 1 classes; the model has 2'),
    );
  });
});
