import { describe, expect, it } from 'vitest';
import { ArgumentError } from '../../core/errors.ts';
import { Generator } from '../../core/random.ts';
import { Tensor } from '../../core/tensor.ts';
import type { AnyModule } from '../index.ts';
import * as nn from '../index.ts';

const traced =
  (module: AnyModule, ...shapes: number[][]) =>
  () =>
    nn.trace(module, shapes);

describe('layers refuse', () => {
  it.each<[string, () => unknown, string]>([
    [
      'channels that are no whole numbers',
      () => new nn.Conv2d(1.5, 4, 3),
      'Conv2d: inChannels expects a whole number of at least 0, got 1.5',
    ],
    [
      'groups that do not divide the input',
      () => new nn.Conv2d(4, 6, 3, { groups: 3 }),
      'Conv2d: inChannels must be divisible by groups, got 4 and 3',
    ],
    [
      'groups that do not divide the output',
      () => new nn.ConvTranspose2d(6, 4, 3, { groups: 3 }),
      'ConvTranspose2d: outChannels must be divisible by groups, got 4 and 3',
    ],
    [
      'same padding with strides',
      () => new nn.Conv1d(4, 6, 3, { padding: 'same', stride: 2 }),
      "Conv1d: padding='same' is not supported for strided convolutions",
    ],
    [
      'kernels of another rank',
      () => new nn.Conv1d(4, 6, [3, 3]),
      'Conv1d: kernelSize expects a whole number',
    ],
    [
      'negative sizes',
      () => new nn.Linear(-1, 2),
      'Linear: inFeatures expects a whole number of at least 0, got -1',
    ],
    [
      'a padding row outside of the table',
      () => new nn.Embedding(4, 2, { paddingIdx: 4 }),
      'Embedding: paddingIdx must be within the 4 embeddings, got 4',
    ],
    [
      'groups of channels that do not fit',
      () => new nn.GroupNorm(3, 4),
      'GroupNorm: numChannels must be divisible by numGroups, got 4 and 3',
    ],
    [
      'heads that do not fit',
      () => new nn.MultiheadAttention(8, 3),
      'MultiheadAttention: embedDim must be divisible by numHeads, got 8 and 3',
    ],
    [
      'what is no probability',
      () => new nn.Dropout(1.5),
      'Dropout: dropout probability has to be between 0 and 1, but got 1.5',
    ],
    [
      'input of another rank',
      traced(new nn.BatchNorm2d(4), [2, 4, 5]),
      'BatchNorm2d: expects an input of 4 dimensions, got 3 ([2, 4, 5])',
    ],
    [
      'calls of lists',
      traced(new nn.ModuleList([new nn.ReLU()]), [2]),
      'ModuleList: has no forward; call its modules',
    ],
    [
      'calls of dictionaries',
      traced(new nn.ModuleDict({ a: new nn.ReLU() }), [2]),
      'ModuleDict: has no forward; call its modules',
    ],
    [
      'places that a container does not have',
      () => new nn.Sequential(new nn.ReLU()).at(1),
      'Sequential: has no module 1; it has 1',
    ],
  ])('%s', (_, act, message) => {
    expect(act).toThrow(ArgumentError);
    expect(act).toThrow(message);
  });

  it('adaptive pooling to sizes that do not divide', () => {
    const act = traced(new nn.AdaptiveAvgPool2d(3), [1, 2, 7, 7]);
    expect(act).toThrow('3 places do not divide axis 2 of [1, 2, 7, 7]');
  });

  it('several outputs inside a Sequential', () => {
    const net = new nn.Sequential(new nn.ReLU());
    net.registerModule('1', new nn.MultiheadAttention(4, 2));
    expect(traced(net, [3, 2, 4])).toThrow(
      'Sequential: MultiheadAttention gives several outputs; the next module takes one',
    );
  });

  it('a projection that is no Linear', () => {
    const attention = new nn.MultiheadAttention(4, 2);
    attention.registerModule('out_proj', new nn.ReLU());
    expect(() => attention.outProj).toThrow('MultiheadAttention: out_proj is a ReLU; expected a Linear');
  });
});

