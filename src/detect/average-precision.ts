import { ArgumentError } from '../core/errors.ts';

/** How the area under a precision-recall curve is taken. */
export type ApMethod = 'ultralytics' | 'coco';

/** Recalls 0, 0.01 … 1, with the last bits that NumPy's `linspace` has: a recall of 0.07 reaches the eighth, or does not. */
const RECALLS: readonly number[] = /* @__PURE__ */ Array.from({ length: 101 }, (_, step) => step * 0.01);

/**
 * Values of a curve through points at other places, straight between them; before the first point `left`, after the last its value. Of points at one place the last counts.
 * Source: NumPy's `interp`.
 *
 * @param xs In ascending order, at least one.
 */
export function interpolate(
  places: readonly number[],
  xs: ArrayLike<number>,
  ys: ArrayLike<number>,
  left = ys[0]!,
): number[] {
  const last = xs.length - 1;
  return places.map((x) => {
    if (x < xs[0]!) return left;
    if (x >= xs[last]!) return ys[last]!;
    // The last point that is not beyond x.
    let [low, high] = [0, last];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (xs[middle]! <= x) low = middle;
      else high = middle;
    }
    if (xs[low] === x) return ys[low]!;
    const slope = (ys[high]! - ys[low]!) / (xs[high]! - xs[low]!);
    return slope * (x - xs[low]!) + ys[low]!;
  });
}

/** Each value's maximum with all that follow: precision as recall may at least be had with it. */
function envelope(precision: readonly number[]): number[] {
  const out = [...precision];
  for (let i = out.length - 2; i >= 0; i--) out[i] = Math.max(out[i]!, out[i + 1]!);
  return out;
}

/** A precision-recall curve with its ends: recall 0 at precision 1, recall 1 at precision 0; precision never rises. */
export function closedCurve(
  recall: readonly number[],
  precision: readonly number[],
): { recall: number[]; precision: number[] } {
  return { recall: [0, ...recall, 1], precision: envelope([1, ...precision, 0]) };
}

/**
 * Average precision, 0 to 1, of a precision-recall curve at the 101 recalls 0, 0.01 … 1.
 *
 * @param recall After one detection, two, and so on, the most confident first.
 * @param precision After as many.
 * @param method 'ultralytics' (default): the area under straight lines between the recalls, as `compute_ap` of YOLOv5's metrics.py. 'coco': the mean of the best precision that reaches
 *   each recall, as pycocotools' `accumulate`. They differ in the third digit, more where detections are few.
 *
 * Throws ArgumentError where the lengths differ or the method is another.
 */
export function averagePrecision(
  recall: readonly number[],
  precision: readonly number[],
  method: ApMethod = 'ultralytics',
): number {
  if (recall.length !== precision.length) {
    throw new ArgumentError(
      `averagePrecision: expected recall and precision of one length, got ${recall.length} and ${precision.length}`,
    );
  }
  if (method === 'coco') {
    const best = envelope(precision);
    let at = 0;
    let sum = 0;
    for (const least of RECALLS) {
      while (at < recall.length && recall[at]! < least) at++;
      sum += best[at] ?? 0;
    }
    return sum / RECALLS.length;
  }
  if (method !== 'ultralytics') {
    throw new ArgumentError(
      `averagePrecision: expected the method 'ultralytics' or 'coco', got '${String(method)}'`,
    );
  }
  const curve = closedCurve(recall, precision);
  const values = interpolate(RECALLS, curve.recall, curve.precision);
  let area = 0;
  for (let i = 1; i < values.length; i++)
    area += ((values[i]! + values[i - 1]!) / 2) * (RECALLS[i]! - RECALLS[i - 1]!);
  return area;
}

/** A moving mean over a share of a curve, its ends repeated. Source: `smooth` of YOLOv5's metrics.py. */
export function smoothed(values: readonly number[], share: number): number[] {
  const count = Math.floor(Math.round(values.length * share * 2) / 2) + 1;
  const half = Math.floor(count / 2);
  const padded = [
    ...new Array<number>(half).fill(values[0]!),
    ...values,
    ...new Array<number>(half).fill(values.at(-1)!),
  ];
  return values.map((_, at) => {
    let sum = 0;
    for (let step = 0; step < count; step++) sum += padded[at + step]!;
    return sum / count;
  });
}
