import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { BatchNorm2d, Conv2d, F, Module, manualSeed, type Variable } from '../../nn/index.ts';
import { SGD } from '../../train/index.ts';
import { DETECTOR_OPTIMIZERS, detectorOptimizer } from './detector-optimizer.ts';
import { DetectorSchedule, detectorEma } from './detector-schedule.ts';
import { detectorHyperparameters, parseHyperparameters } from './hyperparameters.ts';
import { accumulatedBatches, detectorAccumulate } from './warmup.ts';

interface Run {
  readonly name: string;
  readonly hyp: Readonly<Record<string, number>>;
  readonly batchSize: number;
  readonly batches: number;
  readonly epochs: number;
  readonly cosine: boolean;
  /** Of biases, weights, scales. */
  readonly decays: readonly number[];
  /** Batches after which weights are updated. */
  readonly updates: readonly number[];
  /** Batch, learning rates of biases, weights and scales, momentum of biases. */
  readonly rows: readonly (readonly number[])[];
}

const { runs } = JSON.parse(readFileSync(new URL('../testdata/schedule.json', import.meta.url), 'utf8')) as {
  readonly runs: readonly Run[];
};

class Net extends Module {
  conv = new Conv2d(1, 2, 3, { bias: false });
  bn = new BatchNorm2d(2);
  head = new Conv2d(2, 3, 1);

  override forward(x: Variable): Variable {
    return this.head.call(F.relu(this.bn.call(this.conv.call(x))));
  }
}

const net = (): Net => {
  manualSeed(1);
  return new Net();
};

const momentumOf = ({ momentum, betas }: { momentum?: number; betas?: readonly number[] }): number =>
  momentum ?? betas![0]!;

