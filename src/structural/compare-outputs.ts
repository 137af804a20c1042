import { StructuralError } from '../core/errors.ts';
import type { Tensor } from '../core/tensor.ts';
import { type Graph, staticShape } from '../ir/index.ts';
import { allNodes, findOperator } from '../ops/index.ts';
import { createSession, randomInputs } from '../runtime/index.ts';
import type { Coupling } from './coupling.ts';
import { differenceOf } from './difference.ts';

/** How outputs are compared. */
export interface CompareOptions {
  readonly tolerance?: number;
  readonly threads?: number;
}

/** Largest difference by dtype of an output; 0 for integers. */
const TOLERANCES: Readonly<Partial<Record<Tensor['dtype'], number>>> = {
  float32: 1e-5,
  float64: 1e-5,
  float16: 1e-2,
  bfloat16: 1e-1,
};

/** Runs both on random inputs, of the shapes that were analysed, and where sizes are open also of twice the size. Gives the largest difference; throws StructuralError where it is more than rounding. */
export async function compareOutputs(
  original: Graph,
  simplified: Graph,
  shapes: Coupling['shapes'],
  options: CompareOptions,
): Promise<number> {
  const threads = options.threads === undefined ? {} : { threads: options.threads };
  const [before, after] = [await createSession(original, threads), await createSession(simplified, threads)];
  const isRandom = [...allNodes(original)].some(
    ({ domain, opType }) => findOperator(domain, opType)?.nondeterministic,
  );
  let maxError = 0;
  try {
    for (const [seed, sizes] of [shapes, ...larger(original, shapes)].entries()) {
      const feeds = randomInputs(original, { shapes: sizes, seed });
      const expected = seed === 0 ? await before.run(feeds) : await before.run(feeds).catch(() => null);
      // Not every graph takes every size it leaves open.
      if (!expected) continue;
      const found = await after.run(feeds);
      const again = isRandom ? await before.run(feeds) : expected;
      for (const { name } of original.outputs) {
        // What is drawn anew in each run cannot be compared.
        if (differenceOf(expected.get(name)!, again.get(name)!).maxError > 0) continue;
        maxError = Math.max(
          maxError,
          differenceOfOutput(name, expected.get(name)!, found.get(name)!, options),
        );
      }
    }
  } finally {
    await before.dispose();
    await after.dispose();
  }
  return maxError;
}

function differenceOfOutput(
  name: string,
  expected: Tensor,
  found: Tensor,
  { tolerance }: CompareOptions,
): number {
  const { maxError, scale, why } = differenceOf(expected, found);
  const most = (tolerance ?? TOLERANCES[expected.dtype] ?? 0) * Math.max(1, scale);
  if (why === null && maxError <= most) return maxError;
  throw new StructuralError(
    `simplify: the output '${name}' ${why ?? `differs by ${maxError} from the original's, where ${most} is rounding`}; the model given is as it was`,
  );
}

/** Shapes with all sizes but the batch doubled that the graph leaves open; none where it leaves none. */
function larger(graph: Graph, shapes: Coupling['shapes']): Coupling['shapes'][] {
  let isOpen = false;
  const doubled = Object.fromEntries(
    graph.feeds.map(({ name, type }) => {
      const declared = type?.kind === 'tensor' ? type.shape : null;
      const sizes = shapes[name]!.map((size, axis) => {
        if (axis === 0 || !declared || staticShape([declared[axis]!])) return size;
        isOpen = true;
        return 2 * size;
      });
      return [name, sizes];
    }),
  );
  return isOpen ? [doubled] : [];
}
