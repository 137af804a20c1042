import { extname } from 'node:path';
import { FileError, SecateurError } from '../core/errors.ts';
import type { Tensor } from '../core/tensor.ts';
import { classNamesOf, parseClassNames } from '../detect/index.ts';
import { type ParsePyTorchOptions, parseSafetensors } from '../io/index.ts';
import { type ModelFromTensors, modelFromTensors } from '../models/index.ts';
import { readBytes } from './file.ts';
import { isPyTorchPath, PYTORCH_EXTENSIONS, readCheckpoint } from './tensors.ts';

/** A model out of a file of weights. */
export interface TrainedModel extends ModelFromTensors {
  /** Names of the classes of a detector; null where the file does not say, or has others. */
  readonly names: readonly string[] | null;
  /** Part of the checkpoint that was read, such as `ema`; empty for a file that holds nothing else. */
  readonly part: string;
  /** Every part that holds weights. */
  readonly parts: readonly string[];
}

/** Extensions of files of weights that `readTrainedModel` reads. */
export const WEIGHTS_EXTENSIONS: readonly string[] = [...PYTORCH_EXTENSIONS, '.safetensors'];

/** Is the path that of a file of weights? */
export const isWeightsPath = (path: string): boolean =>
  WEIGHTS_EXTENSIONS.includes(extname(path).toLowerCase());

/**
 * Reads a PyTorch checkpoint or safetensors as a model: the architecture is recognized by its tensors (`recognizeModel`), and all of them are loaded. Throws FileError, with the reason, where the file cannot be read, or its tensors are
 * those of no built-in architecture.
 */
export function readTrainedModel(
  path: string,
  options: Pick<ParsePyTorchOptions, 'part'> = {},
): TrainedModel {
  try {
    const { tensors, names, part, parts } = isPyTorchPath(path)
      ? ofPyTorch(path, options)
      : ofSafetensors(path);
    const model = modelFromTensors(tensors);
    const fits = names !== null && names.length === model.options.classes;
    return { ...model, names: fits ? names : null, part, parts };
  } catch (error) {
    if (!(error instanceof SecateurError) || error instanceof FileError) throw error;
    throw new FileError(path, error.message.replace(/^recognizeModel: /, ''), { cause: error });
  }
}

interface Weights extends Pick<TrainedModel, 'names' | 'part' | 'parts'> {
  readonly tensors: ReadonlyMap<string, Tensor>;
}

function ofPyTorch(path: string, options: Pick<ParsePyTorchOptions, 'part'>): Weights {
  const { tensors, part, parts, attributes } = readCheckpoint(path, options);
  return { tensors, part, parts, names: classNamesOf(attributes.names) };
}

function ofSafetensors(path: string): Weights {
  const { tensors, metadata } = parseSafetensors(readBytes(path));
  const names = metadata.get('names');
  return { tensors, part: '', parts: [''], names: names === undefined ? null : parseClassNames(names) };
}
