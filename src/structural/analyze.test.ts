import { describe, expect, it } from 'vitest';
import { RandomNet } from '../../test/cut-at-random.ts';
import { ArgumentError } from '../core/errors.ts';
import { analyzeChannels } from './analyze.ts';

/** Two layers behind each other: 4 features, 6, 3. */
function chain(batch: number | string = 1): RandomNet {
  const net = new RandomNet();
  const x = net.builder.input('x', 'float32', [batch, 4]);
  const hidden = net.op('Relu', [net.linear('first', x, 4, 6)]);
  net.builder.output(net.linear('second', hidden, 6, 3), 'y');
  return net;
}

describe('analyzeChannels', () => {
  it('names the layers that make channels, and what reads them', () => {
    const coupling = analyzeChannels(chain().graph);
    expect(coupling.sources.map(({ name, axis, labels }) => [name, axis, labels.length])).toEqual([
      ['first', 1, 6],
      ['second', 1, 3],
    ]);
    expect(coupling.consumers.map(({ value, axis }) => [coupling.nameOf(value), axis])).toEqual([
      ['first.weight', 0],
      ['second.weight', 0],
    ]);
    const [first, second] = coupling.sources;
    const read = coupling.channels(coupling.graph.value('second.weight'))[0]!;
    expect(read.axes).toEqual([0]);
    first!.labels.forEach((label, index) => {
      expect(coupling.find(label)).toBe(coupling.find(read.labels[index]!));
      expect(coupling.frozen(label)).toBeNull();
    });
    expect(coupling.frozen(second!.labels[0]!)).toBe("reaches the output 'y'");
  });

  it('analyses a copy, and forgets what cannot be cut of what is computed', () => {
    const { graph } = chain();
    const coupling = analyzeChannels(graph);
    expect(coupling.graph).not.toBe(graph);
    expect(coupling.channels(coupling.graph.value('Relu_output_0'))).toHaveLength(1);
    expect(coupling.channels(coupling.graph.value('y'))).toEqual([]);
    expect(coupling.channels(coupling.graph.value('x'))).toEqual([]);
  });

  it('takes an open batch as 1, and other open sizes from the caller', () => {
    expect(analyzeChannels(chain('batch').graph).shapes).toEqual({ x: [1, 4] });
    expect(analyzeChannels(chain('batch').graph, { shapes: { x: [3, 4] } }).shapes).toEqual({ x: [3, 4] });
    const net = new RandomNet();
    const x = net.builder.input('x', 'float32', [1, 3, 'height', 5]);
    net.builder.output(net.pointwise('conv', x, 3, 4), 'y');
    expect(() => analyzeChannels(net.graph)).toThrow(
      new ArgumentError("analyzeChannels: the shape of input 'x' is [1, 3, height, 5]; give its shape"),
    );
    expect(analyzeChannels(net.graph, { shapes: { x: [1, 3, 5, 5] } }).sources).toHaveLength(1);
    expect(() => analyzeChannels(net.graph, { shapes: { image: [1, 3, 5, 5] } })).toThrow(
      new ArgumentError("analyzeChannels: no input is named 'image'; the inputs are 'x'"),
    );
  });

  it('stops at operators it does not know, and says so', () => {
    const net = new RandomNet();
    const hidden = net.linear('first', net.input('x', [1, 4]), 4, 6);
    net.graph.opsetImports.set('house', 1);
    const node = net.graph.addNode({ opType: 'Magic', domain: 'house', name: '/magic', inputs: [hidden] });
    net.graph.addOutput(node.output());
    const { notFollowed, sources, frozen } = analyzeChannels(net.graph);
    expect(notFollowed.map(({ why }) => why)).toEqual(['is not in the operator table; its channels stay']);
    expect(frozen(sources[0]!.labels[0]!)).toBe(
      "house.Magic '/magic': is not in the operator table; its channels stay",
    );
  });

  it('stops where sizes depend on data', () => {
    const net = new RandomNet();
    const hidden = net.linear('first', net.input('x', [1, 4]), 4, 6);
    const condition = net.builder.input('condition', 'bool', [6]);
    const chosen = net.builder.op('Compress', [hidden, condition], { name: '/compress' });
    net.builder.output(chosen, 'y');
    const { sources, frozen } = analyzeChannels(net.graph);
    expect(frozen(sources[0]!.labels[0]!)).toMatch(
      /^Compress '\/compress': the sizes of 'y' are not known before it runs$/,
    );
  });

  it('keeps a channel that is picked alone', () => {
    const net = new RandomNet();
    const map = net.pointwise('conv', net.input('x', [1, 3, 2, 2]), 3, 4);
    const one = net.op('Slice', [map, net.numbers(2), net.numbers(3), net.numbers(1)]);
    net.builder.output(net.op('ReduceSum', [net.op('Mul', [map, one]), net.numbers(1)]), 'y');
    const { sources, frozen } = analyzeChannels(net.graph);
    const reasons = [...sources[0]!.labels].map((label) => frozen(label));
    expect(reasons.map((why) => why === null)).toEqual([true, true, false, true]);
    expect(reasons[2]).toMatch(/^Slice '.*': /);
  });

  it('ties a grouped weight that two nodes read for both', () => {
    const net = new RandomNet();
    const x = net.input('x', [1, 3, 2, 2]);
    const weight = net.weight('grouped.weight', [4, 2, 1, 1]);
    const maps = ['a', 'b'].map((name) =>
      net.builder.op('Conv', [net.pointwise(name, x, 3, 4), weight], {
        attributes: { group: { kind: 'int', value: 2n } },
      }),
    );
    net.builder.output(net.op('ReduceSum', [net.op('Add', maps), net.numbers(1)]), 'y');
    const { sources, find, partedAxes } = analyzeChannels(net.graph);
    expect(partedAxes).toHaveLength(1);
    const [a, b] = sources.filter(({ name }) => name !== 'grouped');
    expect([...a!.labels].map(find)).toEqual([...b!.labels].map(find));
  });
});
