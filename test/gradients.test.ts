import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { UnsupportedError } from '../src/core/errors.ts';
import { sizeOf, Tensor } from '../src/core/tensor.ts';
import { cloneGraph, type Graph, type Value } from '../src/ir/index.ts';
import { findOperator, graphParameters, inferShapes, isUnsupported, OPERATORS } from '../src/ops/index.ts';
import { noGradRule } from '../src/ops/later.ts';
import { evaluateDim } from '../src/ops/symbolic.ts';
import { upgradeOpset } from '../src/passes/index.ts';
import { someInput } from './conformance.ts';
import { checkGradients, type GradientCheck, noise } from './gradient-check.ts';
import { readGraph, sharedFolder } from './model-files.ts';
import { SAMPLES } from './operator-samples/index.ts';
import { graphOf } from './operator-samples/sample.ts';

/** Ranges that inputs are drawn from, in the order they are tried: some functions are defined on a part of the line only. */
const RANGES = [
  [-1, 1],
  [0.3, 0.9],
  [1.3, 2.2],
] as const;

/** Operators that are steep near 0: differences of small steps are measured away from it. */
const STEEP = ['Div', 'Reciprocal', 'Pow'];

/** Operators whose gradient differences of small steps cannot show, and why. */
const NOT_MEASURED: Readonly<Record<string, string>> = {
  Cast: 'its samples end in other types than float32',
  CastLike: 'its samples end in other types than float32',
  Dropout: 'its samples do not drop',
  MaxUnpool: 'its samples put two elements in one place; src/ops/pool-grad.test.ts measures it',
};

/** Feeds for the inputs of a graph whose symbols have these sizes; float32 ones at random in a range. */
function feedsFor(
  graph: Graph,
  sizes: Readonly<Record<string, number>>,
  [low, high]: readonly [number, number],
): Record<string, Tensor> {
  const random = noise(17);
  const inference = inferShapes(graph);
  const feeds: Record<string, Tensor> = {};
  for (const input of graph.feeds) {
    const type = inference.get(input)!;
    const shape = type.shape.map((dim) => Number(evaluateDim(dim, sizes)));
    if (type.dtype === 'float32') {
      const data = Float32Array.from(
        { length: sizeOf(shape) },
        () => low + ((random.next().value + 1) / 2) * (high - low),
      );
      feeds[input.name] = new Tensor('float32', shape, data);
    } else {
      const { data } = someInput(type.dtype, shape);
      feeds[input.name] = new Tensor(type.dtype, shape, data as Exclude<typeof data, string[]> as never);
    }
  }
  return feeds;
}

/** Inputs of the graph's node of that operator that are float32, fed, and no steering. */
function variables(graph: Graph, opType: string, steering: readonly number[]): Value[] {
  const node = graph.nodes.find((candidate) => candidate.opType === opType);
  if (!node) return [];
  return node.inputs.filter(
    (input, index): input is Value =>
      input !== null &&
      !steering.includes(index) &&
      input.producer === null &&
      !input.initializer &&
      input.type?.kind === 'tensor' &&
      input.type.dtype === 'float32',
  );
}

const areFinite = (checks: readonly GradientCheck[]): boolean =>
  checks.every(({ computed, measured }) => Number.isFinite(computed) && Number.isFinite(measured));

describe('gradients of every operator agree with central differences', () => {
  for (const { domain, opType, grad, steering = [] } of OPERATORS) {
    const name = domain === '' ? opType : `${domain}:${opType}`;
    const cases = SAMPLES[name];
    if (isUnsupported(grad) || !cases || 'notRun' in cases || NOT_MEASURED[name]) continue;
    it(name, async () => {
      let compared = 0;
      for (const sample of cases) {
        if ('build' in sample || sample.dataDependent !== undefined || (domain === '' && sample.opset < 7))
          continue;
        const { graph, sizes } = graphOf(opType, domain, sample);
        upgradeOpset(graph);
        const result = inferShapes(graph).get(graph.outputs[0]!);
        if (result?.dtype !== 'float32') continue;
        if (!findOperator(domain, opType) || !graph.nodes.some((node) => node.opType === opType)) continue;
        const inputs = variables(graph, opType, steering);
        if (inputs.length === 0) continue;
        let checks: GradientCheck[] = [];
        for (const range of STEEP.includes(opType) ? RANGES.slice(1) : RANGES) {
          const found = await checkGradients(graph, {
            of: graph.outputs[0]!.name,
            withRespectTo: inputs.map((input) => input.name),
            feeds: feedsFor(graph, sizes, range),
            step: 1e-3,
          }).catch((error: unknown) => {
            // What a rule writes off is written off for a sample, not for all of them.
            if (error instanceof UnsupportedError) return [];
            throw error;
          });
          checks = found;
          if (areFinite(checks)) break;
        }
        for (const { name: input, computed, measured, scale } of checks) {
          const where = `${name} at opset ${sample.opset} by ${input}: ${computed}, measured ${measured} (scale ${scale})`;
          expect(Math.abs(computed - measured), where).toBeLessThan(5e-3 * (scale + 0.2));
          compared++;
        }
      }
      expect(compared, `${name}: no sample could be differentiated`).toBeGreaterThan(0);
    });
  }
});

describe('the operator table', () => {
  it('has a gradient rule or a reason of its own for every operator', () => {
    const without = OPERATORS.filter(
      ({ grad }) => isUnsupported(grad) && grad.unsupported === noGradRule.unsupported,
    );
    expect(without.map(({ opType }) => opType)).toEqual([]);
  });
});

describe('gradients of whole models agree with central differences along random directions', () => {
  const folder = sharedFolder('models');
  const files = folder === null ? [] : readdirSync(folder).filter((name) => name.endsWith('.onnx'));
  it.skipIf(folder !== null)('are not compared: ../shared/models is absent', () => {});
  for (const file of files) {
    it(file, async () => {
      const graph = readGraph(join(folder ?? '', file));
      upgradeOpset(graph);
      const inference = inferShapes(graph, { symbols: { batch: 2 } });
      const random = noise(23);
      const feeds: Record<string, Tensor> = {};
      for (const input of graph.feeds) {
        const shape = inference.get(input)!.shape.map((dim) => Number(evaluateDim(dim, { batch: 2 })));
        feeds[input.name] = new Tensor(
          'float32',
          shape,
          Float32Array.from({ length: sizeOf(shape) }, () => random.next().value),
        );
      }
      const parameters = graphParameters(graph)
        .filter(
          ({ kind, value, tensor }) =>
            kind === 'parameter' && value.initializer && tensor.dtype === 'float32' && tensor.size > 1,
        )
        .map(({ value }) => value.name);
      // The first, the last, and some between.
      const every = Math.max(1, Math.floor(parameters.length / 8));
      const chosen = [
        ...new Set([...parameters.filter((_, index) => index % every === 0), parameters.at(-1)!]),
      ];
      const { graph: copy } = cloneGraph(graph);
      const checks = await checkGradients(copy, {
        of: copy.outputs[0]!.name,
        withRespectTo: [...Object.keys(feeds), ...chosen],
        feeds,
        step: 1e-3,
        directions: 1,
      });
      expect(checks.length).toBeGreaterThan(5);
      for (const { name, computed, measured, scale } of checks) {
        expect(
          Math.abs(computed - measured),
          `${name}: ${computed}, measured ${measured} (scale ${scale})`,
        ).toBeLessThan(0.04 * (scale + 0.1));
      }
    });
  }
});
