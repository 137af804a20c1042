import { concatBytes } from '../chunks.ts';

const encoder = new TextEncoder();

/** Writes a pickle of protocol 2 opcode by opcode. Names of classes and functions are put into the memo once. */
export class PickleWriter {
  readonly #chunks: Uint8Array[] = [Uint8Array.of(0x80, 2)];
  readonly #globals = new Map<string, number>();

  mark(): void {
    this.#bytes(0x28);
  }

  /** Text in UTF-8. */
  text(text: string): void {
    const bytes = encoder.encode(text);
    this.#bytes(0x58, ...uint32(bytes.byteLength));
    this.#chunks.push(bytes);
  }

  bool(value: boolean): void {
    this.#bytes(value ? 0x88 : 0x89);
  }

  /** A whole number from 0 to 2^53. */
  whole(value: number): void {
    if (value <= 0xff) this.#bytes(0x4b, value);
    else if (value <= 0x7fff_ffff) this.#bytes(0x4a, ...uint32(value));
    // LONG1: eight bytes, of which the highest bit stays clear.
    else this.#bytes(0x8a, 8, ...uint32(value % 2 ** 32), ...uint32(Math.floor(value / 2 ** 32)));
  }

  /** A tuple of whole numbers. */
  wholes(values: readonly number[]): void {
    this.mark();
    for (const value of values) this.whole(value);
    this.tuple();
  }

  /** A class or function by its name. */
  global(module: string, name: string): void {
    const line = `${module}\n${name}\n`;
    const known = this.#globals.get(line);
    if (known !== undefined) {
      this.#bytes(0x68, known);
      return;
    }
    this.#bytes(0x63);
    this.#chunks.push(encoder.encode(line));
    // BINPUT holds 256 places, far more than the names there are.
    this.#bytes(0x71, this.#globals.size);
    this.#globals.set(line, this.#globals.size);
  }

  /** Everything since the last mark as a tuple. */
  tuple(): void {
    this.#bytes(0x74);
  }

  emptyTuple(): void {
    this.#bytes(0x29);
  }

  /** Calls the value below with the tuple on top. */
  reduce(): void {
    this.#bytes(0x52);
  }

  /** Keys and values since the last mark into the dict below it. */
  setItems(): void {
    this.#bytes(0x75);
  }

  /** The tuple on top as a persistent id. */
  persistent(): void {
    this.#bytes(0x51);
  }

  /** The bytes of the pickle, whose value is what is on the stack. */
  end(): Uint8Array {
    this.#bytes(0x2e);
    return concatBytes(this.#chunks);
  }

  #bytes(...bytes: readonly number[]): void {
    this.#chunks.push(Uint8Array.from(bytes));
  }
}

const uint32 = (value: number): number[] => [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);
