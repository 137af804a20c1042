import { DataLoader } from '../../data/index.ts';
import type { Anchors } from '../../models/index.ts';
import type { Judge, RoundFinetuneOptions } from '../../train/index.ts';
import type { DetectionDataset } from '../dataset.ts';
import { detectorScores, judgeDetector } from '../judge-detector.ts';
import {
  DetectionTrainingData,
  type DetectionTrainingOptions,
  detectionCollate,
} from './detection-training-data.ts';
import { type DetectorOptimizerOptions, detectorOptimizer } from './detector-optimizer.ts';
import { DetectorSchedule, detectorEma } from './detector-schedule.ts';
import { type DetectorHyperparameters, detectorHyperparameters } from './hyperparameters.ts';
import { ROWS_PER_IMAGE } from './packed-targets.ts';
import { cachedInMemory, isScaled, scaledDataset } from './scaled-dataset.ts';
import { detectorAccumulate } from './warmup.ts';
import { YoloLoss } from './yolo-loss.ts';

/** What a detector is trained on, and how. */
export interface DetectorTrainingOptions {
  readonly train: DetectionDataset;
  readonly validation: DetectionDataset;
  /** Anchors in pixels, and pixels per cell of each map, of the model. */
  readonly anchors: Anchors;
  readonly strides: readonly number[];
  /** Size of the images in pixels, a multiple of the largest stride. */
  readonly size: number;
  readonly batchSize: number;
  readonly epochs: number;
  /** Ultralytics' usual ones where left out. */
  readonly hyperparameters?: Partial<DetectorHyperparameters>;
  /** Default SGD. */
  readonly optimizer?: DetectorOptimizerOptions['name'];
  /** Let the learning rate fall along half a cosine; default along a line. */
  readonly cosine?: boolean;
  readonly cache?: DetectionTrainingOptions['cache'];
  readonly seed?: number;
  readonly threads?: number;
}

/** All that a `Trainer` of a detector is made of, and rounds of fine-tuning likewise. */
export interface DetectorTraining {
  readonly loss: YoloLoss;
  /** Augmented batches with packed targets. */
  readonly train: DataLoader;
  /** `detectorScores` of a model on the validation images. */
  readonly validation: Judge;
  /** Loss, optimizer, schedule, warm-up and averages as YOLOv5's; the best epoch is that of the best fitness. */
  readonly finetune: RoundFinetuneOptions;
}

/** Largest norm of all gradients. Source: train.py of YOLOv5 v7.0. */
const MOST_NORM = 10;

/** Matches of a box, and boxes of a mosaic for one of an image, at most as a rule: three anchors, three cells, twice as many boxes. */
const ROWS_PER_BOX = 18;

/** Rows for the targets of an image such that batches seldom need more. */
function rowsPerImage({ labels, length }: DetectionDataset): number {
  const boxes = labels?.reduce((sum, own) => sum + own.length, 0) ?? 0;
  return Math.max(ROWS_PER_IMAGE, Math.ceil((boxes / length) * ROWS_PER_BOX));
}

/**
 * Puts together what YOLOv5's train.py does: see the parts. Batches that are not full are left out where there are full ones. Throws as `YoloLoss`, `DetectionTrainingData` and `scaledDataset`.
 */
export function detectorTraining(options: DetectorTrainingOptions): DetectorTraining {
  const {
    anchors,
    strides,
    size,
    batchSize,
    epochs,
    optimizer: name,
    cache,
    cosine,
    seed = 0,
    threads,
  } = options;
  const hyperparameters = detectorHyperparameters(options.hyperparameters);
  const classes = options.train.names.length;
  const loss = new YoloLoss({
    classes,
    anchors,
    strides,
    imageSize: size,
    hyperparameters,
    rowsPerImage: rowsPerImage(options.train),
  });
  const samples = new DetectionTrainingData(options.train, {
    size,
    hyperparameters,
    ...(cache === undefined ? {} : { cache }),
  });
  const collate = detectionCollate((targets, sides) => loss.pack(targets, sides));
  // A step is compiled for each size of a batch: the few images that are left over are not worth another.
  const dropLast = samples.length >= batchSize;
  const train = new DataLoader(samples, { batchSize, shuffle: true, seed, collate, dropLast });
  // Images are scaled for judging once; boxes are compared in their pixels.
  const validation = isScaled(options.validation)
    ? options.validation
    : cachedInMemory(scaledDataset(options.validation, { longest: size, shrinking: 'area' }));
  const running = threads === undefined ? {} : { threads };
  return {
    loss,
    train,
    validation: async (model) =>
      detectorScores(await judgeDetector(model, validation, { size, anchors, strides, ...running })),
    finetune: {
      epochs,
      optimizer: (model) =>
        detectorOptimizer(model, hyperparameters, { batchSize, ...(name === undefined ? {} : { name }) }),
      scheduler: (optimizer) =>
        new DetectorSchedule(optimizer, hyperparameters, {
          epochs,
          batches: train.length,
          ...(cosine === undefined ? {} : { cosine }),
        }),
      schedulerInterval: 'batch',
      clipGradNorm: MOST_NORM,
      accumulate: detectorAccumulate(hyperparameters, { batchSize, batches: train.length }),
      ema: detectorEma,
      loss: loss.function,
      metrics: [],
      monitor: 'fitness',
      restoreBest: true,
      seed,
      ...running,
    },
  };
}
