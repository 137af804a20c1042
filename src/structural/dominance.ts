/**
 * A tree in which everything hangs below the last thing that must be passed on every way from the root to it (its immediate dominator). Filled along a directed graph without cycles, from the root outward.
 *
 * Things have numbers in order of `add`; 0 is the root. Each keeps a shorter way up beside its parent (Myers 1983, "An applicative random-access stack"), so that questions take logarithmic time and the tree
 * linear memory.
 */
export class DominatorTree<T> {
  readonly #numbers = new Map<T, number>();
  readonly #things: (T | null)[] = [null];
  readonly #parent: number[] = [0];
  readonly #jump: number[] = [0];
  readonly #depth: number[] = [0];

  /** Adds a thing that is reached from these alone, each added before; null: from the root. Those that were not added count as the root. */
  add(thing: T, from: Iterable<T | null>): void {
    let parent: number | null = null;
    for (const other of from) {
      const number = other === null ? 0 : (this.#numbers.get(other) ?? 0);
      parent = parent === null ? number : this.#meet(parent, number);
      if (parent === 0) break;
    }
    const above = parent ?? 0;
    const jump = this.#jump[above]!;
    const far = this.#jump[jump]!;
    const isEven = this.#depth[above]! - this.#depth[jump]! === this.#depth[jump]! - this.#depth[far]!;
    this.#numbers.set(thing, this.#things.length);
    this.#things.push(thing);
    this.#parent.push(above);
    this.#jump.push(isEven ? far : above);
    this.#depth.push(this.#depth[above]! + 1);
  }

  /** What is passed last on every way to a thing; null: the root, or a thing that was not added. */
  parent(thing: T): T | null {
    const number = this.#numbers.get(thing);
    return number === undefined ? null : this.#things[this.#parent[number]!]!;
  }

  /** True where every way to `thing` passes `above`, or both are the same. */
  dominates(above: T, thing: T): boolean {
    const [high, low] = [this.#numbers.get(above), this.#numbers.get(thing)];
    return high !== undefined && low !== undefined && this.#ancestor(low, this.#depth[high]!) === high;
  }

  /** The thing above `number`, or itself, that is `depth` below the root. */
  #ancestor(number: number, depth: number): number {
    let at = number;
    while (this.#depth[at]! > depth) {
      const jump = this.#jump[at]!;
      at = this.#depth[jump]! >= depth ? jump : this.#parent[at]!;
    }
    return at;
  }

  /** The lowest thing that is above both. */
  #meet(a: number, b: number): number {
    const depth = Math.min(this.#depth[a]!, this.#depth[b]!);
    let [x, y] = [this.#ancestor(a, depth), this.#ancestor(b, depth)];
    while (x !== y) {
      const jumps = this.#jump[x] !== this.#jump[y];
      x = jumps ? this.#jump[x]! : this.#parent[x]!;
      y = jumps ? this.#jump[y]! : this.#parent[y]!;
    }
    return x;
  }
}
