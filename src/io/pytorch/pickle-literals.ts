import type { CallContext } from './pickle-calls.ts';
import { type PickleReader, textOrBytes } from './pickle-reader.ts';
import { decimalFloat, decimalNumber, longNumber, quotedString, rawUnicode } from './pickle-text.ts';
import type { PickleValue } from './pickle-values.ts';

type Literal = (reader: PickleReader, context: CallContext) => PickleValue;

/** Bytes a string or a view of bytes takes beside its characters, roughly. */
const TEXT_BYTES = 64;

/** UTF-8 with its length in front, as `length` reads it. */
const text =
  (length: (reader: PickleReader) => number): Literal =>
  (reader, context) => {
    const bytes = reader.take(length(reader));
    context.charge(TEXT_BYTES + 2 * bytes.byteLength);
    return reader.text(bytes);
  };

/** Bytes, which are views of the file. */
const bytes =
  (length: (reader: PickleReader) => number): Literal =>
  (reader, context) => {
    context.charge(2 * TEXT_BYTES);
    return reader.take(length(reader));
  };

/** Texts of Python 2. */
const oldText =
  (length: (reader: PickleReader) => number): Literal =>
  (reader, context) => {
    const taken = reader.take(length(reader));
    context.charge(2 * TEXT_BYTES + 2 * taken.byteLength);
    return textOrBytes(taken);
  };

/** Texts of protocol 0 end with their line. Resolving escapes takes several times its length. */
const lineOf =
  (read: (reader: PickleReader) => PickleValue): Literal =>
  (reader, context) => {
    context.charge(TEXT_BYTES + 8 * reader.lineLength);
    return read(reader);
  };

/** Bytes a number takes that is no small whole one. */
const FLOAT_BYTES = 16;

const long =
  (length: (reader: PickleReader) => number): Literal =>
  (reader, context) => {
    const count = length(reader);
    context.charge(TEXT_BYTES);
    return longNumber(reader, count);
  };

const uint8 = (reader: PickleReader): number => reader.uint8();
const int32 = (reader: PickleReader): number => reader.int32();
const uint32 = (reader: PickleReader): number => reader.uint32();
const uint64 = (reader: PickleReader): number => reader.uint64();

/** Opcodes that push a value which stands behind them. Source: CPython's pickletools. */
export const LITERALS: ReadonlyMap<number, Literal> = new Map<number, Literal>([
  // NONE, NEWTRUE, NEWFALSE
  [0x4e, () => null],
  [0x88, () => true],
  [0x89, () => false],
  // INT, LONG, FLOAT, STRING, UNICODE: as text, of protocol 0
  [0x49, lineOf(decimalNumber)],
  [0x4c, lineOf(decimalNumber)],
  [0x46, lineOf(decimalFloat)],
  [0x53, lineOf(quotedString)],
  [0x56, lineOf(rawUnicode)],
  // BININT, BININT1, BININT2, LONG1, LONG4, BINFLOAT
  [0x4a, int32],
  [0x4b, uint8],
  [0x4d, (reader) => reader.uint16()],
  [0x8a, long(uint8)],
  [0x8b, long(int32)],
  [
    0x47,
    (reader, context) => {
      context.charge(FLOAT_BYTES);
      return reader.float64();
    },
  ],
  // BINSTRING, SHORT_BINSTRING
  [0x54, oldText(int32)],
  [0x55, oldText(uint8)],
  // SHORT_BINUNICODE, BINUNICODE, BINUNICODE8
  [0x8c, text(uint8)],
  [0x58, text(uint32)],
  [0x8d, text(uint64)],
  // SHORT_BINBYTES, BINBYTES, BINBYTES8, BYTEARRAY8
  [0x43, bytes(uint8)],
  [0x42, bytes(uint32)],
  [0x8e, bytes(uint64)],
  [0x96, bytes(uint64)],
]);
