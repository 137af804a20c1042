/**
 * The selection algorithms of libstdc++, step by step, over integer keys with the positions they belong to.
 *
 * `torch.topk` on the CPU calls `std::partial_sort` or `std::nth_element` on (value, index) pairs and compares values only. Which of several
 * equal values are among the k smallest is decided by the order of swaps inside these algorithms, so they are followed exactly.
 * Source: GCC's bits/stl_algo.h and bits/stl_heap.h (`__introselect`, `__heap_select`), unchanged since GCC 4.
 */

/** Keys and positions that move together. */
class Pairs {
  readonly keys: Uint32Array;
  readonly positions: Int32Array;

  constructor(keys: Uint32Array) {
    this.keys = keys;
    this.positions = new Int32Array(keys.length);
    for (let i = 0; i < keys.length; i++) this.positions[i] = i;
  }

  swap(a: number, b: number): void {
    const { keys, positions } = this;
    const key = keys[a]!;
    keys[a] = keys[b]!;
    keys[b] = key;
    const position = positions[a]!;
    positions[a] = positions[b]!;
    positions[b] = position;
  }
}

/**
 * Positions of the k smallest keys as `torch.topk(largest=False)` picks them, in no particular order. `keys` is reordered. A view into memory that
 * is not used otherwise; 1 <= k <= keys.length.
 */
export function selectPositions(keys: Uint32Array, k: number): Int32Array {
  const pairs = new Pairs(keys);
  // PyTorch's choice in TopKImpl.h.
  if (k * 64 <= keys.length) heapSelect(pairs, 0, k, keys.length);
  else introselect(pairs, k - 1);
  return pairs.positions.subarray(0, k);
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
  const { keys, positions } = pairs;
  medianToFirst(pairs, first, first + 1, first + ((last - first) >> 1), last - 1);
  const pivot = keys[first]!;
  let low = first + 1;
  let high = last;
  for (;;) {
    while (keys[low]! < pivot) low++;
    high--;
    while (pivot < keys[high]!) high--;
    if (low >= high) return low;
    const key = keys[low]!;
    keys[low] = keys[high]!;
    keys[high] = key;
    const position = positions[low]!;
    positions[low] = positions[high]!;
    positions[high] = position;
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
  const { keys, positions } = pairs;
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
  const { keys, positions } = pairs;
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
