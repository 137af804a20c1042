import { ArgumentError } from './errors.ts';
import { selectPositions, selectTied } from './introselect.ts';

/**
 * Selection of the k smallest of many float32 numbers, PyTorch's choice among equals included.
 *
 * A float32's bits, read as an integer, order like its magnitude. Counting the upper bits of all keys, then the lower ones of the few that share
 * the k-th one's upper bits, gives the k-th smallest in two passes. Only where some but not all of the numbers equal to it are wanted
 * does the order matter in which `torch.topk` meets them.
 */

/** What is compared. */
export interface SelectionOptions {
  /** Compare magnitudes instead of signed values. */
  readonly absolute?: boolean;
}

const MAGNITUDE = 0x7fffffff;
const INFINITY_BITS = 0x7f800000;
/** All NaNs are equal, and larger than everything. */
const NAN_KEY = 0xffffffff;

/** Key of |x|. */
const magnitudeKey = (word: number): number => {
  const key = word & MAGNITUDE;
  return key > INFINITY_BITS ? NAN_KEY : key;
};

/** Key of x: negative numbers below positive ones, both zeros equal. */
const signedKey = (word: number): number => {
  if ((word & MAGNITUDE) > INFINITY_BITS) return NAN_KEY;
  if (word >>> 31 === 0) return (word | 0x80000000) >>> 0;
  return word === 0x80000000 ? 0x80000000 : ~word >>> 0;
};

const wordsOf = (chunk: Float32Array): Uint32Array =>
  new Uint32Array(chunk.buffer, chunk.byteOffset, chunk.length);

/** The k-th smallest key, and how many keys are smaller and how many equal. */
interface Kth {
  readonly key: number;
  readonly below: number;
  readonly equal: number;
}

/** Keys are counted by these bits at a time, upper ones first: few enough bins to stay in the fastest cache. */
const DIGITS = [
  { shift: 20, bins: 4096 },
  { shift: 9, bins: 2048 },
  { shift: 0, bins: 512 },
] as const;

/**
 * Finds the k-th smallest key digit by digit: counts the keys by their upper bits, keeps those in the bin where the k-th falls, and goes on with
 * their next bits.
 */
function kthKey(chunks: readonly Uint32Array[], k: number, absolute: boolean): Kth {
  let below = 0;
  let prefix = 0;
  let equal = 0;
  let keys: readonly Uint32Array[] = chunks;
  DIGITS.forEach(({ shift, bins }, digit) => {
    const counts = new Uint32Array(bins);
    const first = digit === 0;
    for (const chunk of keys) {
      if (first) countUpper(chunk, counts, absolute);
      else for (let i = 0; i < chunk.length; i++) counts[(chunk[i]! >>> shift) & (bins - 1)]!++;
    }
    let bin = 0;
    while (below + counts[bin]! < k) below += counts[bin++]!;
    equal = counts[bin]!;
    prefix += bin * 2 ** shift;
    if (shift > 0) {
      const kept = new Uint32Array(equal);
      let place = 0;
      for (const chunk of keys) {
        place = first
          ? gatherUpper(chunk, bin, kept, place, absolute)
          : gather(chunk, shift, bins, bin, kept, place);
      }
      keys = [kept];
    }
  });
  return { key: prefix, below, equal };
}

const UPPER = DIGITS[0].shift;

// The two kinds of keys have loops of their own: one that asks at every element is half as fast.
function countUpper(words: Uint32Array, counts: Uint32Array, absolute: boolean): void {
  if (!absolute) {
    for (let i = 0; i < words.length; i++) counts[signedKey(words[i]!) >>> UPPER]!++;
    return;
  }
  for (let i = 0; i < words.length; i++) counts[(words[i]! & MAGNITUDE) >>> UPPER]!++;
  // NaNs were counted by their bits, from infinity's bin on; they are all one key, the largest.
  const atInfinity = INFINITY_BITS >>> UPPER;
  let suspects = 0;
  for (let bin = atInfinity; bin <= MAGNITUDE >>> UPPER; bin++) suspects += counts[bin]!;
  if (suspects === 0) return;
  for (let i = 0; i < words.length; i++) {
    const magnitude = words[i]! & MAGNITUDE;
    if (magnitude <= INFINITY_BITS) continue;
    counts[magnitude >>> UPPER]!--;
    counts[NAN_KEY >>> UPPER]!++;
  }
}

/** Puts the keys of a bin into `kept` from `place` on; gives the place behind them. */
function gatherUpper(
  words: Uint32Array,
  bin: number,
  kept: Uint32Array,
  place: number,
  absolute: boolean,
): number {
  let next = place;
  // Infinity and NaNs share their upper bits: there, and for signed numbers, keys are made one by one.
  if (absolute && bin < INFINITY_BITS >>> UPPER) {
    for (let i = 0; i < words.length; i++) {
      const key = words[i]! & MAGNITUDE;
      if (key >>> UPPER === bin) kept[next++] = key;
    }
    return next;
  }
  const keyOf = absolute ? magnitudeKey : signedKey;
  for (let i = 0; i < words.length; i++) {
    const key = keyOf(words[i]!);
    if (key >>> UPPER === bin) kept[next++] = key;
  }
  return next;
}

function gather(
  keys: Uint32Array,
  shift: number,
  bins: number,
  bin: number,
  kept: Uint32Array,
  place: number,
): number {
  let next = place;
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i]!;
    if (((key >>> shift) & (bins - 1)) === bin) kept[next++] = key;
  }
  return next;
}

