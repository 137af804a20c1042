import { FormatError } from '../../core/errors.ts';
import type { Fields } from './fields.ts';

/** Wire types of protobuf that ONNX's schema can lead to; groups (3, 4) are not among them. */
export const WIRE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

const WIRE_NAMES = new Map<number, string>([
  [WIRE.varint, 'a varint'],
  [WIRE.fixed64, 'a 64-bit number'],
  [WIRE.bytes, 'a length and bytes'],
  [WIRE.fixed32, 'a 32-bit number'],
]);

/** Messages inside messages that are followed; protobuf's own implementations stop there too. */
const MOST_NESTED = 100;

// `ignoreBOM` keeps a byte order mark, which would otherwise be lost from a name.
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The text of UTF-8 bytes, or undefined where they are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

/**
 * Reads one protobuf message field by field, checking every length before it is believed. What it returns are views of the
 * buffer; nothing is copied. Readers of nested messages share the buffer, so that offsets in errors count from the file's start.
 *
 * ```
 * while (reader.next()) {
 *   if (reader.field === NODE.name) name = reader.string();
 *   else unknown.push(reader.raw());
 * }
 * ```
 */
export class WireReader {
  /** Number of the field at hand. */
  field = 0;
  readonly #bytes: Uint8Array;
  readonly #fields: Fields;
  readonly #parent: WireReader | null;
  /** Place of this message in its parent, such as `node[3]`. */
  readonly #place: { readonly name: string; readonly index: number | undefined } | null;
  readonly #depth: number;
  readonly #begin: number;
  readonly #end: number;
  #position: number;
  #start = 0;
  #wire = 0;
  #low = 0;
  #high = 0;

  private constructor(
    bytes: Uint8Array,
    fields: Fields,
    range: { begin: number; end: number },
    parent: WireReader | null,
    place: { name: string; index: number | undefined } | null,
  ) {
    this.#bytes = bytes;
    this.#fields = fields;
    this.#begin = range.begin;
    this.#position = range.begin;
    this.#end = range.end;
    this.#parent = parent;
    this.#place = place;
    this.#depth = parent === null ? 0 : parent.#depth + 1;
  }

  /** A reader of a whole file. */
  static of(bytes: Uint8Array, fields: Fields): WireReader {
    // A plain view: Node's Buffer gives `slice` another meaning.
    const plain = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return new WireReader(plain, fields, { begin: 0, end: plain.byteLength }, null, null);
  }

  /** Offset of the message's first byte in the file. */
  get offset(): number {
    return this.#begin;
  }

