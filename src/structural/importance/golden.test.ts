import { beforeAll, describe, expect, it } from 'vitest';
import { Tensor } from '../../core/tensor.ts';
import { BatchNorm2d, Conv2d, F, Linear, Module, toGraph, type Variable } from '../../nn/index.ts';
import type { CalibrationBatch } from '../calibration.ts';
import { analyzeChannels, type ChannelGroups, groupChannels } from '../index.ts';
import {
  type Aggregate,
  type ImportanceMethod,
  type ImportanceOptions,
  importance,
  type Normalize,
} from './index.ts';
import golden from './testdata/scores.json' with { type: 'json' };

/** The network of testdata/generate.py. */
class Net extends Module {
  conv1 = new Conv2d(3, 6, 3, { padding: 1, bias: false });
  bn1 = new BatchNorm2d(6);
  conv2 = new Conv2d(6, 6, 3, { padding: 1, bias: false });
  bn2 = new BatchNorm2d(6);
  conv3 = new Conv2d(6, 5, 3, { stride: 2, padding: 1 });
  fc = new Linear(20, 4);

  override forward(x: Variable): Variable {
    const first = F.relu(this.bn1.call(this.conv1.call(x)));
    const sum = F.relu(first.add(this.bn2.call(this.conv2.call(first))));
    return this.fc.call(F.relu(this.conv3.call(sum)).flatten(1));
  }
}

const tensor = ({
  shape,
  data,
}: {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}): Tensor => new Tensor('float32', shape, Float32Array.from(data));

const rows = (from: Tensor, start: number, end: number): Tensor => {
  const each = from.size / from.shape[0]!;
  return new Tensor(
    'float32',
    [end - start, ...from.shape.slice(1)],
    from.float32.slice(start * each, end * each),
  );
};

const inputs = tensor(golden.inputs);
const batches: readonly CalibrationBatch[] = [
  { input: rows(inputs, 0, 2), target: Tensor.int64(golden.targets.slice(0, 2)) },
  { input: rows(inputs, 2, 3), target: Tensor.int64(golden.targets.slice(2)) },
];

describe('scores of a residual network, as PyTorch and Torch-Pruning have them', () => {
  let groups: ChannelGroups;

  beforeAll(() => {
    const net = new Net();
    const state: Readonly<Record<string, { readonly shape: number[]; readonly data: number[] }>> =
      golden.state;
    for (const [name, parameter] of net.namedParameters()) parameter.data.setData(tensor(state[name]!).data);
    for (const [name, buffer] of net.namedBuffers())
      if (state[name]) buffer.setData(tensor(state[name]).data);
    groups = groupChannels(analyzeChannels(toGraph(net, ['batch', 3, 4, 4])));
  });

  /** Scores of the groups by the name of their first layer. */
  async function scored(options: ImportanceOptions): Promise<Record<string, number[]>> {
    const scores = await importance(groups, options);
    return Object.fromEntries(
      groups.groups.map(({ name, units }) => [name, Array.from(units, (unit) => scores[unit]!)]),
    );
  }

  function expectClose(
    actual: readonly number[] | undefined,
    expected: readonly number[],
    what: string,
  ): void {
    const most = Math.max(...expected);
    expect(most, what).toBeGreaterThan(0);
    expect(actual?.length, what).toBe(expected.length);
    actual?.forEach((score, index) => {
      expect(Math.abs(score - expected[index]!), `${what}, channel ${index}`).toBeLessThan(2e-5 * most);
    });
  }

  for (const method of ['l1', 'l2'] as const) {
    for (const aggregate of ['sum', 'mean', 'max', 'first'] as const satisfies readonly Aggregate[]) {
      it(`${method}, ${aggregate} of members, with all normalizations`, async () => {
        for (const normalize of ['mean', 'max', 'sum', 'none'] as const satisfies readonly Normalize[]) {
          const key = `${method} ${aggregate} ${normalize}` as const;
          const found = await scored({ method, aggregate, normalize });
          expectClose(found.conv1, golden.scores.conv1[key], `${key} of conv1`);
          expectClose(found.conv3, golden.scores.conv3[key], `${key} of conv3`);
        }
      });
    }
  }

  it('l2 with nothing else said is the mean of members, normalized by their mean', async () => {
    const found = await scored({ method: 'l2' });
    expectClose(found.conv1, golden.scores.conv1['l2 mean mean'], 'conv1');
  });

  it('lamp', async () => {
    const found = await scored({ method: 'lamp' });
    expectClose(found.conv1, golden.scores.conv1.lamp, 'conv1');
    expectClose(found.conv3, golden.scores.conv3.lamp, 'conv3');
  });

  it('scales of batch norm, where there are any', async () => {
    const found = await scored({ method: 'batch-norm', fallback: 'l2' });
    expectClose(found.conv1, golden.scores.conv1['batch-norm'], 'conv1');
    expectClose(found.conv3, golden.scores.conv3['l2 mean mean'], 'conv3, which has none');
    await expect(importance(groups, { method: 'batch-norm' })).rejects.toThrow(
      "importance: 'batch-norm' cannot score 'conv3': no batch norm scales all of its channels; give fallback: 'l2' for such groups, or choose another method",
    );
  });

  it('distances of filters (fpgm)', async () => {
    const found = await scored({ method: 'fpgm', normalize: 'none' });
    expectClose(found.conv1, golden.scores.conv1['fpgm none'], 'conv1');
    expectClose(found.conv3, golden.scores.conv3['fpgm none'], 'conv3');
  });

  for (const method of ['taylor', 'taylor-multi', 'hessian'] as const satisfies readonly ImportanceMethod[]) {
    it(`${method}, over batches of different sizes`, async () => {
      const found = await scored({ method, normalize: 'none', data: batches });
      expectClose(found.conv1, golden.scores.conv1[`${method} none`], 'conv1');
      expectClose(found.conv3, golden.scores.conv3[`${method} none`], 'conv3');
    });
  }
});
