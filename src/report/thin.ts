/**
 * A line of at most about four points per pixel across: of each pixel's points the first, the lowest, the highest and the last stay, which draws the same
 * line. Points are `[x, y]` in any order of x; `across` gives the pixel of an x. Short lines stay as they are.
 */
export function thinLine(
  points: readonly (readonly [number, number])[],
  across: (x: number) => number,
): readonly (readonly [number, number])[] {
  if (points.length <= 1000) return points;
  const kept: (readonly [number, number])[] = [];
  for (let start = 0; start < points.length; ) {
    const pixel = across(points[start]![0]);
    let [end, low, high] = [start, start, start];
    for (; end < points.length && across(points[end]![0]) === pixel; end++) {
      if (points[end]![1] < points[low]![1]) low = end;
      if (points[end]![1] > points[high]![1]) high = end;
    }
    const stay = new Set([start, low, high, end - 1].sort((a, b) => a - b));
    for (const index of stay) kept.push(points[index]!);
    start = end;
  }
  return kept;
}
