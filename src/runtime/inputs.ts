import { ArgumentError } from '../core/errors.ts';
import { fromFloat32 } from '../core/float16.ts';
import { Generator } from '../core/random.ts';
import { sizeOf, Tensor } from '../core/tensor.ts';
import { type Graph, printType, type Shape } from '../ir/index.ts';

/** Size that is taken for a dimension nothing is said of. */
const UNKNOWN_DIM = 1;

/**
 * Inputs for a graph from a seed: standard normal for floats, 0 and 1 for integers and booleans (which index tables and masks of any size).
 * Symbolic dimensions are taken as 1 unless `shapes` gives the input's shape. Throws ArgumentError for an input whose type is not known.
 */
export function randomInputs(
  graph: Graph,
  options: { readonly shapes?: Readonly<Record<string, Shape>>; readonly seed?: number } = {},
): Record<string, Tensor> {
  const generator = new Generator(options.seed ?? 0);
  const inputs: Record<string, Tensor> = {};
  for (const { name, type } of graph.feeds) {
    const declared = type?.kind === 'tensor' ? type : null;
    const shape = options.shapes?.[name] ?? declared?.shape;
    if (!declared?.dtype || !shape) {
      throw new ArgumentError(
        `randomInputs: input '${name}' is ${printType(type)}; its dtype and shape must be known: give them`,
      );
    }
    const sizes = shape.map((dim) => (typeof dim === 'number' ? dim : UNKNOWN_DIM));
    inputs[name] = fill(declared.dtype, sizes, generator, name);
  }
  return inputs;
}

function fill(dtype: Tensor['dtype'], shape: readonly number[], generator: Generator, name: string): Tensor {
  const size = sizeOf(shape);
  if (dtype === 'float32' || dtype === 'float64' || dtype === 'float16' || dtype === 'bfloat16') {
    return fromFloat32(new Tensor('float32', shape, generator.randn(size)), dtype);
  }
  if (dtype === 'string') throw new ArgumentError(`randomInputs: input '${name}' takes strings; give them`);
  const bits = Float32Array.from(generator.randint(size, 0, 2));
  return fromFloat32(new Tensor('float32', shape, bits), dtype);
}
