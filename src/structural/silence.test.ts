import { describe, expect, it } from 'vitest';
import { randomRemoval, SmallNetwork } from '../../test/small-network.ts';
import { Tensor } from '../core/tensor.ts';
import { attr, cloneGraph, type Graph, type Value } from '../ir/index.ts';
import { createSession, randomInputs } from '../runtime/index.ts';
import { analyzeChannels, type ChannelGroups, groupChannels } from './index.ts';
import { silence } from './silence.ts';

const grouped = (graph: Graph): ChannelGroups => groupChannels(analyzeChannels(graph));

/** Removes the units of these channels that a weight makes, or reads. */
function removing(
  groups: ChannelGroups,
  name: string,
  indices: readonly number[],
  role: 'out' | 'in' = 'out',
): Uint8Array {
  const removed = new Uint8Array(groups.unitCount);
  for (const { members } of groups.groups) {
    for (const member of members) {
      if (member.name !== name || member.role !== role) continue;
      member.indices.forEach((index, at) => {
        if (indices.includes(index)) removed[member.units[at]!] = 1;
      });
    }
  }
  if (!removed.includes(1)) throw new Error(`nothing of '${name}' can be removed`);
  return removed;
}

async function run(graph: Graph, taps: readonly string[] = []): Promise<Map<string, Tensor>> {
  const session = await createSession(graph, { threads: 1, taps: taps.map((name) => graph.value(name)) });
  try {
    return await session.run(randomInputs(graph));
  } finally {
    await session.dispose();
  }
}

/** The graph with some elements of a weight set to zero. */
function zeroed(graph: Graph, name: string, isGone: (index: number) => boolean): Graph {
  const copy = cloneGraph(graph, { tensors: 'copy' }).graph;
  const { float32 } = copy.value(name).initializer!;
  for (let index = 0; index < float32.length; index++) if (isGone(index)) float32[index] = 0;
  return copy;
}

const chain = (between: (net: SmallNetwork, x: Value) => Value, opset = 17): Graph => {
  const net = new SmallNetwork(1, opset);
  const a = net.conv(net.input([1, 3, 6, 6]), 'a', 4);
  return net.classify(net.conv(between(net, a), 'b', 3));
};

