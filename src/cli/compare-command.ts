import { type Graph, printType } from '../ir/index.ts';
import { nodeCompressors } from '../node/index.ts';
import {
  type Comparison,
  type ComparisonRow,
  compareModels,
  comparisonRows,
  type ReportTable,
} from '../profile/index.ts';
import type { CompareCommandOptions, ModelOptions } from './commands.ts';
import { inputsFrom } from './inputs.ts';
import { isArchitecture, loadModel, requireShapes } from './load.ts';
import { printCsv, printJson, shown } from './output.ts';
import { withProgress } from './progress.ts';
import { renderTable } from './table.ts';
import { UsageError } from './usage-error.ts';

/** `secateur compare A B`: two models side by side, measured and run on the same inputs. */
export async function compareCommand(
  first: string,
  second: string,
  options: CompareCommandOptions,
): Promise<void> {
  // What belongs to an architecture is not asked of a file beside it.
  const { classes: _, weights: __, ...common } = options;
  const mixed = isArchitecture(first) || isArchitecture(second);
  const optionsOf = (source: string): ModelOptions => (mixed && !isArchitecture(source) ? common : options);
  const a = loadModel(first, optionsOf(first));
  const b = loadModel(second, optionsOf(second));
  const inputs = options.inputs === undefined ? undefined : inputsFrom('--inputs', options.inputs, a.graph);
  if (!inputs) requireShapes(a);
  checkInputs(a.graph, b.graph);
  const comparison = await withProgress('comparing', (onProgress) =>
    compareModels(a.module, b.module, {
      compressors: nodeCompressors,
      seed: options.seed ?? 0,
      latency: options.latency
        ? { onProgress, ...(options.runs === undefined ? {} : { minRuns: options.runs }) }
        : false,
      ...(options.threads === undefined ? {} : { threads: options.threads }),
      ...(inputs ? { inputs } : {}),
      ...(a.profileShapes && !inputs ? { shapes: a.profileShapes } : {}),
    }),
  );
  if (options.json) {
    printJson({ models: { a: first, b: second }, ...comparison });
    return;
  }
  const rows = comparisonRows(comparison);
  if (options.csv) {
    printCsv(csvTable(rows, comparison));
    return;
  }
  process.stdout.write(`${textOf(first, second, rows, comparison)}\n`);
}

function textOf(a: string, b: string, rows: readonly ComparisonRow[], comparison: Comparison): string {
  const table = renderTable(
    [
      { title: '' },
      { title: a, align: 'right', flexible: true },
      { title: b, align: 'right', flexible: true },
      { title: 'b / a', align: 'right' },
    ],
    rows.flatMap(({ title, kind, a: before, b: after, ratio, key }) =>
      before === null && after === null
        ? []
        : [[title, shown(before, kind, key), shown(after, kind, key), ratioOf(kind, key, ratio)]],
    ),
  );
  const { difference, inputs } = comparison;
  const shapes = Object.entries(inputs).map(([name, shape]) => `${name} ${shape.join('x')}`);
  const lines = [
    `run on ${shapes.join(', ')}${threadsOf(comparison)}`,
    difference.max === 0 && difference.notComparable === 0
      ? 'outputs are identical'
      : `outputs differ by at most ${difference.max.toPrecision(3)}, by ${difference.mean.toPrecision(3)} in the mean`,
  ];
  if (difference.notComparable > 0) {
    lines.push(
      `${difference.notComparable} output elements are NaN or infinite in one model and not so in the other`,
    );
  }
  const { a: before, b: after } = comparison;
  if (after.totals.zeros > before.totals.zeros && after.totals.macs === before.totals.macs) {
    lines.push(
      '',
      'Zeros make neither operations nor latency smaller; the compressed file is what shrinks. Removing channels makes a model faster.',
    );
  }
  return [table, '', ...lines].join('\n');
}

/** Shares are compared by eye, and a ratio of zeros, of which there may have been one, says nothing. */
const ratioOf = (kind: ComparisonRow['kind'], key: string, ratio: number | null): string =>
  ratio === null || kind === 'share' || key === 'totals.zeros' ? '' : ratio.toFixed(3);

const threadsOf = ({ a: { latency } }: Comparison): string =>
  latency
    ? ` (${latency.runs} runs each, in turns, ${latency.threads} ${latency.threads === 1 ? 'thread' : 'threads'}, ${latency.engine})`
    : '';

const csvTable = (
  rows: readonly ComparisonRow[],
  { difference }: Comparison,
): Pick<ReportTable, 'columns' | 'rows'> => ({
  columns: [
    { key: 'quantity', title: 'quantity', kind: 'text' },
    { key: 'a', title: 'a', kind: 'number' },
    { key: 'b', title: 'b', kind: 'number' },
    { key: 'ratio', title: 'b / a', kind: 'number' },
  ],
  rows: [
    ...rows.map(({ key, a, b, ratio }) => [key, a, b, ratio]),
    ['difference.max', null, difference.max, null],
    ['difference.mean', null, difference.mean, null],
  ],
});

/** Throws UsageError where what the two models declare of their inputs can never agree. */
function checkInputs(a: Graph, b: Graph): void {
  const named = b.feeds.every(({ name }) => a.feeds.some((feed) => feed.name === name));
  const agree =
    a.feeds.length === b.feeds.length &&
    b.feeds.every(({ name, type }, index) => {
      const other = (named ? a.feeds.find((feed) => feed.name === name) : a.feeds[index])?.type;
      if (type?.kind !== 'tensor' || other?.kind !== 'tensor') return true;
      if (type.dtype && other.dtype && type.dtype !== other.dtype) return false;
      const { shape } = type;
      if (!shape || !other.shape) return true;
      return (
        shape.length === other.shape.length &&
        other.shape.every((dim, axis) => {
          const own = shape[axis];
          return typeof dim !== 'number' || typeof own !== 'number' || dim === own;
        })
      );
    });
  if (agree) return;
  const list = ({ feeds }: Graph): string =>
    feeds.map(({ name, type }) => `'${name}' ${printType(type)}`).join(', ') || 'none';
  throw new UsageError(
    `the two models cannot run on the same inputs: the first takes ${list(a)}, the second ${list(b)}`,
  );
}
