import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Tensor } from '../src/core/tensor.ts';
import { byteLengthOfChunks, serializeOnnx } from '../src/io/index.ts';
import type { Graph } from '../src/ir/index.ts';
import { fromGraph } from '../src/nn/index.ts';
import { profile } from '../src/profile/index.ts';
import * as prune from '../src/prune/index.ts';
import { randomInputs } from '../src/runtime/index.ts';
import {
  differing,
  loadedView,
  readGraph,
  rewritten,
  runGraph,
  sharedFolder,
  throughExternalData,
} from './model-files.ts';
import * as check from './pruned-weights.ts';

const FOLDER = sharedFolder('data/onnx');

interface Known {
  /** Shape of the only input. */
  readonly shape: readonly number[];
  /** Parameters and operations, where they are known from elsewhere. */
  readonly parameters?: number;
  readonly macs?: number;
}

const MODELS: Readonly<Record<string, Known>> = {
  FastestDet: { shape: [1, 3, 352, 352] },
  'ch_ppocr_mobile_v2.0_cls_infer': { shape: [1, 3, 48, 192] },
  // Convolutions of 8x1x5x5 at 28x28 and 16x8x5x5 at 14x14, a linear layer of 256x10, biases everywhere.
  mnist_ort: {
    shape: [1, 1, 28, 28],
    parameters: 200 + 8 + 3200 + 16 + 2560 + 10,
    macs: 200 * 28 * 28 + 3200 * 14 * 14 + 2560,
  },
  'ultra_version-RFB-320': { shape: [1, 3, 240, 320] },
  // Ultralytics' own summary of the fused model says 1867405 parameters; folding batch norm leaves the operations of `golden/profile.json`.
  yolov5n: { shape: [1, 3, 640, 640], parameters: 1867405, macs: 2234060800 },
};

it.skipIf(FOLDER)('needs ../shared/data/onnx for its other tests', ({ skip }) =>
  skip('the folder ../shared is absent'),
);

describe.skipIf(!FOLDER)('trained models of others (skipped where ../shared is absent)', () => {
  describe.each(Object.entries(MODELS))('%s', (name, { shape, parameters, macs }) => {
    const path = join(FOLDER ?? '', `${name}.onnx`);
    const inputsOf = (graph: Graph): Record<string, Tensor> =>
      randomInputs(graph, { shapes: { [graph.feeds[0]!.name]: shape }, seed: 3 });

    it('is well formed, and all of it can be counted', () => {
      const graph = readGraph(path);
      expect(graph.lint()).toEqual([]);
      expect(graph.feeds).toHaveLength(1);
      const { totals, notCounted } = profile(graph, { shapes: { [graph.feeds[0]!.name]: shape } });
      expect(notCounted).toEqual([]);
      if (parameters !== undefined) expect(totals.parameters).toBe(parameters);
      if (macs !== undefined) expect(totals.macs).toBe(macs);
    });

    it('gives the same to the byte when written, in one file or two, and as a module view', async () => {
      const graph = readGraph(path);
      const inputs = inputsOf(graph);
      const output = await runGraph(graph, inputs);
      for (const tensor of output.values()) expect(tensor.float32.every(Number.isFinite)).toBe(true);
      expect(differing(await runGraph(rewritten(graph), inputs), output)).toEqual([]);
      await throughExternalData(graph, async (again) => {
        expect(differing(await runGraph(again, inputs), output)).toEqual([]);
      });
      const view = fromGraph(readGraph(path));
      expect(differing(await runGraph(view.graph, inputs), output)).toEqual([]);
    });

    it.each([
      ['l1Unstructured', 'weight', check.weight, 'mean'],
      ['filters by L2', 'filter', check.filter, 'root mean square'],
      ['kernels by L1', 'kernel', check.kernel, 'mean'],
    ] as const)('%s: pruned by half it runs, and the file is as large', async (_, text, groupOf, worth) => {
      const granularity = prune.parseGranularity(text);
      const model = fromGraph(readGraph(path));
      const inputs = inputsOf(model.graph);
      const original = await runGraph(model.graph, inputs);
      const size = byteLengthOfChunks(serializeOnnx(model.graph));
      const targets = prune.selectParameters(model, { granularity });
      const weights = check.weightsOf(targets);
      const importance = worth === 'mean' ? 'l1' : 'l2';
      prune.pruneGranular(targets, { granularity, importance, amount: 0.5 });
      check.expectHalfOfGroups(weights, groupOf, { worth, together: false });
      expect(byteLengthOfChunks(serializeOnnx(model.graph))).toBe(size);
      const again = rewritten(model.graph);
      expect(again.nodes.length).toBe(model.graph.nodes.length);
      const output = await runGraph(model.graph, inputs);
      expect(differing(await runGraph(again, inputs), output)).toEqual([]);
      for (const tensor of output.values()) expect(tensor.float32.every(Number.isFinite)).toBe(true);
      expect(differing(original, output)).not.toEqual([]);
    });

    it('takes its state dict back from a safetensors file, by all its names', async () => {
      const view = fromGraph(readGraph(path));
      const inputs = inputsOf(view.graph);
      const loaded = loadedView(path, view.stateDict());
      expect(differing(loaded.stateDict(), view.stateDict())).toEqual([]);
      expect(differing(await runGraph(loaded.graph, inputs), await runGraph(view.graph, inputs))).toEqual([]);
    });
  });
});
