import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { ArgumentError } from '../core/errors.ts';
import { Generator } from '../core/random.ts';
import { byteLengthOfChunks, concatBytes, serializeOnnx } from '../io/index.ts';
import { LeNet5, resnet } from '../models/index.ts';
import { type AnyModule, toGraph } from '../nn/index.ts';
import { analyzeChannels } from './analyze.ts';
import { type Budget, fitBudget } from './budget.ts';
import { costOf } from './cost.ts';
import { cutChannels } from './cut.ts';
import type { DecideOptions } from './decide-options.ts';
import { groupChannels } from './group-channels.ts';
import type { ChannelGroups } from './groups.ts';

const groupsOf = (module: AnyModule, shape: readonly number[]): ChannelGroups =>
  groupChannels(analyzeChannels(toGraph(module, [{ dtype: 'float32', shape }])));

const lenet = groupsOf(new LeNet5(), [1, 1, 32, 32]);
const net = groupsOf(resnet(20), [1, 3, 32, 32]);

/** Scores as they come, the same each time. */
function scoresOf({ unitCount }: ChannelGroups): Float64Array {
  const generator = new Generator(1);
  return Float64Array.from(generator.rand(unitCount));
}

const everything = (['layer', 'global', 'isomorphic'] as const).flatMap(
  (scope): [string, Partial<DecideOptions>][] => [
    [scope, { scope }],
    [`${scope} in multiples of 4`, { scope, roundTo: 4, rounding: 'nearest' }],
  ],
);