describe('silence', () => {
  it('lets consumers see zeros: as if their weights for these channels were zero', async () => {
    // 0 is no fixed point of a sigmoid: it is the consumer's input that must be zero.
    for (const opType of ['Relu', 'Sigmoid', 'Cos']) {
      const graph = chain((net, x) => net.op(opType, [x]));
      const groups = grouped(graph);
      const removed = removing(groups, 'a.weight', [1, 2]);
      const expected = zeroed(graph, 'b.weight', (index) => [1, 2].includes(Math.floor(index / 9) % 4));
      const [was, is] = [await run(expected), await run(silence(groups, removed))];
      expect(Array.from(is.get('classes')!.float32)).toEqual(Array.from(was.get('classes')!.float32));
    }
  });

  it('leaves the graph that was analysed as it is', () => {
    const groups = grouped(chain((net, x) => net.op('Relu', [x])));
    const before = groups.coupling.graph.print();
    const silenced = silence(groups, randomRemoval(groups));
    expect(groups.coupling.graph.print()).toBe(before);
    expect(silenced.lint()).toEqual([]);
    expect(silenced.nodes.filter(({ opType }) => opType === 'Where').length).toBeGreaterThan(2);
  });

  it('changes nothing where nothing is removed', () => {
    const groups = grouped(chain((net, x) => net.op('Relu', [x])));
    expect(silence(groups, new Uint8Array(groups.unitCount)).print()).toBe(groups.coupling.graph.print());
  });

  it('keeps NaN and infinity of silenced channels to themselves', async () => {
    const graph = chain((net, x) => net.op('Sub', [x, net.op('Exp', [net.op('Exp', [x])])]));
    graph.value('a.bias').initializer!.float32.set([Number.NaN, 0, 1000, 0]);
    const groups = grouped(graph);
    const removed = removing(groups, 'a.weight', [0, 2]);
    expect([...(await run(groups.coupling.graph)).get('classes')!.float32].some(Number.isNaN)).toBe(true);
    const silenced = (await run(silence(groups, removed))).get('classes')!.float32;
    expect([...silenced].every(Number.isFinite)).toBe(true);
  });

  it('silences a matrix of channels where a reshape has split them', async () => {
    const net = new SmallNetwork();
    const a = net.conv(net.input([1, 3, 2, 2]), 'a', 6, { size: 1 });
    const split = net.op('Reshape', [a, net.builder.constant(Tensor.int64([0, 3, 2, 2, 2]))]);
    const turned = net.op('Transpose', [split], { perm: attr.ints([0, 2, 1, 3, 4]) });
    const joined = net.op('Reshape', [turned, net.builder.constant(Tensor.int64([0, 6, 2, 2]))]);
    net.classify(net.conv(joined, 'b', 2));
    const groups = grouped(net.graph);
    // One of each row of the 3 x 2 matrix.
    const removed = removing(groups, 'a.weight', [1, 3, 5]);
    const silenced = silence(groups, removed);
    // The shuffle moves channels 0 1 | 2 3 | 4 5 to 0 2 4 | 1 3 5.
    const reader = silenced.node('/b/Conv').input(0);
    const { data } = (await run(silenced, [reader.name])).get(reader.name)!;
    const isZero = Array.from({ length: 6 }, (_, channel) =>
      [...data.slice(channel * 4, channel * 4 + 4)].every((x) => x === 0),
    );
    expect(isZero).toEqual([false, false, false, true, true, true]);
  });

  it('silences truth values and integers, too', async () => {
    const net = new SmallNetwork();
    const a = net.conv(net.input([1, 3, 6, 6]), 'a', 4);
    const mask = net.op('LessOrEqual', [a, net.op('Mul', [a, a])]);
    const whole = net.op('Cast', [net.op('Cast', [mask], { to: attr.int(7) })], { to: attr.int(1) });
    net.classify(net.conv(net.op('Add', [whole, net.op('Where', [mask, a, whole])]), 'b', 3));
    const groups = grouped(net.graph);
    const silenced = silence(groups, removing(groups, 'a.weight', [0]));
    const reader = silenced.node('/b/Conv').input(0);
    expect(silenced.nodes.map(({ opType }) => opType)).toContain('And');
    const { data } = (await run(silenced, [reader.name])).get(reader.name)!;
    expect([...data.slice(0, 36)].every((x) => x === 0)).toBe(true);
    expect([...data.slice(36, 72)].every((x) => x === 0)).toBe(false);
  });

  it('silences weights where only weights meet', async () => {
    // y = relu(x A) C + x (A B)
    const net = new SmallNetwork();
    const x = net.input([2, 5]);
    const A = net.weight([5, 4], 'A');
    const hidden = net.op('Relu', [net.op('MatMul', [x, A])]);
    const product = net.op('MatMul', [A, net.weight([4, 3], 'B')]);
    const direct = net.op('MatMul', [x, product]);
    net.builder.output(net.op('Add', [net.matmul(hidden, 'C', 3), direct]), 'y');
    const groups = grouped(net.graph);
    const removed = removing(groups, 'C.weight', [1, 3], 'in');
    const expected = zeroed(net.graph, 'A', (index) => [1, 3].includes(index % 4));
    const [was, is] = [await run(expected), await run(silence(groups, removed))];
    expect(Array.from(is.get('y')!.float32)).toEqual(Array.from(was.get('y')!.float32));
  });

  it('multiplies where the graph is older than Where', async () => {
    const graph = chain((net, x) => net.op('Sigmoid', [x]), 8);
    const groups = grouped(graph);
    const silenced = silence(groups, removing(groups, 'a.weight', [1, 2]));
    expect(silenced.nodes.some(({ opType }) => opType === 'Where')).toBe(false);
    const expected = zeroed(graph, 'b.weight', (index) => [1, 2].includes(Math.floor(index / 9) % 4));
    const [was, is] = [await run(expected), await run(silenced)];
    expect(Array.from(is.get('classes')!.float32)).toEqual(Array.from(was.get('classes')!.float32));
  });

  it('names a list of the wrong length', () => {
    const groups = grouped(chain((net, x) => net.op('Relu', [x])));
    expect(() => silence(groups, new Uint8Array(2))).toThrow(
      `silence: removed has 2 entries; expected one for each of the ${groups.unitCount} units`,
    );
  });
});
