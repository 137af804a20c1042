import { ArgumentError } from './errors.ts';

/** Words of the generator's state. */
export const MT19937_WORDS = 624;
const SHIFT = 397;
const MATRIX = 0x9908b0df | 0;
const UPPER = 0x80000000 | 0;
const LOWER = 0x7fffffff;

/** Where an Mt19937 stands, in the fields of PyTorch's `mt19937_data_pod`. */
export interface Mt19937State {
  /** The seed it began with, as an unsigned 64-bit integer. */
  readonly seed: bigint;
  /** One more than the words left to draw before the next twist. */
  readonly left: number;
  /** Index of the next word to draw. */
  readonly next: number;
  /** 624 words of 32 bits. */
  readonly words: Int32Array;
}

/** Tempering: the output function of the twister. Returns a signed 32-bit integer. */
const temper = (word: number): number => {
  let y = word;
  y ^= y >>> 11;
  y ^= (y << 7) & 0x9d2c5680;
  y ^= (y << 15) & 0xefc60000;
  return y ^ (y >>> 18);
};

const twist = (word: number, next: number, far: number): number =>
  far ^ (((word & UPPER) | (next & LOWER)) >>> 1) ^ (-(next & 1) & MATRIX);

/**
 * The Mersenne twister MT19937 (Matsumoto and Nishimura 1998), seeded with 32 bits, as in PyTorch's
 * `at::mt19937`. Words are drawn one at a time or, faster, straight into arrays of uniform numbers.
 */
export class Mt19937 {
  #seed: bigint;
  #words = new Int32Array(MT19937_WORDS);
  #left = 1;
  #next = 0;

  /** @param seed an unsigned 64-bit integer; only its low 32 bits shape the sequence. */
  constructor(seed: bigint) {
    this.#seed = seed;
    const words = this.#words;
    words[0] = Number(BigInt.asIntN(32, seed));
    for (let j = 1; j < MT19937_WORDS; j++) {
      const before = words[j - 1]!;
      words[j] = Math.imul(1812433253, before ^ (before >>> 30)) + j;
    }
  }

  /** A copy of the state, from which `fromState` goes on with the same draws. */
  state(): Mt19937State {
    return { seed: this.#seed, left: this.#left, next: this.#next, words: this.#words.slice() };
  }

  /** A twister at the given state. Throws ArgumentError where no twister can be in that state. */
  static fromState({ seed, left, next, words }: Mt19937State): Mt19937 {
    const possible = left >= 1 && next >= 0 && left - 1 + next <= MT19937_WORDS;
    if (!possible || words.length !== MT19937_WORDS) {
      throw new ArgumentError(
        `invalid mt19937 state: ${words.length} words, next word ${next}, ${left - 1} left to draw; ` +
          `expected ${MT19937_WORDS} words and next + left to draw within them. Pass bytes that getState returned.`,
      );
    }
    const twister = new Mt19937(seed);
    twister.#words.set(words);
    twister.#left = left;
    twister.#next = next;
    return twister;
  }

  /** The seed it began with, as an unsigned 64-bit integer. */
  get seed(): bigint {
    return this.#seed;
  }

  /** The next 32 bits, as an unsigned integer. */
  next32(): number {
    this.#refill();
    this.#left--;
    return temper(this.#words[this.#next++]!) >>> 0;
  }

  /** Fills `out` with multiples of 2^-24 in [0, 1): 24 bits of one draw each. */
  fill24(out: Float32Array): void {
    for (let start = 0; start < out.length; ) {
      const count = Math.min(this.#refill(), out.length - start);
      const words = this.#words;
      const shift = this.#next - start;
      for (let i = start; i < start + count; i++) out[i] = (temper(words[i + shift]!) & 0xffffff) * 2 ** -24;
      this.#advance(count);
      start += count;
    }
  }

  /** Fills `out` with multiples of 2^-53 in [0, 1): 21 bits of a first and 32 of a second draw each. */
  fill53(out: Float64Array): void {
    for (let i = 0; i < out.length; i++) {
      const high = this.next32() & 0x1fffff;
      out[i] = high * 2 ** -21 + this.next32() * 2 ** -53;
    }
  }

  #advance(count: number): void {
    this.#left -= count;
    this.#next += count;
  }

  /** Makes new words where none are left. Returns how many can be drawn. */
  #refill(): number {
    if (this.#left > 1) return this.#left - 1;
    const words = this.#words;
    let j = 0;
    for (; j < MT19937_WORDS - SHIFT; j++) words[j] = twist(words[j]!, words[j + 1]!, words[j + SHIFT]!);
    for (; j < MT19937_WORDS - 1; j++) {
      words[j] = twist(words[j]!, words[j + 1]!, words[j + SHIFT - MT19937_WORDS]!);
    }
    words[j] = twist(words[j]!, words[0]!, words[SHIFT - 1]!);
    this.#left = MT19937_WORDS + 1;
    this.#next = 0;
    return MT19937_WORDS;
  }
}
