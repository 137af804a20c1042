import { afterEach, describe, expect, it } from 'vitest';
import { ArgumentError, ShapeError, UnsupportedError } from '../core/errors.ts';
import { manualSeed } from '../core/random.ts';
import { Tensor } from '../core/tensor.ts';
import { Graph, tensorType } from '../ir/index.ts';
import { LeNet5, yolov5 } from '../models/index.ts';
import { fromGraph, Module, trace, type Variable } from '../nn/index.ts';
import { inferShapes } from '../ops/index.ts';
import { type DetectionDataset, Detector, detectionDataset, evaluateDetector } from './index.ts';
import { resizeInput } from './resize-input.ts';

const SIZE = 64;

/** Gives a box over the right half of the image, its objectness the mean of the red of that image; and one of nothing. */
class Half extends Module<Variable> {
  override forward(image: Variable): Variable {
    const { tracer } = image;
    const box = Float32Array.of(48, 32, 32, 64, 0, 0.9, 0.1, 0, 0, 1, 1, 0, 0, 0);
    const takes = Float32Array.of(0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    const red = image.mean([2, 3], { keepdim: true }).split([1, 2], 1)[0]!.view(-1, 1, 1);
    return red
      .mul(tracer.constant(new Tensor('float32', [1, 2, 7], takes)))
      .add(tracer.constant(new Tensor('float32', [1, 2, 7], box)));
  }
}

const named = (batch: number | string, names?: string): Graph => {
  const graph = trace(new Half().eval(), [[batch, 3, SIZE, SIZE]]);
  if (names !== undefined) graph.meta.metadata.set('names', names);
  return graph;
};

const plain = (height: number, width: number, level: number): Tensor =>
  new Tensor('uint8', [height, width, 3], new Uint8Array(height * width * 3).fill(level));

const open: Detector[] = [];
const detectorOf = (...args: ConstructorParameters<typeof Detector>): Detector => {
  const detector = new Detector(...args);
  open.push(detector);
  return detector;
};
afterEach(async () => {
  for (const detector of open.splice(0)) await detector.dispose();
});

describe('Detector', () => {
  it('gives boxes in the pixels of each image, with names out of the metadata', async () => {
    const detector = detectorOf(named('batch', "{0: 'cat', 1: 'dog'}"), { threads: 1 });
    expect([detector.names, detector.inputSize, detector.stride]).toEqual([['cat', 'dog'], [64, 64], 32]);
    const found = await detector.detect([plain(64, 64, 255), plain(128, 256, 200), plain(64, 64, 10)]);
    expect(found.map((list) => list.length)).toEqual([1, 1, 0]);
    const [first, second] = found.map(([one]) => one);
    expect(first!.box).toEqual([32, 0, 64, 64]);
    expect(first!.confidence).toBeCloseTo(0.9, 5);
    expect(detector.nameOf(first!.label)).toBe('cat');
    // Of the wide image, with grey edges above and below.
    expect(second!.box).toEqual([128, 0, 256, 128]);
    expect(second!.confidence).toBeCloseTo((0.9 * (200 + 114)) / 2 / 255, 4);
  });

  it('runs as many images at once as a model of a fixed number takes', async () => {
    const detector = detectorOf(named(2), { threads: 1 });
    expect(detector.batchSize).toBe(2);
    const images = [255, 204, 153].map((level) => plain(SIZE, SIZE, level));
    expect((await detector.predict(images)).shape).toEqual([3, 2, 7]);
    const found = await detector.detect(images);
    expect(found.map(([one]) => Number(one!.confidence.toFixed(4)))).toEqual([0.9, 0.72, 0.54]);
  });

  it('runs a module as it is', async () => {
    manualSeed(3);
    const model = yolov5('n', { classes: 2, decode: true });
    const detector = detectorOf(model.eval(), { names: ['a', 'b'] });
    expect([detector.inputSize, detector.takesAnySize]).toEqual([null, true]);
    expect(detector.sizeFor(50)).toEqual([64, 64]);
    expect(detector.sizeFor()).toEqual([640, 640]);
    const image = plain(40, 64, 90);
    const prediction = await detector.predict([plain(64, 64, 90)]);
    expect(prediction.shape).toEqual([1, 252, 7]);
    const options = { size: 64, confThres: 0, iouThres: 0.5, maxDet: 3 };
    const [before] = await detector.detect([image], options);
    expect(before!.length).toBe(3);
    const bias = model.detect.m.at(0).bias!;
    bias.data.float32.fill(9);
    const [after] = await detector.detect([image], options);
    expect(after![0]!.confidence).toBeGreaterThan(0.99);
    expect(before![0]!.confidence).toBeLessThan(0.9);
    // The smallest frame of whole strides.
    const [auto] = await detector.detect([image], { ...options, auto: true });
    expect(auto!.length).toBe(3);
    model.train();
    await expect(detector.detect([image], options)).rejects.toThrow(
      new ArgumentError('Detector: the module is in training mode; call `eval()` first'),
    );
  });

  it('gives the same for an exported YOLOv5 at other sizes as for the module', async () => {
    manualSeed(4);
    const model = yolov5('n', { classes: 1, decode: true }).eval();
    const graph = trace(model, [[1, 3, 64, 64]]);
    const [fixed, free] = [detectorOf(graph, { threads: 1 }), detectorOf(model)];
    expect([fixed.inputSize, fixed.takesAnySize]).toEqual([[64, 64], true]);
    for (const [height, width] of [
      [96, 64],
      [64, 128],
      [64, 64],
    ] as const) {
      const image = new Tensor(
        'uint8',
        [height, width, 3],
        Uint8Array.from({ length: height * width * 3 }, (_, at) => (at * 7919) % 256),
      );
      const [a, b] = [await fixed.predict([image]), await free.predict([image])];
      expect(a.shape).toEqual(b.shape);
      a.float32.forEach((value, at) => {
        expect(Math.abs(value - b.float32[at]!)).toBeLessThan(2e-3);
      });
    }
    // The graph that was given stays as it is.
    expect(graph.feeds[0]!.type).toEqual(tensorType('float32', [1, 3, 64, 64]));
  });

  it('says what is not the model of a detector', async () => {
    expect(() => new Detector(trace(new LeNet5().eval(), [[1, 1, 32, 32]]))).toThrow(ShapeError);
    expect(() => new Detector(trace(new LeNet5().eval(), [[1, 1, 32, 32]]))).toThrow(
      /expected a model of one input float32\[N, 3, H, W\]; its inputs are '.*' float32\[1, 1, 32, 32\]/,
    );
    expect(() => new Detector(new Graph())).toThrow(/its inputs are none/);
    expect(() => new Detector(yolov5('n'))).toThrow(ArgumentError);
    expect(() => new Detector(named(1), { batchSize: 0 })).not.toThrow();
    expect(() => new Detector(named('n'), { batchSize: 0 })).toThrow(
      'Detector: batchSize expects a whole number of at least 1, got 0',
    );
    const raw = detectorOf(yolov5('n', { classes: 1 }).eval());
    const image = plain(SIZE, SIZE, 0);
    await expect(raw.predict([image])).rejects.toThrow(UnsupportedError);
    await expect(raw.predict([image])).rejects.toThrow(/the maps are raw: set `decode` of the Yolov5/);
    await expect(detectorOf(named(1, "['a']")).predict([image])).rejects.toThrow(
      'Detector: there are names of 1 classes; the output float32[1, 2, 7] has 2',
    );
    await expect(
      detectorOf(fromGraph(turned()).eval(), { names: ['a', 'b', 'c'] }).predict([image]),
    ).rejects.toThrow(/is that of a YOLOv8 or newer/);
    // Without names the numbers tell: coordinates stand where objectness is expected.
    await expect(detectorOf(turned()).predict([plain(SIZE, SIZE, 255)])).rejects.toThrow(
      /has 48 for the objectness of a box, which is no probability; .*\(a YOLOv8 or newer/,
    );
    const detector = detectorOf(named(1));
    await expect(detector.predict([])).rejects.toThrow('Detector: expected at least one image');
    await expect(detector.predict([image, plain(32, SIZE, 0)])).rejects.toThrow(
      'Detector: expected images of one size in a batch, got uint8[64, 64, 3] and uint8[32, 64, 3]',
    );
    await expect(detector.predict([plain(32, 32, 0)])).rejects.toThrow(
      'Detector: the model takes images of 64 x 64, and no other size; got 32 x 32',
    );
    expect(() => detector.sizeFor(320)).toThrow(
      new ArgumentError(
        'Detector: the model takes images of 64 x 64, and no other size; asked for 320 x 320',
      ),
    );
    expect(detector.nameOf(1)).toBe('1');
  });
});

/** A graph whose output is [1, 4 + 3 classes, 9 boxes]. */
function turned(): Graph {
  class Turned extends Module<Variable> {
    override forward(image: Variable): Variable {
      const all = image.tracer.constant(Tensor.full([1, 7, 9], 48));
      return image.mean([1, 2, 3], { keepdim: true }).view(1, 1, 1).mul(all);
    }
  }
  return trace(new Turned().eval(), [[1, 3, SIZE, SIZE]]);
}

describe('resizeInput', () => {
  it('makes as many more boxes as there are more pixels', () => {
    const graph = trace(yolov5('n', { classes: 1, decode: true }).eval(), [[1, 3, 64, 64]]);
    const other = resizeInput(graph, 128, 96)!;
    const [output] = other.outputs;
    expect(inferShapes(other).get(output!)?.shape).toEqual([1, 252 * 3, 6]);
  });

  it('leaves the number of images open', async () => {
    manualSeed(5);
    const model = yolov5('n', { classes: 1, decode: true }).eval();
    const graph = trace(model, [['batch', 3, 64, 64]]);
    const other = resizeInput(graph, 96, 128)!;
    expect(other.feeds[0]!.type).toEqual(tensorType('float32', ['batch', 3, 96, 128]));
    expect(inferShapes(other).get(other.outputs[0]!)?.shape).toEqual(['batch', 252 * 3, 6]);
    const [open, free] = [detectorOf(graph, { threads: 1, batchSize: 2 }), detectorOf(model)];
    const images = [10, 200].map((level) => plain(96, 128, level));
    const [a, b] = [await open.predict(images), await free.predict(images)];
    expect(a.shape).toEqual([2, 252 * 3, 6]);
    a.float32.forEach((value, at) => {
      expect(Math.abs(value - b.float32[at]!)).toBeLessThan(2e-3);
    });
  });

  it('gives null where the size is built in', () => {
    expect(resizeInput(named(1), 96, 96)).toBeNull();
    expect(resizeInput(trace(new LeNet5().eval(), [[1, 1, 32, 32]]), 64, 64)).toBeNull();
    expect(resizeInput(new Graph(), 64, 64)).toBeNull();
    // Not a whole number of the largest stride: maps do not fit together.
    const graph = trace(yolov5('n', { classes: 1, decode: true }).eval(), [[1, 3, 64, 64]]);
    expect(resizeInput(graph, 72, 64)).toBeNull();
  });
});

describe('evaluateDetector', () => {
  const labelled = (height: number, width: number, level: number) => ({
    image: plain(height, width, level),
    labels: [{ label: 0, box: [width / 2, 0, width, height] as const }],
  });

  it('judges as the boxes say, in the pixels of each image', async () => {
    const dataset = detectionDataset([labelled(64, 64, 255), labelled(128, 256, 200)], ['a', 'b']);
    const told: number[][] = [];
    const detector = detectorOf(named(1), { threads: 1 });
    const result = await evaluateDetector(detector, dataset, {
      onBatch: (done, total) => told.push([done, total]),
    });
    expect([result.images, result.instances]).toEqual([2, 2]);
    expect(result.map).toBeCloseTo(0.995, 6);
    expect(told).toEqual([
      [1, 2],
      [2, 2],
    ]);
  });

  it('leaves out images that cannot be read', async () => {
    const whole = detectionDataset([labelled(64, 64, 255)], ['a', 'b']);
    const dataset: DetectionDataset = {
      ...whole,
      length: 2,
      sizes: [...whole.sizes, ...whole.sizes],
      get: async (index) => (index === 0 ? null : whole.get(0)),
    };
    const result = await evaluateDetector(detectorOf(named(1), { threads: 1 }), dataset);
    expect([result.images, result.instances]).toEqual([1, 1]);
    expect(result.map50).toBeCloseTo(0.995, 6);
  });

  it('takes rectangles only with a model of any size, and only the classes of the model', async () => {
    const dataset = detectionDataset([labelled(64, 64, 255)], ['a', 'b']);
    const detector = detectorOf(named(1), { threads: 1 });
    await expect(evaluateDetector(detector, dataset, { rect: true })).rejects.toThrow(
      new ArgumentError('evaluateDetector: rect needs a model that takes any size; this one takes 64 x 64'),
    );
    const three = detectionDataset([labelled(64, 64, 255)], ['a', 'b', 'c']);
    const message =
      "evaluateDetector: the model knows 2 classes, the data has 3; expected a model trained on the data's classes";
    await expect(evaluateDetector(detector, three)).rejects.toThrow(message);
    await expect(evaluateDetector(detectorOf(named(1, "['a', 'b']")), three)).rejects.toThrow(message);
  });

  it('refuses samples that are no images, and places where none is', async () => {
    expect(() => detectionDataset([{ image: Tensor.zeros('uint8', [4, 4]), labels: [] }], [])).toThrow(
      ShapeError,
    );
    await expect(detectionDataset([], []).get(0)).rejects.toThrow(
      'detectionDataset: there is no image 0, there are 0',
    );
  });
});
