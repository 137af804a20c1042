import { gradient, gradientName } from '../src/autograd/index.ts';
import { sizeOf, Tensor } from '../src/core/tensor.ts';
import { cloneGraph, type Graph } from '../src/ir/index.ts';
import { inferShapes } from '../src/ops/index.ts';
import { createSession, type Session } from '../src/runtime/index.ts';

/** Gradient of one value as the graph computes it, and as differences of the function along random directions tell it. */
export interface GradientCheck {
  readonly name: string;
  /** Derivative along the direction by the gradient graph. */
  readonly computed: number;
  /** The same by central differences. */
  readonly measured: number;
  /** Sum of the absolute terms of the derivative: what rounding is relative to. */
  readonly scale: number;
}

/** What `checkGradients` is told beside the graph. */
export interface GradientCheckOptions {
  readonly of: string;
  readonly withRespectTo: readonly string[];
  readonly feeds: Readonly<Record<string, Tensor>>;
  /** Step of the differences; 1e-3 by default. */
  readonly step?: number;
  /** Random directions for each value; 2 by default. */
  readonly directions?: number;
  /** A seed for directions and for the gradient that flows in; 1 by default. */
  readonly seed?: number;
}

/** Small numbers in [-1, 1), the same for a seed. */
export function* noise(seed: number): Generator<number, never> {
  let state = seed >>> 0 || 1;
  for (;;) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    yield state / 2 ** 31 - 1;
  }
}

const randomLike = (shape: readonly number[], source: Generator<number, never>): Tensor =>
  new Tensor(
    'float32',
    shape,
    Float32Array.from({ length: sizeOf(shape) }, () => source.next().value),
  );

/**
 * Differentiates a value of a graph and compares with central differences, value by value and along random directions. Initializers among
 * `withRespectTo` are made graph inputs. float32 only.
 */
export async function checkGradients(graph: Graph, options: GradientCheckOptions): Promise<GradientCheck[]> {
  const { of, withRespectTo, step = 1e-3, directions = 2, seed = 1 } = options;
  const { graph: copy } = cloneGraph(graph);
  const feeds: Record<string, Tensor> = { ...options.feeds };
  for (const name of withRespectTo) {
    const value = copy.value(name);
    if (!value.initializer) continue;
    feeds[name] = value.initializer;
    value.initializer = null;
    if (!value.isInput) copy.markInput(value);
  }
  const output = copy.value(of);
  if (!output.isOutput) copy.addOutput(output);
  const shapes = Object.fromEntries(Object.entries(feeds).map(([name, tensor]) => [name, tensor.shape]));
  const withGradients = gradient(copy, { of, withRespectTo, gradOutput: 'grad_output', shapes });
  const random = noise(seed);
  const shape = inferShapes(withGradients).get(withGradients.value('grad_output'))!.shape.map(Number);
  const gradOutput = randomLike(shape, random);
  const backward = await createSession(withGradients, { optimization: 'basic' });
  const forward = await createSession(copy, { optimization: 'basic' });
  try {
    const results = await backward.run({ ...feeds, grad_output: gradOutput });
    const checks: GradientCheck[] = [];
    for (const name of withRespectTo) {
      const at = feeds[name]!;
      const computed = results.get(gradientName(name))!;
      for (let index = 0; index < directions; index++) {
        const direction = randomLike(at.shape, random).float32;
        const moved = (sign: number): Tensor =>
          new Tensor(
            'float32',
            at.shape,
            at.float32.map((x, i) => x + sign * step * direction[i]!),
          );
        const values: number[] = [];
        for (const sign of [1, -1])
          values.push(await inner(forward, { ...feeds, [name]: moved(sign) }, of, gradOutput));
        // The steps as float32 has them.
        const plus = moved(1).float32;
        const minus = moved(-1).float32;
        let along = 0;
        let scale = 0;
        computed.float32.forEach((value, i) => {
          const term = (value * (plus[i]! - minus[i]!)) / (2 * step);
          along += term;
          scale += Math.abs(term);
        });
        checks.push({ name, computed: along, measured: (values[0]! - values[1]!) / (2 * step), scale });
      }
    }
    return checks;
  } finally {
    await backward.dispose();
    await forward.dispose();
  }
}

/** Σ output * gradOutput, in float64. */
async function inner(
  session: Session,
  feeds: Readonly<Record<string, Tensor>>,
  of: string,
  gradOutput: Tensor,
): Promise<number> {
  const output = (await session.run(feeds)).get(of)!.float32;
  return gradOutput.float32.reduce((sum, value, index) => sum + value * output[index]!, 0);
}
