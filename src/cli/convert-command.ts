import { statSync } from 'node:fs';
import { extname } from 'node:path';
import { writeModel, writeTensors } from '../node/index.ts';
import type { ConvertCommandOptions } from './commands.ts';
import { loadModel } from './load.ts';
import { checkOutput, printCsv, printJson, uninterrupted } from './output.ts';
import { bytes } from './table.ts';

/** `secateur convert MODEL -o FILE`: a model as ONNX, or its weights as safetensors. */
export async function convertCommand(source: string, options: ConvertCommandOptions): Promise<void> {
  const { output } = options;
  checkOutput(options, ['.onnx', '.safetensors']);
  const { module, graph } = loadModel(source, options);
  const write = { force: options.force ?? false };
  uninterrupted(() => {
    if (extname(output).toLowerCase() === '.onnx') {
      writeModel(graph, output, { ...write, ...(options.externalData ? { externalData: true } : {}) });
    } else {
      writeTensors(module.stateDict(), output, write);
    }
  });
  const { size } = statSync(output);
  if (options.json) printJson({ model: source, output, bytes: size });
  else if (options.csv) {
    printCsv({
      columns: [
        { key: 'model', title: 'model', kind: 'text' },
        { key: 'output', title: 'output', kind: 'text' },
        { key: 'bytes', title: 'bytes', kind: 'bytes' },
      ],
      rows: [[source, output, size]],
    });
  } else process.stdout.write(`wrote ${output} (${bytes(size)})\n`);
}
