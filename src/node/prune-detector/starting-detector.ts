import { ArgumentError, FileError, SecateurError } from '../../core/errors.ts';
import { manualSeed } from '../../core/random.ts';
import { rawDetector } from '../../detect/index.ts';
import { type Anchors, createModel, modelFromTensors, recognizeModel, Yolov5 } from '../../models/index.ts';
import { type AnyModule, fromGraph, type NotFitting, transferWeights } from '../../nn/index.ts';
import { readModel } from '../model.ts';
import { isPyTorchPath, readTensors } from '../tensors.ts';

/** A detector to be trained, and how it came to be. */
export interface StartingDetector {
  /** Gives raw maps in training mode. */
  readonly module: AnyModule;
  readonly anchors: Anchors;
  /** Pixels of the image per cell of each map. */
  readonly strides: readonly number[];
  /** Such as `yolov5n`, or `ONNX file`. */
  readonly architecture: string;
  /** Names of the classes as an ONNX file has them; null where it does not say, or has other classes. */
  readonly names: readonly string[] | null;
  /** Weights that have fresh values, since the file has them for other classes. */
  readonly notFitting: readonly NotFitting[];
}

/** Options of `startingDetector`. */
export interface StartingDetectorOptions {
  /** Classes that it is to know. */
  readonly classes: number;
  /** Fresh weights follow from it. */
  readonly seed: number;
}

/**
 * Reads a YOLOv5 to train on: a checkpoint (.pt, .pth, .th, .safetensors) whose architecture is recognized, or an ONNX file with decoded boxes or raw maps. Where it knows another number of classes the layers that give the maps
 * get fresh weights, and all others are kept. The default generator is seeded.
 *
 * Throws FileError, which names the file, where it is no YOLOv5.
 */
export function startingDetector(path: string, options: StartingDetectorOptions): StartingDetector {
  manualSeed(options.seed);
  try {
    if (/\.onnx$/i.test(path)) return fromOnnx(path, options.classes);
    if (isPyTorchPath(path) || /\.safetensors$/i.test(path)) return fromCheckpoint(path, options.classes);
  } catch (error) {
    if (!(error instanceof SecateurError) || error instanceof FileError) throw error;
    throw new FileError(path, error.message, { cause: error });
  }
  throw new ArgumentError(
    `'${path}' is no model to prune; expected a YOLOv5 as .onnx, .pt, .pth, .th or .safetensors`,
  );
}

function fromOnnx(path: string, classes: number): StartingDetector {
  const { graph, anchors, strides, names, replaced } = rawDetector(readModel(path), { classes });
  return {
    module: fromGraph(graph),
    anchors,
    strides,
    architecture: 'ONNX file',
    names,
    notFitting: replaced,
  };
}

function fromCheckpoint(path: string, classes: number): StartingDetector {
  const tensors = readTensors(path);
  const { name, options } = recognizeModel(tensors);
  const isOwn = options.classes === classes;
  const module = isOwn ? modelFromTensors(tensors).module : createModel(name, { ...options, classes });
  if (!(module instanceof Yolov5)) {
    throw new FileError(path, `is a ${name}, which finds no objects; expected a YOLOv5`);
  }
  const notFitting = isOwn ? [] : transferWeights(module, tensors).notFitting;
  const { anchors, strides } = module.detect;
  return { module, anchors, strides, architecture: name, names: null, notFitting };
}
