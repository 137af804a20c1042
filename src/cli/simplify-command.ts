import { statSync } from 'node:fs';
import type { Cell, ReportTable } from '../profile/index.ts';
import { simplify } from '../structural/index.ts';
import { loadModel, requireShapes } from './load.ts';
import { checkOutput, printCsv, printJson, tableOf } from './output.ts';
import { withProgress } from './progress.ts';
import type { SimplifyCommandOptions } from './shrink-options.ts';
import { changeTable, noteLines, whyNotLines } from './shrink-text.ts';
import { measured, writeChecked } from './shrunk-model.ts';
import { bytes } from './table.ts';

/** `secateur simplify MODEL -o OUT`: removes what masks have zeroed, and writes a smaller model with the same outputs. */
export async function simplifyCommand(source: string, options: SimplifyCommandOptions): Promise<void> {
  const { output, threads } = options;
  checkOutput(options, ['.onnx']);
  const model = loadModel(source, options);
  requireShapes(model);
  const simplified = await withProgress('simplifying', () =>
    simplify(model.graph, {
      ...(model.profileShapes ? { shapes: model.profileShapes } : {}),
      ...(threads === undefined ? {} : { threads }),
    }),
  );
  const { graph, layers, replaced, whyNot, maxError, rounds } = simplified;
  const before = await measured(model, model.graph, null);
  const after = await measured(model, graph, null);
  const file = await writeChecked(model, graph, output, options);
  if (options.json) {
    printJson({ model: source, output, before, after, layers, replaced, whyNot, rounds, maxError, file });
    return;
  }
  const table: ReportTable = {
    columns: [
      { key: 'name', title: 'layer', kind: 'text' },
      { key: 'before', title: 'channels before', kind: 'count' },
      { key: 'after', title: 'after', kind: 'count' },
    ],
    rows: layers.map(({ name, before: was, after: is }): Cell[] => [name, was, is]),
    total: null,
  };
  if (options.csv) {
    printCsv(table);
    return;
  }
  const staying = whyNotLines(
    whyNot.map(({ layer, filters, why }) => ({
      layer,
      why: `${filters} ${filters === 1 ? 'filter of zeros stays' : 'filters of zeros stay'}: ${why}`,
    })),
    'zeroed, but still there:',
  );
  const lines = [
    changeTable(before, after),
    '',
    ...(layers.length === 0 ? ['no channel is zeroed as a whole; the model is as it was'] : [tableOf(table)]),
    '',
    ...(staying.length === 0 ? [] : [...staying, '']),
    `outputs     differ by at most ${maxError.toPrecision(2)} from the original's on random inputs`,
    ...noteLines(replaced),
    `wrote       ${output} (${bytes(statSync(output).size)})`,
    'checked     read back and run in onnxruntime',
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}
