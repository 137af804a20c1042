import { describe, expect, it } from 'vitest';
import { randomRemoval, SmallNetwork } from '../../test/small-network.ts';
import { StructuralError } from '../core/errors.ts';
import { fromFloat32 } from '../core/float16.ts';
import { Tensor } from '../core/tensor.ts';
import { attr, type Graph, type Value } from '../ir/index.ts';
import { analyzeChannels, type ChannelGroups, type Coupling, cutChannels, groupChannels } from './index.ts';
import { assertVerified, type Verification, type VerifyOptions, verify } from './verify.ts';

const ints = (net: SmallNetwork, ...values: number[]): Value => net.builder.constant(Tensor.int64(values));

interface Case {
  readonly groups: ChannelGroups;
  readonly removed: Uint8Array;
  readonly cut: Graph;
}

function cutAtRandom(graph: Graph, seed = 0): Case {
  const groups = groupChannels(analyzeChannels(graph));
  const removed = randomRemoval(groups, seed);
  return { groups, removed, cut: cutChannels(groups, removed).graph };
}

const check = ({ groups, removed, cut }: Case, options: VerifyOptions = {}): Promise<Verification> =>
  verify(groups, removed, cut, { threads: 1, ...options });

/** Networks by what ties their channels. */
const NETWORKS: Readonly<Record<string, (net: SmallNetwork) => Graph>> = {
  residual: (net) => {
    const a = net.batchNorm(net.conv(net.input([1, 3, 6, 6]), 'a', 8), 'bn');
    const b = net.conv(net.op('Relu', [net.conv(a, 'b1', 6)]), 'b2', 8);
    return net.classify(net.op('Relu', [net.op('Add', [a, b])]));
  },
  concat: (net) => {
    const x = net.input([1, 3, 6, 6]);
    const joined = net.op('Concat', [net.conv(x, 'a', 4), net.op('Sigmoid', [net.conv(x, 'b', 6)])], {
      axis: attr.int(1),
    });
    return net.classify(net.conv(joined, 'c', 5));
  },
  'grouped convolution': (net) => {
    const a = net.op('Relu', [net.conv(net.input([1, 3, 6, 6]), 'a', 8)]);
    return net.classify(net.conv(net.conv(a, 'b', 12, { groups: 4 }), 'c', 6));
  },
  'channel shuffle': (net) => {
    const a = net.conv(net.input([1, 3, 4, 4]), 'a', 8);
    const split = net.op('Reshape', [a, ints(net, 0, 2, 4, 4, 4)]);
    const turned = net.op('Transpose', [split], { perm: attr.ints([0, 2, 1, 3, 4]) });
    return net.classify(net.conv(net.op('Reshape', [turned, ints(net, 0, 8, 4, 4)]), 'b', 6));
  },
  attention: (net) => {
    const x = net.matmul(net.input([1, 5, 6]), 'embed', 8);
    const heads = (name: string, perm: number[]): Value =>
      net.op('Transpose', [net.op('Reshape', [net.matmul(x, name, 8), ints(net, 0, 5, 2, 4)])], {
        perm: attr.ints(perm),
      });
    const scores = net.op('MatMul', [heads('q', [0, 2, 1, 3]), heads('k', [0, 2, 3, 1])]);
    const read = net.op('MatMul', [
      net.op('Softmax', [scores], { axis: attr.int(-1) }),
      heads('v', [0, 2, 1, 3]),
    ]);
    const joined = net.op('Reshape', [
      net.op('Transpose', [read], { perm: attr.ints([0, 2, 1, 3]) }),
      ints(net, 0, 5, 8),
    ]);
    net.builder.output(net.matmul(net.op('Add', [x, net.matmul(joined, 'o', 8)]), 'head', 3), 'y');
    return net.graph;
  },
};