describe('fitBudget', () => {
  it.each(everything)('reaches shares of parameters and MACs closely, by %s', async (_, options) => {
    for (const groups of [lenet, net]) {
      for (const share of [0.8, 0.5, 0.3]) {
        for (const of of ['parameters', 'macs'] as const) {
          const budget = { [of]: { share } } as unknown as Budget;
          const { reached, removed } = await fitBudget(groups, scoresOf(groups), budget, options);
          expect(reached.of).toBe(of);
          expect(reached).toMatchObject({ within: true, why: null });
          expect(reached.value).toBe(costOf(groups, removed)[of]);
          expect(Math.abs(reached.value / reached.before - share)).toBeLessThanOrEqual(0.02 * share);
          expect(groups.problems(removed)).toEqual([]);
        }
      }
    }
  });

  it('takes a number of parameters, and leaves ignored layers and ratios of their own alone', async () => {
    const { reached, groups, removed } = await fitBudget(
      lenet,
      scoresOf(lenet),
      { parameters: { value: 40_000 } },
      { ignore: ['conv1'], ratios: [{ pattern: 'conv2', ratio: 0.25 }] },
    );
    expect(reached.target).toBe(40_000);
    expect(Math.abs(reached.miss)).toBeLessThanOrEqual(0.02);
    expect(groups.slice(0, 2).map((group) => group.removed)).toEqual([0, 4]);
    expect(cutChannels(lenet, removed).graph.lint()).toEqual([]);
  });

  it('says what stands in the way of a budget that cannot be reached', async () => {
    const { reached, removed, groups } = await fitBudget(
      lenet,
      scoresOf(lenet),
      { parameters: { share: 0.1 } },
      { ignore: ['fc1', 'fc2'] },
    );
    expect(reached.within).toBe(false);
    expect(reached.miss).toBeGreaterThan(0.02);
    expect(reached.value).toBe(costOf(lenet, removed).parameters);
    expect(groups.map(({ units, removed: gone }) => units - gone)).toEqual([1, 1, 120, 84, 10]);
    expect(reached.why).toBe(
      "with all gone that may go, the model has 15474 parameters where 8119 parameters were asked for; the largest layers that stay: 'fc2' (10080 parameters; is ignored: matches 'fc2'), 'fc1' (4320 parameters; is ignored: matches 'fc1'), 'fc3' (840 parameters; reaches the output 'output')",
    );
  });

  it('says so where steps are too coarse, and where nothing needs to go', async () => {
    const coarse = await fitBudget(lenet, scoresOf(lenet), { macs: { share: 0.7 } }, { roundTo: 8 });
    expect(coarse.reached.within).toBe(false);
    expect(coarse.reached.why).toMatch(/^the model has \d+ MACs where 192259 MACs were asked for: no cut/);
    const more = await fitBudget(lenet, scoresOf(lenet), { parameters: { value: 1e6 } });
    expect(more.removed.some(Boolean)).toBe(false);
    expect(more.groups[0]!.whyNot).toBe('nothing goes: the budget is reached without it');
    expect(more.reached).toMatchObject({ value: 81_194, within: false });
    expect(more.reached.why).toBe(
      'the model has 81194 parameters, no more than the 1000000 parameters asked for; nothing goes',
    );
  });

  it.each([
    ['as written', (bytes: Uint8Array) => bytes.length],
    ['compressed', (bytes: Uint8Array) => gzipSync(bytes, { level: 1 }).length],
  ])('reaches a size of the file %s in few measurements', async (_, sizeOf) => {
    let calls = 0;
    const measure = async (removed: Uint8Array): Promise<number> => {
      calls++;
      return sizeOf(concatBytes(serializeOnnx(cutChannels(net, removed).graph)));
    };
    const { reached, removed } = await fitBudget(net, scoresOf(net), { fileSize: { share: 0.4 }, measure });
    expect(reached.within).toBe(true);
    expect(Math.abs(reached.value / reached.before - 0.4)).toBeLessThanOrEqual(0.02 * 0.4);
    expect(calls).toBeLessThanOrEqual(6);
    expect(reached.measurements.flatMap(({ values }) => values)).toHaveLength(calls);
    expect(byteLengthOfChunks(serializeOnnx(cutChannels(net, removed).graph))).toBeGreaterThan(0);
  });

  describe('of a latency', () => {
    const full = costOf(net, new Uint8Array(net.unitCount)).macs;
    /** A runtime with a fixed overhead, slower on few channels, and noise. */
    const runtime = (noise: number): ((removed: Uint8Array) => Promise<number>) => {
      const generator = new Generator(7);
      return async (removed) => {
        const share = costOf(net, removed).macs / full;
        return (2 + 10 * share ** 0.8) * (1 + noise * (generator.rand(1)[0]! - 0.5));
      };
    };

    it.each([0, 0.02, 0.1])('comes near in at most 12 measurements, with noise of %d', async (noise) => {
      const done: number[] = [];
      const { reached, removed } = await fitBudget(
        net,
        scoresOf(net),
        { latency: { share: 0.5 }, measure: runtime(noise) },
        { onProgress: (count) => done.push(count) },
      );
      expect(done.length).toBeLessThanOrEqual(12);
      expect(done).toEqual(done.map((_, index) => index + 1));
      expect(reached.measurements.flatMap(({ values }) => values)).toHaveLength(done.length);
      const exact = await runtime(0)(removed);
      // Half of 12 ms; what is measured is as far from the truth as the noise.
      expect(Math.abs(exact - 6)).toBeLessThanOrEqual(6 * (0.02 + noise));
      if (noise < 0.1) expect(reached.within).toBe(true);
    });

    it('keeps ratios that names have of their own, also where nothing else needs to go', async () => {
      const ratios = [{ pattern: 'layer3.?.conv1', ratio: 0.5 }];
      const measure = runtime(0);
      const kept = ({ removed }: { readonly removed: Uint8Array }): boolean =>
        net.groups
          .filter(({ layers }) => layers.some((layer) => /^layer3\...conv1$/.test(layer)))
          .every(({ units }) => units.filter((unit) => removed[unit] === 1).length === units.length / 2);
      const enough = await fitBudget(net, scoresOf(net), { latency: { value: 20 }, measure }, { ratios });
      expect(kept(enough)).toBe(true);
      expect(enough.reached.before).toBeCloseTo(12, 9);
      expect(enough.reached.value).toBeLessThan(12);
      expect(enough.reached.why).toMatch(
        /no more than the 20\.0 ms asked for; only layers with a ratio of their own are cut$/,
      );
      const more = await fitBudget(net, scoresOf(net), { latency: { share: 0.5 }, measure }, { ratios });
      expect(kept(more)).toBe(true);
      expect(more.reached.within).toBe(true);
      const little = await fitBudget(net, scoresOf(net), { latency: { share: 0.99 }, measure }, { ratios });
      expect(kept(little)).toBe(true);
    });

    it('measures again, rather than ever nearer cuts, where noise is more than their difference', async () => {
      const { reached } = await fitBudget(net, scoresOf(net), {
        latency: { share: 0.5 },
        measure: runtime(0.3),
      });
      const shares = reached.measurements.map(({ share }) => share).sort((a, b) => a - b);
      const near = shares.filter((share, index) => index > 0 && share - shares[index - 1]! < 0.005 * share);
      expect(near.length).toBeLessThanOrEqual(1);
      expect(reached.measurements.some(({ share, values }) => share < 1 && values.length > 1)).toBe(true);
    });

    it('gives what comes nearest where the overhead alone takes longer', async () => {
      const { reached } = await fitBudget(net, scoresOf(net), {
        latency: { value: 1.5 },
        measure: runtime(0),
      });
      expect(reached.within).toBe(false);
      expect(reached.value).toBeGreaterThan(2);
      expect(reached.why).toMatch(/^with all gone that may go, the model has 2\.\d+ ms where 1\.50 ms were/);
    });

    it('stops where it is told to', async () => {
      const aborter = new AbortController();
      const measure = async (): Promise<number> => {
        aborter.abort(new Error('enough'));
        return 1;
      };
      await expect(
        fitBudget(net, scoresOf(net), { latency: { share: 0.5 }, measure }, { signal: aborter.signal }),
      ).rejects.toThrow('enough');
    });

    it('refuses a measurement that is no number', async () => {
      const measure = async (): Promise<number> => Number.NaN;
      await expect(fitBudget(net, scoresOf(net), { latency: { share: 0.5 }, measure })).rejects.toThrow(
        /fitBudget: measure gave NaN; expected a number above 0/,
      );
    });
  });

  it('refuses budgets and options that cannot be, by name', async () => {
    const refused = async (budget: object, message: RegExp, options = {}): Promise<void> => {
      const fitted = fitBudget(lenet, scoresOf(lenet), budget as Budget, options);
      await expect(fitted).rejects.toThrow(ArgumentError);
      await expect(fitted).rejects.toThrow(message);
    };
    const half = { share: 0.5 };
    await refused({}, /one of parameters, macs, fileSize, latency, got none/);
    await refused({ macs: half, parameters: half }, /got parameters and macs/);
    await refused(
      { macs: { share: 0 } },
      /macs must be { share } above 0 up to 1, or { value } above 0, got {"share":0}/,
    );
    await refused({ macs: { share: 0.5, value: 5 } }, /got {"share":0.5,"value":5}/);
    await refused({ latency: half }, /a budget of latency needs 'measure'/);
    await refused({ macs: half }, /tolerance must be a number between 0 and 1, got 0/, { tolerance: 0 });
    await refused({ macs: half }, /maxMeasurements must be a whole number >= 2, got 1/, {
      maxMeasurements: 1,
    });
    await refused({ macs: half }, /keepAtLeast must be/, { keepAtLeast: 0 });
  });
});
