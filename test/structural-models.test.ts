import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { manualSeed } from '../src/core/random.ts';
import type { Graph } from '../src/ir/index.ts';
import { createModel } from '../src/models/index.ts';
import { toGraph } from '../src/nn/index.ts';
import { profileGraph } from '../src/profile/index.ts';
import {
  analyzeChannels,
  assertVerified,
  costOf,
  cutChannels,
  decide,
  groupChannels,
  importance,
  verify,
} from '../src/structural/index.ts';
import { readGraph, rewritten, sharedFolder } from './model-files.ts';
import { SPECIAL_NETWORKS } from './special-networks.ts';

interface Case {
  readonly name: string;
  readonly graph: () => Graph;
  readonly shapes?: Readonly<Record<string, readonly number[]>>;
  /** Share of parameters that must go at least at half the channels; networks with few layers between input and output lose less. */
  readonly atHalf?: number;
}

const models = sharedFolder('models');
const files = sharedFolder('data/onnx');

/** Small enough to run fast; the channels are those of any size. */
const SIDE = 64;

const built = (name: string, options: { decode?: boolean } = {}): Case => ({
  name: `${name}${options.decode ? ' with decoding' : ''}`,
  graph: () => {
    manualSeed(0);
    const side = name.startsWith('resnet') ? 32 : SIDE;
    const model = createModel(name, options).eval();
    return toGraph(model, [{ dtype: 'float32', shape: [1, name === 'lenet5' ? 1 : 3, side, side] }]);
  },
});

const CASES: readonly Case[] = [
  ...(models
    ? readdirSync(models)
        .filter((name) => name.endsWith('.onnx'))
        .map((name) => ({
          name,
          graph: () => readGraph(join(models, name)),
          // Shuffles tie channels of several units, so that fewer steps are possible.
          ...(name.startsWith('shufflenet') ? { atHalf: 0.5 } : {}),
        }))
    : []),
  ...(files
    ? [
        { name: 'yolov5n.onnx', atHalf: 0.6 },
        { name: 'FastestDet.onnx', atHalf: 0.4 },
        { name: 'ultra_version-RFB-320.onnx', atHalf: 0.6 },
        { name: 'mnist_ort.onnx', atHalf: 0.5 },
        {
          name: 'ch_ppocr_mobile_v2.0_cls_infer.onnx',
          shapes: { x: [1, 3, 48, 192] },
          atHalf: 0.4,
        },
      ]
        .filter(({ name }) => existsSync(join(files, name)))
        .map((own) => ({ ...own, graph: () => readGraph(join(files, own.name)) }))
    : []),
  built('yolov5n', { decode: true }),
  built('yolov5s', { decode: true }),
  built('yolov5m', { decode: true }),
  built('resnet20'),
  built('mobilenet_v2'),
  ...Object.entries(SPECIAL_NETWORKS).map(([name, graph]) => ({ name, graph, atHalf: 0.3 })),
];

/** What is measured, for the table of the docs: `SECATEUR_TABLE=docs/structural-models.md npx vitest run test/structural-models.test.ts` writes it. */
const rows: string[] = [];

const large = (count: number): string => count.toLocaleString('en-US');

describe('whole models, cut', () => {
  afterAll(() => {
    const path = process.env.SECATEUR_TABLE;
    if (!path) return;
    // A table of the models that happened to be there would hide that others were not cut.
    if (!models || !files || rows.length < 2 * CASES.length)
      throw new Error(
        `${path} is written of all models alone: run all tests of this file, with ../shared there`,
      );
    writeFileSync(path, tableOf(rows));
  });

  for (const { name, graph: make, shapes, atHalf = 0.5 } of CASES) {
    it(`${name}: at 0.3 and 0.5, proven, smaller, and as counted`, async () => {
      const original = make();
      const groups = groupChannels(analyzeChannels(original, shapes ? { shapes } : {}));
      // Costs are those of whole batches, where a model has a fixed one.
      const analysed = { shapes: groups.coupling.shapes };
      const before = profileGraph(original, analysed).totals;
      expect(groups.coupling.notFollowed).toEqual([]);
      const scores = await importance(groups, { method: 'l2' });
      let last = before.parameters;
      for (const ratio of [0.3, 0.5]) {
        const { removed } = decide(groups, scores, { ratio });
        expect(groups.problems(removed)).toEqual([]);
        const { graph } = cutChannels(groups, removed);
        graph.lint();
        const verification = await verify(groups, removed, graph);
        assertVerified(verification);
        const { totals } = profileGraph(rewritten(graph), analysed);
        const counted = costOf(groups, removed);
        expect(totals.parameters).toBe(counted.parameters);
        expect(totals.macs).toBe(counted.macs);
        expect(totals.parameters).toBeLessThan(last);
        expect(totals.macs).toBeLessThan(before.macs);
        last = totals.parameters;
        const share = (now: number, whole: number): string => `${((100 * now) / whole).toFixed(1)} %`;
        rows.push(
          `| ${name} | ${ratio} | ${large(before.parameters)} | ${share(totals.parameters, before.parameters)} | ${large(before.macs)} | ${share(totals.macs, before.macs)} | ${verification.relativeError.toExponential(0)} | ${verification.notEqual.length || ''} |`,
        );
      }
      expect(1 - last / before.parameters).toBeGreaterThan(atHalf);
    }, 120_000);
  }
});

function tableOf(found: readonly string[]): string {
  return [
    '# Models, cut',
    '',
    'Channels cut by L2 norm, the same share of each layer, layers that reach an output kept; every cut run in onnxruntime and compared with the original whose channels are silenced. *Error* is the largest difference of an output or of a layer that reads channels, relative to its largest magnitude. *Mixing* counts operators that mix channels (layer norm, group norm, softmax over channels): there the cut model is to be compared with itself, and everything around is proven.',
    '',
    'Written by `SECATEUR_TABLE=docs/structural-models.md npx vitest run test/structural-models.test.ts`.',
    '',
    '| model | ratio | parameters | left | MACs | left | error | mixing |',
    '| --- | --- | --- | --- | --- | --- | --- | --- |',
    ...found,
    '',
  ].join('\n');
}
