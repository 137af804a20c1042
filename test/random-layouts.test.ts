import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sizeOf, Tensor } from '../src/core/tensor.ts';
import { attr, type Graph, type Value } from '../src/ir/index.ts';
import { analyzeChannels, cutChannels, groupChannels } from '../src/structural/index.ts';
import { verify } from '../src/structural/verify.ts';
import { randomRemoval } from './cut-at-random.ts';
import { SmallNetwork } from './small-network.ts';

const KINDS = [
  'reshape',
  'flatten',
  'transpose',
  'slice',
  'swap',
  'gather',
  'take',
  'tile',
  'pad',
  'add',
  'twice',
  'each',
] as const;

/** What is done to a value, and numbers it is done with. */
interface Move {
  readonly kind: (typeof KINDS)[number];
  readonly numbers: readonly number[];
}

const moves: fc.Arbitrary<readonly Move[]> = fc.array(
  fc.record({
    kind: fc.constantFrom(...KINDS),
    numbers: fc.array(fc.nat(99), { minLength: 12, maxLength: 12 }),
  }),
  { minLength: 1, maxLength: 6 },
);

const MOST = 600;

/** How the features are seen at first. */
const shapes = fc.constantFrom([24], [4, 6], [2, 12], [3, 8], [8, 3], [2, 3, 4], [4, 2, 3]);

/** A linear layer whose features are moved about, and another that reads all of them. */
function networkOf(shape: readonly number[], list: readonly Move[], seed: number): Graph {
  const net = new SmallNetwork(seed);
  const made = net.op('Relu', [net.matmul(net.input([2, 3]), 'maker', 24)]);
  let value = net.op('Reshape', [made, net.builder.constant(Tensor.int64([2, ...shape]))]);
  for (const { kind, numbers } of list) {
    const next = moved(net, value, kind, numbers);
    if (sizeOf(net.sizes(next)) <= MOST) value = next;
  }
  const flat = net.op('Reshape', [value, net.builder.constant(Tensor.int64([1, -1]))]);
  net.builder.output(net.matmul(flat, 'reader', 4), 'y');
  return net.graph;
}

function moved(net: SmallNetwork, x: Value, kind: Move['kind'], numbers: readonly number[]): Value {
  const shape = net.sizes(x);
  const ints = (...list: number[]): Value => net.builder.constant(Tensor.int64(list));
  const [one, two, three, ...others] = numbers as [number, number, number, ...number[]];
  const axis = one % shape.length;
  const size = shape[axis]!;
  const along = { axis: attr.int(axis) };
  switch (kind) {
    case 'reshape':
      return net.op('Reshape', [x, ints(...regrouped(shape, numbers))]);
    case 'flatten':
      return net.op('Flatten', [x], along);
    case 'transpose': {
      const order = [...shape.keys()];
      for (let at = order.length - 1; at > 0; at--) {
        const other = numbers[at]! % (at + 1);
        [order[at], order[other]] = [order[other]!, order[at]!];
      }
      return net.op('Transpose', [x], { perm: attr.ints(order) });
    }
    case 'slice': {
      const start = two % size;
      const step = [1, 1, 2, -1][others[0]! % 4]!;
      const end = step < 0 ? -size - 1 : start + 1 + (three % (size - start));
      return net.op('Slice', [x, ints(start), ints(end), ints(axis), ints(step)]);
    }
    case 'swap': {
      if (size < 2) return x;
      const first = 1 + (two % (size - 1));
      const [a, b] = net.builder.ops('Split', [x, ints(first, size - first)], {
        outputs: 2,
        attributes: along,
      });
      return net.op('Concat', [b!, a!], along);
    }
    case 'gather':
      return net.op(
        'Gather',
        [x, ints(...others.slice(0, 1 + (two % 6)).map((index) => index % size))],
        along,
      );
    case 'take':
      return shape.length > 1
        ? net.op('Gather', [x, net.builder.constant(Tensor.int64(two % size))], along)
        : x;
    case 'tile':
      return net.op('Tile', [x, ints(...shape.map((_, own) => (own === axis ? 2 : 1)))]);
    case 'pad':
      return net.op('Pad', [
        x,
        ints(...[two % 3, three % 2].flatMap((count) => shape.map((_, own) => (own === axis ? count : 0)))),
      ]);
    case 'add':
      return net.op('Add', [x, net.op('Slice', [x, ints(size - 1), ints(-size - 1), ints(axis), ints(-1)])]);
    case 'each':
      // Matrices for each index of the axes before the last two: rows go whole there.
      return shape.length > 2
        ? net.op('MatMul', [x, net.weight([...shape.slice(0, -2), shape.at(-1)!, 3])])
        : x;
    case 'twice':
      return net.op('Concat', [x, net.op('Neg', [x])], along);
  }
}

/** Another shape of as many elements: factors put together anew. */
function regrouped(shape: readonly number[], numbers: readonly number[]): number[] {
  const factors = shape.flatMap((size) => {
    const found: number[] = [];
    for (let rest = size, factor = 2; rest > 1; factor++) {
      for (; rest % factor === 0; rest /= factor) found.push(factor);
    }
    return found;
  });
  const result: number[] = [1];
  factors.forEach((factor, at) => {
    if (numbers[at % numbers.length]! % 2 === 0) result[result.length - 1]! *= factor;
    else result.push(factor);
  });
  return result;
}

describe('features that are moved about at random', () => {
  it('are cut as the silenced model says', async () => {
    let cuts = 0;
    await fc.assert(
      fc.asyncProperty(
        shapes,
        moves,
        fc.nat(999),
        fc.constantFrom('width', 'whole'),
        async (shape, list, seed, heads) => {
          const groups = groupChannels(analyzeChannels(networkOf(shape, list, seed)), { heads });
          if (groups.lanes.length === 0) return;
          const removed = randomRemoval(groups, seed);
          if (!removed.includes(1)) return;
          cuts++;
          const { equal, checked } = await verify(groups, removed, cutChannels(groups, removed).graph, {
            seed,
            threads: 1,
          });
          expect(equal ? '' : checked).toBe('');
        },
      ),
      { numRuns: 60 },
    );
    expect(cuts).toBeGreaterThan(15);
  });
});
