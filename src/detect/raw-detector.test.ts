import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { ArgumentError, UnsupportedError } from '../core/errors.ts';
import { manualSeed } from '../core/random.ts';
import { Tensor } from '../core/tensor.ts';
import type { Graph } from '../ir/index.ts';
import { COCO_ANCHORS, decodedDetector, LeNet5, yolov5 } from '../models/index.ts';
import { fromGraph, run, toGraph, trace } from '../nn/index.ts';
import { readModel } from '../node/index.ts';
import { createSession } from '../runtime/index.ts';
import { shrink } from '../structural/index.ts';
import { rawDetector } from './index.ts';

const EXPORT = fileURLToPath(new URL('../../../shared/data/onnx/yolov5n.onnx', import.meta.url));

const OTHER = [
  [5, 6, 7, 9, 12, 11],
  [20, 30, 41, 35, 50, 60],
  [80, 90, 120, 100, 200, 150],
];

const image = (height: number, width: number, batch = 1): Tensor => {
  const data = new Float32Array(batch * 3 * height * width);
  for (let at = 0; at < data.length; at++) data[at] = ((at * 7919) % 1000) / 1000;
  return new Tensor('float32', [batch, 3, height, width], data);
};

const runGraph = async (graph: Graph, input: Tensor): Promise<Tensor> => {
  const session = await createSession(graph, { threads: 1 });
  const results = await session.run({ [session.inputs[0]!.name]: input });
  await session.dispose();
  return results.get(session.outputs[0]!)!;
};

const largestGap = (a: Tensor, b: Tensor): number => {
  expect(a.shape).toEqual(b.shape);
  return a.float32.reduce((gap, value, at) => Math.max(gap, Math.abs(value - b.float32[at]!)), 0);
};

/** Decoding the raw maps again gives what the graph gives. */
async function expectSame(graph: Graph, input: Tensor): Promise<void> {
  const raw = rawDetector(graph);
  const again = decodedDetector(fromGraph(raw.graph), raw).eval();
  const [boxes] = (await run(again, input)) as readonly Tensor[];
  expect(largestGap(boxes!, await runGraph(graph, input))).toBeLessThan(1e-3);
}

