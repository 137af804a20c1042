import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DominatorTree } from './dominance.ts';

/** What is on every way from the root to each node, by going all ways. */
function onEveryWay(edges: readonly (readonly number[])[]): Set<number>[] {
  const result: Set<number>[] = [];
  edges.forEach((from, node) => {
    const ways = from.map((other) => (other < 0 ? new Set<number>() : result[other]!));
    const first = ways[0] ?? new Set<number>();
    const common = [...first].filter((other) => ways.every((way) => way.has(other)));
    result.push(new Set([...common, node]));
  });
  return result;
}

describe('DominatorTree', () => {
  it('tells what every way to a thing passes, and what is passed last', () => {
    const graphs = fc
      .integer({ min: 1, max: 40 })
      .chain((count) =>
        fc.tuple(
          ...Array.from({ length: count }, (_, node) =>
            fc.uniqueArray(fc.integer({ min: -1, max: node - 1 }), { minLength: 1, maxLength: 4 }),
          ),
        ),
      );
    fc.assert(
      fc.property(graphs, (edges) => {
        const tree = new DominatorTree<number>();
        edges.forEach((from, node) => {
          tree.add(
            node,
            from.map((other) => (other < 0 ? null : other)),
          );
        });
        const expected = onEveryWay(edges);
        expected.forEach((way, node) => {
          for (let other = 0; other < edges.length; other++)
            expect(tree.dominates(other, node)).toBe(way.has(other));
          const above = [...way].filter((other) => other !== node);
          // Of those on every way the last is the one with all others on its own.
          const last = above.find((other) => expected[other]!.size === above.length) ?? null;
          expect(tree.parent(node)).toBe(last);
        });
      }),
    );
  });

  it('takes what was not added for the root', () => {
    const tree = new DominatorTree<string>();
    tree.add('a', [null]);
    tree.add('b', ['a', 'elsewhere']);
    expect(tree.parent('b')).toBeNull();
    expect(tree.dominates('a', 'b')).toBe(false);
    expect(tree.dominates('elsewhere', 'b')).toBe(false);
    expect(tree.parent('elsewhere')).toBeNull();
  });

  it('answers on long chains', () => {
    const tree = new DominatorTree<number>();
    for (let node = 0; node < 100_000; node++) tree.add(node, [node === 0 ? null : node - 1]);
    expect(tree.dominates(3, 99_999)).toBe(true);
    expect(tree.dominates(99_999, 3)).toBe(false);
    tree.add(-1, [99_999, 50_000]);
    expect(tree.parent(-1)).toBe(50_000);
  });
});
