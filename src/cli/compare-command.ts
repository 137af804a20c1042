import type { Tensor } from '../core/tensor.ts';
import { nodeCompressors, readTensors } from '../node/index.ts';
import {
  type Comparison,
  type ComparisonRow,
  compareModels,
  comparisonRows,
  type ReportTable,
} from '../profile/index.ts';
import type { CompareCommandOptions } from './commands.ts';
import { type LoadedModel, loadModel } from './load.ts';
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
  const a = loadModel(first, options);
  const b = loadModel(second, options);
  const inputs = options.inputs === undefined ? undefined : inputsFrom(options.inputs, a);
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

/** Inputs from a file: by name, or, where the file holds as many tensors as the model has inputs, by place. */
function inputsFrom(path: string, { graph }: LoadedModel): Record<string, Tensor> {
  const tensors = readTensors(path);
  const names = graph.feeds.map(({ name }) => name);
  if (names.every((name) => tensors.has(name))) {
    return Object.fromEntries(names.map((name) => [name, tensors.get(name)!]));
  }
  if (tensors.size === names.length) {
    return Object.fromEntries([...tensors.values()].map((tensor, index) => [names[index]!, tensor]));
  }
  const given = [...tensors.keys()].map((name) => `'${name}'`).join(', ');
  throw new UsageError(
    `--inputs: '${path}' holds ${given}; the model's inputs are ${names.map((name) => `'${name}'`).join(', ')}`,
  );
}
