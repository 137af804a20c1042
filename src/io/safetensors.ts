import { byteLengthOf, type DType } from '../core/dtype.ts';
import { ArgumentError, FormatError } from '../core/errors.ts';
import { isRecord } from '../core/is-record.ts';
import { sizeOf, Tensor } from '../core/tensor.ts';

/** Names of element types in safetensors. Source: `Dtype` of the safetensors crate, 0.6. */
const NAMES = {
  BOOL: 'bool',
  F4: 'float4e2m1',
  U8: 'uint8',
  I8: 'int8',
  F8_E5M2: 'float8e5m2',
  F8_E4M3: 'float8e4m3fn',
  F8_E8M0: 'float8e8m0',
  F8_E4M3FNUZ: 'float8e4m3fnuz',
  F8_E5M2FNUZ: 'float8e5m2fnuz',
  I16: 'int16',
  U16: 'uint16',
  F16: 'float16',
  BF16: 'bfloat16',
  I32: 'int32',
  U32: 'uint32',
  F32: 'float32',
  C64: 'complex64',
  F64: 'float64',
  I64: 'int64',
  U64: 'uint64',
} as const satisfies Record<string, DType>;

const dtypeByName = new Map<string, DType>(Object.entries(NAMES));
const nameByDType = new Map<DType, string>(Object.entries(NAMES).map(([name, dtype]) => [dtype, name]));

const METADATA = '__metadata__';
/** Bytes in front of the header: its length. */
const PREFIX = 8;
/** Longest header the format allows, in bytes. */
const MOST_HEADER = 100_000_000;

/** Contents of a safetensors file. */
export interface Safetensors {
  /** Tensors by name, in the order of the header. */
  readonly tensors: Map<string, Tensor>;
  /** Text the file holds beside its tensors. */
  readonly metadata: Map<string, string>;
}

interface Entry {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

const fail = (message: string, offset: number, field?: string, options?: ErrorOptions): FormatError =>
  new FormatError('safetensors', message, { offset, ...(field === undefined ? {} : { field }) }, options);

/**
 * Reads a safetensors file. Tensors are views of `bytes`, not copies.
 *
 * Throws FormatError with byte offset and tensor name where the file is cut off, its header is no JSON of the expected form, a
 * name comes twice, or where tensors overlap, leave gaps or do not have the size their shape asks for.
 */
export function parseSafetensors(bytes: Uint8Array): Safetensors {
  const file = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (file.byteLength < PREFIX) {
    throw fail(`a file takes at least ${PREFIX} bytes, this has ${file.byteLength}`, 0);
  }
  const announced = new DataView(file.buffer, file.byteOffset, PREFIX).getBigUint64(0, true);
  if (announced > MOST_HEADER) {
    throw fail(`the header is announced with ${announced} bytes; at most ${MOST_HEADER} are allowed`, 0);
  }
  const length = Number(announced);
  if (length > file.byteLength - PREFIX) {
    throw fail(`the header is announced with ${length} bytes, but ${file.byteLength - PREFIX} are left`, 0);
  }
  const header = parseHeader(file.subarray(PREFIX, PREFIX + length));
  const data = file.subarray(PREFIX + length);
  const tensors = new Map<string, Tensor>();
  let metadata = new Map<string, string>();
  const entries: Entry[] = [];
  for (const [name, value] of header) {
    if (name === METADATA) metadata = readMetadata(value);
    else entries.push(readEntry(name, value, data.byteLength, PREFIX + length));
  }
  let reached = 0;
  for (const { name, begin, end } of [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== reached) {
      throw fail(
        begin < reached
          ? `it begins at byte ${begin} of the data, inside the tensor that ends at ${reached}`
          : `it begins at byte ${begin} of the data, where the tensor before ends at ${reached}; gaps are not allowed`,
        PREFIX + length + begin,
        name,
      );
    }
    reached = end;
  }
  if (reached !== data.byteLength) {
    throw fail(
      `the tensors end at byte ${reached} of the data, which has ${data.byteLength}`,
      PREFIX + length + reached,
    );
  }
  for (const { name, dtype, shape, begin, end } of entries) {
    tensors.set(name, new Tensor(dtype, shape, { bytes: data.subarray(begin, end) }));
  }
  return { tensors, metadata };
}

function parseHeader(bytes: Uint8Array): [string, unknown][] {
  let text: string;
  let header: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    header = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof SyntaxError)) throw error;
    throw fail(`the header is no JSON in UTF-8: ${error.message}`, PREFIX, undefined, { cause: error });
  }
  if (!text.startsWith('{') || typeof header !== 'object' || header === null) {
    throw fail("the header is no JSON object; expected '{' first", PREFIX);
  }
  const twice = repeatedKey(text);
  if (twice !== undefined) throw fail('the header gives this name twice', PREFIX, twice);
  return Object.entries(header);
}

/** A key that one object of valid JSON text has twice; `JSON.parse` would keep the last and say nothing. */
function repeatedKey(text: string): string | undefined {
  const scopes: Set<string>[] = [];
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '{') scopes.push(new Set());
    else if (character === '}') scopes.pop();
    else if (character === '"') {
      const start = at;
      at = endOfString(text, at);
      const key = JSON.parse(text.slice(start, at + 1)) as string;
      let next = at + 1;
      while (next < text.length && ' \t\n\r'.includes(text[next]!)) next++;
      if (text[next] !== ':') continue;
      const scope = scopes.at(-1)!;
      if (scope.has(key)) return key;
      scope.add(key);
    }
  }
  return undefined;
}

