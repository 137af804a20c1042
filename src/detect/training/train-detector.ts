import { ArgumentError } from '../../core/errors.ts';
import { type Anchors, COCO_ANCHORS, YOLOV5_STRIDES, Yolov5 } from '../../models/index.ts';
import type { AnyModule } from '../../nn/index.ts';
import { type FitOptions, freeze, type History, Trainer } from '../../train/index.ts';
import type { DetectionDataset } from '../dataset.ts';
import { type AutoAnchors, autoAnchor } from './auto-anchor.ts';
import { type DetectorTrainingOptions, detectorTraining } from './detector-training.ts';
import { detectorHyperparameters } from './hyperparameters.ts';

/** Options of `trainDetector`. */
export interface TrainDetectorOptions
  extends Omit<DetectorTrainingOptions, 'anchors' | 'strides' | 'batchSize'>,
    Pick<FitOptions, 'checkpoint' | 'checkpointEvery' | 'resume' | 'signal' | 'onProgress' | 'onEpoch'> {
  /** A `Yolov5`, or any module that gives raw maps in training: a graph that `rawDetector` gave, as `fromGraph` shows it. */
  readonly model: AnyModule;
  /** In pixels, for each map. Default those of a `Yolov5`, else COCO's. */
  readonly anchors?: Anchors;
  /** Pixels per cell of each map. Default those of a `Yolov5`, else 8, 16, 32. */
  readonly strides?: readonly number[];
  /** Default 16. */
  readonly batchSize?: number;
  /** Check whether the anchors fit the boxes, and take others where they do not; default true. */
  readonly autoAnchor?: boolean;
  /** Told before training what that check came to. */
  readonly onAnchors?: (found: AutoAnchors) => void;
  /** Patterns of parameters that are not trained; see `freeze`. They stay frozen. */
  readonly freeze?: readonly string[];
  /** Epochs without a better fitness after which training ends; never by default. */
  readonly patience?: number;
}

/** What training came to. */
export interface TrainedDetector {
  /** By which boxes are decoded. */
  readonly anchors: Anchors;
  readonly strides: readonly number[];
  /** What the check of the anchors came to; null where it was not asked for. */
  readonly fit: AutoAnchors | null;
  /** Names of parameters that were not trained. */
  readonly frozen: readonly string[];
  /** Of each epoch the mean loss and its parts box, obj and cls; fitness, map50, map, precision and recall on the validation images. */
  readonly history: History;
}

const BATCH_SIZE = 16;

/**
 * Trains a detector as YOLOv5's train.py does: checks the anchors, and trains with mosaics, warm-up, a falling learning rate and moving averages of the weights. Each epoch is judged on the validation images; the model ends with the averages of
 * the epoch of the best fitness, `0.1 mAP50 + 0.9 mAP50-95`. A run that was stopped goes on from its checkpoint to the same bits.
 *
 * ```ts
 * const model = new Yolov5('n', { classes: 3 });
 * transferWeights(model, readTensors('yolov5n.pt'));
 * const { history, anchors } = await trainDetector({ model, train, validation, size: 320, epochs: 30 });
 * const graph = exportDetector(model, { names: train.names, size: 320 });
 * ```
 *
 * Throws ArgumentError where the model has other classes than the data, the data has no boxes, or options cannot be; besides as `freeze` and `Trainer.fit`.
 */
export async function trainDetector(options: TrainDetectorOptions): Promise<TrainedDetector> {
  const { model, train, size, epochs, seed = 0, batchSize = BATCH_SIZE, patience } = options;
  const yolo = model instanceof Yolov5 ? model : null;
  const strides = options.strides ?? yolo?.detect.strides ?? YOLOV5_STRIDES;
  check(options, yolo);
  const hyperparameters = detectorHyperparameters(options.hyperparameters);
  let anchors = options.anchors ?? yolo?.detect.anchors ?? COCO_ANCHORS;
  const fit =
    options.autoAnchor === false
      ? null
      : await autoAnchor(train, anchors, { imageSize: size, threshold: hyperparameters.anchorT, seed });
  if (fit) {
    anchors = fit.anchors;
    options.onAnchors?.(fit);
  }
  if (yolo) {
    yolo.detect.anchors = anchors;
    // As the buffer has them, in float32: those that boxes are decoded by.
    anchors = yolo.detect.anchors;
  }
  const frozen = options.freeze === undefined ? [] : freeze(model, options.freeze);
  const training = detectorTraining({ ...options, hyperparameters, anchors, strides, batchSize });
  const { optimizer: make, scheduler, monitor, restoreBest, ...own } = training.finetune;
  const optimizer = make(model, 1);
  const trainer = new Trainer(model, {
    ...own,
    optimizer,
    scheduler: scheduler?.(optimizer, epochs * training.train.length) ?? null,
  });
  const { checkpoint, checkpointEvery, resume, signal, onProgress, onEpoch } = options;
  // Boxes are decoded where models are judged.
  const decode = yolo?.decode ?? false;
  if (yolo) yolo.decode = false;
  try {
    const history = await trainer.fit(training.train, {
      epochs,
      validation: training.validation,
      ...(monitor === undefined ? {} : { monitor }),
      ...(restoreBest === undefined ? {} : { restoreBest }),
      ...(patience === undefined ? {} : { earlyStopping: { patience } }),
      ...(checkpoint === undefined ? {} : { checkpoint }),
      ...(checkpointEvery === undefined ? {} : { checkpointEvery }),
      ...(resume === undefined ? {} : { resume }),
      ...(signal ? { signal } : {}),
      ...(onProgress ? { onProgress } : {}),
      ...(onEpoch ? { onEpoch } : {}),
    });
    return { anchors, strides, fit, frozen, history };
  } finally {
    if (yolo) yolo.decode = decode;
    await trainer.dispose();
  }
}

/** Refuses what cannot be before anything is changed. */
function check({ train, validation, patience }: TrainDetectorOptions, yolo: Yolov5 | null): void {
  if (patience !== undefined && !(Number.isSafeInteger(patience) && patience > 0)) {
    throw new ArgumentError(`trainDetector: patience expects a whole number above 0, got ${patience}`);
  }
  if (train.names.join('\n') !== validation.names.join('\n')) {
    throw new ArgumentError(
      `trainDetector: the training images have the classes ${train.names.join(', ')}, those for validation ${validation.names.join(', ')}; expected the same`,
    );
  }
  if (yolo && yolo.classes !== train.names.length) {
    throw new ArgumentError(
      `trainDetector: the model has ${yolo.classes} classes, the data ${train.names.length}; make a model with { classes: ${train.names.length} }, and take over the weights that fit with transferWeights`,
    );
  }
  if (hasNoBoxes(train)) {
    throw new ArgumentError(
      `trainDetector: none of the ${train.length} training images has a box; are the labels where the data says?`,
    );
  }
}

const hasNoBoxes = ({ labels }: DetectionDataset): boolean =>
  labels?.every((own) => own.length === 0) ?? false;
