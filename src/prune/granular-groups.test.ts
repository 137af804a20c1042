import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ArgumentError } from '../core/errors.ts';
import { roundHalfEven } from '../core/numeric.ts';
import { Generator } from '../core/random.ts';
import { Conv1d, Conv2d, ConvTranspose2d, Linear } from '../nn/index.ts';
import { parseGranularity } from './granularity.ts';
import { pruneGranular } from './prune-granular.ts';

/** Where a weight lies: output channel, input channel within its group, and place in the window. */
interface Place {
  readonly output: number;
  readonly input: number;
  readonly window: readonly number[];
}

/** Groups by definition: weights with the same key are pruned together. `flat` is the place within a kernel, row-major. */
const KEYS: Readonly<Record<string, (place: Place, flat: number, kernelSize: number) => string>> = {
  row: ({ output, input, window }) => `${output},${input},${window.slice(0, -1)}`,
  column: ({ output, input, window }) => `${output},${input},${window.slice(0, -2)},x${window.at(-1)}`,
  kernel: ({ output, input }) => `${output},${input}`,
  filter: ({ output }) => `${output}`,
  'block:4x3': ({ output, input }, flat, kernelSize) =>
    `${Math.floor(output / 4)},${Math.floor((input * kernelSize + flat) / 3)}`,
  layer: () => 'all',
  '2:4': ({ output, input }, flat) => `${output},${Math.floor(input / 4)},${flat}`,
};

const LAYERS = {
  convolution: { make: () => new Conv2d(6, 8, 3), groups: 1, transposed: false },
  'grouped convolution': {
    make: () => new Conv2d(8, 12, [3, 2], { groups: 4 }),
    groups: 4,
    transposed: false,
  },
  'transposed convolution': { make: () => new ConvTranspose2d(6, 4, 3), groups: 1, transposed: true },
  'grouped transposed convolution': {
    make: () => new ConvTranspose2d(6, 4, [2, 3], { groups: 2 }),
    groups: 2,
    transposed: true,
  },
  'convolution of one axis': { make: () => new Conv1d(5, 6, 3), groups: 1, transposed: false },
  'linear layer': { make: () => new Linear(10, 7), groups: 1, transposed: false },
};

/** Where weight `index` of a layer lies, by PyTorch's order of axes. */
function placeOf(index: number, shape: readonly number[], groups: number, transposed: boolean): Place {
  const at: number[] = [];
  let rest = index;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    at[axis] = rest % shape[axis]!;
    rest = Math.floor(rest / shape[axis]!);
  }
  const window = at.slice(2);
  if (!transposed) return { output: at[0]!, input: at[1]!, window };
  const inputsPerGroup = shape[0]! / groups;
  const group = Math.floor(at[0]! / inputsPerGroup);
  return { output: group * shape[1]! + at[1]!, input: at[0]! % inputsPerGroup, window };
}

/** Prunes a layer with random weights; gives the magnitudes and mask entries of each group. */
function prunedGroups(
  { make, groups, transposed }: (typeof LAYERS)[keyof typeof LAYERS],
  granularity: string,
  options: { seed: number; amount?: number; importance: 'l1' | 'l2' | 'random' },
): { values: number[]; mask: number[] }[] {
  const { seed, ...rest } = options;
  const generator = new Generator(seed);
  const layer = make();
  const { data } = layer.getParameter('weight');
  data.setData(generator.randn(data.size));
  const weights = data.float32;
  pruneGranular([[layer, 'weight']], { granularity: parseGranularity(granularity), generator, ...rest });
  const mask = layer.getBuffer('weight_mask').float32;
  const kernel = data.shape.slice(2);
  const kernelSize = kernel.reduce((product, size) => product * size, 1);
  const found = new Map<string, { values: number[]; mask: number[] }>();
  weights.forEach((weight, index) => {
    const place = placeOf(index, data.shape, groups, transposed);
    const flat = place.window.reduce((sum, at, axis) => sum * kernel[axis]! + at, 0);
    const key = KEYS[granularity]!(place, flat, kernelSize);
    const group = found.get(key) ?? { values: [], mask: [] };
    group.values.push(Math.abs(weight));
    group.mask.push(mask[index]!);
    found.set(key, group);
  });
  return [...found.values()];
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
const worth = {
  l1: (values: readonly number[]): number => mean(values),
  l2: (values: readonly number[]): number => Math.sqrt(mean(values.map((x) => x * x))),
};

const seeds = fc.integer({ min: 0, max: 1e6 });
const fraction = fc.double({ min: 0, max: 1, noNaN: true });

describe('pruning in groups', () => {
  for (const [name, layer] of Object.entries(LAYERS)) {
    const dims = layer.make().getParameter('weight').shape.length;
    for (const granularity of ['row', 'column', 'kernel', 'filter', 'block:4x3', 'layer']) {
      if (dims < 3 && ['row', 'column', 'kernel'].includes(granularity)) continue;
      if (dims < 4 && granularity === 'column') continue;
      it(`takes whole groups of smallest worth: ${granularity} of a ${name}`, () => {
        fc.assert(
          fc.property(seeds, fraction, fc.constantFrom('l1', 'l2', 'random'), (seed, amount, importance) => {
            const groups = prunedGroups(layer, granularity, { seed, amount, importance });
            const gone = groups.filter(({ mask }) => mask[0] === 0);
            for (const { mask } of groups) expect(new Set(mask).size).toBe(1);
            expect(gone.length).toBe(roundHalfEven(amount * groups.length));
            if (importance === 'random') return;
            const worths = (of: typeof groups): number[] => of.map(({ values }) => worth[importance](values));
            const kept = groups.filter(({ mask }) => mask[0] === 1);
            // Scores are rounded to float32.
            expect(Math.max(0, ...worths(gone))).toBeLessThanOrEqual(
              Math.min(Number.POSITIVE_INFINITY, ...worths(kept)) * (1 + 1e-6),
            );
          }),
          { numRuns: 15 },
        );
      });
    }
    it(`leaves the two largest of four input channels: 2:4 of a ${name}`, () => {
      fc.assert(
        fc.property(seeds, (seed) => {
          for (const { values, mask } of prunedGroups(layer, '2:4', { seed, importance: 'l1' })) {
            const kept = values.filter((_, i) => mask[i] === 1).sort((a, b) => b - a);
            expect(kept).toEqual(values.toSorted((a, b) => b - a).slice(0, 2));
          }
        }),
        { numRuns: 15 },
      );
    });
  }

  it('says what to do where a layer has no kernels, and leaves it as it was', () => {
    const linear = new Linear(10, 7);
    for (const granularity of ['row', 'kernel']) {
      const call = (): void =>
        pruneGranular([[linear, 'weight']], { granularity: parseGranularity(granularity), amount: 0.5 });
      expect(call).toThrow(ArgumentError);
      expect(call).toThrow(/needs a kernel window.*use 'fine-grained'/);
    }
    expect([...linear.stateDict().keys()]).toEqual(['weight', 'bias']);
  });
});
