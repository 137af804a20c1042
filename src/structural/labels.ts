import { StructuralError } from '../core/errors.ts';
import type { Rectangle } from './coupling.ts';

/** A rectangle while it is being found. */
interface Growing {
  readonly rows: Int32Array;
  columns: Int32Array | null;
  readonly elements: Int32Array;
  rowsUsed: boolean;
}

/**
 * The labels of a graph and which of them can only go together: a union-find with a reason for each set that must stay.
 *
 * Invariants: labels are numbered from 0 without gaps; of two tied labels the smaller root stands for both; a set once frozen stays frozen, with its first reason. Near linear in labels and ties.
 */
export class Labels {
  #parent = new Int32Array(1024);
  #count = 0;
  /** Reason by root; sets that can be cut have none. */
  readonly #frozen = new Map<number, string>();
  /** Rectangles by their elements and length of row; equal arrays are the same object as long as operators hand them on. */
  readonly #rectangles = new Map<Int32Array, Map<number, Growing>>();

  get count(): number {
    return this.#count;
  }

  get rectangles(): readonly Rectangle[] {
    return [...this.#rectangles.values()].flatMap((byLength) => [...byLength.values()]);
  }

  /** Labels nothing is tied to yet. */
  fresh(count: number): Int32Array {
    const first = this.#count;
    this.#count += count;
    if (this.#count > this.#parent.length) {
      const larger = new Int32Array(Math.max(this.#count, this.#parent.length * 2));
      larger.set(this.#parent.subarray(0, first));
      this.#parent = larger;
    }
    const labels = new Int32Array(count);
    for (let index = 0; index < count; index++) {
      labels[index] = first + index;
      this.#parent[first + index] = first + index;
    }
    return labels;
  }

  /** The label that stands for all that are tied to this one. */
  find(label: number): number {
    const parent = this.#parent;
    let root = label;
    while (parent[root] !== root) root = parent[root]!;
    // Halves the way for the next who asks.
    for (let at = label; parent[at] !== root; ) {
      const next = parent[at]!;
      parent[at] = root;
      at = next;
    }
    return root;
  }

  union(a: number, b: number): void {
    const [x, y] = [this.find(a), this.find(b)];
    if (x === y) return;
    const [root, other] = x < y ? [x, y] : [y, x];
    this.#parent[other] = root;
    const why = this.#frozen.get(other);
    if (why === undefined) return;
    this.#frozen.delete(other);
    if (!this.#frozen.has(root)) this.#frozen.set(root, why);
  }

  /** Ties two vectors position by position. Throws StructuralError where they are of different lengths: a rule is wrong then. */
  tie(a: Int32Array, b: Int32Array, where: string): void {
    if (a === b) return;
    if (a.length !== b.length)
      throw new StructuralError(`${where}: ties ${a.length} channels with ${b.length}`);
    for (let index = 0; index < a.length; index++) this.union(a[index]!, b[index]!);
  }

  freeze(labels: Int32Array, why: string): void {
    for (const label of labels) {
      const root = this.find(label);
      if (!this.#frozen.has(root)) this.#frozen.set(root, why);
    }
  }

  /** Why a label must stay; null where it may go. */
  frozen(label: number): string | null {
    return this.#frozen.get(this.find(label)) ?? null;
  }

  /** The rectangle of a matrix of labels with rows of `length`, the same one whenever the same array is asked for. */
  rectangle(elements: Int32Array, length: number): Growing {
    let byLength = this.#rectangles.get(elements);
    if (!byLength) {
      byLength = new Map();
      this.#rectangles.set(elements, byLength);
    }
    let rectangle = byLength.get(length);
    if (!rectangle) {
      rectangle = {
        rows: this.fresh(elements.length / length),
        columns: null,
        elements,
        rowsUsed: false,
      };
      byLength.set(length, rectangle);
    }
    return rectangle;
  }

  /** Labels of the columns of a matrix: from here on an element goes exactly where its row or its column goes. */
  columns(elements: Int32Array, length: number): Int32Array {
    const rectangle = this.rectangle(elements, length);
    rectangle.columns ??= this.fresh(length);
    return rectangle.columns;
  }

  /** A copy of who stands for whom, for further ties that are not to be seen here. */
  roots(): Int32Array {
    const roots = new Int32Array(this.#count);
    for (let label = 0; label < this.#count; label++) roots[label] = this.find(label);
    return roots;
  }
}
