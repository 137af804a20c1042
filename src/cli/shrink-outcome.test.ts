import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { StructuralError } from '../core/errors.ts';
import { loadModel } from './load.ts';
import { type Outcome, settle } from './shrink-outcome.ts';

const folder = mkdtempSync(join(tmpdir(), 'secateur-outcome-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('settle', () => {
  it('writes nothing where the cut model does not compute what it must', async () => {
    const model = loadModel('lenet5', { seed: 0 });
    const output = join(folder, 'wrong.onnx');
    const plan = join(folder, 'wrong.json');
    const outcome: Outcome = {
      graph: model.graph,
      plan: {
        format: 'secateur-plan/1',
        model: { inputs: {}, parameters: { before: 1, after: 1 }, macs: { before: 1, after: 1 } },
        heads: 'width',
        options: {},
        groups: [],
        kept: [],
      },
      cuts: [],
      whyNot: [],
      reached: null,
      recalibration: null,
      repair: null,
      notes: [],
      blocks: [],
      verification: {
        equal: false,
        maxError: 1,
        relativeError: 0.5,
        outputs: [],
        layers: [],
        firstDifference: 'y',
        notEqual: [],
        fromSilenced: null,
        checked: "'y' differs by up to 1 of 2",
      },
    };
    const options = {
      output,
      plan,
      verify: true,
      samples: 1,
      batchSize: 1,
      dataNormalize: 'none',
      line: 'secateur shrink',
    } as const;
    const settled = settle(model, outcome, options, {});
    await expect(settled).rejects.toThrow(StructuralError);
    await expect(settled).rejects.toThrow(/'y' differs by up to 1 of 2/);
    expect([existsSync(output), existsSync(plan)]).toEqual([false, false]);
  });
});
