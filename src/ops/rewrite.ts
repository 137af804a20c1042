import { UnsupportedError } from '../core/errors.ts';
import { type Node, staticShape } from '../ir/index.ts';
import type { Expressions } from './expressions.ts';
import type { RewriteContext } from './operator.ts';

/** What gradient and upgrade rules are told of a node, over a maker whose builder has inferred the node. */
export function rewriteContext(node: Node, make: Expressions): RewriteContext {
  const { builder } = make;
  return {
    node,
    opset: node.graph.opset(node.domain),
    make,
    input: (index) => node.input(index),
    shape: (value) => {
      const { shape } = builder.inferred(value);
      const sizes = staticShape(shape);
      if (sizes) return sizes;
      throw new UnsupportedError(
        `${node.label}: the sizes of '${value.name}' must be numbers, got [${shape.map((dim) => dim ?? '?').join(', ')}]; give the graph's inputs static shapes`,
      );
    },
    numbers: (index) => {
      const input = node.inputs[index];
      if (!input) return undefined;
      if (input.initializer && input.initializer.dtype !== 'string') return input.initializer.toNumbers();
      const known = builder.inferred(input).known;
      return known?.every((element) => typeof element === 'number') ? known : undefined;
    },
    unsupported: (why) => new UnsupportedError(`${node.label}: ${why}`),
  };
}
