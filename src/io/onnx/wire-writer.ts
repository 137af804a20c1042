import { ArgumentError } from '../../core/errors.ts';
import { WIRE } from './wire-reader.ts';

/** Byte strings at least this long are passed on as they are, not copied. */
const SHARED_FROM = 1024;

const encoder = new TextEncoder();

/** UTF-8 bytes of `text`. Throws ArgumentError where a lone surrogate leaves it without any. */
export function encodeUtf8(text: string): Uint8Array {
  if (/\p{Surrogate}/u.test(text)) {
    throw new ArgumentError(
      `the text ${JSON.stringify(text)} holds half of a surrogate pair, which UTF-8 cannot write`,
    );
  }
  return encoder.encode(text);
}

/** Writes one protobuf message as a list of chunks in which long byte strings are the caller's own memory. */
export class WireWriter {
  readonly #chunks: Uint8Array[] = [];
  #buffer = new Uint8Array(64);
  #used = 0;
  #flushed = 0;

  /** Bytes written so far. */
  get length(): number {
    return this.#flushed + this.#used;
  }

  /** The chunks written; the writer is spent then. */
  finish(): Uint8Array[] {
    this.#flush();
    return this.#chunks;
  }

  /** A whole number as a varint. */
  int(field: number, value: number | bigint): void {
    this.#tag(field, WIRE.varint);
    this.#varint(value);
  }

  float(field: number, value: number): void {
    this.#tag(field, WIRE.fixed32);
    const at = this.#reserve(4);
    new DataView(this.#buffer.buffer).setFloat32(at, value, true);
  }

  bytes(field: number, value: Uint8Array): void {
    this.#tag(field, WIRE.bytes);
    this.#varint(value.byteLength);
    this.raw(value);
  }

  string(field: number, value: string): void {
    this.bytes(field, encodeUtf8(value));
  }

  /** Text that is left out where it is empty, as it would be read the same. */
  optionalString(field: number, value: string): void {
    if (value !== '') this.string(field, value);
  }

  /** Whole numbers, packed. */
  packedInts(field: number, values: readonly (number | bigint)[]): void {
    this.message(field, (list) => {
      for (const value of values) list.#varint(value);
    });
  }

  /** 32-bit floats, packed. */
  packedFloats(field: number, values: readonly number[]): void {
    const bytes = new Uint8Array(values.length * 4);
    const view = new DataView(bytes.buffer);
    values.forEach((value, index) => {
      view.setFloat32(index * 4, value, true);
    });
    this.bytes(field, bytes);
  }

  /** A nested message, written by `write`. */
  message(field: number, write: (nested: WireWriter) => void): void {
    const nested = new WireWriter();
    write(nested);
    this.#tag(field, WIRE.bytes);
    this.#varint(nested.length);
    for (const chunk of nested.finish()) this.raw(chunk);
  }

  /** Bytes as they are: fields kept from a file, or the content behind a length. */
  raw(bytes: Uint8Array): void {
    if (bytes.byteLength >= SHARED_FROM) {
      this.#flush();
      this.#chunks.push(bytes);
      this.#flushed += bytes.byteLength;
      return;
    }
    const at = this.#reserve(bytes.byteLength);
    this.#buffer.set(bytes, at);
  }

  #tag(field: number, wire: number): void {
    this.#varint(field * 8 + wire);
  }

  #varint(value: number | bigint): void {
    if (typeof value === 'number' && value >= 0 && value <= 0x7fff_ffff) {
      let rest = value;
      while (rest > 0x7f) {
        this.#byte((rest & 0x7f) | 0x80);
        rest >>>= 7;
      }
      this.#byte(rest);
      return;
    }
    // Negative numbers take the full ten bytes, as two's complement of 64 bits.
    let rest = BigInt.asUintN(64, BigInt(value));
    while (rest > 0x7fn) {
      this.#byte(Number(rest & 0x7fn) | 0x80);
      rest >>= 7n;
    }
    this.#byte(Number(rest));
  }

  #byte(value: number): void {
    const at = this.#reserve(1);
    this.#buffer[at] = value;
  }

  #reserve(count: number): number {
    const at = this.#used;
    const needed = at + count;
    if (needed > this.#buffer.byteLength) {
      const grown = new Uint8Array(Math.max(needed, this.#buffer.byteLength * 2));
      grown.set(this.#buffer.subarray(0, at));
      this.#buffer = grown;
    }
    this.#used = needed;
    return at;
  }

  #flush(): void {
    if (this.#used === 0) return;
    this.#chunks.push(this.#buffer.subarray(0, this.#used));
    this.#flushed += this.#used;
    this.#buffer = new Uint8Array(64);
    this.#used = 0;
  }
}
