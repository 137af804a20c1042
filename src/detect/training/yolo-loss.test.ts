import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { addGradients } from '../../autograd/index.ts';
import { Tensor } from '../../core/tensor.ts';
import { COCO_ANCHORS } from '../../models/index.ts';
import { Module, Parameter, traceDetailed, type Variable } from '../../nn/index.ts';
import { GRADIENT_OPSET, GraphBuilder, inferShapes } from '../../ops/index.ts';
import { removeUnused } from '../../passes/index.ts';
import { createSession } from '../../runtime/index.ts';
import { Adam, TrainStep } from '../../train/index.ts';
import { parseHyperparameters } from './hyperparameters.ts';
import { type Label, type LossCase, labelTensors, mapsOf, parseLossCases } from './testdata/loss-cases.ts';
import { scaledGains, YoloLoss, type YoloLossOptions } from './yolo-loss.ts';

const lossCases = parseLossCases(readFileSync(new URL('../testdata/loss.json', import.meta.url), 'utf8'));

const lossOf = ({ classes, anchors, strides, imageSize, hyperparameters }: LossCase): YoloLoss =>
  new YoloLoss({
    classes,
    anchors,
    strides,
    imageSize,
    hyperparameters: parseHyperparameters(hyperparameters),
  });

/** The loss as a module of maps and packed targets: gives loss, box, obj and cls. */
class LossModule extends Module<readonly Variable[]> {
  readonly #loss: YoloLoss;

  constructor(loss: YoloLoss) {
    super();
    this.#loss = loss;
  }

  override forward(...given: Variable[]): readonly Variable[] {
    const { loss, parts } = this.#loss.terms(given.slice(0, -1), given.at(-1)!);
    return [loss, parts.box!, parts.obj!, parts.cls!];
  }
}

/** Loss and parts, and the gradients of the maps. */
async function computed(
  loss: YoloLoss,
  maps: readonly Tensor[],
  packed: Tensor,
): Promise<{ numbers: number[]; gradients: Tensor[] }> {
  const given = [...maps, packed];
  const { graph, compositions } = traceDetailed(new LossModule(loss), given, { opset: GRADIENT_OPSET });
  const builder = new GraphBuilder(graph, inferShapes(graph));
  const inputs = graph.inputs.map(({ name }) => name);
  const numbers = graph.outputs.map(({ name }) => name);
  const gradients = addGradients(builder, {
    of: graph.outputs[0]!,
    withRespectTo: graph.inputs.slice(0, -1),
    compositions,
  });
  const names = gradients.map((gradient, map) => {
    builder.output(gradient!, `gradient_${map}`);
    return `gradient_${map}`;
  });
  graph.sort();
  removeUnused(graph);
  const session = await createSession(graph, { threads: 1 });
  const results = await session.run(
    Object.fromEntries(given.map((tensor, index) => [inputs[index]!, tensor])),
  );
  await session.dispose();
  return {
    numbers: numbers.map((name) => results.get(name)!.toNumbers()[0]!),
    gradients: names.map((name) => results.get(name)!),
  };
}

const usual = { classes: 3, anchors: COCO_ANCHORS, imageSize: 64 };
const traced = (loss: YoloLoss, maps: readonly (readonly number[])[], packed: Tensor): unknown =>
  traceDetailed(new LossModule(loss), [...maps, packed]);
const MAPS = [
  [1, 3, 8, 8, 8],
  [1, 3, 4, 4, 8],
  [1, 3, 2, 2, 8],
];

