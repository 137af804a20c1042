import { parseGranularity } from '../prune/index.ts';
import {
  amountsFrom,
  metricTitle,
  type Sensitivity,
  sensitivity,
  sensitivitySection,
} from '../train/index.ts';
import { interruptible } from './interrupt.ts';
import { printJson } from './output.ts';
import { withProgress } from './progress.ts';
import { type Column, percent, renderTable, withCommas } from './table.ts';
import { checkCheckpoint, interruptAdvice, openCheckpoint } from './training-checkpoint.ts';
import { dataFacts, evaluationLoader } from './training-data.ts';
import { openModel } from './training-model.ts';
import type { SensitivityCommandOptions } from './training-options.ts';
import { checkReport, frameOf, writeReport } from './training-report.ts';
import { reportLines } from './training-text.ts';
import { UsageError } from './usage-error.ts';

/** `secateur sensitivity MODEL --data PATH`: accuracy of each layer at each amount, without training. */
export async function sensitivityCommand(source: string, options: SensitivityCommandOptions): Promise<void> {
  const { metric, maxDrop, sparsity, include, exclude, amounts } = options;
  if (maxDrop !== undefined && sparsity !== undefined) {
    throw new UsageError(
      '--max-drop and --sparsity both say how much each layer is to lose; give one of them',
    );
  }
  checkReport(options);
  checkCheckpoint(options);
  const granularity = options.granularity === undefined ? undefined : parseGranularity(options.granularity);
  const opened = await openModel(source, options);
  const { module, data } = opened;
  const checkpoint = openCheckpoint(options, settingsOf(source, options));
  const found = await interruptible(
    (signal) =>
      withProgress('judging each layer at each amount', (onProgress) =>
        sensitivity(module, {
          data: evaluationLoader(data.validation.dataset, options),
          metric,
          metrics: metric === 'loss' ? [] : [metric],
          signal,
          checkpoint,
          onProgress: (done, total) => onProgress(done / total),
          ...(amounts ? { amounts } : {}),
          ...(include ? { include } : {}),
          ...(exclude ? { exclude } : {}),
          ...(granularity ? { granularity } : {}),
          ...(options.threads === undefined ? {} : { threads: options.threads }),
        }),
      ),
    () => interruptAdvice(options, options.line),
  );
  const chosen =
    maxDrop !== undefined
      ? amountsFrom(found, { maxDrop })
      : sparsity !== undefined
        ? amountsFrom(found, { sparsity })
        : null;
  const reports =
    options.report === undefined
      ? []
      : await writeReport(
          options.report,
          frameOf(
            `${source}: sensitivity of its layers`,
            options,
            data,
            [
              ['metric', metricTitle(metric)],
              ['granularity', options.granularity ?? 'weight'],
            ],
            false,
          ),
          [sensitivitySection(found, chosen ? { chosen } : {})],
          options.force,
        );
  if (options.json) {
    printJson({
      model: source,
      data: dataFacts(data),
      granularity: options.granularity ?? 'weight',
      ...found,
      chosen,
      reports,
    });
    return;
  }
  const lines = [
    `${metricTitle(metric)} on ${data.validation.text} with one layer pruned at a time; ${scoreText(found.dense)} with none`,
    '',
    tableText(found, chosen),
    ...(chosen
      ? ['', chosenText(found, chosen, options)]
      : ['', '--max-drop 1% or --sparsity 0.8 would derive an amount for each layer from this.']),
    ...reportLines(reports),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

const scoreText = (score: number): string => (Number.isFinite(score) ? (score * 100).toFixed(2) : '–');

/** Layers by amounts. What a layer has lost is coloured where output is a terminal. */
function tableText(
  { dense, rows, amounts }: Sensitivity,
  chosen: Readonly<Record<string, number>> | null,
): string {
  const columns: Column[] = [
    { title: 'layer', flexible: true },
    { title: 'weights', align: 'right' },
    // The coarser steps stay where there is no room for all.
    ...amounts.map(
      (amount, index): Column => ({
        title: `${Number((amount * 100).toFixed(2))} %`,
        align: 'right',
        ...(index % 2 === 1 && index < amounts.length - 1 ? { dispensable: true } : {}),
      }),
    ),
    ...(chosen ? [{ title: 'chosen', align: 'right' } as const] : []),
  ];
  const cells = rows.map(({ layer, size, scores }) => [
    layer,
    withCommas(size),
    ...scores.map(scoreText),
    ...(chosen ? [percent(chosen[layer] ?? 0)] : []),
  ]);
  return coloured(
    renderTable(columns, cells),
    dense,
    process.stdout.isTTY && process.env.NO_COLOR === undefined,
  );
}

/** Scores two digits after the point stand in no other column. */
const SCORE = /(?<= {2,})-?\d+\.\d\d(?= {2}|$)/g;

/** From how much is lost on: yellow, red. */
const [NOTICEABLE, SEVERE] = [0.01, 0.05];

/** Colours scores of a rendered table by how far below the dense model's they are. */
export function coloured(table: string, dense: number, colours: boolean): string {
  if (!colours) return table;
  return table.replace(SCORE, (text) => {
    const lost = dense - Number(text) / 100;
    if (lost < NOTICEABLE) return text;
    return `\x1b[${lost < SEVERE ? 33 : 31}m${text}\x1b[39m`;
  });
}

function chosenText(
  { rows }: Sensitivity,
  chosen: Readonly<Record<string, number>>,
  { maxDrop, sparsity }: SensitivityCommandOptions,
): string {
  const size = rows.reduce((sum, row) => sum + row.size, 0);
  const pruned = rows.reduce((sum, row) => sum + row.size * (chosen[row.layer] ?? 0), 0);
  const why =
    maxDrop === undefined
      ? `for a sparsity of ${percent(sparsity ?? 0)}`
      : `so that no layer alone loses more than ${percent(maxDrop)}`;
  return `chosen amounts ${why}: ${percent(size === 0 ? 0 : pruned / size)} of these weights`;
}

/** All that the result follows from, for checkpoints. */
function settingsOf(source: string, options: SensitivityCommandOptions) {
  const { data, validationSplit, limit, normalize, seed = 0, batchSize } = options;
  const { metric, amounts, granularity, include = [], exclude = [] } = options;
  return {
    model: source,
    data,
    validationSplit: validationSplit ?? null,
    limit: limit ?? null,
    normalize,
    seed,
    batchSize,
    metric,
    amounts: amounts ?? null,
    granularity: granularity ?? 'weight',
    include,
    exclude,
  };
}