  /** Moves to the next field and reads its tag; false at the end of the message. */
  next(): boolean {
    if (this.#position === this.#end) return false;
    this.#start = this.#position;
    this.field = 0;
    this.#varint();
    const tag = this.#low;
    this.#wire = tag & 7;
    const field = tag >>> 3;
    if (this.#high !== 0 || field === 0) {
      throw this.fail(
        `a field has the number ${this.#high === 0 ? field : 'beyond 2^29'}; the bytes are no protobuf`,
      );
    }
    this.field = field;
    if (!WIRE_NAMES.has(this.#wire)) {
      throw this.fail(`field ${field} has wire type ${this.#wire}, which ONNX does not use`);
    }
    return true;
  }

  /** Skips the field at hand and gives its bytes, tag included. */
  raw(): Uint8Array {
    switch (this.#wire) {
      case WIRE.varint:
        this.#varint();
        break;
      case WIRE.fixed64:
        this.#advance(8);
        break;
      case WIRE.fixed32:
        this.#advance(4);
        break;
      default:
        this.#advance(this.#length());
    }
    return this.#bytes.subarray(this.#start, this.#position);
  }

  /** The field as a signed 64-bit number. */
  int64(): bigint {
    this.#expect(WIRE.varint);
    return this.#signed64();
  }

  /** The field as a signed 32-bit number; an error where it does not fit. */
  int32(): number {
    this.#expect(WIRE.varint);
    return this.#signed32();
  }

  /** The field as a whole number that JavaScript holds exactly; an error beyond 2^53. */
  safeInteger(): number {
    const value = this.int64();
    const number = Number(value);
    if (!Number.isSafeInteger(number)) throw this.fail(`the number ${value} is beyond 2^53`);
    return number;
  }

  /** The field as a 32-bit float. */
  float(): number {
    this.#expect(WIRE.fixed32);
    const at = this.#advance(4);
    return new DataView(this.#bytes.buffer, this.#bytes.byteOffset + at, 4).getFloat32(0, true);
  }

  /** The field's bytes, not copied. */
  bytes(): Uint8Array {
    this.#expect(WIRE.bytes);
    const length = this.#length();
    const at = this.#advance(length);
    return this.#bytes.subarray(at, at + length);
  }

  /** The field as text; an error where it is not UTF-8. */
  string(): string {
    const text = decodeUtf8(this.bytes());
    if (text === undefined) throw this.fail('the text is not valid UTF-8');
    return text;
  }

  /** Appends the field's 64-bit numbers, packed or single. */
  int64s(into: bigint[]): void {
    this.#packed(() => into.push(this.#signed64()));
  }

  /** Appends the field's 32-bit numbers, packed or single. */
  int32s(into: number[]): void {
    this.#packed(() => into.push(this.#signed32()));
  }

  /** Appends the bytes of the field's 4-byte or 8-byte numbers, packed or single, not copied. */
  fixed(size: 4 | 8, into: Uint8Array[]): void {
    const single = size === 4 ? WIRE.fixed32 : WIRE.fixed64;
    if (this.#wire === single) {
      const at = this.#advance(size);
      into.push(this.#bytes.subarray(at, at + size));
      return;
    }
    const bytes = this.bytes();
    if (bytes.byteLength % size !== 0) {
      throw this.fail(`packed ${size}-byte numbers take ${bytes.byteLength} bytes, no multiple of ${size}`);
    }
    into.push(bytes);
  }

  /** A reader of the nested message at hand; `index` is its place where the field is a list. */
  message(fields: Fields, index?: number): WireReader {
    this.#expect(WIRE.bytes);
    if (this.#depth >= MOST_NESTED) throw this.fail(`messages are nested more than ${MOST_NESTED} deep`);
    const length = this.#length();
    const begin = this.#advance(length);
    return new WireReader(this.#bytes, fields, { begin, end: begin + length }, this, {
      name: this.#fieldName(),
      index,
    });
  }

  /** An error at the field at hand. */
  fail(message: string, options?: ErrorOptions): FormatError {
    const path = [...this.#path(), ...(this.field === 0 ? [] : [this.#fieldName()])].join('.');
    return new FormatError(
      'ONNX',
      message,
      { offset: this.#start, ...(path === '' ? {} : { field: path }) },
      options,
    );
  }

  /** An error of the message as a whole, or of one of its fields. */
  failHere(message: string, field?: string, options?: ErrorOptions): FormatError {
    const path = [...this.#path(), ...(field === undefined ? [] : [field])].join('.');
    return new FormatError(
      'ONNX',
      message,
      { offset: this.#begin, ...(path === '' ? {} : { field: path }) },
      options,
    );
  }

  #path(): string[] {
    const names: string[] = [];
    for (
      let reader: WireReader = this;
      reader.#place !== null && reader.#parent !== null;
      reader = reader.#parent
    ) {
      const { name, index } = reader.#place;
      names.unshift(index === undefined ? name : `${name}[${index}]`);
    }
    return names;
  }

  #fieldName(): string {
    for (const [name, number] of Object.entries(this.#fields)) if (number === this.field) return name;
    return String(this.field);
  }

  #expect(wire: number): void {
    if (this.#wire !== wire) {
      throw this.fail(`expected ${WIRE_NAMES.get(wire)}, found ${WIRE_NAMES.get(this.#wire)}`);
    }
  }

  #advance(count: number): number {
    const at = this.#position;
    if (count > this.#end - at) {
      throw this.fail(
        `${count} bytes are announced, but ${this.#end - at} are left; the file is cut off or damaged`,
      );
    }
    this.#position = at + count;
    return at;
  }

  #length(): number {
    this.#varint();
    return this.#high * 0x1_0000_0000 + this.#low;
  }

  #packed(read: () => void): void {
    if (this.#wire === WIRE.varint) {
      read();
      return;
    }
    this.#expect(WIRE.bytes);
    const length = this.#length();
    const end = this.#advance(length) + length;
    this.#position = end - length;
    while (this.#position < end) read();
    if (this.#position > end) throw this.fail('the last of the packed numbers runs beyond their list');
  }

  #signed64(): bigint {
    this.#varint();
    if (this.#high === 0) return BigInt(this.#low);
    return BigInt.asIntN(64, (BigInt(this.#high) << 32n) | BigInt(this.#low));
  }

  #signed32(): number {
    this.#varint();
    const value = this.#low | 0;
    const extension = value < 0 ? 0xffff_ffff : 0;
    // Negative numbers are written with 64 bits; some writers leave the upper half out.
    if (this.#high !== extension && this.#high !== 0) throw this.fail('the number does not fit into 32 bits');
    return value;
  }

  /** Reads a varint into two halves of 32 bits. */
  #varint(): void {
    let low = 0;
    let high = 0;
    for (let count = 0; count < 10; count++) {
      if (this.#position >= this.#end)
        throw this.fail('the message ends inside a number; the file is cut off or damaged');
      const byte = this.#bytes[this.#position++]!;
      const bits = byte & 0x7f;
      if (count < 4) low |= bits << (7 * count);
      else if (count === 4) {
        low |= bits << 28;
        high = bits >>> 4;
      } else high |= bits << (7 * count - 32);
      if (byte < 0x80) {
        if (count === 9 && byte > 1) throw this.fail('a number is wider than 64 bits');
        this.#low = low >>> 0;
        this.#high = high >>> 0;
        return;
      }
    }
    throw this.fail('a number runs beyond 10 bytes');
  }
}
