import { FormatError } from '../../core/errors.ts';

/** Where a pickle stands in the file, for messages. */
export interface PickleSource {
  /** Offset of the buffer's first byte in the file. */
  readonly base: number;
  /** What is read: `archive/data.pkl`. */
  readonly field: string;
}

// `ignoreBOM` keeps a byte order mark, which would otherwise be lost from a name.
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const latin1 = new TextDecoder('latin1');

/** Longest line of the text opcodes that stand for a number, a name or a place in the memo. */
const MOST_LINE = 8192;

/** Reads the bytes of pickles; every length is checked before it is believed, nothing is copied. */
export class PickleReader {
  position: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #source: PickleSource;
  /** Where the opcode at hand begins. */
  #opcode = 0;

  constructor(bytes: Uint8Array, position: number, source: PickleSource) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.position = position;
    this.#source = source;
  }

  /** Place of the opcode at hand, for errors. */
  get place(): { offset: number; field: string } {
    return { offset: this.#source.base + this.#opcode, field: this.#source.field };
  }

  /** An error at the opcode at hand. */
  fail(message: string): FormatError {
    return new FormatError('PyTorch', message, this.place);
  }

  /** The next opcode. */
  opcode(): number {
    this.#opcode = this.position;
    return this.uint8();
  }

  /** The next bytes, not copied. */
  take(count: number): Uint8Array {
    const at = this.#advance(count);
    return this.#bytes.subarray(at, at + count);
  }

  uint8(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  uint16(): number {
    return this.#view.getUint16(this.#advance(2), true);
  }

  int32(): number {
    return this.#view.getInt32(this.#advance(4), true);
  }

  uint32(): number {
    return this.#view.getUint32(this.#advance(4), true);
  }

  /** A length of 8 bytes. */
  uint64(): number {
    return Number(this.#view.getBigUint64(this.#advance(8), true));
  }

  /** Pickles hold these big-endian. */
  float64(): number {
    return this.#view.getFloat64(this.#advance(8), false);
  }

  /** A short line of text without its end. */
  line(): string {
    const line = this.lineBytes();
    if (line.byteLength > MOST_LINE) {
      throw this.fail(`a line of ${line.byteLength} bytes stands where at most ${MOST_LINE} are allowed`);
    }
    return this.text(line);
  }

  /** How many bytes there are up to the next line feed. */
  get lineLength(): number {
    const end = this.#bytes.indexOf(0x0a, this.position);
    if (end < 0) throw this.fail('a line has no end; the file is cut off or damaged');
    return end - this.position;
  }

  /** The bytes up to the next line feed. */
  lineBytes(): Uint8Array {
    const end = this.position + this.lineLength;
    const line = this.#bytes.subarray(this.position, end);
    this.position = end + 1;
    return line;
  }

  /** Text of UTF-8 bytes. Halves of surrogate pairs, by which Python tells bytes of file names that are no text, become U+FFFD. */
  text(bytes: Uint8Array): string {
    const text = decoded(bytes) ?? decoded(withoutSurrogates(bytes));
    if (text === undefined) throw this.fail('the text is not valid UTF-8');
    return text;
  }

  #advance(count: number): number {
    const at = this.position;
    if (!(count >= 0 && count <= this.#bytes.byteLength - at)) {
      throw this.fail(
        `${count} bytes are announced, but ${this.#bytes.byteLength - at} are left; the file is cut off or damaged`,
      );
    }
    this.position = at + count;
    return at;
  }
}

/** Texts of Python 2 are bytes: text where they are UTF-8. */
export const textOrBytes = (bytes: Uint8Array): string | Uint8Array => decoded(bytes) ?? bytes;

/** Each half of a surrogate pair takes three bytes, as U+FFFD does. */
function withoutSurrogates(bytes: Uint8Array): Uint8Array {
  const out = bytes.slice();
  for (let at = out.indexOf(0xed); at >= 0; at = out.indexOf(0xed, at + 1))
    if (out[at + 1]! >= 0xa0) out.set([0xef, 0xbf, 0xbd].slice(0, out.length - at), at);
  return out;
}

function decoded(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

/** The bytes of a text in Latin-1; undefined where a character is beyond. */
export function latin1Bytes(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code > 0xff) return undefined;
    bytes[index] = code;
  }
  return bytes;
}

/** Code points 0 to 255 as bytes say them. `TextDecoder` takes Latin-1 for Windows-1252, which differs from 128 to 159. */
export function latin1Text(bytes: Uint8Array): string {
  if (bytes.every((byte) => byte < 0x80 || byte > 0x9f)) return latin1.decode(bytes);
  let text = '';
  for (let at = 0; at < bytes.byteLength; at += 4096) {
    text += String.fromCharCode(...bytes.subarray(at, at + 4096));
  }
  return text;
}
