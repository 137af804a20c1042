import { realpathSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, relative, sep } from 'node:path';
import { FormatError } from '../core/errors.ts';
import { onnxByteLength, PROTOBUF_LIMIT, parseOnnx, serializeOnnx } from '../io/index.ts';
import type { Graph } from '../ir/index.ts';
import { readBytes, type WriteOptions, withPath, writeFilesAtomic } from './file.ts';

/**
 * Reads an ONNX file, and the files of external data it names in its own folder. Each is read once, and weights are views of what was read.
 * Throws FileError where a file cannot be read, FormatError where the model is damaged or names data outside its folder.
 */
export function readModel(path: string): Graph {
  const files = new Map<string, Uint8Array>();
  const externalData = (location: string): Uint8Array => {
    const known = files.get(location);
    if (known) return known;
    const bytes = readBytes(inFolder(path, location));
    files.set(location, bytes);
    return bytes;
  };
  return parseOnnx(readBytes(path), { externalData });
}

/** Path of a file of external data. The text of the location was checked before; here links are followed. */
function inFolder(path: string, location: string): string {
  const place = join(dirname(path), location);
  const real = withPath(place, `external data of '${path}' cannot be read`, () => realpathSync(place));
  const way = relative(realpathSync(dirname(path)), real);
  if (way === '..' || way.startsWith(`..${sep}`) || isAbsolute(way)) {
    throw new FormatError(
      'ONNX',
      `the external data '${location}' is a link that leaves the model's folder; put a copy beside the model`,
      { field: 'external_data' },
    );
  }
  return real;
}

/** Options of `writeModel`. */
export interface WriteModelOptions extends WriteOptions {
  /**
   * Put weights into a file of their own: true for `<name>.data` beside the model, or the bytes from which on a tensor goes
   * there (1024 by true). By default only where the model would exceed the 2 GiB protobuf allows.
   */
  readonly externalData?: boolean | { readonly threshold: number };
}

/**
 * Writes a graph as an ONNX file, whole or not at all, as `writeFileAtomic` does. Throws FileError where a file exists
 * or cannot be written, GraphError where the graph is not well formed, ArgumentError where the model is beyond 2 GiB and `externalData` is false.
 */
export function writeModel(graph: Graph, path: string, options: WriteModelOptions = {}): void {
  const external = options.externalData ?? onnxByteLength(graph) > PROTOBUF_LIMIT;
  if (external === false) {
    writeFilesAtomic([{ path, chunks: serializeOnnx(graph) }], options);
    return;
  }
  const location = `${basename(path)}.data`;
  const { model, data } = serializeOnnx(graph, {
    externalData: { location, ...(external === true ? {} : external) },
  });
  // The data first: a model without its data is worse than data without a model.
  writeFilesAtomic(
    [
      { path: join(dirname(path), location), chunks: data },
      { path, chunks: model },
    ],
    options,
  );
}
