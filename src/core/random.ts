import { boxMuller16 } from './box-muller.ts';
import { ArgumentError } from './errors.ts';
import { MT19937_WORDS, Mt19937 } from './mt19937.ts';
import { fma32 } from './numeric.ts';

/**
 * PyTorch's random numbers on the CPU: the same generator, the same draws in the same order, the same bytes.
 *
 * "Equals PyTorch" below means PyTorch on x86-64 with AVX2 (any PyTorch wheel on any x86 machine of the last ten
 * years); checked against 2.13, and against the 1.13 results that the project keeps.
 */

/** The seed of `torch.Generator()`. */
const DEFAULT_SEED = 67280421310721n;
/** `torch.randperm` draws 64 bits per element from here on, so that `%` stays fair. */
const LARGE_PERMUTATION = Math.floor(0xffffffff / 20);
/** `torch.randint` draws 64 bits per element from this range on. */
const LARGE_RANGE = 2 ** 28;
const FLOAT32_MAX = 3.4028234663852886e38;

const checkCount = (caller: string, n: number): void => {
  if (!Number.isSafeInteger(n) || n < 0) {
    throw new ArgumentError(`${caller}: expected a whole number n >= 0 of draws, got ${n}`);
  }
};

/** A seed as PyTorch takes it: an integer of -2^63 ... 2^64 - 1, negative ones wrapped to unsigned 64 bits. */
function seedOf(seed: number | bigint): bigint {
  if (typeof seed === 'number' && !Number.isSafeInteger(seed)) {
    throw new ArgumentError(
      `manualSeed: expected an integer, got ${seed}; write seeds beyond 2^53 as bigint`,
    );
  }
  const value = BigInt(seed);
  if (value < -(2n ** 63n) || value >= 2n ** 64n) {
    throw new ArgumentError(`manualSeed: expected a seed in [-2^63, 2^64 - 1], got ${seed}`);
  }
  return BigInt.asUintN(64, value);
}

/** 53 bits from the system's entropy, as many as PyTorch's own non-deterministic seeds have. */
function entropy(): bigint {
  const [high, low] = crypto.getRandomValues(new Uint32Array(2)) as Uint32Array & { 0: number; 1: number };
  return (BigInt(high & 0x1fffff) << 32n) | BigInt(low);
}

// Offsets of the fields of PyTorch's `CPUGeneratorImplState`.
const AT_SEED = 0;
const AT_LEFT = 8;
const AT_SEEDED = 12;
const AT_NEXT = 16;
const AT_WORDS = 24;
const AT_NORMAL = 5024;
const AT_NORMAL_VALID = 5040;
const STATE_BYTES = 5056;

/**
 * A source of random numbers whose draws equal those of `torch.Generator('cpu')`.
 *
 * @example
 * const generator = new Generator(0);
 * generator.rand(2); // torch.manual_seed(0); torch.rand(2) = [0.4963, 0.7682]
 */
export class Generator {
  #engine: Mt19937;
  /** The second of a pair of normal numbers, kept for the next call that draws fewer than 16. */
  #nextNormal: number | undefined;

  /** @param seed as for `manualSeed`; 67280421310721 if left out, as in PyTorch. */
  constructor(seed: number | bigint = DEFAULT_SEED) {
    this.#engine = new Mt19937(seedOf(seed));
  }

  /**
   * Starts the sequence over from a seed, as `torch.manual_seed`. Throws ArgumentError for anything but an integer in
   * [-2^63, 2^64 - 1].
   */
  manualSeed(seed: number | bigint): this {
    this.#engine = new Mt19937(seedOf(seed));
    this.#nextNormal = undefined;
    return this;
  }

  /** The seed the sequence started from, as an unsigned 64-bit integer (`torch.initial_seed`). */
  initialSeed(): bigint {
    return this.#engine.seed;
  }

  /** Starts over from a seed out of the system's entropy and returns it (`torch.seed`). */
  seed(): bigint {
    const seed = entropy();
    this.manualSeed(seed);
    return seed;
  }

