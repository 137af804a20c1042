import { statSync } from 'node:fs';
import { extname } from 'node:path';
import { PYTORCH_EXTENSIONS, writeModel, writeTensors } from '../node/index.ts';
import type { ConvertCommandOptions } from './commands.ts';
import { loadModel } from './load.ts';
import { checkOutput, printCsv, printJson, uninterrupted } from './output.ts';
import { bytes } from './table.ts';
import { UsageError } from './usage-error.ts';

/** `secateur convert MODEL -o FILE`: a model as ONNX, or its weights as safetensors or a PyTorch state dict. */
export async function convertCommand(source: string, options: ConvertCommandOptions): Promise<void> {
  const { output } = options;
  checkOutput(options, ['.onnx', '.safetensors', ...PYTORCH_EXTENSIONS]);
  const kind = extname(output).toLowerCase();
  if (kind !== '.onnx' && (options.externalData || options.decode)) {
    throw new UsageError('--external-data and --decode say how an .onnx file is written; the output is none');
  }
  const { module, graph } = loadModel(source, options);
  const write = { force: options.force ?? false };
  uninterrupted(() => {
    if (kind === '.onnx') {
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
  } else {
    const data = options.externalData && kind === '.onnx' ? `${output}.data` : null;
    const beside = data === null ? '' : ` and ${data} (${bytes(statSync(data).size)})`;
    process.stdout.write(`wrote ${output} (${bytes(size)})${beside}\n`);
  }
}
