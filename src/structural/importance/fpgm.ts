import { sizeOf, Tensor } from '../../core/tensor.ts';
import { Graph } from '../../ir/index.ts';
import { Expressions, GRADIENT_OPSET, GraphBuilder } from '../../ops/index.ts';
import { createSession } from '../../runtime/index.ts';
import type { ChannelGroup } from '../groups.ts';
import { type AxisOf, lengthOf, realsOf } from './axis-sums.ts';
import type { ContributionsOf } from './magnitude.ts';
import { AxisScores, axesOf, countedMembers } from './member-axes.ts';

/** What FPGM needs of the options. */
export interface DistanceOptions {
  readonly threads?: number;
  readonly signal?: AbortSignal;
}

/**
 * FPGM (He et al. 2019, "Filter Pruning via Geometric Median for Deep Convolutional Neural Networks Acceleration"): for each filter the sum of its Euclidean distances to all filters of the layer, `Σ_j ‖w_i - w_j‖₂`; a small one can be made of
 * the others. All filters of the layer are looked at, also those of other groups. Slices that read channels are compared with each other likewise.
 *
 * Distances come from products of all pairs, `‖a‖² + ‖b‖² - 2ab`, in float64 by the engine: O(n² d) for n filters of d elements. Throws EngineError where it is missing.
 */
export async function filterDistances(
  groups: readonly ChannelGroup[],
  which: 'out' | 'out-in',
  { threads, signal }: DistanceOptions,
): Promise<ContributionsOf> {
  const members = new Map(groups.map((group) => [group, countedMembers(group, which)]));
  const scores = new AxisScores();
  const session = await createSession(distanceGraph(), threads === undefined ? {} : { threads });
  try {
    for (const [value, axes] of axesOf([...members.values()].flat())) {
      for (const axis of axes) {
        signal?.throwIfAborted();
        if (!value.initializer) continue;
        const results = await session.run({ filters: rowsOf(value.initializer, axis) });
        scores.set(value, axis, results.get('distances')!.data as Float64Array);
      }
    }
  } finally {
    await session.dispose();
  }
  return (group) => (members.get(group) ?? []).flatMap((member) => scores.of(member));
}

/** float64[n, d] -> float64[n]: sums of the distances of each row to all. */
function distanceGraph(): Graph {
  const builder = new GraphBuilder(new Graph({ name: 'distances', opset: GRADIENT_OPSET }));
  const make = new Expressions(builder);
  const filters = builder.input('filters', 'float64', ['n', 'd']);
  const squares = make.reduceSum(make.mul(filters, filters), [1]);
  const transposed = make.transpose(filters, [1, 0]);
  const products = make.matmul(filters, transposed);
  const sums = make.add(squares, make.transpose(squares, [1, 0]));
  const squared = make.sub(sums, make.mul(products, 2));
  // Of equal filters rounding may leave a little less than 0.
  const distances = make.sqrt(make.op('Max', [squared, make.full(0, 'float64')]));
  builder.output(make.reduceSum(distances, [1], false), 'distances');
  return builder.graph;
}

/** What lies at each index of an axis, part by part, as the rows of a matrix: float64[lengthOf, rest]. */
export function rowsOf(tensor: Tensor, axisOf: AxisOf): Tensor {
  const { axis, parts } = axisOf;
  const { shape } = tensor;
  const data = realsOf(tensor);
  const height = lengthOf(shape, axisOf);
  const width = data.length / height;
  const rows = new Float64Array(data.length);
  if (axis === 0 && !parts) rows.set(data);
  else {
    const size = shape[axis]!;
    const inner = sizeOf(shape.slice(axis + 1));
    const along = parts ? sizeOf(shape.slice(parts.along + 1)) : 0;
    const each = parts ? shape[parts.along]! / parts.count : 0;
    const filled = new Int32Array(height);
    for (let place = 0; place < data.length; place++) {
      const position = Math.floor(place / inner) % size;
      const part = parts ? Math.floor((Math.floor(place / along) % shape[parts.along]!) / each) : 0;
      const row = part * size + position;
      rows[row * width + filled[row]!++] = data[place]!;
    }
  }
  return new Tensor('float64', [height, width], rows);
}