/** Index of the quote that ends the string whose first quote is at `start`. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at;
}

/** A value of the header as messages show it: lists and objects may be too deep to be printed. */
function shown(value: unknown): string {
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'a list' : 'an object';
  return value === undefined ? 'missing' : JSON.stringify(value).slice(0, 60);
}

const isCount = (value: unknown): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;

function readMetadata(value: unknown): Map<string, string> {
  if (!isRecord(value)) throw fail('expected an object of texts', PREFIX, METADATA);
  const metadata = new Map<string, string>();
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== 'string')
      throw fail(`expected text, found ${typeof text}`, PREFIX, `${METADATA}.${key}`);
    metadata.set(key, text);
  }
  return metadata;
}

function readEntry(name: string, value: unknown, dataLength: number, dataOffset: number): Entry {
  if (!isRecord(value)) throw fail('expected an object with dtype, shape and data_offsets', PREFIX, name);
  const extra = Object.keys(value).find((key) => !['dtype', 'shape', 'data_offsets'].includes(key));
  if (extra !== undefined) throw fail(`the entry has the unknown field '${extra}'`, PREFIX, name);
  const { dtype: dtypeName, shape, data_offsets: offsets } = value;
  const dtype = typeof dtypeName === 'string' ? dtypeByName.get(dtypeName) : undefined;
  if (dtype === undefined) {
    throw fail(
      `the dtype ${shown(dtypeName)} is not known; expected ${Object.keys(NAMES).join(', ')}`,
      PREFIX,
      name,
    );
  }
  if (!Array.isArray(shape) || !shape.every(isCount)) {
    throw fail(`the shape is ${shown(shape)}; expected a list of whole numbers >= 0`, PREFIX, name);
  }
  if (!Number.isSafeInteger(sizeOf(shape.filter((dim) => dim !== 0)))) {
    throw fail(`the shape [${shape.join(', ')}] has more elements than can be counted`, PREFIX, name);
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) {
    throw fail(`data_offsets are ${shown(offsets)}; expected a list of begin and end`, PREFIX, name);
  }
  const [begin, end] = offsets as [number, number];
  if (begin > end || end > dataLength) {
    throw fail(
      `data_offsets are ${begin} to ${end}; the data has ${dataLength} bytes`,
      dataOffset + Math.min(begin, dataLength),
      name,
    );
  }
  const expected = byteLengthOf(dtype, sizeOf(shape));
  if (end - begin !== expected) {
    throw fail(
      `${dtypeName}[${shape.join(', ')}] takes ${expected} bytes, data_offsets span ${end - begin}`,
      dataOffset + begin,
      name,
    );
  }
  return { name, dtype, shape, begin, end };
}

/**
 * Writes a safetensors file: a list of chunks to be written one after another. Tensors follow each other in the order given, their elements
 * are passed on, not copied; the header is padded so that the data begins at a multiple of 8 bytes.
 *
 * Throws ArgumentError where a dtype has no place in the format (strings, complex128, integers of 2 or 4 bits) or a
 * tensor is called `__metadata__`.
 */
export function serializeSafetensors(
  tensors: ReadonlyMap<string, Tensor>,
  metadata: ReadonlyMap<string, string> = new Map(),
): Uint8Array[] {
  const members: string[] = [];
  const member = (key: string, value: unknown): void => {
    members.push(`${JSON.stringify(key)}:${JSON.stringify(value)}`);
  };
  if (metadata.size > 0) {
    const texts = [...metadata].map(([key, text]) => `${JSON.stringify(key)}:${JSON.stringify(text)}`);
    members.push(`${JSON.stringify(METADATA)}:{${texts.join(',')}}`);
  }
  const chunks: Uint8Array[] = [];
  let offset = 0;
  for (const [name, tensor] of tensors) {
    const dtype = nameByDType.get(tensor.dtype);
    if (dtype === undefined) {
      throw new ArgumentError(
        `serializeSafetensors: '${name}' is ${tensor}, a dtype the format does not have; cast it first`,
      );
    }
    if (name === METADATA) {
      throw new ArgumentError(`serializeSafetensors: a tensor cannot be called '${METADATA}'; rename it`);
    }
    const { bytes } = tensor;
    member(name, { dtype, shape: tensor.shape, data_offsets: [offset, offset + bytes.byteLength] });
    offset += bytes.byteLength;
    chunks.push(bytes);
  }
  const json = new TextEncoder().encode(`{${members.join(',')}}`);
  const length = Math.ceil(json.byteLength / 8) * 8;
  if (length > MOST_HEADER) {
    throw new ArgumentError(
      `serializeSafetensors: the header takes ${length} bytes; at most ${MOST_HEADER} are allowed`,
    );
  }
  const head = new Uint8Array(PREFIX + length).fill(0x20);
  new DataView(head.buffer).setBigUint64(0, BigInt(length), true);
  head.set(json, PREFIX);
  return [head, ...chunks];
}