describe('layers', () => {
  it('draw from a generator that is given, and leave the default one alone', () => {
    const layers = (generator?: Generator): AnyModule[] => {
      const drawn = generator ? { generator } : {};
      return [
        new nn.Conv2d(2, 3, 3, drawn),
        new nn.ConvTranspose1d(2, 3, 3, drawn),
        new nn.Linear(3, 2, drawn),
        new nn.Embedding(3, 2, drawn),
        new nn.MultiheadAttention(4, 2, drawn),
      ];
    };
    const bytes = (modules: AnyModule[]): number[] =>
      modules.flatMap((module) => [...module.parameters()].flatMap(({ data }) => [...data.bytes]));
    nn.manualSeed(3);
    const wanted = bytes(layers());
    nn.manualSeed(4);
    const before = nn.defaultGenerator.getState();
    expect(bytes(layers(new Generator(3)))).toEqual(wanted);
    expect(nn.defaultGenerator.getState()).toEqual(before);
  });

  it('say what the axes of their weights mean', () => {
    expect(new nn.Conv2d(4, 6, 3, { groups: 2 }).weight.layout).toEqual({
      output: 0,
      input: 1,
      kernel: [2, 3],
      groups: 2,
    });
    expect(new nn.ConvTranspose1d(4, 6, 3).weight.layout).toMatchObject({ output: 1, input: 0, kernel: [2] });
    expect(new nn.Linear(4, 6).weight.layout).toMatchObject({ output: 0, input: 1, kernel: [] });
    expect(new nn.BatchNorm2d(4).weight?.layout).toMatchObject({ output: 0, input: null });
    expect(new nn.Conv2d(4, 6, 3).bias?.layout).toBe(null);
  });

  it('take running statistics back to where they started', async () => {
    const norm = new nn.BatchNorm1d(2);
    await nn.run(norm, Tensor.of(Float32Array.of(1, 2, 3, 5), [2, 2]));
    expect(norm.numBatchesTracked?.toNumbers()).toEqual([1]);
    expect(norm.runningMean?.float32[0]).toBeCloseTo(0.2);
    // Unbiased variance of 2 and 5: 4.5.
    expect(norm.runningVar?.float32[1]).toBeCloseTo(0.9 + 0.45);
    norm.resetRunningStats();
    expect(norm.numBatchesTracked?.toNumbers()).toEqual([0]);
    expect([...norm.runningMean!.float32, ...norm.runningVar!.float32]).toEqual([0, 0, 1, 1]);
  });

  it('drop whole channels in training', async () => {
    const drop = new nn.Dropout2d(0.5, { generator: new Generator(0) });
    const y = await nn.run(drop, Tensor.full([4, 8, 3, 3], 1));
    const channels = Array.from({ length: 32 }, (_, i) => [...y.float32.subarray(9 * i, 9 * i + 9)]);
    for (const channel of channels) expect([0, 2]).toContain(channel[0]);
    for (const channel of channels) expect(new Set(channel).size).toBe(1);
    expect(new Set(y.float32)).toEqual(new Set([0, 2]));
    expect((await nn.run(drop.eval(), Tensor.full([1, 2, 3, 3], 1))).float32).toEqual(
      new Float32Array(18).fill(1),
    );
  });

  it('add a mask to the scores of attention', async () => {
    const attention = new nn.MultiheadAttention(4, 2, { batchFirst: true }).eval();
    const x = Tensor.of(new Generator(0).randn(2 * 3 * 4), [2, 3, 4]);
    const causal = Tensor.of(
      Float32Array.from({ length: 9 }, (_, i) => (i % 3 > Math.floor(i / 3) ? Number.NEGATIVE_INFINITY : 0)),
      [3, 3],
    );
    const [, weights] = (await nn.run(attention, x, x, x, causal)) as [Tensor, Tensor];
    expect(weights.shape).toEqual([2, 3, 3]);
    expect([weights.float32[0], weights.float32[1], weights.float32[2], weights.float32[5]]).toEqual([
      1, 0, 0, 0,
    ]);
  });

  it('print equal neighbours of a list once, as PyTorch does', () => {
    const list = new nn.ModuleList<AnyModule>([
      new nn.Linear(2, 2),
      new nn.Linear(2, 2),
      new nn.Sequential(new nn.ReLU()),
      new nn.Sequential(new nn.ReLU()),
      new nn.ReLU(),
    ]);
    expect(list.toString()).toBe(
      [
        'ModuleList(',
        '  (0-1): 2 x Linear(in_features=2, out_features=2, bias=True)',
        '  (2-3): 2 x Sequential(',
        '    (0): ReLU()',
        '  )',
        '  (4): ReLU()',
        ')',
      ].join('\n'),
    );
    expect(new nn.ModuleList().toString()).toBe('ModuleList()');
  });

  it('may be named in a Sequential, and replaced there', async () => {
    const net = new nn.Sequential({ first: new nn.ReLU(), second: new nn.LeakyReLU(0.5) });
    expect([...net.namedChildren()].map(([name]) => name)).toEqual(['first', 'second']);
    net.registerModule('first', new nn.Identity());
    const y = await nn.run(net, Tensor.of(Float32Array.of(-2, 3)));
    expect([...y.float32]).toEqual([-1, 3]);
  });
});
