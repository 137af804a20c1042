import { type ParameterSparsity, sparsityReport } from '../profile/index.ts';
import type { ReportSection } from '../report/index.ts';
import { metricTitle } from '../train/index.ts';
import { printJson } from './output.ts';
import { percent, renderTable, withCommas } from './table.ts';
import { judge } from './trained-model.ts';
import { openModel } from './training-model.ts';
import type { EvaluateCommandOptions } from './training-options.ts';
import { checkReport, frameOf, writeReport } from './training-report.ts';
import { reportLines } from './training-text.ts';

/** How sparse each parameter is. */
function parameterSection(layers: readonly ParameterSparsity[]): ReportSection {
  const columns = [
    { label: 'parameter' },
    { label: 'size', format: 'integer' },
    { label: 'sparsity', format: 'percent' },
  ] as const;
  const rows = layers.map(({ name, parameters, sparsity }) => [name, parameters, sparsity]);
  return { title: 'Parameters', items: [{ kind: 'table', title: 'Zeros in each parameter', columns, rows }] };
}

const shown = (name: string, value: number): string => (name === 'loss' ? value.toFixed(4) : percent(value));

/** `secateur evaluate MODEL --data PATH`: loss and accuracy of a model. */
export async function evaluateCommand(source: string, options: EvaluateCommandOptions): Promise<void> {
  checkReport(options);
  const { module, data } = await openModel(source, options);
  const part = options.split === 'train' ? data.train : data.validation;
  const metrics = [...new Set(['accuracy', ...(options.metric ?? [])])];
  const begin = performance.now();
  const found = await judge('judging the model', module, part.dataset, options, metrics);
  const seconds = (performance.now() - begin) / 1000;
  const { parameters, zeros, sparsity, layers } = sparsityReport(module);
  const reports =
    options.report === undefined
      ? []
      : await writeReport(
          options.report,
          frameOf(`${source}: judged`, options, data, [['judged on', part.text]], false),
          [
            {
              title: 'Result',
              items: [
                {
                  kind: 'table',
                  title: 'Loss and metrics',
                  columns: [{ label: 'quantity' }, { label: 'value', format: 'text' }],
                  rows: [
                    ...Object.entries(found).map(([name, value]) => [metricTitle(name), shown(name, value)]),
                    ['parameters', withCommas(parameters)],
                    ['of them zero', `${withCommas(zeros)} (${percent(sparsity)})`],
                  ],
                },
              ],
            },
            parameterSection(layers),
          ],
          options.force,
        );
  if (options.json) {
    printJson({
      model: source,
      data: {
        path: data.path,
        kind: data.kind,
        split: options.split,
        samples: part.dataset.length,
        what: part.text,
      },
      metrics: found,
      parameters,
      zeros,
      sparsity,
      seconds,
      reports,
    });
    return;
  }
  const table = renderTable(
    [{ title: 'metric' }, { title: 'value' }],
    Object.entries(found).map(([name, value]) => [metricTitle(name), shown(name, value)]),
  );
  const lines = [
    table,
    '',
    `judged on           ${part.text}`,
    `parameters          ${withCommas(parameters)}, ${withCommas(zeros)} of them zero (${percent(sparsity)})`,
    `took                ${seconds.toFixed(1)} s`,
    ...reportLines(reports),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}
