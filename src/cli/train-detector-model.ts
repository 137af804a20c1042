import { manualSeed } from '../core/random.ts';
import { type Anchors, createModel, Yolov5 } from '../models/index.ts';
import { type AnyModule, type NotFitting, transferWeights } from '../nn/index.ts';
import { readTensors, startingDetector } from '../node/index.ts';
import { isArchitecture } from './load.ts';
import type { TrainDetectorCommandOptions } from './train-detector-options.ts';
import type { Start } from './training-options.ts';
import { UsageError } from './usage-error.ts';

/** A detector to be trained. */
export interface OpenedDetector {
  readonly source: string;
  /** Gives raw maps in training. */
  readonly module: AnyModule;
  readonly anchors: Anchors;
  readonly strides: readonly number[];
  /** Weights that came out of a file, and those that are fresh; null where all are fresh. */
  readonly transfer: {
    readonly from: string;
    /** Parameters and buffers of the model. */
    readonly tensors: number;
    readonly notFitting: readonly NotFitting[];
  } | null;
}

/**
 * Opens the detector that a command names: an architecture with fresh weights, or with those of `--weights` that fit; or a file. It knows as many classes as are asked for: layers that give maps of other classes get fresh weights.
 * Throws UsageError where the model is no detector or the command is for another kind; the errors of readers otherwise.
 */
export function openDetectorToTrain(
  source: string,
  { weights, seed }: TrainDetectorCommandOptions,
  classes: number,
  start: Start,
): OpenedDetector {
  if (!isArchitecture(source)) {
    if (start === 'fresh') {
      throw new UsageError(
        `train begins with an architecture, such as yolov5n; to train '${source}' further: secateur finetune ${source}`,
      );
    }
    if (weights !== undefined) {
      throw new UsageError(`--weights belongs to architectures; '${source}' is a file with its own`);
    }
    const { module, anchors, strides, notFitting } = startingDetector(source, { classes, seed });
    return { source, module, anchors, strides, transfer: transferred(source, module, notFitting) };
  }
  if (start === 'trained' && weights === undefined) {
    throw new UsageError(
      `finetune begins with trained weights, and ${source} has fresh ones: give --weights FILE, or use secateur train ${source}`,
    );
  }
  const name = source.toLowerCase();
  manualSeed(seed);
  const module = createModel(name, { classes });
  if (!(module instanceof Yolov5)) {
    throw new UsageError(`${name} finds no objects; expected yolov5n, yolov5s, yolov5m, yolov5l or yolov5x`);
  }
  const { loaded, notFitting } =
    weights === undefined ? { loaded: null, notFitting: [] } : transferWeights(module, readTensors(weights));
  if (loaded?.length === 0) {
    throw new UsageError(
      `--weights: nothing in '${weights}' fits ${name}; is it of another size? secateur finetune ${weights} takes the architecture from the file`,
    );
  }
  const { anchors, strides } = module.detect;
  const transfer = weights === undefined ? null : transferred(weights, module, notFitting);
  return { source, module, anchors, strides, transfer };
}

const transferred = (
  from: string,
  module: AnyModule,
  notFitting: readonly NotFitting[],
): OpenedDetector['transfer'] => ({ from, tensors: module.stateDict().size, notFitting });
