/**
 * The selection algorithms of libstdc++, step by step, over integer keys with the positions they belong to.
 *
 * `torch.topk` on the CPU calls `std::partial_sort` or `std::nth_element` on (value, index) pairs and compares values only. Which of several
 * equal values are among the k smallest is decided by the order of swaps inside these algorithms, so they are followed exactly.
 * Source: GCC's bits/stl_algo.h and bits/stl_heap.h (`__introselect`, `__heap_select`), unchanged since GCC 4.
 */

/**
 * Keys that move, and with them the positions they belong to: of all keys, or, which moves half the memory, only of those that equal `followed`.
 */
class Pairs {
  readonly keys: Uint32Array;
  /** Positions of the keys; -1 for keys that are not followed. Null as long as `places` tells them. */
  positions: Int32Array | null = null;
  readonly #followed: number;
  /** Positions of the followed keys by where they are now. */
  readonly #places = new Map<number, number>();

  /** Follows the keys at `tied`, which all equal `followed`; all keys, if left out. */
  constructor(keys: Uint32Array, followed = -1, tied?: Int32Array) {
    this.keys = keys;
    this.#followed = followed;
    if (tied) for (const position of tied) this.#places.set(position, position);
    else {
      this.positions = new Int32Array(keys.length);
      for (let i = 0; i < keys.length; i++) this.positions[i] = i;
    }
  }

  swap(a: number, b: number): void {
    const { keys, positions } = this;
    const ka = keys[a]!;
    const kb = keys[b]!;
    keys[a] = kb;
    keys[b] = ka;
    if (positions) {
      const position = positions[a]!;
      positions[a] = positions[b]!;
      positions[b] = position;
    } else if (ka === this.#followed || kb === this.#followed) this.#exchange(a, b);
  }

  #exchange(a: number, b: number): void {
    const places = this.#places;
    const atA = places.get(a);
    const atB = places.get(b);
    places.delete(a);
    places.delete(b);
    if (atA !== undefined) places.set(b, atA);
    if (atB !== undefined) places.set(a, atB);
  }

