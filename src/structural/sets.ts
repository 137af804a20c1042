/** Numbers from 0 on in sets that are united: a union-find. The least number stands for its set. */
export class Sets {
  readonly #parent: Int32Array;

  /** `count` sets of one, or sets as an earlier union-find left them (`roots[i]`: who stands for i). */
  constructor(from: number | Int32Array) {
    this.#parent =
      typeof from === 'number' ? Int32Array.from({ length: from }, (_, index) => index) : from.slice();
  }

  find(index: number): number {
    const parent = this.#parent;
    let at = index;
    while (parent[at] !== at) {
      parent[at] = parent[parent[at]!]!;
      at = parent[at]!;
    }
    return at;
  }

  union(a: number, b: number): void {
    const [x, y] = [this.find(a), this.find(b)];
    if (x < y) this.#parent[y] = x;
    else this.#parent[x] = y;
  }
}
