import { describe, expect, it } from 'vitest';
import type { Graph } from '../ir/index.ts';
import { yolov5 } from '../models/index.ts';
import { manualSeed, toGraph } from '../nn/index.ts';
import { analyzeChannels } from './analyze.ts';
import { groupChannels } from './group-channels.ts';

import { mergePlans } from './merge-plans.ts';
import type { Plan } from './plan.ts';
import { applyPlan, shrink } from './shrink.ts';

const weightsOf = (graph: Graph): ReadonlyMap<string, string> =>
  new Map(
    [...graph.initializers]
      .filter(({ initializer }) => initializer?.dtype === 'float32')
      .map(({ name, initializer }) => [name, `${initializer} ${initializer!.float32.join()}`]),
  );

describe('mergePlans', () => {
  it('leads from the first model to what plans in a row left', async () => {
    manualSeed(0);
    const whole = toGraph(yolov5('n', { classes: 2 }), [[1, 3, 64, 64]]);
    const plans: Plan[] = [];
    let graph = whole;
    for (const [ratio, method] of [
      [0.3, 'l2'],
      [0.25, 'random'],
      [0.5, 'l1'],
    ] as const) {
      const cut = await shrink(graph, { ratio, importance: { method }, verify: false });
      plans.push(cut.plan);
      graph = cut.graph;
    }
    const groups = groupChannels(analyzeChannels(whole));
    const merged = mergePlans(plans, groups);
    const once = await applyPlan(whole, merged, { verify: false });
    expect(weightsOf(once.graph)).toEqual(weightsOf(graph));
    expect(once.plan.model.macs).toEqual({
      before: plans[0]!.model.macs.before,
      after: plans[2]!.model.macs.after,
    });
    // One plan stays what it is.
    expect(mergePlans([plans[0]!], groups).groups).toEqual(plans[0]!.groups);
    expect(() => mergePlans([], groups)).toThrow('plan: expected one at least to merge');
    expect(() => mergePlans([plans[0]!, { ...plans[1]!, heads: 'whole' }], groups)).toThrow(
      "plan: heads are taken by 'width' in one plan and by 'whole' in another",
    );
    const block = { name: 'a', kind: 'module', layers: [], parameters: [] } as const;
    const why = { change: 0, saves: { parameters: 0, macs: 0 } };
    expect(() => mergePlans([{ ...plans[0]!, blocks: [{ ...block, why }] }], groups)).toThrow(
      'plan: plans that remove blocks are not merged; apply them one after another',
    );
    expect(() => mergePlans([plans[0]!, plans[0]!], groups)).toThrow(
      /is \[.*\] in a plan, and the ones before leave \d+ along axis 0; give plans in the order they were applied/,
    );
  });
});
