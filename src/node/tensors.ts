import { basename, extname } from 'node:path';
import { ArgumentError } from '../core/errors.ts';
import type { Tensor } from '../core/tensor.ts';
import {
  type ParsePyTorchOptions,
  type PyTorchCheckpoint,
  parseNpy,
  parseNpz,
  parsePyTorch,
  parseSafetensors,
  serializePyTorch,
  serializeSafetensors,
} from '../io/index.ts';
import { readBytes, type WriteOptions, writeFileAtomic } from './file.ts';

/** Extensions of PyTorch's files. They are all the same format, and say nothing of which. */
export const PYTORCH_EXTENSIONS: readonly string[] = ['.pt', '.pth', '.th'];

/** Has the path an extension of PyTorch's? */
export const isPyTorchPath = (path: string): boolean =>
  PYTORCH_EXTENSIONS.includes(extname(path).toLowerCase());

/**
 * Reads a PyTorch checkpoint: weights, and what lies beside them. Throws FileError where the file cannot be read; otherwise as
 * `parsePyTorch`.
 */
export const readCheckpoint = (path: string, options: ParsePyTorchOptions = {}): PyTorchCheckpoint =>
  parsePyTorch(readBytes(path), options);

/**
 * Reads the tensors of a `.safetensors`, `.pt`, `.pth`, `.th`, `.npz` or `.npy` file by name; an `.npy` file's one array is called as the file is,
 * without its extension, and of a PyTorch file the weights are read that `parsePyTorch` chooses. Throws FileError, FormatError or
 * UnsupportedError where that fails, ArgumentError for another extension.
 */
export function readTensors(path: string): Map<string, Tensor> {
  if (isPyTorchPath(path)) return readCheckpoint(path).tensors;
  switch (extname(path).toLowerCase()) {
    case '.safetensors':
      return parseSafetensors(readBytes(path)).tensors;
    case '.npz':
      return parseNpz(readBytes(path));
    case '.npy':
      return new Map([[basename(path, extname(path)), parseNpy(readBytes(path))]]);
    default:
      throw new ArgumentError(
        `readTensors: '${path}' is not read; expected .safetensors, .pt, .pth, .th, .npz or .npy`,
      );
  }
}

/** Options of `writeTensors`. */
export interface WriteTensorsOptions extends WriteOptions {
  /** Text to be kept beside the tensors; safetensors only. */
  readonly metadata?: ReadonlyMap<string, string>;
}

/**
 * Writes tensors to a `.safetensors` file, or as a state dict to a `.pt`, `.pth` or `.th` file; whole or not at all, as `writeFileAtomic` does.
 * Throws FileError where that fails, ArgumentError for another extension, for a dtype the format does not have, and for metadata of a
 * state dict.
 */
export function writeTensors(
  tensors: ReadonlyMap<string, Tensor>,
  path: string,
  options: WriteTensorsOptions = {},
): void {
  const { metadata } = options;
  if (isPyTorchPath(path)) {
    if (metadata !== undefined && metadata.size > 0) {
      throw new ArgumentError(
        `writeTensors: '${path}' is a state dict, which holds no metadata; write .safetensors`,
      );
    }
    writeFileAtomic(path, serializePyTorch(tensors), options);
    return;
  }
  if (extname(path).toLowerCase() !== '.safetensors') {
    throw new ArgumentError(
      `writeTensors: '${path}' is not written; expected .safetensors, .pt, .pth or .th`,
    );
  }
  writeFileAtomic(path, serializeSafetensors(tensors, metadata), options);
}
