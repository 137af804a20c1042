import { sparsityReport } from '../profile/index.ts';
import { metricTitle } from '../train/index.ts';
import { printJson } from './output.ts';
import { percent, renderTable, withCommas } from './table.ts';
import { judge } from './trained-model.ts';
import { openModel } from './training-model.ts';
import type { EvaluateCommandOptions } from './training-options.ts';

/** `secateur evaluate MODEL --data PATH`: loss and accuracy of a model. */
export async function evaluateCommand(source: string, options: EvaluateCommandOptions): Promise<void> {
  const { module, data } = await openModel(source, options);
  const part = options.split === 'train' ? data.train : data.validation;
  const metrics = [...new Set(['accuracy', ...(options.metric ?? [])])];
  const begin = performance.now();
  const found = await judge('judging the model', module, part.dataset, options, metrics);
  const seconds = (performance.now() - begin) / 1000;
  const { parameters, zeros, sparsity } = sparsityReport(module);
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
    });
    return;
  }
  const table = renderTable(
    [{ title: 'metric' }, { title: 'value', align: 'right' }],
    Object.entries(found).map(([name, value]) => [
      metricTitle(name),
      name === 'loss' ? value.toFixed(4) : percent(value),
    ]),
  );
  const lines = [
    table,
    '',
    `judged on           ${part.text}`,
    `parameters          ${withCommas(parameters)}, ${withCommas(zeros)} of them zero (${percent(sparsity)})`,
    `took                ${seconds.toFixed(1)} s`,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}
