import { basename, extname } from 'node:path';
import { ArgumentError } from '../core/errors.ts';
import type { Tensor } from '../core/tensor.ts';
import { parseNpy, parseNpz, parseSafetensors, serializeSafetensors } from '../io/index.ts';
import { readBytes, type WriteOptions, writeFileAtomic } from './file.ts';

/**
 * Reads the tensors of a `.safetensors`, `.npz` or `.npy` file by name; an `.npy` file's one array is called as the file is, without
 * its extension. Throws FileError, FormatError or UnsupportedError where that fails, ArgumentError for another extension.
 */
export function readTensors(path: string): Map<string, Tensor> {
  const extension = extname(path).toLowerCase();
  switch (extension) {
    case '.safetensors':
      return parseSafetensors(readBytes(path)).tensors;
    case '.npz':
      return parseNpz(readBytes(path));
    case '.npy':
      return new Map([[basename(path, extname(path)), parseNpy(readBytes(path))]]);
    default:
      throw new ArgumentError(`readTensors: '${path}' is not read; expected .safetensors, .npz or .npy`);
  }
}

/** Options of `writeTensors`. */
export interface WriteTensorsOptions extends WriteOptions {
  /** Text to be kept beside the tensors. */
  readonly metadata?: ReadonlyMap<string, string>;
}

/**
 * Writes tensors to a `.safetensors` file, whole or not at all, as `writeFileAtomic` does. Throws FileError where that
 * fails, ArgumentError for another extension or a dtype the format does not have.
 */
export function writeTensors(
  tensors: ReadonlyMap<string, Tensor>,
  path: string,
  options: WriteTensorsOptions = {},
): void {
  if (extname(path).toLowerCase() !== '.safetensors') {
    throw new ArgumentError(`writeTensors: '${path}' is not written; expected .safetensors`);
  }
  writeFileAtomic(path, serializeSafetensors(tensors, options.metadata), options);
}