const sum = (chunks: readonly Float32Array[]): number =>
  chunks.reduce((total, { length }) => total + length, 0);

function checkK(caller: string, k: number, n: number): void {
  if (!Number.isInteger(k) || k < 0 || k > n) {
    throw new ArgumentError(`${caller}: expected a whole number k from 0 to ${n}, got ${k}`);
  }
}

/**
 * Masks of 1 with 0 at the k smallest numbers of all chunks together: a mask a chunk, each in memory of its own. Equals what `torch.topk(x, k,
 * largest=False)` picks of the concatenated chunks, byte for byte, ties included. Linear in the numbers. Throws ArgumentError where k is not
 * between 0 and their count.
 */
export function maskSmallest(
  chunks: readonly Float32Array[],
  k: number,
  { absolute = false }: SelectionOptions = {},
): Float32Array<ArrayBuffer>[] {
  checkK('maskSmallest', k, sum(chunks));
  if (k === 0) return chunks.map(({ length }) => new Float32Array(length).fill(1));
  const words = chunks.map(wordsOf);
  const { key, below, equal } = kthKey(words, k, absolute);
  if (below + equal > k) return breakTies(words, k, { key, below, equal }, absolute);
  return words.map((chunk) => maskAbove(chunk, key, absolute));
}

/** 1 where a chunk's key is larger than `key`, 0 elsewhere. */
function maskAbove(chunk: Uint32Array, key: number, absolute: boolean): Float32Array<ArrayBuffer> {
  if (absolute && key <= INFINITY_BITS) return maskAboveMagnitude(chunk, key);
  const mask = new Float32Array(chunk.length);
  const keyOf = absolute ? magnitudeKey : signedKey;
  for (let i = 0; i < mask.length; i++) if (keyOf(chunk[i]!) > key) mask[i] = 1;
  return mask;
}

/** Bits of the float32 1. */
const ONE = 0x3f800000;

// Written as bits and without branches: which numbers go is random to the processor.
function maskAboveMagnitude(chunk: Uint32Array, key: number): Float32Array<ArrayBuffer> {
  const words = new Int32Array(chunk.buffer, chunk.byteOffset, chunk.length);
  const out = new Int32Array(words.length);
  // Both are below 2^31, so that the difference is negative exactly where the magnitude is larger.
  for (let i = 0; i < out.length; i++) out[i] = ((key - (words[i]! & MAGNITUDE)) >> 31) & ONE;
  return new Float32Array(out.buffer);
}

/** Some, but not all, of the numbers equal to the k-th go: those that PyTorch's algorithm ends up with. */
function breakTies(
  chunks: readonly Uint32Array[],
  k: number,
  { key, equal }: Kth,
  absolute: boolean,
): Float32Array<ArrayBuffer>[] {
  const keys = new Uint32Array(chunks.reduce((total, { length }) => total + length, 0));
  const tied = new Int32Array(equal);
  let start = 0;
  let found = 0;
  const collect = (chunk: Uint32Array): void => {
    const end = start + chunk.length;
    if (absolute) for (let i = start; i < end; i++) keys[i] = magnitudeKey(chunk[i - start]!);
    else for (let i = start; i < end; i++) keys[i] = signedKey(chunk[i - start]!);
    for (let i = start; i < end; i++) if (keys[i] === key) tied[found++] = i;
    start = end;
  };
  for (const chunk of chunks) collect(chunk);
  const masks = chunks.map((chunk) => maskAbove(chunk, key, absolute));
  // All of the equals are 0 now; those that stay get their 1 back.
  const going = new Set(selectTied(keys, k, key, tied));
  let chunk = 0;
  let offset = 0;
  for (const position of tied) {
    while (position >= offset + chunks[chunk]!.length) offset += chunks[chunk++]!.length;
    if (!going.has(position)) masks[chunk]![position - offset] = 1;
  }
  return masks;
}

/**
 * The k-th smallest of all chunks together, k counted from 1: a magnitude where `absolute` is set. Linear in the numbers. Throws ArgumentError
 * where k is not between 1 and their count.
 */
export function kthSmallest(
  chunks: readonly Float32Array[],
  k: number,
  { absolute = false }: SelectionOptions = {},
): number {
  const n = sum(chunks);
  if (k === 0) throw new ArgumentError(`kthSmallest: expected a whole number k from 1 to ${n}, got 0`);
  checkK('kthSmallest', k, n);
  const { key } = kthKey(chunks.map(wordsOf), k, absolute);
  if (key === NAN_KEY) return Number.NaN;
  const word = absolute ? key : key >>> 31 === 1 ? key & MAGNITUDE : ~key >>> 0;
  return new Float32Array(Uint32Array.of(word).buffer)[0]!;
}

/**
 * Positions of the k largest (or smallest) numbers, ascending: the set that `torch.topk(x, k, largest)` gives, ties included. Throws
 * ArgumentError where k is not between 0 and their count.
 */
export function topk(
  values: Float32Array,
  k: number,
  { largest = true }: { largest?: boolean } = {},
): Int32Array {
  checkK('topk', k, values.length);
  if (k === 0) return new Int32Array(0);
  // Largest first is smallest first of the complements.
  const flip = largest ? 0xffffffff : 0;
  const keys = wordsOf(values).map((word) => signedKey(word) ^ flip);
  return selectPositions(keys, k).slice().sort();
}