  /**
   * The whole state, in the 5,056 bytes of `torch.get_rng_state()`: PyTorch can read them, and `setState` reads
   * PyTorch's.
   */
  getState(): Uint8Array {
    const { seed, left, next, words } = this.#engine.state();
    const bytes = new Uint8Array(STATE_BYTES);
    const view = new DataView(bytes.buffer);
    view.setBigUint64(AT_SEED, seed, true);
    view.setInt32(AT_LEFT, left, true);
    view.setInt32(AT_SEEDED, 1, true);
    view.setUint32(AT_NEXT, next, true);
    for (let i = 0; i < MT19937_WORDS; i++) view.setInt32(AT_WORDS + 8 * i, words[i]!, true);
    if (this.#nextNormal !== undefined) {
      view.setFloat64(AT_NORMAL, this.#nextNormal, true);
      view.setInt32(AT_NORMAL_VALID, 1, true);
    }
    return bytes;
  }

  /**
   * Goes on from a state that `getState` or `torch.get_rng_state()` gave. Throws ArgumentError, and changes nothing,
   * where the bytes are no such state.
   */
  setState(state: Uint8Array): this {
    if (state.byteLength !== STATE_BYTES) {
      throw new ArgumentError(
        `setState: expected the ${STATE_BYTES} bytes of a PyTorch CPU generator, got ${state.byteLength}`,
      );
    }
    const view = new DataView(state.buffer, state.byteOffset, state.byteLength);
    if (view.getInt32(AT_SEEDED, true) !== 1) {
      throw new ArgumentError('setState: the state was never seeded; pass bytes that getState returned');
    }
    const words = new Int32Array(MT19937_WORDS);
    for (let i = 0; i < MT19937_WORDS; i++) words[i] = view.getInt32(AT_WORDS + 8 * i, true);
    this.#engine = Mt19937.fromState({
      seed: view.getBigUint64(AT_SEED, true),
      left: view.getInt32(AT_LEFT, true),
      next: Number(view.getBigUint64(AT_NEXT, true)),
      words,
    });
    this.#nextNormal =
      view.getInt32(AT_NORMAL_VALID, true) === 0 ? undefined : view.getFloat64(AT_NORMAL, true);
    return this;
  }

  /** The next 32 bits of the engine, as an unsigned integer. */
  random32(): number {
    return this.#engine.next32();
  }

  /**
   * The next 64 bits, the first draw on top, as an unsigned integer. `random64() & (2n ** 63n - 1n)` is what
   * `torch.empty((), dtype=torch.int64).random_()` gives, the seed that a PyTorch DataLoader draws for its sampler.
   */
  random64(): bigint {
    const high = BigInt(this.#engine.next32());
    return (high << 32n) | BigInt(this.#engine.next32());
  }

  /** f32[n] uniform in [0, 1), 24 bits each: equals `torch.rand(n)`. One 32-bit draw per element. */
  rand(n: number): Float32Array {
    checkCount('rand', n);
    const out = new Float32Array(n);
    this.#engine.fill24(out);
    return out;
  }

  /** f64[n] uniform in [0, 1), 53 bits each: equals `torch.rand(n, dtype=torch.float64)`. Two draws per element. */
  rand64(n: number): Float64Array {
    checkCount('rand64', n);
    const out = new Float64Array(n);
    this.#engine.fill53(out);
    return out;
  }

  /**
   * f32[n] uniform in [from, to): equals `torch.empty(n).uniform_(from, to)`. A number that rounds up to `to` becomes
   * `from`, as PyTorch has it since 2.x (1.13 let it be `to`). Throws ArgumentError where from > to or the difference
   * is no float32.
   */
  uniform(n: number, from = 0, to = 1): Float32Array {
    checkCount('uniform', n);
    if (!(Math.abs(from) <= FLOAT32_MAX && Math.abs(to) <= FLOAT32_MAX)) {
      throw new ArgumentError(`uniform: expected bounds that float32 holds, got from=${from}, to=${to}`);
    }
    if (from > to) throw new ArgumentError(`uniform: expected from <= to, got from=${from} > to=${to}`);
    if (to - from > FLOAT32_MAX) {
      throw new ArgumentError(`uniform: expected to - from within float32, got from=${from}, to=${to}`);
    }
    const out = this.rand(n);
    if (from === 0 && to === 1) return out;
    const low = Math.fround(from);
    const high = Math.fround(to);
    const range = Math.fround(high - low);
    for (let i = 0; i < n; i++) {
      const value = fma32(out[i]!, range, low);
      out[i] = value === high ? low : value;
    }
    return out;
  }

  /** f32[n] of the standard normal distribution: equals `torch.randn(n)`. */
  randn(n: number): Float32Array {
    return this.normal(n, 0, 1);
  }

  /**
   * f32[n] of the normal distribution: equals `torch.empty(n).normal_(mean, std)` of a contiguous tensor.
   *
   * PyTorch has two ways. From 16 elements on it fills the tensor with uniform numbers, transforms them in blocks of
   * 16 and draws the last 16 anew where n is no multiple of 16; that is reproduced byte for byte. Below 16 it draws
   * pairs in float64 and keeps the second of a pair for the next call; log, sin and cos are then the platform's, so
   * about one float32 in 10^8 may differ in its last bit. Throws ArgumentError where std < 0.
   */
  normal(n: number, mean = 0, std = 1): Float32Array {
    checkCount('normal', n);
    if (!(std >= 0)) throw new ArgumentError(`normal: expected std >= 0, got ${std}`);
    const out = new Float32Array(n);
    if (n < 16) {
      for (let i = 0; i < n; i++) out[i] = this.#normal64() * std + mean;
      return out;
    }
    this.#engine.fill24(out);
    const mean32 = Math.fround(mean);
    const std32 = Math.fround(std);
    for (let i = 0; i <= n - 16; i += 16) boxMuller16(out, i, mean32, std32);
    if (n % 16 !== 0) {
      this.#engine.fill24(out.subarray(n - 16));
      boxMuller16(out, n - 16, mean32, std32);
    }
    return out;
  }

  /** A standard normal number in float64, as PyTorch's `normal_distribution<double>`. */
  #normal64(): number {
    const kept = this.#nextNormal;
    if (kept !== undefined) {
      this.#nextNormal = undefined;
      return kept;
    }
    const [u1, u2] = this.rand64(2) as Float64Array & { 0: number; 1: number };
    const radius = Math.sqrt(-2 * Math.log1p(-u2));
    const theta = 2 * Math.PI * u1;
    this.#nextNormal = radius * Math.sin(theta);
    return radius * Math.cos(theta);
  }

  /**
   * i32[n], a permutation of 0 ... n - 1: equals `torch.randperm(n)` (int64 there; n is below 2^31 here). For
   * n >= 214,748,364 it equals PyTorch's newer algorithm of 64-bit draws, which 1.13 did not have.
   */
  randperm(n: number): Int32Array {
    checkCount('randperm', n);
    if (n > 0x7fffffff) throw new ArgumentError(`randperm: expected n < 2^31, got ${n}`);
    const out = new Int32Array(n);
    const engine = this.#engine;
    if (n < LARGE_PERMUTATION) {
      for (let i = 0; i < n; i++) out[i] = i;
      // Fisher and Yates from the front; the last element needs no draw.
      for (let i = 0; i < n - 1; i++) {
        const j = i + (engine.next32() % ((n - i) >>> 0));
        const swapped = out[i]!;
        out[i] = out[j]!;
        out[j] = swapped;
      }
      return out;
    }
    // "Inside out": each new element goes to a random place, and what was there to the end.
    for (let i = 0; i < n; i++) {
      const size = i + 1;
      const high = engine.next32() % size;
      const low = engine.next32();
      // The 64-bit number modulo size, 16 bits at a time so that every step is exact in a double.
      const j = (((high * 65536 + (low >>> 16)) % size) * 65536 + (low & 0xffff)) % size;
      out[i] = out[j]!;
      out[j] = i;
    }
    return out;
  }

  /**
   * n integers in [low, high), as f64[n] since they may take up to 53 bits: equals `torch.randint(low, high, (n,))`.
   * One 32-bit draw each, or one of 64 bits where high - low >= 2^28 (PyTorch 1.13: >= 2^32). Throws ArgumentError
   * where low >= high or a bound is no safe integer.
   */
  randint(n: number, low: number, high: number): Float64Array {
    checkCount('randint', n);
    if (!Number.isSafeInteger(low) || !Number.isSafeInteger(high)) {
      throw new ArgumentError(`randint: expected integers of at most 53 bits, got low=${low}, high=${high}`);
    }
    if (low >= high) throw new ArgumentError(`randint: expected low < high, got low=${low}, high=${high}`);
    const out = new Float64Array(n);
    const range = BigInt(high) - BigInt(low);
    if (range < LARGE_RANGE) {
      const modulus = Number(range);
      for (let i = 0; i < n; i++) out[i] = low + (this.#engine.next32() % modulus);
    } else {
      for (let i = 0; i < n; i++) out[i] = Number(BigInt(low) + (this.random64() % range));
    }
    return out;
  }

  /**
   * u8[n] of 0 and 1, each 1 with probability p: equals `torch.empty(n).bernoulli_(p)` (dropout's mask is
   * `bernoulli_(1 - p)`) in PyTorch's own kernel, which compares a 53-bit uniform number to p. PyTorch takes that
   * kernel on AMD and ARM processors; on Intel's it hands a seed to MKL instead, and the numbers are others.
   * Throws ArgumentError where p is not in [0, 1].
   */
  bernoulli(n: number, p: number): Uint8Array {
    checkCount('bernoulli', n);
    if (!(p >= 0 && p <= 1)) throw new ArgumentError(`bernoulli: expected p in [0, 1], got ${p}`);
    const uniform = this.rand64(n);
    return Uint8Array.from(uniform, (u) => (u < p ? 1 : 0));
  }
}

/** The generator that draws where none is given, as `torch.default_generator`; seeded from entropy at first. */
export const defaultGenerator: Generator = /* @__PURE__ */ new Generator(/* @__PURE__ */ entropy());

/** Seeds the default generator and returns it, as `torch.manual_seed`. */
export const manualSeed = (seed: number | bigint): Generator => defaultGenerator.manualSeed(seed);