  /** Positions of all keys, for algorithms that do not swap. */
  allPositions(): Int32Array {
    if (!this.positions) {
      this.positions = new Int32Array(this.keys.length).fill(-1);
      for (const [place, position] of this.#places) this.positions[place] = position;
    }
    return this.positions;
  }

  /** Positions of the first k keys, of those that are followed. */
  first(k: number): Int32Array {
    if (this.positions) return this.positions.subarray(0, k).filter((position) => position >= 0);
    return Int32Array.from(
      [...this.#places].filter(([place]) => place < k),
      ([, position]) => position,
    );
  }
}

/** Above so many equals, following each costs more than moving all positions. */
const FEW = 1024;

/**
 * Positions of the k smallest keys as `torch.topk(largest=False)` picks them, in no particular order. `keys` is reordered. A view into memory that
 * is not used otherwise; 1 <= k <= keys.length.
 */
export function selectPositions(keys: Uint32Array, k: number): Int32Array {
  const pairs = new Pairs(keys);
  selectFirst(pairs, k);
  return pairs.allPositions().subarray(0, k);
}

/**
 * Of `tied`, the positions of all keys that equal `key`, those that are among `selectPositions(keys, k)`. `keys` is reordered. Much faster where
 * few are tied.
 */
export function selectTied(keys: Uint32Array, k: number, key: number, tied: Int32Array): Int32Array {
  if (tied.length > FEW) {
    const picked = new Uint8Array(keys.length);
    for (const position of selectPositions(keys, k)) picked[position] = 1;
    return tied.filter((position) => picked[position] === 1);
  }
  const pairs = new Pairs(keys, key, tied);
  selectFirst(pairs, k);
  return pairs.first(k);
}

function selectFirst(pairs: Pairs, k: number): void {
  // PyTorch's choice in TopKImpl.h.
  if (k * 64 <= pairs.keys.length) heapSelect(pairs, 0, k, pairs.keys.length);
  else introselect(pairs, k - 1);
}

function introselect(pairs: Pairs, nth: number): void {
  const { keys } = pairs;
  let first = 0;
  let last = keys.length;
  let depth = 2 * (31 - Math.clz32(last));
  while (last - first > 3) {
    if (depth === 0) {
      heapSelect(pairs, first, nth + 1, last);
      pairs.swap(first, nth);
      return;
    }
    depth--;
    const cut = partition(pairs, first, last);
    if (cut <= nth) first = cut;
    else last = cut;
  }
  insertionSort(pairs, first, last);
}

/** Puts the median of three at `first` and parts the rest around it; gives where the upper part begins. */
function partition(pairs: Pairs, first: number, last: number): number {
  const { keys } = pairs;
  medianToFirst(pairs, first, first + 1, first + ((last - first) >> 1), last - 1);
  const pivot = keys[first]!;
  let low = first + 1;
  let high = last;
  for (;;) {
    while (keys[low]! < pivot) low++;
    high--;
    while (pivot < keys[high]!) high--;
    if (low >= high) return low;
    pairs.swap(low, high);
    low++;
  }
}

function medianToFirst(pairs: Pairs, result: number, a: number, b: number, c: number): void {
  const { keys } = pairs;
  const [ka, kb, kc] = [keys[a]!, keys[b]!, keys[c]!];
  if (ka < kb) pairs.swap(result, kb < kc ? b : ka < kc ? c : a);
  else pairs.swap(result, ka < kc ? a : kb < kc ? c : b);
}

function insertionSort(pairs: Pairs, first: number, last: number): void {
  const { keys } = pairs;
  for (let i = first + 1; i < last; i++) {
    for (let j = i; j > first && keys[j]! < keys[j - 1]!; j--) pairs.swap(j, j - 1);
  }
}

/** Leaves the `middle - first` smallest of `first ... last` in front, as a heap with the largest on top. */
function heapSelect(pairs: Pairs, first: number, middle: number, last: number): void {
  const { keys } = pairs;
  const positions = pairs.allPositions();
  const length = middle - first;
  for (let parent = (length - 2) >> 1; parent >= 0; parent--) {
    adjustHeap(pairs, first, parent, length, keys[first + parent]!, positions[first + parent]!);
  }
  for (let i = middle; i < last; i++) {
    if (keys[i]! < keys[first]!) {
      const key = keys[i]!;
      const position = positions[i]!;
      keys[i] = keys[first]!;
      positions[i] = positions[first]!;
      adjustHeap(pairs, first, 0, length, key, position);
    }
  }
}

/** Lets a hole sink to the bottom of the heap and the pair rise from there. */
function adjustHeap(
  pairs: Pairs,
  first: number,
  top: number,
  length: number,
  key: number,
  position: number,
): void {
  const { keys } = pairs;
  const positions = pairs.allPositions();
  let hole = top;
  let child = hole;
  while (child < (length - 1) >> 1) {
    child = 2 * (child + 1);
    if (keys[first + child]! < keys[first + child - 1]!) child--;
    keys[first + hole] = keys[first + child]!;
    positions[first + hole] = positions[first + child]!;
    hole = child;
  }
  if ((length & 1) === 0 && child === (length - 2) >> 1) {
    child = 2 * (child + 1);
    keys[first + hole] = keys[first + child - 1]!;
    positions[first + hole] = positions[first + child - 1]!;
    hole = child - 1;
  }
  let parent = (hole - 1) >> 1;
  while (hole > top && keys[first + parent]! < key) {
    keys[first + hole] = keys[first + parent]!;
    positions[first + hole] = positions[first + parent]!;
    hole = parent;
    parent = (hole - 1) >> 1;
  }
  keys[first + hole] = key;
  positions[first + hole] = position;
}
