import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createModel } from '../models/index.ts';
import { fromGraph, trace } from '../nn/index.ts';
import { profile } from './model.ts';
import { sparsityReport } from './sparsity.ts';

const file = new URL('../../../shared/golden/profile.json', import.meta.url);

interface Golden {
  readonly parameters: number;
  readonly conv_weights: number;
  readonly macs: number;
  readonly thop_0_0_31: number;
  readonly thop_0_1_1: number;
}

describe.skipIf(!existsSync(file))('YOLOv5 at 640x640 (skipped where ../shared is absent)', () => {
  const golden: Record<string, Golden> = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
  const shapes = [1, 3, 640, 640];

  it.each(Object.entries(golden))(
    '%s has the numbers of PyTorch and both versions of thop',
    (key, expected) => {
      const [name, classes] = key.split('-nc') as [string, string];
      const model = createModel(name, { classes: Number(classes) });
      const plain = profile(model, { shapes });
      expect(plain.totals.parameters).toBe(expected.parameters);
      expect(plain.totals.macs).toBe(expected.macs);
      expect(plain.notCounted).toEqual([]);
      expect(profile(model, { shapes, convention: 'flops' }).totals.macs).toBe(2 * expected.macs);
      expect(profile(model, { shapes, convention: 'thop@0.0.31' }).totals.macs).toBe(expected.thop_0_0_31);
      expect(profile(model, { shapes, convention: 'thop@0.1.1' }).totals.macs).toBe(expected.thop_0_1_1);
      const convolutions = sparsityReport(model).layers.filter(({ shape }) => shape.length === 4);
      expect(convolutions.reduce((sum, { parameters }) => sum + parameters, 0)).toBe(expected.conv_weights);
    },
  );

  it('is the same as a module, as its graph and as a module view of that, with boxes decoded or not', () => {
    const model = createModel('yolov5n', { classes: 3 });
    const { totals } = profile(model, { shapes });
    const graph = trace(model.eval(), ['batch', 3, 640, 640]);
    const { parameters, macs, zeros } = totals;
    expect(profile(graph).totals).toMatchObject({ parameters, macs, zeros });
    expect(profile(fromGraph(graph), { shapes }).totals).toMatchObject({ parameters, macs, zeros });
    const decoding = createModel('yolov5n', { classes: 3, decode: true });
    expect(profile(decoding, { shapes }).totals).toMatchObject({ parameters, macs });
  });
});
