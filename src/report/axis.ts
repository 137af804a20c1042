import type { ChartAxis } from './report.ts';
import { formatValue } from './value-format.ts';

/**
 * Expressions of Vega for the label of a tick. Vega's own labels have as many digits as the step between ticks seems to need, but count them in
 * floating point: -0.15 in steps of 0.05 became -0.1.
 */
const LABELS = {
  number: "format(datum.value, '~g')",
  integer: "format(datum.value, ',d')",
  percent: "replace(format(datum.value, '~%'), '%', '\u202f%')",
  // d3-format writes 1.5k and 12M.
  bytes: "replace(format(datum.value, '~s'), /([kMGT]?)$/, '\u202f$1B')",
  ratio: "format(datum.value, '~g') + '×'",
} as const;

/** Tick values of a logarithmic axis: whole powers of ten, with steps between where there are few of them. */
export function logTicks(low: number, high: number): number[] {
  const decades = Math.log10(high / low);
  const steps = decades < 1.5 ? [1, 2, 3, 4, 5, 7] : decades < 3.5 ? [1, 2, 5] : [1];
  const stride = Math.ceil(decades / 8);
  const ticks: number[] = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
    if (steps.length === 1 && power % stride !== 0) continue;
    // By way of decimal text: 3 × 10^-1 is 0.30000000000000004.
    ticks.push(...steps.map((step) => Number(`${step}e${power}`)));
  }
  // Ends that rounding moved are inside.
  return ticks.filter((tick) => tick >= low * (1 - 1e-9) && tick <= high * (1 + 1e-9));
}

/** The range of an axis over `values`, none of which lies outside; equal values get room around them. */
function domainOf(zero: boolean, values: readonly number[]): [number, number] {
  let [low, high] = extent(values);
  if (zero) [low, high] = [Math.min(low, 0), Math.max(high, 0)];
  if (low < high) return [low, high];
  const room = low === 0 ? 1 : Math.abs(low) * 0.1;
  return [low - room, high + room];
}

/** What an axis has room for. */
export interface AxisRoom {
  /** Labels, about; for linear axes. */
  readonly ticks: number;
  /** Pixels of the title. */
  readonly room: number;
}

/**
 * Vega-Lite's channel for a field of numbers along an axis that holds `values`. A title that is longer than there is room for is cut short: Vega would
 * shrink the chart until it fits.
 */
export function axisChannel<F extends string>(
  field: F,
  axis: ChartAxis,
  values: readonly number[],
  { ticks, room }: AxisRoom,
) {
  const { title, format = 'number', scale: type = 'linear', zero = false, reverse = false } = axis;
  const domain = domainOf(zero, values);
  const places = type === 'log' ? { values: logTicks(...domain) } : { tickCount: ticks };
  return {
    field,
    type: 'quantitative' as const,
    axis: {
      title,
      titleLimit: room,
      labelExpr: LABELS[format],
      ...places,
      ...(format === 'integer' ? { tickMinStep: 1 } : {}),
    },
    // Round ends would stretch a logarithmic axis to whole powers of ten.
    scale: { type, domain, nice: type === 'linear' ? ticks : false, zero: false, reverse },
  };
}

/** A channel that `axisChannel` gives. */
export type AxisChannel<F extends string> = ReturnType<typeof axisChannel<F>>;

/** Least and greatest of some numbers; not by spreading, as there may be more than a call takes. [0, 1] for none. */
export function extent(values: readonly number[]): [number, number] {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return low <= high ? [low, high] : [0, 1];
}

/** `97.00 % to 99.10 %`, or the one value there is: what a chart's label says of a series. */
export function rangeText(values: readonly number[], { format }: ChartAxis): string {
  const [low, high] = extent(values);
  const [from, to] = [formatValue(low, format), formatValue(high, format)];
  return from === to ? from : `${from} to ${to}`;
}
