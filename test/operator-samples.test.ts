import { describe, expect, it } from 'vitest';
import { inferShapes, OPERATORS } from '../src/ops/index.ts';
import { differences, runEverything } from './conformance.ts';
import { SAMPLES as samples } from './operator-samples/index.ts';
import { graphOf } from './operator-samples/sample.ts';

describe('every operator, by inference and as onnxruntime computes it', () => {
  for (const { domain, opType } of OPERATORS) {
    const name = domain === '' ? opType : `${domain}:${opType}`;
    const cases = samples[name];
    it(`${name}: has samples, or a reason why it has none`, () => {
      expect(cases, `${name} has no sample in test/operator-samples`).toBeDefined();
      if (cases && 'notRun' in cases) expect(cases.notRun.length).toBeGreaterThan(10);
      else expect(cases?.length).toBeGreaterThan(0);
    });
    if (!cases || 'notRun' in cases) continue;
    it(name, async () => {
      for (const [index, sample] of cases.entries()) {
        const { graph, sizes } = graphOf(opType, domain, sample);
        const where = `${name}, sample ${index}, opset ${sample.opset}`;
        for (const symbols of [sizes, {}]) {
          const inference = inferShapes(graph, { symbols });
          const computed = await runEverything(graph, inference, sizes).catch((error: unknown) => {
            throw new Error(`${where}: ${error}`);
          });
          const found = differences(graph, inference, computed, sizes, sample.dataDependent !== undefined);
          expect(found, where).toEqual([]);
          expect(computed.size, where).toBeGreaterThan(0);
        }
      }
    });
  }

  it('has samples of operators of the table only', () => {
    const names = new Set(
      OPERATORS.map(({ domain, opType }) => (domain === '' ? opType : `${domain}:${opType}`)),
    );
    expect(Object.keys(samples).filter((name) => !names.has(name))).toEqual([]);
  });
});