describe('rawDetector', () => {
  it('gives the maps of an export of this project, at any batch and size, on the same weights', async () => {
    manualSeed(0);
    const model = yolov5('n', { classes: 4, anchors: OTHER, decode: true }).eval();
    const graph = trace(model, [1, 3, 64, 96]);
    const before = graph.print();
    const raw = rawDetector(graph);
    expect(graph.print()).toBe(before);
    expect(raw.graph.lint()).toEqual([]);
    expect(raw).toMatchObject({
      anchors: OTHER,
      anchorsFrom: 'graph',
      strides: [8, 16, 32],
      classes: 4,
      names: null,
    });
    expect(raw.graph.value('model.0.conv.weight').initializer).toBe(
      model.getParameter('model.0.conv.weight').data,
    );
    await expectSame(graph, image(64, 96));
    const maps = (await run(fromGraph(raw.graph), image(128, 64, 2))) as readonly Tensor[];
    expect(maps.map(({ shape }) => shape)).toEqual([
      [2, 3, 16, 8, 9],
      [2, 3, 8, 4, 9],
      [2, 3, 4, 2, 9],
    ]);
    model.decode = false;
    const own = (await run(model, image(128, 64, 2))) as readonly Tensor[];
    maps.forEach((map, index) => {
      expect(largestGap(map, own[index]!)).toBeLessThan(1e-4);
    });
  });

  it('gives the maps of what it gave, decoded again', async () => {
    manualSeed(0);
    const model = yolov5('n', { classes: 1, anchors: OTHER, decode: true }).eval();
    const raw = rawDetector(trace(model, ['batch', 3, 64, 96]));
    const decoded = toGraph(decodedDetector(fromGraph(raw.graph), raw), [1, 3, 64, 96]);
    const again = rawDetector(decoded);
    expect([again.anchors, again.strides, again.classes]).toEqual([OTHER, [8, 16, 32], 1]);
    expect(rawDetector(raw.graph)).toMatchObject({ anchors: OTHER, anchorsFrom: 'metadata' });
    await expectSame(decoded, image(64, 96));
  });

  it('takes anchors from the options, the metadata, the graph, or COCO, in this order', () => {
    manualSeed(0);
    const model = yolov5('n', { classes: 1, decode: true }).eval();
    const graph = trace(model, [1, 3, 64, 64]);
    expect(rawDetector(graph)).toMatchObject({ anchors: COCO_ANCHORS, anchorsFrom: 'graph' });
    graph.meta.metadata.set('anchors', JSON.stringify(OTHER));
    expect(rawDetector(graph)).toMatchObject({ anchors: OTHER, anchorsFrom: 'metadata' });
    expect(rawDetector(graph, { anchors: COCO_ANCHORS })).toMatchObject({ anchorsFrom: 'options' });
    model.decode = false;
    const maps = trace(model, [1, 3, 64, 64]);
    maps.meta.metadata.set('anchors', 'what another program calls so');
    maps.meta.metadata.set('names', "{0: 'cell'}");
    expect(rawDetector(maps)).toMatchObject({ anchors: COCO_ANCHORS, anchorsFrom: 'coco', names: ['cell'] });
    expect(() => rawDetector(graph, { anchors: OTHER.slice(1) })).toThrow(
      new ArgumentError(
        'rawDetector: the model has 3 maps of 3 anchors each; got anchors for 2 maps of 3, 3',
      ),
    );
  });

  it('gives the maps of other classes fresh weights, and leaves the rest', async () => {
    manualSeed(0);
    const model = yolov5('n', { classes: 4, anchors: OTHER, decode: true }).eval();
    const graph = trace(model, [1, 3, 64, 64]);
    graph.meta.metadata.set('names', "['a', 'b', 'c', 'd']");
    manualSeed(7);
    const raw = rawDetector(graph, { classes: 2 });
    expect([raw.classes, raw.names, raw.graph.meta.metadata.has('names')]).toEqual([2, null, false]);
    expect(raw.graph.lint()).toEqual([]);
    expect(raw.replaced[0]).toEqual({
      name: 'model.24.m.0.weight',
      expected: [21, 64, 1, 1],
      found: [27, 64, 1, 1],
    });
    expect(raw.replaced.map(({ name }) => name)).toEqual(
      [0, 1, 2].flatMap((map) => [`model.24.m.${map}.weight`, `model.24.m.${map}.bias`]),
    );
    const maps = (await run(fromGraph(raw.graph), image(64, 64))) as readonly Tensor[];
    expect(maps.map(({ shape }) => shape.at(-1))).toEqual([7, 7, 7]);
    // As YOLOv5 starts them: 8 objects in an image of 640 pixels.
    const bias = raw.graph.value('model.24.m.0.bias').initializer!.float32;
    expect(Math.abs(bias[4]! - Math.log(8 / 80 ** 2))).toBeLessThan(0.2);
    const shared = (name: string): boolean =>
      raw.graph.value(name).initializer === graph.value(name).initializer;
    expect([shared('model.23.cv3.conv.weight'), shared('model.24.m.0.weight')]).toEqual([true, false]);
    expect(graph.value('model.24.m.0.weight').initializer?.shape).toEqual([27, 64, 1, 1]);
    expect(() => rawDetector(graph, { classes: 0 })).toThrow(
      'rawDetector: classes expects a whole number of at least 1, got 0',
    );
  });

  it('refuses what is no YOLOv5', () => {
    const lenet = trace(new LeNet5().eval(), [1, 1, 32, 32]);
    expect(() => rawDetector(lenet)).toThrow(
      new UnsupportedError("rawDetector: expected one input of images [N, 3, H, W], got 'input'"),
    );
    manualSeed(0);
    const graph = trace(yolov5('n', { classes: 1, decode: true }).eval(), [1, 3, 64, 64]);
    const [boxes] = graph.outputs;
    const sliced = graph.addNode({ opType: 'Sigmoid', inputs: [graph.value('model.24.m.0.weight')] });
    graph.setOutput(0, sliced.output());
    expect(boxes).toBeDefined();
    expect(() => rawDetector(graph)).toThrow(
      /expected a YOLOv5, with boxes \[N, boxes, 5 \+ classes\] or raw maps .* the outputs are 'Sigmoid_output_0' \[18, 64, 1, 1\]$/,
    );
  });

  it('refuses a map that is computed with before it is decoded', () => {
    manualSeed(0);
    const graph = trace(yolov5('n', { classes: 1, decode: true }).eval(), [1, 3, 64, 64]);
    const conv = graph.node('/model.24/m.1/Conv').output();
    const scaled = graph.addNode({
      opType: 'Sigmoid',
      inputs: [conv],
      name: 'before',
      before: graph.nodes[graph.nodes.indexOf(graph.node('/model.24/m.1/Conv')) + 1]!,
    });
    for (const { node, index } of conv.uses) if (node !== scaled) node.setInput(index, scaled.output());
    expect(() => rawDetector(graph)).toThrow(
      /what Conv '\/model\.24\/m\.1\/Conv' gives is not simply \[N, 3 × 6, ny, nx\] in another order/,
    );
  });

  describe.skipIf(!existsSync(EXPORT))("on Ultralytics' export (skipped where ../shared is absent)", () => {
    it('gives its maps, anchors and names, and decodes to the same boxes', async () => {
      const graph = readModel(EXPORT);
      const raw = rawDetector(graph);
      expect(raw).toMatchObject({ anchors: COCO_ANCHORS, anchorsFrom: 'graph', classes: 80 });
      expect(raw.names?.slice(0, 2)).toEqual(['person', 'bicycle']);
      expect(raw.graph.feeds.map(({ type }) => type)).toMatchObject([
        { shape: ['batch', 3, 'height', 'width'] },
      ]);
      await expectSame(graph, image(640, 640));
    }, 60_000);

    it('does so once channels are removed', async () => {
      const { graph } = await shrink(readModel(EXPORT), { ratio: 0.5, roundTo: 8, verify: false });
      await expectSame(graph, image(640, 640));
      // And channels are removed from the raw maps' graph as from that of boxes.
      const { graph: small } = await shrink(rawDetector(readModel(EXPORT)).graph, {
        ratio: 0.5,
        roundTo: 8,
        verify: false,
        shapes: { images: [1, 3, 640, 640] },
      });
      const sizes = (of: Graph): string[] =>
        of.initializers
          .filter(({ name }) => name.endsWith('weight'))
          .map(({ name, initializer }) => `${name} ${initializer}`)
          .sort();
      expect(sizes(small)).toEqual(sizes(graph));
    }, 60_000);
  });
});
