import type { Variable } from '../variable.ts';

/** The same elements, through which no gradient flows back (`Tensor.detach`). */
export function detach(x: Variable): Variable {
  const { tracer } = x;
  const same = tracer.op('Identity', [x]);
  const node = same.value.producer;
  if (node) {
    tracer.compositions.push({
      nodes: [node],
      inputs: () => [node.input(0)],
      outputs: [same.value],
      grad: () => [],
    });
  }
  return same;
}