/** Networks with a node that mixes channels, and what is said of it. */
const MIXING: Readonly<Record<string, readonly [node: string, build: (net: SmallNetwork) => Graph]>> = {
  'layer norm': [
    "LayerNormalization 'norm'",
    (net) => {
      const a = net.matmul(net.input([1, 5, 6]), 'a', 8);
      const [norm] = net.builder.ops('LayerNormalization', [a, net.weight([8]), net.weight([8])], {
        name: 'norm',
      });
      net.builder.output(net.matmul(net.op('Relu', [net.matmul(norm!, 'b', 6)]), 'c', 3), 'y');
      return net.graph;
    },
  ],
  'softmax over channels': [
    "Softmax 'softmax'",
    (net) => {
      const a = net.conv(net.input([1, 3, 4, 4]), 'a', 8);
      const soft = net.builder.op('Softmax', [a], { name: 'softmax', attributes: { axis: attr.int(1) } });
      return net.classify(net.conv(soft, 'b', 6));
    },
  ],
  'mean over channels': [
    "ReduceMean 'mean'",
    (net) => {
      const a = net.conv(net.input([1, 3, 4, 4]), 'a', 8);
      const mean = net.builder.op('ReduceMean', [a], { name: 'mean', attributes: { axes: attr.ints([1]) } });
      return net.classify(net.conv(net.op('Mul', [a, net.op('Sigmoid', [mean])]), 'b', 6));
    },
  ],
  // Each group keeps other channels of its rows: a matrix of labels.
  'group norm': [
    "InstanceNormalization 'norm'",
    (net) => {
      const a = net.conv(net.input([1, 3, 4, 4]), 'a', 8);
      const rows = net.op('Reshape', [a, ints(net, 0, 2, -1)]);
      const norm = net.builder.op(
        'InstanceNormalization',
        [rows, net.builder.constant(Tensor.full([2], 1)), net.builder.constant(Tensor.full([2], 0))],
        { name: 'norm' },
      );
      const map = net.op('Reshape', [norm, ints(net, 0, 8, 4, 4)]);
      return net.classify(net.conv(net.op('Mul', [map, net.weight([8, 1, 1])]), 'b', 6));
    },
  ],
};

