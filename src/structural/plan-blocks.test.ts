import { describe, expect, it } from 'vitest';
import { ArgumentError, StateDictError } from '../core/errors.ts';
import { manualSeed } from '../core/random.ts';
import { Tensor } from '../core/tensor.ts';
import type { Graph } from '../ir/index.ts';
import { resnet } from '../models/index.ts';
import { fromGraph, toGraph } from '../nn/index.ts';
import { findBlocks } from './blocks.ts';
import { planText } from './plan.ts';
import { planBlocks } from './plan-blocks.ts';
import { applyPlanToTensors, untouchedBy } from './plan-tensors.ts';
import type { RankedBlock } from './rank-blocks.ts';
import { parsePlan } from './read-plan.ts';
import { applyPlan, onnxBytes, shrink } from './shrink.ts';

function resnet20(): Graph {
  manualSeed(0);
  return toGraph(resnet(20).eval(), [{ dtype: 'float32', shape: [1, 3, 32, 32] }]);
}

/** Blocks by name, as if they had been ranked. */
const ranked = (graph: Graph, ...names: string[]): RankedBlock[] =>
  names.map((name) => ({
    block: findBlocks(graph).find((block) => block.name === name)!,
    change: 0.1234567,
    saves: { parameters: 4672, macs: 4_718_592 },
  }));

describe('a plan with blocks', () => {
  it('says what goes with each block, and why', () => {
    const graph = resnet20();
    const [block] = planBlocks(graph, ranked(graph, 'layer1.1'));
    expect(block).toMatchObject({
      name: 'layer1.1',
      kind: 'residual',
      layers: ['layer1.1.conv1', 'layer1.1.conv2'],
      why: { change: 0.123457, saves: { parameters: 4672, macs: 4_718_592 } },
    });
    expect(block!.parameters.length).toBe(10);
    expect(block!.parameters).toContain('layer1.1.bn2.running_var');
    const [infinite] = planBlocks(
      graph,
      ranked(graph, 'layer1.1').map((own) => ({ ...own, change: Number.POSITIVE_INFINITY })),
    );
    expect(infinite!.why.change).toBeNull();
  });

  it('is written, read, and cuts the same from another copy and from its state dict', async () => {
    const graph = resnet20();
    const blocks = ranked(graph, 'layer1.1', 'layer3.2');
    const shrunk = await shrink(graph, { ratio: 0.5, blocks });
    expect(shrunk.plan.model.parameters).toEqual({
      before: shrunk.before.parameters,
      after: shrunk.after.parameters,
    });
    expect(shrunk.before.parameters).toBe(269_722);
    const plan = parsePlan(planText(shrunk.plan));
    expect(plan).toEqual(shrunk.plan);
    const copy = resnet20();
    const applied = await applyPlan(copy, plan, { verify: false });
    expect(applied.plan).toEqual(plan);
    expect(applied.before).toEqual(shrunk.before);
    expect(String(applied.graph)).toBe(String(shrunk.graph));
    const counter: [string, Tensor] = ['layer1.1.bn1.num_batches_tracked', Tensor.int64([7])];
    const state = new Map([...fromGraph(copy).stateDict(), counter]);
    expect(untouchedBy(plan, state)).toEqual([]);
    const cut = applyPlanToTensors(plan, state);
    expect([...cut].map(([name, { shape }]) => [name, shape])).toEqual(
      [...fromGraph(shrunk.graph).stateDict()].map(([name, { shape }]) => [name, shape]),
    );
  });

  it('leaves out blocks alone, where nothing is said of channels', async () => {
    const graph = resnet20();
    const { plan, verification, whyNot, after, before } = await shrink(graph, {
      blocks: ranked(graph, 'layer2.1'),
    });
    expect(plan.groups).toEqual([]);
    expect(whyNot).toEqual([]);
    expect(verification).toBeNull();
    expect(before.parameters - after.parameters).toBe(18_560);
  });

  it('keeps a block that was taken out of it', async () => {
    const graph = resnet20();
    const { plan } = await shrink(graph, { blocks: ranked(graph, 'layer1.1', 'layer2.1'), verify: false });
    const applied = await applyPlan(resnet20(), { ...plan, blocks: plan.blocks!.slice(0, 1) });
    expect(applied.before.parameters - applied.after.parameters).toBe(4672);
    expect(applied.plan.model.parameters).toEqual({ before: 269_722, after: 269_722 - 4672 });
    expect(applied.whyNot).toEqual([]);
  });

  it('takes shares of a budget from the whole model', async () => {
    const graph = resnet20();
    const blocks = ranked(graph, 'layer1.1', 'layer2.1', 'layer3.1');
    const { reached, before, after } = await shrink(graph, { macs: { share: 0.5 }, blocks, verify: false });
    expect(reached).toMatchObject({ before: before.macs, target: before.macs / 2, within: true });
    expect(Math.abs(after.macs / before.macs - 0.5)).toBeLessThan(0.01);
    const smaller = await shrink(graph, { fileSize: { share: 0.5 }, blocks, verify: false });
    const bytes = await onnxBytes(graph);
    expect(Math.abs((await onnxBytes(smaller.graph)) / bytes - 0.5)).toBeLessThan(0.01);
    const measureLatency = async (measured: Graph) => (await onnxBytes(measured)) / 1000;
    const faster = await shrink(graph, { latency: { share: 0.5 }, blocks, verify: false, measureLatency });
    expect(Math.abs((await onnxBytes(faster.graph)) / bytes - 0.5)).toBeLessThan(0.01);
  });

  it('is refused by a model that has no such block', async () => {
    const graph = resnet20();
    const { plan } = await shrink(graph, { blocks: ranked(graph, 'layer1.1'), verify: false });
    const [block] = plan.blocks!;
    const other = { ...plan, blocks: [{ ...block!, name: 'layer9.0' }] };
    await expect(applyPlan(graph, other)).rejects.toThrow(ArgumentError);
    await expect(applyPlan(graph, other)).rejects.toThrow(
      /plan: removes block 'layer9.0', and the model has no block of that name that could go whole; it has layer1\.0/,
    );
    const longer = { ...plan, blocks: [{ ...block!, layers: ['layer1.1.conv1'] }] };
    await expect(applyPlan(graph, longer)).rejects.toThrow(
      "plan: block 'layer1.1' has the layers layer1.1.conv1, layer1.1.conv2 in the model and layer1.1.conv1 in the plan; the plan is of another model",
    );
    const state = new Map([['fc.weight', Tensor.zeros('float32', [2, 2])]]);
    expect(() => applyPlanToTensors(plan, state)).toThrow(StateDictError);
    expect(() => applyPlanToTensors(plan, state)).toThrow(
      /plan: removes block 'layer1\.1', of which the tensors have nothing \(layer1\.1\.conv1\.weight, …\)/,
    );
  });

  it('names what is wrong in what it says of blocks', async () => {
    const graph = resnet20();
    const { plan } = await shrink(graph, { blocks: ranked(graph, 'layer1.1'), verify: false });
    const [block] = plan.blocks!;
    const refused = (edit: object, message: string): void => {
      expect(() => parsePlan({ ...plan, blocks: [{ ...block, ...edit }] })).toThrow(message);
    };
    refused({ kind: 'part' }, "blocks[0].kind must be one of 'residual', 'module', 'chain', got 'part'");
    refused({ layers: 'all' }, "blocks[0].layers must be an array, got 'all'");
    refused(
      { why: { change: 'much', saves: block!.why.saves } },
      "blocks[0].why.change must be a number, got 'much'",
    );
    refused({ note: 'x' }, 'blocks[0].note must be left out');
  });
});
