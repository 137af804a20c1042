import { gradient, gradientName } from '../src/autograd/index.ts';
import { Tensor } from '../src/core/tensor.ts';
import { type Attribute, Graph, tensorType } from '../src/ir/index.ts';
import { inferShapes } from '../src/ops/index.ts';
import { createSession } from '../src/runtime/index.ts';

/** A node whose gradients are looked at. */
export interface GradientAtOptions {
  readonly attributes?: Readonly<Record<string, Attribute>>;
  readonly opset?: number;
  /** Outputs of the node; the gradient is that of output `of`, 0 by default. */
  readonly outputs?: number;
  readonly of?: number;
  /** Gradient that flows into the output, element by element; ones by default. */
  readonly gradOutput?: readonly number[];
  /** Indices of inputs that are constants. */
  readonly constants?: readonly number[];
}

/** A vector of float32. */
export const vector = (...values: readonly number[]): Tensor => Tensor.of(Float32Array.from(values));

/** A graph of one node that reads `x0`, `x1`, … and gives `y0`, `y1`, … */
export function nodeGraph(
  opType: string,
  inputs: readonly (Tensor | null)[],
  { attributes = {}, opset = 18, outputs = 1, constants = [] }: GradientAtOptions = {},
): Graph {
  const graph = new Graph({ opset });
  const values = inputs.map((tensor, index) => {
    if (!tensor) return null;
    if (constants.includes(index)) return graph.addInitializer(`x${index}`, tensor);
    return graph.addInput(`x${index}`, tensorType(tensor.dtype, tensor.shape));
  });
  const names = Array.from({ length: outputs }, (_, index) => `y${index}`);
  const node = graph.addNode({ opType, name: 'node', inputs: values, outputs: names, attributes });
  for (const output of node.outputs) if (output) graph.addOutput(output);
  return graph;
}

/** Gradients of one output of an operator after its float32 inputs that are no constants, as onnxruntime computes them; one a input, empty for others. */
export async function gradientsAt(
  opType: string,
  inputs: readonly (Tensor | null)[],
  options: GradientAtOptions = {},
): Promise<number[][]> {
  const { of = 0, gradOutput, constants = [] } = options;
  const graph = nodeGraph(opType, inputs, options);
  const name = `y${of}`;
  const fed = inputs.flatMap((tensor, index) =>
    tensor && !constants.includes(index) ? [{ name: `x${index}`, tensor }] : [],
  );
  const wanted = fed.filter(({ tensor }) => tensor.dtype === 'float32').map((input) => input.name);
  const withGradients = gradient(graph, { of: name, withRespectTo: wanted, gradOutput: 'g' });
  const shape = inferShapes(withGradients).get(withGradients.value('g'))!.shape.map(Number);
  const size = shape.reduce((product, dim) => product * dim, 1);
  const g = new Tensor('float32', shape, Float32Array.from(gradOutput ?? new Array<number>(size).fill(1)));
  const session = await createSession(withGradients);
  try {
    const feeds = Object.fromEntries(fed.map((input) => [input.name, input.tensor]));
    const results = await session.run({ ...feeds, g });
    return inputs.map((_, index) => [...(results.get(gradientName(`x${index}`))?.float32 ?? [])]);
  } finally {
    await session.dispose();
  }
}

/** How far numbers lie apart at most, relative to the largest expected one. */
export function furthest(actual: readonly number[], expected: readonly number[]): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  const scale = Math.max(...expected.map(Math.abs), 1e-30);
  return Math.max(...actual.map((value, index) => Math.abs(value - expected[index]!) / scale));
}
