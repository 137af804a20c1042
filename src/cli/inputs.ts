import { extname } from 'node:path';
import { FileError, SecateurError } from '../core/errors.ts';
import type { Tensor } from '../core/tensor.ts';
import type { ParsePyTorchOptions } from '../io/index.ts';
import type { Graph } from '../ir/index.ts';
import { isPyTorchPath, PYTORCH_EXTENSIONS, readCheckpoint, readTensors } from '../node/index.ts';
import { UsageError } from './usage-error.ts';

/** Errors of reading a file that do not name it are made to. */
export function ofFile<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof SecateurError) || error instanceof FileError || error instanceof UsageError)
      throw error;
    throw new FileError(path, error.message, { cause: error });
  }
}

/**
 * Tensors of the file that was given for `option`. Where a PyTorch file holds several sets of weights, it is told on stderr which were
 * read. Throws UsageError for a file of another kind; the errors of readers otherwise.
 */
export function tensorsOf(
  option: string,
  path: string,
  options: ParsePyTorchOptions = {},
): Map<string, Tensor> {
  if (isPyTorchPath(path)) {
    const { tensors, part, parts } = ofFile(path, () => readCheckpoint(path, options));
    if (parts.length > 1) {
      process.stderr.write(`note: '${path}' holds weights under ${parts.join(', ')}; ${part} were read\n`);
    }
    return tensors;
  }
  if (!['.safetensors', '.npz', '.npy'].includes(extname(path).toLowerCase())) {
    throw new UsageError(
      `${option}: '${path}' must end in .safetensors, ${PYTORCH_EXTENSIONS.join(', ')}, .npz or .npy`,
    );
  }
  return ofFile(path, () => readTensors(path));
}

/**
 * Inputs of a model from the file that was given for `option`: by name (other tensors of the file are left alone), or, where the file
 * holds as many tensors as the model has inputs, by place. Throws UsageError where neither can be, or where ranks or fixed sizes differ; the
 * first axis may be of any size.
 */
export function inputsFrom(option: string, path: string, graph: Graph): Record<string, Tensor> {
  const tensors = tensorsOf(option, path);
  const names = graph.feeds.map(({ name }) => name);
  const byName = names.every((name) => tensors.has(name));
  if (!byName && tensors.size !== names.length) {
    const quoted = (list: Iterable<string>): string => Array.from(list, (name) => `'${name}'`).join(', ');
    throw new UsageError(
      `${option}: '${path}' holds ${quoted(tensors.keys())}; the model's inputs are ${quoted(names)}`,
    );
  }
  const given = byName ? names.map((name) => tensors.get(name)!) : [...tensors.values()];
  for (const [index, { name, type }] of graph.feeds.entries()) {
    const declared = type?.kind === 'tensor' ? type.shape : null;
    const tensor = given[index]!;
    const fits =
      !declared ||
      (declared.length === tensor.shape.length &&
        declared.every((dim, axis) => axis === 0 || typeof dim !== 'number' || dim === tensor.shape[axis]));
    if (!fits) {
      throw new UsageError(
        `${option}: '${path}' gives ${tensor} for the input '${name}', whose shape is [${declared.map((dim) => dim ?? '?').join(', ')}]`,
      );
    }
  }
  return Object.fromEntries(names.map((name, index) => [name, given[index]!]));
}
