import { staticShape, type Value } from '../ir/index.ts';
import type { Expressions } from './expressions.ts';
import type { Composition } from './operator.ts';

/**
 * `y = x s`, `s = sigmoid(x)` (SiLU), with its gradient `g s (1 + x - y)` as a whole: four passes over memory where sigmoid and product by themselves take six. The composition is null where
 * sizes are not known.
 */
export function swish(
  make: Expressions,
  x: Value,
): { readonly y: Value; readonly composition: Composition | null } {
  const { graph } = make.builder;
  const before = graph.nodes.length;
  const s = make.sigmoid(x);
  const y = make.mul(x, s);
  const [sigmoid, product] = [s.producer, y.producer];
  if (!sigmoid || !product || !staticShape(make.builder.inferred(x).shape)) return { y, composition: null };
  const composition: Composition = {
    nodes: graph.nodes.slice(before),
    inputs: () => [sigmoid.input(0)],
    outputs: [y],
    grad: ({ make: writer, gradOutputs }) => {
      const [grad] = gradOutputs;
      if (!grad) return [];
      const slope = writer.mul(
        writer.add(writer.sub(sigmoid.input(0), product.output(0)), 1),
        sigmoid.output(0),
      );
      return [writer.mul(grad, slope)];
    },
  };
  return { y, composition };
}