describe('verify', () => {
  for (const [name, build] of Object.entries(NETWORKS)) {
    it(`finds a cut of a network with ${name} equal to float rounding`, async () => {
      for (const seed of [0, 1, 2]) {
        const verification = await check(cutAtRandom(build(new SmallNetwork(seed)), seed));
        expect(verification.equal, verification.checked).toBe(true);
        expect(verification.relativeError).toBeLessThan(5e-6);
        expect(verification.layers.length).toBeGreaterThan(0);
        expect(verification.notEqual).toEqual([]);
        expect(verification.fromSilenced).toBeNull();
      }
    });
  }

  for (const [name, [node, build]] of Object.entries(MIXING)) {
    it(`says that ${name} mixes channels, and finds the rest equal`, async () => {
      for (const seed of [0, 1, 2]) {
        const verification = await check(cutAtRandom(build(new SmallNetwork(seed)), seed));
        expect(verification.equal, verification.checked).toBe(true);
        expect(verification.relativeError).toBeLessThan(5e-6);
        expect(verification.notEqual).toHaveLength(1);
        expect(verification.notEqual[0]).toContain(node);
        expect(verification.notEqual[0]).toMatch(
          /there the cut model differs from the silenced one by design, by up to [\d.e+]+ % of what it gives$/,
        );
        expect(verification.fromSilenced).toBeGreaterThan(1e-3);
      }
    });

    it(`notices a fault behind ${name}`, async () => {
      const faulty = cutAtRandom(build(new SmallNetwork(3)), 3);
      swapFirstTwoChannelsRead(faulty.cut, 'b.weight');
      const verification = await check(faulty);
      expect(verification.equal).toBe(false);
    });
  }

  it('notices channels that were picked in another order, and names the layer', async () => {
    const faulty = cutAtRandom(NETWORKS.residual!(new SmallNetwork()));
    swapFirstTwoChannelsRead(faulty.cut, 'b2.weight');
    const verification = await check(faulty);
    expect(verification).toMatchObject({ equal: false, firstDifference: '/b2/Conv_output_0' });
    expect(verification.relativeError).toBeGreaterThan(0.01);
    expect(verification.checked).toMatch(
      /^'\/b2\/Conv_output_0' differs by up to [\d.e-]+ of [\d.]+; it is the first of 2 differences among 1 output and 3 layers on 1 random input \(seed 0\)$/,
    );
    expect(() => {
      assertVerified(verification);
    }).toThrow(StructuralError);
    expect(() => {
      assertVerified(verification);
    }).toThrow("does not compute what the original does with these channels silenced: '/b2/Conv_output_0'");
  });

  it('notices a wrong layer that is small beside the rest', async () => {
    // What the faulty layer gives is a millionth of the output.
    const net = new SmallNetwork();
    const x = net.input([1, 3, 4, 4]);
    const small = net.op('Mul', [
      net.conv(net.conv(x, 'a', 4), 'b', 4),
      net.builder.constant(Tensor.full([1], 1e-6)),
    ]);
    net.builder.output(net.op('Add', [small, net.conv(x, 'c', 4)]), 'y');
    const faulty = cutAtRandom(net.graph);
    swapFirstTwoChannelsRead(faulty.cut, 'b.weight');
    const verification = await check(faulty);
    expect(verification.outputs.map(({ equal }) => equal)).toEqual([true]);
    expect(verification).toMatchObject({ equal: false, firstDifference: '/b/Conv_output_0' });
  });

  it('notices a rule that labels the wrong channels', async () => {
    // As a tool would that took a channel shuffle for an elementwise operator.
    const graph = NETWORKS['channel shuffle']!(new SmallNetwork());
    const { coupling } = groupChannels(analyzeChannels(graph));
    const first = coupling.graph.node('/a/Conv').output();
    const wrong = new Map<Value, Int32Array>();
    const weight = coupling.graph.value('b.weight');
    wrong.set(weight, coupling.channels(first)[0]!.labels);
    const misled: Coupling = {
      ...coupling,
      channels: (value) => {
        const labels = wrong.get(value);
        return coupling
          .channels(value)
          .map((bundle) => (labels && bundle.axes[0] === 1 ? { ...bundle, labels } : bundle));
      },
    };
    const groups = { ...groupChannels(misled), coupling: misled };
    const removed = randomRemoval(groups, 1);
    const verification = await verify(groups, removed, cutChannels(groups, removed).graph, { threads: 1 });
    expect(verification.equal).toBe(false);
  });

  it('passes what is equal', async () => {
    const verification = await check(cutAtRandom(NETWORKS.concat!(new SmallNetwork())));
    expect(() => {
      assertVerified(verification);
    }).not.toThrow();
    expect(verification.checked).toMatch(
      /^1 output and 3 layers on 1 random input \(seed 0\) agree; the largest difference is \d\.\de[+-]\d of the largest magnitude$/,
    );
  });

  it('tells of layers that say nothing on the input given', async () => {
    const cut = cutAtRandom(NETWORKS['grouped convolution']!(new SmallNetwork()));
    for (const graph of [cut.groups.coupling.graph, cut.cut]) {
      for (const name of ['b.weight', 'b.bias']) graph.value(name).initializer?.float32.fill(0);
    }
    expect((await check(cut)).checked).toContain('; 1 of them are 0 everywhere');
  });

  it('runs on the data given', async () => {
    const cut = cutAtRandom(NETWORKS.residual!(new SmallNetwork()));
    const batch = (value: number): { input: Tensor } => ({ input: Tensor.full([2, 3, 6, 6], value) });
    const data = [batch(1), batch(2), batch(3)];
    const verification = await check(cut, { data, samples: 3 });
    // The graph takes one sample: batches are taken apart.
    expect(verification.checked).toContain('on 3 inputs agree');
    const wrong = [{ input: Tensor.full([2, 4, 6, 6], 1) }];
    await expect(check(cut, { data: wrong })).rejects.toThrow("input 'x' is float32[1, 3, 6, 6]");
  });

  it('takes batches where the batch size is open', async () => {
    const net = new SmallNetwork();
    const a = net.conv(net.input(['batch', 3, 6, 6]), 'a', 4);
    const graph = net.classify(net.conv(net.op('Softmax', [a], { axis: attr.int(1) }), 'b', 6));
    const data = [{ input: Tensor.full([4, 3, 6, 6], 1) }];
    const verification = await check(cutAtRandom(graph), { data });
    expect(verification.equal, verification.checked).toBe(true);
    expect(verification.checked).toContain('on 1 input agree');
  });

  it('compares more than one random input', async () => {
    const cut = cutAtRandom(NETWORKS.concat!(new SmallNetwork()));
    expect((await check(cut, { samples: 2, seed: 5 })).checked).toContain(
      'on 2 random inputs (seed 5) agree',
    );
    await expect(check(cut, { samples: 0 })).rejects.toThrow(
      'verify: samples expects a whole number above 0, got 0',
    );
  });

  it('does not call rounding a difference, nor a difference rounding, where told what is', async () => {
    const cut = cutAtRandom(NETWORKS.residual!(new SmallNetwork()));
    expect((await check(cut, { tolerance: 0 })).equal).toBe(false);
    swapFirstTwoChannelsRead(cut.cut, 'b2.weight');
    expect((await check(cut, { tolerance: 100 })).equal).toBe(true);
  });

  it('leaves out what follows random numbers, and says so', async () => {
    const net = new SmallNetwork();
    const a = net.conv(net.input([1, 3, 4, 4]), 'a', 4);
    const noisy = net.op('Add', [a, net.builder.op('RandomNormalLike', [a], { name: 'noise' })]);
    net.builder.output(net.conv(noisy, 'b', 3), 'y');
    net.builder.output(net.conv(a, 'c', 3), 'z');
    const verification = await check(cutAtRandom(net.graph));
    expect(verification.equal, verification.checked).toBe(true);
    expect(verification.outputs.map(({ name }) => name)).toEqual(['z']);
    expect(verification.notEqual).toContain(
      "RandomNormalLike 'noise' draws random numbers: what follows it was compared by shape alone",
    );
  });

  it('compares what follows a Dropout, but for one in training', async () => {
    const dropped = (training: boolean | null, ratio?: number): Graph => {
      const net = new SmallNetwork();
      const a = net.conv(net.input([1, 3, 4, 4]), 'a', 4);
      const share =
        ratio === undefined ? null : net.builder.constant(new Tensor('float32', [], Float32Array.of(ratio)));
      const flags =
        training === null
          ? []
          : [share, net.builder.constant(new Tensor('bool', [], Uint8Array.of(training ? 1 : 0)))];
      net.builder.output(net.conv(net.builder.op('Dropout', [a, ...flags], { name: 'drop' }), 'b', 3), 'y');
      net.builder.output(net.conv(a, 'c', 3), 'z');
      return net.graph;
    };
    const compared = async (training: boolean | null, ratio?: number): Promise<readonly string[]> => {
      const { equal, checked, outputs } = await check(cutAtRandom(dropped(training, ratio)));
      expect(equal, checked).toBe(true);
      return outputs.map(({ name }) => name);
    };
    expect(await compared(null)).toEqual(['y', 'z']);
    expect(await compared(false)).toEqual(['y', 'z']);
    expect(await compared(true)).toEqual(['z']);
    expect(await compared(true, 0.25)).toEqual(['z']);
    // As exporters write a dropout that is off but was left in training.
    expect(await compared(true, 0)).toEqual(['y', 'z']);
  });

  it('allows for the rounding of half precision', async () => {
    const graph = NETWORKS.residual!(new SmallNetwork());
    for (const value of graph.values) {
      if (value.initializer) value.initializer = fromFloat32(value.initializer, 'float16');
      if (value.type?.kind === 'tensor') value.type = { ...value.type, dtype: 'float16' };
    }
    const half = cutAtRandom(graph);
    const verification = await check(half);
    expect(verification.equal, verification.checked).toBe(true);
    expect(verification.outputs[0]).toMatchObject({ tolerance: 0.02 });
    const weight = half.cut.value('b2.weight');
    const wrong = weight.initializer!.clone();
    wrong.data.copyWithin(0, wrong.size / 2);
    weight.initializer = wrong;
    expect((await check(half)).firstDifference).toBe('/b2/Conv_output_0');
  });

  it('names an output that the cut graph lacks', async () => {
    const cut = cutAtRandom(NETWORKS.concat!(new SmallNetwork()));
    cut.cut.rename(cut.cut.value('classes'), 'other');
    await expect(check(cut)).rejects.toThrow("verify: the cut graph has no output 'classes'");
  });

  it('stops where it is told to', async () => {
    const cut = cutAtRandom(NETWORKS.concat!(new SmallNetwork()));
    await expect(check(cut, { signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough');
  });
});

/** Reads the first two channels in each other's place: the fault of a wrong order. */
function swapFirstTwoChannelsRead(graph: Graph, name: string): void {
  const value = graph.value(name);
  const tensor = value.initializer!.clone();
  const isMatrix = tensor.shape.length === 2;
  const [rows, columns] = isMatrix ? [1, tensor.shape[0]!] : [tensor.shape[0]!, tensor.shape[1]!];
  const inner = tensor.size / (rows * columns);
  const { float32 } = tensor;
  for (let row = 0; row < rows; row++) {
    const at = row * columns * inner;
    const first = float32.slice(at, at + inner);
    float32.copyWithin(at, at + inner, at + 2 * inner);
    float32.set(first, at + inner);
  }
  value.initializer = tensor;
}
