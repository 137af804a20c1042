import { describe, expect, it } from 'vitest';
import { Generator } from '../core/random.ts';
import { Tensor } from '../core/tensor.ts';
import { attr } from '../ir/index.ts';
import { resnet } from '../models/index.ts';
import { trace } from '../nn/index.ts';
import { GraphBuilder } from '../ops/index.ts';
import { analyzeChannels } from './analyze.ts';
import { fitBudget } from './budget.ts';
import { type Decision, decide } from './decide.ts';
import { groupChannels } from './group-channels.ts';
import type { ChannelGroups } from './groups.ts';
import { layerCuts } from './report/layer-cuts.ts';

const scoresOf = ({ unitCount }: ChannelGroups, seed = 1): Float64Array =>
  Float64Array.from(new Generator(seed).rand(unitCount));

/** Channels before and after of layers that are cut. */
const cutsOf = (groups: ChannelGroups, { removed }: Decision) =>
  layerCuts(groups, removed).filter(({ before, after }) => after < before);

/** A stream that grows: layers of one group have 16, 32 and 64 channels. */
const growing = groupChannels(analyzeChannels(trace(resnet(20).eval(), [[1, 3, 32, 32]])));

/** `a` makes 20 channels and `c` four; they are joined and added to the 24 of `d`. */
function joined(): ChannelGroups {
  const builder = new GraphBuilder();
  const x = builder.input('x', 'float32', [1, 3]);
  const linear = (name: string, outputs: number) =>
    builder.op('MatMul', [x, builder.constant(Tensor.full([3, outputs], 0.5), `${name}.weight`)]);
  const parts = builder.op('Concat', [linear('a', 20), linear('c', 4)], {
    attributes: { axis: attr.int(1) },
  });
  const sum = builder.op('Add', [parts, linear('d', 24)]);
  builder.output(
    builder.op('MatMul', [sum, builder.constant(Tensor.full([24, 2], 0.5), 'head.weight')]),
    'y',
  );
  return groupChannels(analyzeChannels(builder.graph));
}

describe('rounding', () => {
  it.each(['up', 'nearest'] as const)(
    'lets each width of a stream that grows keep a multiple: %s',
    (rounding) => {
      for (const ratio of [0.1, 0.2, 0.3, 0.45, 0.6, 0.7, 0.85]) {
        for (const scope of ['layer', 'global'] as const) {
          const decision = decide(growing, scoresOf(growing), { ratio, roundTo: 8, rounding, scope });
          for (const { name, after } of cutsOf(growing, decision))
            expect([ratio, name, after % 8]).toEqual([ratio, name, 0]);
        }
      }
    },
  );

  it('goes to the nearest multiple of each width by itself', () => {
    const decision = decide(growing, scoresOf(growing), { ratio: 0.3, roundTo: 8, rounding: 'nearest' });
    // Of the 16, 16 and 32 channels that the widths have for themselves 5, 5 and 10 were to go.
    const stream = cutsOf(growing, decision).filter(({ group }) => group === 0);
    expect(stream.map(({ before, after }) => [before, after])).toEqual([
      [16, 8],
      [32, 16],
      [64, 40],
    ]);
  });

  it('moves each width of a budget by multiples', async () => {
    const decision = await fitBudget(growing, scoresOf(growing), { macs: { share: 0.5 } }, { roundTo: 8 });
    expect(cutsOf(growing, decision).length).toBeGreaterThan(6);
    for (const { name, after } of cutsOf(growing, decision)) expect([name, after % 8]).toEqual([name, 0]);
    expect(Math.abs(decision.reached.miss)).toBeLessThan(0.06);
  });

  it('brings the widest layer to a multiple where narrower ones cannot be chosen apart, and names those', () => {
    const groups = joined();
    const half = decide(groups, scoresOf(groups), { ratio: 0.4, roundTo: 8 });
    const after = layerCuts(groups, half.removed);
    expect(after.find(({ layers }) => layers.includes('d'))).toMatchObject({ before: 24, after: 16 });
    const uneven = after.find(({ layers }) => layers.includes('a'))!;
    expect(uneven.after % 8).not.toBe(0);
    expect(half.uneven).toContainEqual({
      layer: 'a',
      why: `${uneven.after} of 20 stay, no multiple of 8: they follow from what 'd' keeps, the widest layer tied to it`,
    });
  });
});
