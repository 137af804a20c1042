import type { Comparison, ModelMeasure } from './compare.ts';
import type { Profile } from './profile.ts';
import type { SparsityReport } from './sparsity.ts';
import type { GranularSparsity, ZeroUnits } from './zeros.ts';

/** What a column holds, for whoever formats it. */
export type CellKind = 'text' | 'count' | 'bytes' | 'share' | 'shape' | 'number';

/** A column of a report. */
export interface ReportColumn {
  /** Name of the field in the JSON. */
  readonly key: string;
  readonly title: string;
  readonly kind: CellKind;
}

/** A value of a report; null where there is none. */
export type Cell = string | number | readonly number[] | null;

/** A report as data: what is shown, not how. */
export interface ReportTable {
  readonly columns: readonly ReportColumn[];
  readonly rows: readonly (readonly Cell[])[];
  /** The last line of sums; null where there is none. */
  readonly total: readonly Cell[] | null;
}

/** The layers of a profile, a row each, and their totals. `share` is a fraction of 1, `activationBytes` are bytes. */
export function profileTable({ convention, layers, totals }: Profile): ReportTable {
  return {
    columns: [
      { key: 'name', title: 'layer', kind: 'text' },
      { key: 'op', title: 'operator', kind: 'text' },
      { key: 'outputShape', title: 'output', kind: 'shape' },
      { key: 'parameters', title: 'parameters', kind: 'count' },
      { key: 'zeros', title: 'zeros', kind: 'count' },
      { key: 'macs', title: convention === 'macs' ? 'MACs' : convention, kind: 'count' },
      { key: 'share', title: 'share', kind: 'share' },
      { key: 'activationBytes', title: 'activations', kind: 'bytes' },
    ],
    rows: layers.map((layer) => [
      layer.name,
      layer.op,
      layer.outputShape,
      layer.parameters,
      layer.zeros,
      layer.macs,
      layer.share,
      layer.activationBytes,
    ]),
    total: [
      'total',
      null,
      null,
      totals.parameters,
      totals.zeros,
      totals.macs,
      totals.macs === 0 ? 0 : 1,
      totals.activationBytes,
    ],
  };
}

/** Names of the kinds of units that sparsity is counted in, largest last. */
const UNITS = {
  weights: 'weights',
  rows: 'kernel rows',
  columns: 'kernel columns',
  kernels: 'kernels',
  filters: 'filters',
  channels: 'input channels',
} as const satisfies Partial<Record<keyof GranularSparsity, string>>;

/** Zeros by granularity, a row each: how many units are zero (N:M groups: satisfy the pattern), of how many. */
export function granularityTable(granularity: GranularSparsity): ReportTable {
  const row = (unit: string, { zero, total }: ZeroUnits): Cell[] => [
    unit,
    zero,
    total,
    total === 0 ? 0 : zero / total,
  ];
  const keys = Object.keys(UNITS) as (keyof typeof UNITS)[];
  return {
    columns: [
      { key: 'unit', title: 'unit', kind: 'text' },
      { key: 'zero', title: 'zero', kind: 'count' },
      { key: 'total', title: 'of', kind: 'count' },
      { key: 'share', title: 'share', kind: 'share' },
    ],
    rows: [
      ...keys.flatMap((key) => {
        const units = granularity[key];
        return units ? [row(UNITS[key], units)] : [];
      }),
      ...Object.entries(granularity.patterns ?? {}).map(([pattern, units]) =>
        row(`${pattern} groups`, units),
      ),
    ],
    total: null,
  };
}

/** The parameters of a sparsity report, a row each, and their totals. */
export function sparsityTable({ layers, parameters, zeros, sparsity }: SparsityReport): ReportTable {
  return {
    columns: [
      { key: 'name', title: 'parameter', kind: 'text' },
      { key: 'shape', title: 'shape', kind: 'shape' },
      { key: 'parameters', title: 'parameters', kind: 'count' },
      { key: 'zeros', title: 'zeros', kind: 'count' },
      { key: 'sparsity', title: 'sparsity', kind: 'share' },
    ],
    rows: layers.map((layer) => [layer.name, layer.shape, layer.parameters, layer.zeros, layer.sparsity]),
    total: ['total', null, parameters, zeros, sparsity],
  };
}

/** A line of a comparison: a quantity of both models, and what became of it. */
export interface ComparisonRow {
  /** Field in the JSON, such as `totals.parameters`. */
  readonly key: string;
  readonly title: string;
  readonly kind: CellKind;
  readonly a: number | null;
  readonly b: number | null;
  /** b / a; null where one is missing or a is 0. */
  readonly ratio: number | null;
}

/** The quantities of a comparison, a row each; latency is in milliseconds. */
export function comparisonRows({ a, b }: Comparison): readonly ComparisonRow[] {
  const row = (
    key: string,
    title: string,
    kind: CellKind,
    of: (measure: ModelMeasure) => number | null,
  ): ComparisonRow => {
    const [before, after] = [of(a), of(b)];
    const ratio = before === null || after === null || before === 0 ? null : after / before;
    return { key, title, kind, a: before, b: after, ratio };
  };
  return [
    row('totals.parameters', 'parameters', 'count', ({ totals }) => totals.parameters),
    row('totals.zeros', 'zeros', 'count', ({ totals }) => totals.zeros),
    row('totals.sparsity', 'sparsity', 'share', ({ totals }) => totals.sparsity),
    row('totals.macs', a.convention === 'macs' ? 'MACs' : a.convention, 'count', ({ totals }) => totals.macs),
    row('totals.activationBytes', 'activations', 'bytes', ({ totals }) => totals.activationBytes),
    row('sizes.raw', 'file', 'bytes', ({ sizes }) => sizes.raw),
    row('sizes.gzip', 'file, gzip', 'bytes', ({ sizes }) => sizes.gzip),
    row('sizes.brotli', 'file, brotli', 'bytes', ({ sizes }) => sizes.brotli),
    row('latency.median', 'latency (ms)', 'number', ({ latency }) => latency?.median ?? null),
    row('latency.p10', 'latency, 10th percentile (ms)', 'number', ({ latency }) => latency?.p10 ?? null),
    row('latency.p90', 'latency, 90th percentile (ms)', 'number', ({ latency }) => latency?.p90 ?? null),
  ];
}

/**
 * A report as comma-separated values (RFC 4180: CRLF, quotes where needed): a line of the columns' keys, then the rows. Sums are left out: a reader
 * would count them twice. Shapes are written `1x64x80x80`, missing values as nothing.
 */
export function toCsv({ columns, rows }: Pick<ReportTable, 'columns' | 'rows'>): string {
  const lines = [columns.map(({ key }) => key), ...rows];
  return lines.map((line) => `${line.map(csvCell).join(',')}\r\n`).join('');
}

function csvCell(cell: Cell): string {
  if (cell === null) return '';
  const text = typeof cell === 'object' ? cell.join('x') : String(cell);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
