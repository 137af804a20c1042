import type { Tensor } from '../../core/tensor.ts';
import type { AnyModule } from '../../nn/index.ts';
import type { FileSizes, SparsityReport } from '../../profile/index.ts';
import { type ReportSection, type ReportTable, weightHistogram, weightSection } from '../../report/index.ts';
import { metricFormat, metricTitle } from './frame.ts';

/** What a model has and costs at one moment. What was not measured is left out. */
export interface ModelState {
  readonly parameters: number;
  readonly zeros: number;
  /** Multiply-accumulates of one sample; zeros count too. */
  readonly macs?: number;
  readonly sizes?: FileSizes;
  /** Metrics by name: `{ loss, accuracy }`. */
  readonly metrics?: Readonly<Record<string, number>>;
}

/** Counts of a model out of `sparsityReport`. */
export const stateOf = (
  { parameters, zeros }: Pick<SparsityReport, 'parameters' | 'zeros'>,
  more: Omit<ModelState, 'parameters' | 'zeros'> = {},
): ModelState => ({ parameters, zeros, ...more });

type Quantity = readonly [
  title: string,
  format: 'integer' | 'percent' | 'bytes' | 'number',
  value: (state: ModelState) => number | null | undefined,
];

/**
 * A section with a model before and after side by side: parameters, zeros, operations, file sizes and metrics; rows that neither has are left out. A row
 * is a table of its own kind of number, so there are three.
 */
export function modelSection(
  before: ModelState,
  after: ModelState,
  title: string = 'Model before and after',
): ReportSection {
  const metrics = [...new Set([before, after].flatMap(({ metrics: found = {} }) => Object.keys(found)))];
  const tables: readonly (readonly [string, readonly Quantity[]])[] = [
    [
      'Parameters and operations',
      [
        ['parameters', 'integer', ({ parameters }) => parameters],
        ['of them zero', 'integer', ({ zeros }) => zeros],
        ['not zero', 'integer', ({ parameters, zeros }) => parameters - zeros],
        ['multiply-accumulates, zeros counted too', 'integer', ({ macs }) => macs],
      ],
    ],
    [
      'File sizes',
      [
        ['as it is', 'bytes', ({ sizes }) => sizes?.raw],
        ['gzip', 'bytes', ({ sizes }) => sizes?.gzip],
        ['brotli', 'bytes', ({ sizes }) => sizes?.brotli],
      ],
    ],
    [
      'Shares and metrics',
      [
        ['sparsity', 'percent', ({ parameters, zeros }) => (parameters === 0 ? 0 : zeros / parameters)],
        ...metrics
          .filter((name) => metricFormat(name) === 'percent')
          .map((name): Quantity => [metricTitle(name), 'percent', (state) => state.metrics?.[name]]),
      ],
    ],
    [
      'Losses',
      metrics
        .filter((name) => metricFormat(name) === 'number')
        .map((name): Quantity => [metricTitle(name), 'number', (state) => state.metrics?.[name]]),
    ],
  ];
  return { title, items: tables.flatMap(([name, rows]) => sideBySide(name, rows, before, after)) };
}

function sideBySide(
  title: string,
  quantities: readonly Quantity[],
  before: ModelState,
  after: ModelState,
): ReportTable[] {
  const rows = quantities.flatMap(([name, , valueIn]) => {
    const [was, is] = [valueIn(before) ?? null, valueIn(after) ?? null];
    return was === null && is === null ? [] : [[name, was, is, ratio(was, is)]];
  });
  const format = quantities[0]?.[1];
  if (rows.length === 0 || format === undefined) return [];
  return [
    {
      kind: 'table',
      title,
      columns: [
        { label: 'quantity' },
        { label: 'before', format },
        { label: 'after', format },
        { label: 'after / before', format: 'ratio' },
      ],
      rows,
    },
  ];
}

const ratio = (before: number | null, after: number | null): number | null =>
  before === null || after === null || before === 0 ? null : after / before;

/** Copies of a model's parameters by name, for histograms of what training changed. */
export const weightsNow = (model: AnyModule): Map<string, Tensor> =>
  new Map(
    [...model.parameterPlaces()].map(({ path, name, parameter }) => [
      path === '' ? name : `${path}.${name}`,
      parameter.data.clone(),
    ]),
  );

/** Histograms at most in a section: the largest parameters. */
const MOST_DRAWN = 12;

/**
 * Sections on the weights of a model before and after: a histogram and a mask map of every pruned parameter (`weightSection`), and histograms of the others that are weights
 * of at least two axes. `before` is what `weightsNow` gave then.
 */
export function weightSections(model: AnyModule, before: ReadonlyMap<string, Tensor>): ReportSection[] {
  const pruned = [...model.parameters()].some(({ mask }) => mask !== null);
  const others = [...model.parameterPlaces()]
    .map(({ path, name, parameter }) => ({ name: path === '' ? name : `${path}.${name}`, parameter }))
    .filter(
      ({ parameter }) =>
        parameter.mask === null && parameter.shape.length >= 2 && parameter.data.dtype === 'float32',
    );
  const drawn = new Set([...others].sort((a, b) => b.parameter.size - a.parameter.size).slice(0, MOST_DRAWN));
  const items = others
    .filter((entry) => drawn.has(entry))
    .flatMap(({ name, parameter }) => {
      const was = before.get(name);
      return was ? [weightHistogram(was.float32, parameter.data.float32, { title: name })] : [];
    });
  const left = others.length - drawn.size;
  return [
    ...(pruned ? [weightSection(model, { before, title: 'Pruned weights' })] : []),
    {
      title: pruned ? 'Other weights' : 'Weights',
      ...(left > 0 ? { text: `The ${drawn.size} largest of ${others.length} are drawn.` } : {}),
      items,
    },
  ];
}
