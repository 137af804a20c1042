import { describe, expect, it } from 'vitest';
import { GraphBuilder } from './builder.ts';
import { cost, free, inputShape, outputShape, perOutput } from './cost.ts';
import type { CostContext } from './operator.ts';

function context(batch: number | string): CostContext {
  const builder = new GraphBuilder();
  const x = builder.input('x', 'float32', [batch, 3]);
  const y = builder.op('Relu', [x], { name: 'act' });
  const node = y.producer!;
  return { node, opset: 17, inputs: [builder.inferred(x)], outputs: [builder.inferred(y)] };
}

describe('cost helpers', () => {
  it('take thop to count what macs counts unless told otherwise', () => {
    expect(cost(7)).toEqual({ macs: 7, 'thop@0.0.31': 7, 'thop@0.1.1': 7 });
    expect(cost(7, 8, 9)).toEqual({ macs: 7, 'thop@0.0.31': 8, 'thop@0.1.1': 9 });
    expect(free(context(2))).toEqual(cost(0));
    expect(perOutput(2, 4)(context(5))).toEqual(cost(0, 30, 60));
  });

  it('read static shapes', () => {
    expect(inputShape(context(2), 0)).toEqual([2, 3]);
    expect(outputShape(context(2))).toEqual([2, 3]);
  });

  it('refuse shapes that are not static, saying what to give', () => {
    expect(() => outputShape(context('batch'))).toThrow(
      "Relu 'act': counting operations expects a static shape of output 0, got [batch, 3]; give the sizes of the graph's inputs",
    );
    expect(() => inputShape(context(2), 1)).toThrow('expects a static shape of input 1, got nothing');
  });
});
