import { describe, expect, it } from 'vitest';
import { Tensor } from '../../core/tensor.ts';
import { COCO_ANCHORS, Yolov5 } from '../../models/index.ts';
import { MemoryCheckpoint } from '../../train/index.ts';
import { detectionDataset } from '../dataset.ts';
import { judgeDetector } from '../judge-detector.ts';
import { squares, type TinyDetector, tinyDetector } from './testdata/tiny-detector.ts';
import { type TrainDetectorOptions, trainDetector } from './train-detector.ts';

const train = squares(16);
const validation = squares(6, 2);
/** Anchors that fit the squares. */
const anchors = [
  [16, 16, 24, 24, 24, 32],
  [32, 24, 32, 32, 40, 40],
  [48, 48, 56, 56, 64, 64],
];

const options = (model: TinyDetector, more: Partial<TrainDetectorOptions> = {}): TrainDetectorOptions => ({
  model,
  train,
  validation,
  size: 64,
  epochs: 3,
  batchSize: 4,
  anchors,
  threads: 1,
  ...more,
});

const weightsOf = (model: TinyDetector): number[] =>
  [...model.stateDict().values()].flatMap((tensor) => [...tensor.toNumbers()]);

const timeless = <T>(value: T): T =>
  JSON.parse(JSON.stringify(value, (key, item: unknown) => (key === 'seconds' ? undefined : item))) as T;

describe('trainDetector', () => {
  it('learns to find objects, tells the parts of its loss and what each epoch is worth, and keeps the best', async () => {
    const model = tinyDetector();
    const { history, fit, frozen, ...rest } = await trainDetector(
      options(model, {
        train: squares(32),
        epochs: 12,
        optimizer: 'Adam',
        // All batches are in warm-up: learning rates do not come as far as that.
        hyperparameters: { lr0: 0.1, lrf: 1, mosaic: 0, scale: 0, translate: 0, fliplr: 0, hsvH: 0 },
      }),
    );
    expect(rest).toEqual({ anchors, strides: [8, 16, 32] });
    expect(fit).toMatchObject({ changed: false, before: { bpr: 1 }, boxes: 32 });
    expect(frozen).toEqual([]);
    const [first, last] = [history.epochs[0]!, history.epochs.at(-1)!];
    expect(Object.keys(first.train)).toEqual(['loss', 'box', 'obj', 'cls']);
    expect(Object.keys(first.validation!)).toEqual(['fitness', 'map50', 'map', 'precision', 'recall']);
    expect(last.train.box).toBeLessThan(first.train.box! * 0.85);
    expect(last.train.cls).toBeLessThan(first.train.cls! * 0.5);
    const { map50, map, fitness } = history.epochs[history.best!.epoch - 1]!.validation! as Record<
      string,
      number
    >;
    expect(fitness).toBeCloseTo(0.1 * map50! + 0.9 * map!, 12);
    expect(history.best!.value).toBe(fitness);
    expect(map50).toBeGreaterThan(0.4);
    expect(model.training).toBe(true);
    // The model is that of the best epoch, whatever came after.
    model.eval();
    const again = await judgeDetector(model, validation, { size: 64, anchors, threads: 1 });
    expect(again.map50).toBeCloseTo(map50!, 6);
    expect(again.map).toBeCloseTo(map!, 6);
  });

  it('ends with the same bits after a stop as without one', async () => {
    const run = async (checkpoint: MemoryCheckpoint, seed: number, stopAt: number | null) => {
      const model = tinyDetector(2, seed);
      const controller = new AbortController();
      let batches = 0;
      const trained = await trainDetector(
        options(model, {
          checkpoint,
          freeze: ['stem.0'],
          signal: controller.signal,
          onProgress: ({ phase }) => {
            if (phase === 'train' && ++batches === stopAt) controller.abort(new Error('stopped'));
          },
        }),
      ).catch((error: unknown) => {
        if (error instanceof Error && error.message === 'stopped') return null;
        throw error;
      });
      return trained && { weights: weightsOf(model), trained: timeless(trained) };
    };
    const whole = await run(new MemoryCheckpoint(), 1, null);
    expect(whole!.trained.frozen).toEqual(['stem.0.weight', 'stem.0.bias']);
    for (const stopAt of [2, 5]) {
      const checkpoint = new MemoryCheckpoint();
      expect(await run(checkpoint, 1, stopAt)).toBeNull();
      expect(await run(checkpoint, 9, null), `after ${stopAt} batches`).toEqual(whole);
    }
  });

  it('gives other anchors to a model whose own fit no box', async () => {
    const tiny = detectionDataset(
      Array.from({ length: 3 }, (_, index) => ({
        image: Tensor.zeros('uint8', [64, 64, 3]),
        labels: [{ label: 0, box: [10, 10, 12, 15 + index] as const }],
      })),
      ['thing'],
    );
    const model = new Yolov5('n', { classes: 1, decode: true });
    const told: boolean[] = [];
    const stop = new AbortController();
    stop.abort(new Error('enough'));
    const run = trainDetector({
      model,
      train: tiny,
      validation: tiny,
      size: 64,
      epochs: 1,
      hyperparameters: { anchorT: 2 },
      signal: stop.signal,
      onAnchors: ({ changed }) => told.push(changed),
    });
    await expect(run).rejects.toThrow('enough');
    expect(told).toEqual([true]);
    expect(model.detect.anchors).not.toEqual(COCO_ANCHORS);
    expect(model.detect.anchors.flat().every((side) => side >= 2 && side < 12)).toBe(true);
    expect(model.decode).toBe(true);
  });

  it('refuses what does not fit', async () => {
    const model = tinyDetector();
    await expect(trainDetector(options(model, { patience: 0 }))).rejects.toThrow(
      'trainDetector: patience expects a whole number above 0, got 0',
    );
    const others = detectionDataset([], ['cat']);
    await expect(trainDetector(options(model, { validation: others }))).rejects.toThrow(
      'trainDetector: the training images have the classes red, blue, those for validation cat; expected the same',
    );
    await expect(
      trainDetector({ ...options(model), model: new Yolov5('n', { classes: 3 }) }),
    ).rejects.toThrow('trainDetector: the model has 3 classes, the data 2; make a model with { classes: 2 }');
    const empty = detectionDataset([{ image: Tensor.zeros('uint8', [64, 64, 3]), labels: [] }], train.names);
    await expect(trainDetector(options(model, { train: empty }))).rejects.toThrow(
      'trainDetector: none of the 1 training images has a box; are the labels where the data says?',
    );
    await expect(trainDetector(options(model, { size: 40 }))).rejects.toThrow('multiples of the stride 16');
    await expect(trainDetector(options(tinyDetector(3), { autoAnchor: false }))).rejects.toThrow('YoloLoss');
    expect([...model.parameters()].every(({ requiresGrad }) => requiresGrad)).toBe(true);
  });
});
