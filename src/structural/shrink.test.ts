import { describe, expect, it } from 'vitest';
import { SmallNetwork } from '../../test/small-network.ts';
import { ArgumentError } from '../core/errors.ts';
import { manualSeed } from '../core/random.ts';
import { Tensor } from '../core/tensor.ts';
import { LeNet5, resnet } from '../models/index.ts';
import { fromGraph, toGraph } from '../nn/index.ts';
import { profileGraph } from '../profile/index.ts';
import type { CalibrationData } from './calibration.ts';
import { parsePlan } from './read-plan.ts';
import { applyPlan, onnxBytes, type ShrinkOptions, shrink } from './shrink.ts';

function resnet20() {
  manualSeed(0);
  return toGraph(resnet(20).eval(), [{ dtype: 'float32', shape: [1, 3, 32, 32] }]);
}

const images = (count: number): CalibrationData => {
  const { data } = Tensor.full([count, 3, 32, 32], 0);
  data.forEach((_, at) => {
    data[at] = Math.sin(at * 0.37) * Math.cos(at * 0.011);
  });
  return [{ input: Tensor.of(data as Float32Array, [count, 3, 32, 32]) }];
};

describe('shrink', () => {
  it('cuts, proves and says what it did, and leaves the model as it was', async () => {
    const graph = resnet20();
    const text = String(graph);
    const stages: string[] = [];
    const shrunk = await shrink(graph, { ratio: 0.5, onProgress: (stage) => stages.push(stage) });
    expect(String(graph)).toBe(text);
    expect(profileGraph(shrunk.graph).totals.macs).toBe(shrunk.after.macs);
    expect(profileGraph(graph).totals.parameters).toBe(shrunk.before.parameters);
    expect(shrunk.after.macs).toBeLessThan(0.5 * shrunk.before.macs);
    expect(shrunk.verification).toMatchObject({ equal: true });
    expect(shrunk.whyNot).toEqual([{ layer: 'linear', why: "reaches the output 'output'" }]);
    expect(shrunk.reached).toBeNull();
    expect(shrunk.recalibration).toBeNull();
    expect([...new Set(stages)]).toEqual(['analysing', 'cutting', 'verifying']);
  });

  it('computes weights that the graph computes of constants, and cuts their layers', async () => {
    const net = new SmallNetwork();
    const a = net.conv(net.input([1, 3, 4, 4]), 'a', 8);
    const mask = net.weight([6, 8, 1, 1], 'b.weight_mask');
    const weight = net.builder.op('Mul', [net.weight([6, 8, 1, 1], 'b.weight_orig'), mask], {
      name: 'masked',
    });
    const b = net.builder.op('Conv', [a, weight]);
    net.builder.output(net.conv(b, 'c', 2), 'y');
    const text = String(net.graph);
    const { graph, verification, notes, whyNot } = await shrink(net.graph, { ratio: 0.5 });
    expect(String(net.graph)).toBe(text);
    expect(notes).toEqual(["Mul 'masked': computes a weight of constants, and the weight stands there now"]);
    expect(verification).toMatchObject({ equal: true });
    expect(whyNot.map(({ layer }) => layer)).toEqual(['c']);
    expect(graph.initializers.map((value) => value.initializer?.shape.slice(0, 2).join())).toContain('3,4');
  });

  it('meets budgets of parameters, multiply-accumulates and file size within 2 %', async () => {
    const graph = resnet20();
    const { macs } = profileGraph(graph).totals;
    const bytes = await onnxBytes(graph);
    for (const [options, of, whole] of [
      [{ macs: { share: 0.5 } }, 'macs', macs],
      [{ parameters: { value: 100_000 } }, 'parameters', 200_000],
      [{ fileSize: { share: 0.5 } }, 'fileSize', bytes],
    ] as const) {
      const shrunk = await shrink(graph, { ...options, verify: false });
      expect(shrunk.reached).toMatchObject({ of, within: true });
      const now = of === 'fileSize' ? await onnxBytes(shrunk.graph) : shrunk.after[of];
      expect(Math.abs(now / (0.5 * whole) - 1)).toBeLessThan(0.02);
    }
  });

  it('meets a latency as it is measured', async () => {
    // A model that takes as long as it has multiply-accumulates.
    const measureLatency: ShrinkOptions['measureLatency'] = async (graph) =>
      profileGraph(graph).totals.macs / 1e6;
    const { reached } = await shrink(resnet20(), { latency: { share: 0.5 }, measureLatency, verify: false });
    expect(reached).toMatchObject({ of: 'latency', within: true });
  });

  it('recalibrates on data, or repairs in its place', async () => {
    const data = images(8);
    const usual = await shrink(resnet20(), { ratio: 0.3, data });
    expect(usual.recalibration).not.toBeNull();
    expect(usual.repair).toBeNull();
    const repaired = await shrink(resnet20(), { ratio: 0.3, data, repair: true, verify: false });
    expect(repaired.repair?.layers.length).toBeGreaterThan(5);
    expect(repaired.recalibration).toBeNull();
    const neither = await shrink(resnet20(), { ratio: 0.3, data, recalibrate: false, verify: false });
    expect(neither.recalibration).toBeNull();
  });

  it('takes modules: files as they are, others with the inputs they are traced with', async () => {
    manualSeed(0);
    const model = new LeNet5();
    const inputs = [{ dtype: 'float32', shape: [1, 1, 32, 32] }] as const;
    const traced = await shrink(model, { ratio: 0.5, inputs });
    const read = await shrink(fromGraph(toGraph(model, inputs)), { ratio: 0.5 });
    expect(traced.after).toEqual(read.after);
    await expect(shrink(model, { ratio: 0.5 })).rejects.toThrow(
      /^shrink: LeNet5 must be traced; give its inputs/,
    );
  });

  it('cuts what a plan says from another copy, also what was edited', async () => {
    const { plan, graph, after } = await shrink(resnet20(), { ratio: 0.5 });
    const again = await applyPlan(resnet20(), parsePlan(JSON.stringify(plan)));
    expect(again.after).toEqual(after);
    expect(again.graph.initializers.map((value) => value.initializer?.shape)).toEqual(
      graph.initializers.map((value) => value.initializer?.shape),
    );
    const [first, ...others] = plan.groups;
    const edited = { ...plan, groups: [{ ...first!, remove: first!.remove.slice(1) }, ...others] };
    const less = await applyPlan(resnet20(), parsePlan(edited));
    expect(less.after.parameters).toBeGreaterThan(after.parameters);
    expect(less.plan.model.parameters.after).toBe(less.after.parameters);
    expect(less.verification).toMatchObject({ equal: true });
  });

  it('says what it does not take', async () => {
    const graph = resnet20();
    const refused: readonly [ShrinkOptions, string][] = [
      [
        {},
        'shrink: give one of ratio, parameters, macs, fileSize, latency or blocks to say how much is to go',
      ],
      [
        { ratio: 0.5, macs: { share: 0.5 } },
        'shrink: ratio and macs both say how much is to go; give one of them',
      ],
      [{ ratio: 0.5, repair: true }, 'shrink: repair needs data; give a few batches of inputs'],
      [{ ratio: 0.5, recalibrate: true }, 'shrink: recalibrate needs data; give a few batches of inputs'],
    ];
    for (const [options, message] of refused) {
      await expect(shrink(graph, { ...options, verify: false })).rejects.toThrow(new ArgumentError(message));
    }
    const controller = new AbortController();
    controller.abort(new Error('enough'));
    await expect(shrink(graph, { ratio: 0.5, signal: controller.signal })).rejects.toThrow('enough');
  });
});
