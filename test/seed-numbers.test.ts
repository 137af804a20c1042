import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { manualSeed } from '../src/core/random.ts';
import { createModel } from '../src/models/index.ts';
import type { AnyModule, Parameter } from '../src/nn/index.ts';
import * as nn from '../src/nn/index.ts';
import { readModel, readTensors } from '../src/node/index.ts';
import { profile, sparsityReport } from '../src/profile/index.ts';
import * as prune from '../src/prune/index.ts';
import * as check from './pruned-weights.ts';

/** Where the notes' numbers come from: YOLOv5 v6.0 at 640x640. */
const shapes = [1, 3, 640, 640];
const file = new URL('../../shared/golden/profile.json', import.meta.url);

interface Row {
  readonly parameters: number;
  readonly conv_weights: number;
  readonly conv_weights_pruned_at_0_3: number;
  readonly macs: number;
  readonly thop_0_0_31: number;
  readonly thop_0_1_1: number;
  readonly modules: number;
  readonly layers: number;
}

const isConvolution = ({ shape }: Parameter): boolean => shape.length === 4;
const sum = (numbers: Iterable<number>): number => [...numbers].reduce((total, x) => total + x, 0);

const convolutionsOf = (model: AnyModule): Parameter[] => [...model.parameters()].filter(isConvolution);

const zerosOf = (parameters: Iterable<Parameter>): number =>
  sum(Array.from(parameters, ({ data }) => check.zeros(data)));

/** Sets the elements that are zero to 1, so that all zeros there are later come from pruning. */
function withoutZeros(model: AnyModule): void {
  for (const { data } of model.parameters()) data.setData(data.float32.map((x) => (x === 0 ? 1 : x)));
}

describe('the numbers of the notes, by YOLOv5s with three classes', () => {
  it('7.02772 M parameters and 7.9331296 G operations as thop 0.0.31 counts', () => {
    const { totals } = profile(createModel('yolov5s', { classes: 3 }), { shapes, convention: 'thop@0.0.31' });
    expect(totals.parameters).toBe(7027720);
    expect(totals.macs).toBe(7933129600);
  });

  it('0.29918551445007324 of all parameters are zero after pruning 30 %', () => {
    const model = createModel('yolov5s', { classes: 3 });
    withoutZeros(model);
    expect(prune.sparsity(model)).toBe(0);
    expect(prune.prune(model, 0.3)).toBe(0.29918551445007324);
    expect(prune.sparsity(model)).toBe(0.29918551445007324);
    expect(zerosOf(model.parameters())).toBe(2102592);
    expect(sum([...model.parameters()].map(({ size }) => size))).toBe(7027720);
    const report = sparsityReport(model);
    expect(report.zeros).toBe(2102592);
    expect(report.parameters).toBe(7027720);
    expect(Math.fround(report.sparsity)).toBe(0.29918551445007324);
    // Made permanent, without a change of what the network costs.
    expect(prune.isPruned(model)).toBe(false);
    expect(profile(model, { shapes, convention: 'thop@0.0.31' }).totals.macs).toBe(7933129600);
  });

  it('the zeros of batch norm come on top', () => {
    manualSeed(0);
    const model = createModel('yolov5s', { classes: 3 });
    const others = [...model.parameters()].filter((parameter) => !isConvolution(parameter));
    const before = zerosOf(others);
    expect(before).toBeGreaterThan(0);
    prune.prune(model, 0.3);
    expect(zerosOf(others)).toBe(before);
    expect(zerosOf(convolutionsOf(model))).toBe(2102592);
    expect(prune.sparsity(model)).toBe(Math.fround(Math.fround(2102592 + before) / Math.fround(7027720)));
  });
});

const checkpoint = new URL('../../shared/data/weights/yolov5n.pt', import.meta.url);
const exported = new URL('../../shared/data/onnx/yolov5n.onnx', import.meta.url);

/** A YOLOv5n trained on COCO: from its checkpoint, and from an export with batch norm folded in. */
describe.skipIf(!existsSync(checkpoint) || !existsSync(exported))(
  'the same by a trained YOLOv5n (skipped where ../shared is absent)',
  () => {
    const fromCheckpoint = (): AnyModule => {
      const model = createModel('yolov5n');
      model.loadStateDict(readTensors(fileURLToPath(checkpoint)));
      return model;
    };
    const fromExport = (): AnyModule => nn.fromGraph(readModel(fileURLToPath(exported)));

    it.each([
      ['checkpoint', fromCheckpoint, 1_872_157],
      ['export', fromExport, 1_867_405],
    ] as const)(
      '%s: one zero before, 0.30 of each convolution after, at the same cost',
      (_, load, parameters) => {
        const model = load();
        const before = profile(model, { shapes }).totals;
        expect(before).toMatchObject({ parameters, zeros: 1, macs: 2_234_060_800 });
        expect(prune.prune(model, 0.3)).toBe(Math.fround(558_566 / parameters));
        const after = profile(model, { shapes }).totals;
        expect(after).toMatchObject({ parameters, zeros: 558_566, macs: 2_234_060_800 });
      },
    );
  },
);

describe.skipIf(!existsSync(file))('golden/profile.json (skipped where ../shared is absent)', () => {
  const rows: Record<string, Row> = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};

  it.each(Object.entries(rows))('%s: every number of its row', (key, row) => {
    const [name, classes] = key.split('-nc') as [string, string];
    const model = createModel(name, { classes: Number(classes) });
    const { totals, notCounted } = profile(model, { shapes });
    expect(notCounted).toEqual([]);
    expect(totals.macs).toBe(row.macs);
    expect(totals.parameters).toBe(row.parameters);
    expect(profile(model, { shapes, convention: 'thop@0.0.31' }).totals.macs).toBe(row.thop_0_0_31);
    expect(profile(model, { shapes, convention: 'thop@0.1.1' }).totals.macs).toBe(row.thop_0_1_1);
    const modules = [...model.modules()];
    expect(modules.length).toBe(row.modules);
    // Layers are PyTorch's own modules without children; YOLOv5's Concat is none.
    const leaves = modules.filter((module) => [...module.children()].length === 0);
    expect(leaves.filter(({ typeName }) => typeName in nn).length).toBe(row.layers);

    withoutZeros(model);
    const convolutions = convolutionsOf(model);
    expect(sum(convolutions.map(({ size }) => size))).toBe(row.conv_weights);
    prune.prune(model, 0.3);
    expect(zerosOf(convolutions)).toBe(row.conv_weights_pruned_at_0_3);
    expect(zerosOf(model.parameters())).toBe(row.conv_weights_pruned_at_0_3);
  });
});