describe('YoloLoss', () => {
  it.each(lossCases)('equals YOLOv5 in loss, parts and gradients: $name', async (given) => {
    const loss = lossOf(given);
    const packed = loss.pack(labelTensors(given.labels), given.size);
    const { numbers, gradients } = await computed(loss, mapsOf(given), packed);
    [given.loss, given.box, given.obj, given.cls].forEach((expected, index) => {
      expect(Math.abs(numbers[index]! - expected)).toBeLessThanOrEqual(1e-5 * expected);
    });
    gradients.forEach((gradient, map) => {
      const { index, value } = given.gradients[map]!;
      const expected = new Float32Array(gradient.size);
      index.forEach((place, entry) => {
        expected[place] = value[entry]!;
      });
      const largest = value.reduce((most, one) => Math.max(most, Math.abs(one)), 0);
      const worst = gradient.float32.reduce(
        (most, one, place) => Math.max(most, Math.abs(one - expected[place]!)),
        0,
      );
      expect(worst).toBeLessThanOrEqual(1e-4 * largest);
    });
  });

  it.each([-1e4, -100, -30, 30, 100, 1e4])('stays finite where all logits are %d', async (logit) => {
    const loss = new YoloLoss(usual);
    const maps = MAPS.map((shape) => Tensor.full(shape, logit));
    const { numbers, gradients } = await computed(
      loss,
      maps,
      loss.pack(labelTensors([[[1, 0.5, 0.5, 0.2, 0.3]]]), [64, 64]),
    );
    expect(numbers.every(Number.isFinite)).toBe(true);
    for (const gradient of gradients) expect(gradient.float32.every(Number.isFinite)).toBe(true);
  });

  it('packs batches of one size into tensors of one shape, and larger ones by powers of two', () => {
    const loss = new YoloLoss(usual);
    const rows = (labels: number, images: number): readonly number[] => {
      const label: Label = [0, 0.53, 0.53, 0.3, 0.3];
      return loss.pack(labelTensors(Array(images).fill(Array(labels).fill(label))), [64, 64]).shape;
    };
    expect(rows(0, 1)).toEqual([3, 64, 10]);
    expect(rows(3, 1)).toEqual([3, 64, 10]);
    expect(rows(3, 3)).toEqual([3, 256, 10]);
    expect(rows(50, 1)).toEqual([3, 512, 10]);
  });

  it('trains maps until they show what the labels say, and tells its parts', async () => {
    const loss = new YoloLoss({ ...usual, imageSize: 64 });
    const model = new FreeMaps();
    const step = new TrainStep(model, {
      loss: loss.function,
      optimizer: new Adam(model.parameters(), { lr: 0.1 }),
      threads: 1,
    });
    const packed = loss.pack(labelTensors([[[2, 0.55, 0.3, 0.25, 0.4]]]), [64, 64]);
    const input = Tensor.full([1, 1], 1);
    const first = await step.run([input], packed);
    for (let count = 0; count < 200; count++) await step.run([input], packed);
    const last = await step.run([input], packed);
    await step.dispose();
    expect(Object.keys(first.parts)).toEqual(['box', 'obj', 'cls']);
    expect(last.loss).toBeLessThan(first.loss / 20);
    // x = 0.55 * 8 = 4.4 and y = 0.3 * 8 = 2.4 cells of the finest map; the anchor of 16 by 30 pixels is the nearest to 16 by 25.6.
    const sigmoid = (logit: number): number => 1 / (1 + Math.exp(-logit));
    const found = [...last.outputs[0]!.float32.subarray(((8 + 2) * 8 + 4) * 8).slice(0, 8)].map(sigmoid);
    expect((2 * found[0]! - 0.5 + 4) * 8).toBeCloseTo(0.55 * 64, 0);
    expect((2 * found[1]! - 0.5 + 2) * 8).toBeCloseTo(0.3 * 64, 0);
    expect((2 * found[2]!) ** 2 * 16).toBeCloseTo(0.25 * 64, 0);
    expect((2 * found[3]!) ** 2 * 30).toBeCloseTo(0.4 * 64, 0);
    expect(found[4]).toBeGreaterThan(0.9);
    expect(found[7]).toBeGreaterThan(0.9);
    expect(Math.max(found[5]!, found[6]!)).toBeLessThan(0.1);
  });

  it('refuses options that cannot be', () => {
    const made = (options: Partial<YoloLossOptions>) => (): YoloLoss =>
      new YoloLoss({ ...usual, ...options });
    expect(made({ classes: 0 })).toThrow('YoloLoss: classes expects a whole number of at least 1, got 0');
    expect(made({ imageSize: 0 })).toThrow('YoloLoss: imageSize expects pixels above 0, got 0');
    expect(made({ anchors: [[10, 13]] })).toThrow('expects anchors and a stride for each map');
    expect(made({ hyperparameters: { box: -1 } })).toThrow('box expects a number at least 0, got -1');
    const strides = [4, 8, 16, 32, 64, 128];
    expect(made({ anchors: strides.map(() => [8, 8]), strides })).toThrow('expects at most 5 maps, got 6');
  });

  it('refuses labels that are none, and sizes that are no multiple of the strides', () => {
    const loss = new YoloLoss(usual);
    const packed =
      (row: readonly number[], size: readonly [number, number] = [64, 64]) =>
      (): Tensor =>
        loss.pack(
          [Tensor.zeros('float32', [0, 5]), new Tensor('float32', [1, row.length], Float32Array.from(row))],
          size,
        );
    expect(packed([0, 0.5, 0.5, 0.2])).toThrow(
      'YoloLoss: labels of image 1 expect float32[n, 5] of class, x, y, width and height, got float32[1, 4]',
    );
    expect(packed([3, 0.5, 0.5, 0.2, 0.2])).toThrow(
      'YoloLoss: label 0 of image 1 has the class 3; expected a whole number of 0 to 2',
    );
    expect(packed([0.5, 0.5, 0.5, 0.2, 0.2])).toThrow('has the class 0.5');
    expect(packed([-1, 0.5, 0.5, 0.2, 0.2])).toThrow('has the class -1');
    expect(packed([0, 32, 20, 8, 8])).toThrow(
      'YoloLoss: label 0 of image 1 has the box 32, 20, 8, 8; expected centre, width and height in shares of the image, 0 to 1',
    );
    expect(packed([0, Number.NaN, 0.5, 0.2, 0.2])).toThrow('has the box NaN');
    expect(packed([0, 0.5, 0.5, 0.2, 0.2], [64, 72])).toThrow(
      'YoloLoss: pack() expects a height and width that are multiples of the stride 16, got 64 and 72',
    );
    expect(packed([0, 0.5, 0.5, 0.2, 0.2], [0, 64])).toThrow('got 0 and 64');
    expect(() => loss.pack([], [64, 64])).toThrow('pack() expects labels of one image at least');
  });

  it('refuses a batch with more places than float32 counts', () => {
    const loss = new YoloLoss(usual);
    const targets = Array<Tensor>(1400).fill(Tensor.zeros('float32', [0, 5]));
    expect(() => loss.pack(targets, [512, 512])).toThrow(
      'YoloLoss: map 0 has 17203200 places in a batch, at most 16777216 can be told apart; use a smaller batch',
    );
  });

  it('refuses maps that are not those of its classes, anchors and number', () => {
    const loss = new YoloLoss(usual);
    const packed = loss.pack(labelTensors([[]]), [64, 64]);
    const expected =
      'YoloLoss: expects 3 raw maps float32[N, 3, height, width, 8] of the model for 3 classes, got';
    expect(() => traced(loss, [[1, 252, 8]], packed)).toThrow(
      `${expected} float32[1, 252, 8]; a detector gives raw maps in training mode`,
    );
    expect(() => traced(loss, MAPS.slice(1), packed)).toThrow(expected);
    expect(() =>
      traced(
        loss,
        MAPS.map(([...shape]) => shape.with(-1, 85)),
        packed,
      ),
    ).toThrow(expected);
    expect(() =>
      traced(
        loss,
        MAPS.map(([...shape]) => shape.with(1, 2)),
        packed,
      ),
    ).toThrow(expected);
  });

  it('refuses a target that it did not pack', () => {
    const loss = new YoloLoss(usual);
    const expected = 'YoloLoss: expects a target float32[3, rows, 10] made by its pack(), got';
    expect(() => traced(loss, MAPS, Tensor.zeros('float32', [4, 5]))).toThrow(`${expected} float32[4, 5]`);
    expect(() => traced(loss, MAPS, Tensor.zeros('int64', [3, 64, 10]))).toThrow(
      `${expected} int64[3, 64, 10]`,
    );
  });
});

describe('scaledGains', () => {
  it('scales as train.py does', () => {
    const gains = { box: 0.05, cls: 0.5, obj: 1 };
    expect(scaledGains(gains, { maps: 3, classes: 80, imageSize: 640 })).toEqual(gains);
    const other = scaledGains(gains, { maps: 4, classes: 3, imageSize: 320 });
    expect(other.box).toBeCloseTo(0.0375, 12);
    expect(other.cls).toBeCloseTo(0.0140625, 12);
    expect(other.obj).toBeCloseTo(0.1875, 12);
  });
});

/** Maps that are parameters themselves. */
class FreeMaps extends Module<readonly Variable[]> {
  readonly fine = new Parameter(Tensor.zeros('float32', MAPS[0]!));
  readonly middle = new Parameter(Tensor.zeros('float32', MAPS[1]!));
  readonly coarse = new Parameter(Tensor.zeros('float32', MAPS[2]!));

  override forward(input: Variable): readonly Variable[] {
    return [this.fine, this.middle, this.coarse].map((map) => input.view(1, 1, 1, 1, 1).mul(map));
  }
}
