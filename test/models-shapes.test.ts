import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseOnnx } from '../src/io/index.ts';
import type { Graph } from '../src/ir/index.ts';
import { inferShapes } from '../src/ops/index.ts';
import { differences, runEverything } from './conformance.ts';

const folders = ['../../shared/models/', '../../shared/data/onnx/'].map(
  (path) => new URL(path, import.meta.url),
);
const models = folders
  .filter((folder) => existsSync(folder))
  .flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => name.endsWith('.onnx'))
      .map((name) => ({ name, url: new URL(name, folder) })),
  );

/** Sizes that differ from one symbol to the next, large enough for the strides of the models. */
function sizesOf(graph: Graph, batch: number): Record<string, number> {
  const sizes: Record<string, number> = {};
  for (const input of graph.feeds) {
    const shape = input.type?.kind === 'tensor' ? (input.type.shape ?? []) : [];
    shape.forEach((dim, axis) => {
      if (typeof dim === 'string') sizes[dim] = axis === 0 ? batch : 32 * (axis + 1);
    });
  }
  return sizes;
}

describe.skipIf(models.length === 0)(
  'shapes of all values, as onnxruntime computes them (skipped without ../shared)',
  () => {
    for (const { name, url } of models) {
      it(`${name}: by the declared shape`, async () => {
        const graph = parseOnnx(readFileSync(url));
        const sizes = sizesOf(graph, 1);
        const inference = inferShapes(graph, { symbols: sizes });
        expect(inference.notInferred.map(({ node, why }) => `${node.label}: ${why}`)).toEqual([]);
        const computed = await runEverything(graph, inference);
        expect(computed.size).toBeGreaterThanOrEqual(graph.nodes.length);
        expect(differences(graph, inference, computed)).toEqual([]);
      });

      const symbolic = Object.keys(sizesOf(parseOnnx(readFileSync(url)), 1)).length > 0;
      if (!symbolic) continue;
      it(`${name}: by symbols, at another batch`, async () => {
        const graph = parseOnnx(readFileSync(url));
        const inference = inferShapes(graph);
        expect(inference.notInferred).toEqual([]);
        const sizes = sizesOf(graph, 3);
        const computed = await runEverything(graph, inference, sizes);
        expect(differences(graph, inference, computed, sizes)).toEqual([]);
      });
    }
  },
);