describe('optimizer and schedule of a detector', () => {
  for (const { name, hyp, batchSize, batches, epochs, cosine, decays, updates, rows } of runs) {
    it(`are those of train.py: ${name}`, () => {
      const hyperparameters = parseHyperparameters(hyp);
      const optimizer = detectorOptimizer(net(), hyperparameters, {
        batchSize,
        name: name === 'Adam' ? 'Adam' : 'SGD',
      });
      const [weights, scales, biases] = optimizer.paramGroups as readonly [never, never, never] &
        typeof optimizer.paramGroups;
      [biases, weights, scales].forEach(({ weightDecay }, index) => {
        expect(weightDecay).toBeCloseTo(decays[index]!, 12);
      });
      const schedule = new DetectorSchedule(optimizer, hyperparameters, { epochs, batches, cosine });
      const accumulate = detectorAccumulate(hyperparameters, { batchSize, batches });
      const expected = new Map(rows.map(([batch, ...numbers]) => [batch, numbers]));
      const own: number[] = [];
      let pending = 0;
      for (let batch = 0; batch < epochs * batches; batch++) {
        const known = expected.get(batch);
        if (known) {
          const found = [...[biases, weights, scales].map(({ lr }) => lr), momentumOf(biases)];
          found.forEach((value, index) => {
            expect(value, `batch ${batch}`).toBeCloseTo(known[index]!, 10);
          });
        }
        if (++pending >= accumulate(batch)) {
          own.push(batch);
          pending = 0;
        }
        schedule.step();
      }
      expect(own).toEqual(updates);
    });
  }

  it('go on from a state to the same numbers', () => {
    const hyperparameters = detectorHyperparameters();
    const make = () => {
      const optimizer = detectorOptimizer(net(), hyperparameters, { batchSize: 16 });
      return {
        optimizer,
        schedule: new DetectorSchedule(optimizer, hyperparameters, { epochs: 20, batches: 10 }),
      };
    };
    const [whole, first, second] = [make(), make(), make()];
    for (let batch = 0; batch < 150; batch++) whole.schedule.step();
    for (let batch = 0; batch < 60; batch++) first.schedule.step();
    second.optimizer.loadStateDict(first.optimizer.stateDict());
    second.schedule.loadStateDict(JSON.parse(JSON.stringify(first.schedule.stateDict())));
    expect(second.optimizer.stateDict()).toEqual(first.optimizer.stateDict());
    for (let batch = 60; batch < 150; batch++) second.schedule.step();
    expect(second.optimizer.stateDict()).toEqual(whole.optimizer.stateDict());
    expect(second.schedule.stateDict()).toEqual(whole.schedule.stateDict());
  });

  it('leave out what is frozen, and decay weights alone', () => {
    const model = net();
    model.conv.weight.requiresGrad = false;
    const { paramGroups } = detectorOptimizer(model, detectorHyperparameters(), { batchSize: 128 });
    expect(paramGroups.map(({ params }) => [...params])).toEqual([
      [model.head.weight],
      [model.bn.weight],
      [model.bn.bias, model.head.bias],
    ]);
    // 128 images an update: twice the decay of 64.
    expect(paramGroups.map(({ weightDecay }) => weightDecay)).toEqual([0.001, 0, 0]);
    for (const parameter of model.parameters()) parameter.requiresGrad = false;
    expect(() => detectorOptimizer(model, detectorHyperparameters(), { batchSize: 16 })).toThrow(
      'detectorOptimizer: no parameter requires a gradient; freeze fewer layers',
    );
  });

  it('can be of each kind', () => {
    for (const name of DETECTOR_OPTIMIZERS)
      expect(detectorOptimizer(net(), detectorHyperparameters(), { batchSize: 16, name }).name).toBe(name);
    expect(() =>
      detectorOptimizer(net(), detectorHyperparameters(), { batchSize: 16, name: 'Lion' as never }),
    ).toThrow("detectorOptimizer: 'Lion' is not known; expected SGD, Adam, AdamW, RMSprop");
  });

  it('can do without momentum', () => {
    const hyperparameters = detectorHyperparameters({ momentum: 0 });
    const optimizer = detectorOptimizer(net(), hyperparameters, { batchSize: 16 });
    const schedule = new DetectorSchedule(optimizer, hyperparameters, { epochs: 2, batches: 10 });
    schedule.step();
    expect(optimizer.paramGroups.map(({ momentum }) => momentum)).toEqual([0, 0, 0]);
    const rising = detectorHyperparameters({ warmupMomentum: 0 });
    const other = detectorOptimizer(net(), rising, { batchSize: 16 });
    expect(new DetectorSchedule(other, rising, { epochs: 2, batches: 10 }).lastEpoch).toBe(0);
    // Not quite 0: the buffer of momentum is there from the first update on.
    expect(other.paramGroups[0]!.momentum).toBe(1e-6);
  });

  it('refuse other optimizers and numbers', () => {
    const hyperparameters = detectorHyperparameters();
    const plain = new SGD(net().parameters(), { lr: 0.1 });
    expect(() => new DetectorSchedule(plain, hyperparameters, { epochs: 1, batches: 1 })).toThrow(
      'DetectorSchedule: expects the 3 groups of detectorOptimizer, got 1',
    );
    const optimizer = detectorOptimizer(net(), hyperparameters, { batchSize: 16 });
    expect(() => new DetectorSchedule(optimizer, hyperparameters, { epochs: 0, batches: 1 })).toThrow(
      'DetectorSchedule: epochs expects a whole number above 0, got 0',
    );
  });

  it('average weights the more the longer they were trained', () => {
    // 0.9999 (1 - exp(-t / 2000))
    expect(detectorEma(1)).toBeCloseTo(0.000499825, 9);
    expect(detectorEma(2000)).toBeCloseTo(0.6320573, 7);
    expect(detectorEma(1e6)).toBeCloseTo(0.9999, 12);
  });

  it('take as many batches as come nearest to 64 images', () => {
    const batches = (nbs: number) =>
      [1, 16, 24, 42, 64, 100, 128].map((size) => accumulatedBatches(size, nbs));
    expect(batches(64)).toEqual([64, 4, 3, 2, 1, 1, 1]);
    expect(batches(16)).toEqual([16, 1, 1, 1, 1, 1, 1]);
  });
});
