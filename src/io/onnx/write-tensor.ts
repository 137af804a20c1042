import { dtypeInfo } from '../../core/dtype.ts';
import type { SparseTensor, Tensor } from '../../core/tensor.ts';
import { EXTERNAL, SPARSE_TENSOR, TENSOR } from './fields.ts';
import { keptFields, keptNotes, type TensorNotes } from './kept.ts';
import { encodeUtf8, type WireWriter } from './wire-writer.ts';
import { writeEntries, writeRaw } from './write-entries.ts';

/** Places are multiples of a page, so that the file can be mapped into memory. Source: `TensorProto.external_data` of onnx.proto. */
const PAGE = 4096;

/** The file of external data that is being laid out. Elements are passed on, not copied; a tensor used twice is written once. */
export class ExternalFile {
  readonly location: string;
  readonly threshold: number;
  readonly chunks: Uint8Array[] = [];
  #length = 0;
  readonly #places = new Map<Tensor, number>();

  /** Tensors of at least `threshold` bytes go to the file called `location`. */
  constructor(location: string, threshold: number) {
    this.location = location;
    this.threshold = threshold;
  }

  takes(tensor: Tensor): boolean {
    return tensor.dtype !== 'string' && tensor.byteLength > 0 && tensor.byteLength >= this.threshold;
  }

  /** Appends the tensor's elements and gives their offset. */
  add(tensor: Tensor): number {
    const before = this.#places.get(tensor);
    if (before !== undefined) return before;
    const gap = (PAGE - (this.#length % PAGE)) % PAGE;
    if (gap > 0) this.chunks.push(new Uint8Array(gap));
    const offset = this.#length + gap;
    this.chunks.push(tensor.bytes);
    this.#length = offset + tensor.byteLength;
    this.#places.set(tensor, offset);
    return offset;
  }
}

/** Writes a `TensorProto`; elements go to `external` where there is one that takes them. */
export function writeTensor(
  writer: WireWriter,
  tensor: Tensor,
  notes: TensorNotes = keptNotes(tensor),
  external: ExternalFile | null = null,
): void {
  if (tensor.shape.length > 0) writer.packedInts(TENSOR.dims, tensor.shape);
  writer.int(TENSOR.data_type, dtypeInfo(tensor.dtype).onnx);
  writer.optionalString(TENSOR.name, notes.name);
  if (external?.takes(tensor)) {
    const place = new Map([
      ['location', external.location],
      ['offset', String(external.add(tensor))],
      ['length', String(tensor.byteLength)],
    ]);
    writeEntries(writer, TENSOR.external_data, place);
    writer.int(TENSOR.data_location, EXTERNAL);
  } else if (tensor.dtype === 'string') {
    for (const text of tensor.strings) writer.bytes(TENSOR.string_data, encodeUtf8(text));
  } else {
    writer.bytes(TENSOR.raw_data, tensor.bytes);
  }
  writer.optionalString(TENSOR.doc_string, notes.docString);
  writeEntries(writer, TENSOR.metadata_props, notes.metadata);
  writeRaw(writer, keptFields(tensor));
}

/** Writes a `SparseTensorProto`, whose name is its values'. */
export function writeSparseTensor(
  writer: WireWriter,
  sparse: SparseTensor,
  notes: TensorNotes = keptNotes(sparse.values),
): void {
  writer.message(SPARSE_TENSOR.values, (message) => writeTensor(message, sparse.values, notes));
  writer.message(SPARSE_TENSOR.indices, (message) => writeTensor(message, sparse.indices));
  writer.packedInts(SPARSE_TENSOR.dims, sparse.dims);
  writeRaw(writer, keptFields(sparse));
}
