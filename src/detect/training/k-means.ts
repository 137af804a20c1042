import type { Generator } from '../../core/random.ts';

/** Beginnings that are tried, as scipy's `kmeans(…, iter=30)`. */
const BEGINNINGS = 30;

/** Ends where the mean distance falls by no more. */
const TOLERANCE = 1e-5;

/**
 * Centres of clusters of points on the plane (Lloyd 1982), x and y one after the other: the best, by mean distance, of 30 beginnings at random points. Null where each of them leaves a centre without points.
 */
export function kMeans(points: Float64Array, count: number, generator: Generator): Float64Array | null {
  let best: { centres: Float64Array; distance: number } | null = null;
  for (let beginning = 0; beginning < BEGINNINGS; beginning++) {
    const first = generator.randperm(points.length / 2).subarray(0, count);
    const found = lloyd(
      points,
      Float64Array.from({ length: count * 2 }, (_, at) => points[2 * first[at >> 1]! + (at % 2)]!),
    );
    if (found && (best === null || found.distance < best.distance)) best = found;
  }
  return best?.centres ?? null;
}

/** Moves centres to the means of the points nearest to them, until that changes nothing to speak of. Null where one has no points. */
function lloyd(
  points: Float64Array,
  begin: Float64Array,
): { centres: Float64Array; distance: number } | null {
  let centres = begin;
  let before = Number.POSITIVE_INFINITY;
  for (;;) {
    const sums = new Float64Array(centres.length);
    const counts = new Float64Array(centres.length / 2);
    let total = 0;
    for (let point = 0; point < points.length; point += 2) {
      const [x, y] = [points[point]!, points[point + 1]!];
      let [nearest, least] = [0, Number.POSITIVE_INFINITY];
      for (let k = 0; k < centres.length; k += 2) {
        const squared = (x - centres[k]!) ** 2 + (y - centres[k + 1]!) ** 2;
        if (squared < least) [nearest, least] = [k, squared];
      }
      total += Math.sqrt(least);
      sums[nearest]! += x;
      sums[nearest + 1]! += y;
      counts[nearest / 2]!++;
    }
    const distance = total / (points.length / 2);
    if (before - distance <= TOLERANCE) return { centres, distance };
    if (counts.includes(0)) return null;
    centres = sums.map((sum, index) => sum / counts[index >> 1]!);
    before = distance;
  }
}
