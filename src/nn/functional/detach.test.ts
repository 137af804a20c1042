import { describe, expect, it } from 'vitest';
import { addGradients } from '../../autograd/index.ts';
import { Tensor } from '../../core/tensor.ts';
import { GRADIENT_OPSET, GraphBuilder, inferShapes } from '../../ops/index.ts';
import { createSession } from '../../runtime/index.ts';
import { Module } from '../module.ts';
import { traceDetailed } from '../trace.ts';
import type { Variable } from '../variable.ts';

/** `Σ x² detach(x)` */
class Cube extends Module {
  override forward(x: Variable): Variable {
    return x.mul(x).mul(x.detach()).sum();
  }
}

describe('detach', () => {
  it('gives the same elements, and lets no gradient through', async () => {
    const x = Tensor.of(Float32Array.of(2, -3));
    const { graph, compositions } = traceDetailed(new Cube(), [x], { opset: GRADIENT_OPSET });
    const builder = new GraphBuilder(graph, inferShapes(graph));
    const [of, input] = [graph.outputs[0]!, graph.inputs[0]!];
    const [gradient] = addGradients(builder, { of, withRespectTo: [input], compositions });
    builder.output(gradient!, 'gradient');
    const session = await createSession(graph);
    const results = await session.run({ [input.name]: x });
    await session.dispose();
    expect(results.get(of.name)!.toNumbers()).toEqual([8 - 27]);
    // 2 x x, not 3 x².
    expect(results.get('gradient')!.toNumbers()).toEqual([8, 18]);
  });

  it('has no gradient at all where everything is detached', () => {
    class Constant extends Module {
      override forward(x: Variable): Variable {
        return x.detach().sum();
      }
    }
    const { graph, compositions } = traceDetailed(new Constant(), [[2]], { opset: GRADIENT_OPSET });
    const builder = new GraphBuilder(graph, inferShapes(graph));
    const withRespectTo = [graph.inputs[0]!];
    expect(addGradients(builder, { of: graph.outputs[0]!, withRespectTo, compositions })).toEqual([null]);
  });
});
