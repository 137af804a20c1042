import { statSync } from 'node:fs';
import { extname } from 'node:path';
import { Yolov5 } from '../models/index.ts';
import { isWeightsPath, PYTORCH_EXTENSIONS, writeModel, writeTensors } from '../node/index.ts';
import { foldBatchNorm } from '../passes/index.ts';
import type { ConvertCommandOptions } from './commands.ts';
import { isArchitecture, loadModel } from './load.ts';
import { checkOutput, printCsv, printJson, uninterrupted } from './output.ts';
import { bytes } from './table.ts';
import { UsageError } from './usage-error.ts';

/** `secateur convert MODEL -o FILE`: a checkpoint or an architecture as ONNX, or its weights as safetensors or a PyTorch state dict. */
export async function convertCommand(source: string, options: ConvertCommandOptions): Promise<void> {
  const { output } = options;
  checkOutput(options, ['.onnx', '.safetensors', ...PYTORCH_EXTENSIONS]);
  const kind = extname(output).toLowerCase();
  const ofGraphs = ['externalData', 'decode', 'fold', 'size', 'batch'] as const;
  const strange = kind === '.onnx' ? undefined : ofGraphs.find((option) => options[option] !== undefined);
  if (strange !== undefined) {
    const option = strange === 'externalData' ? 'external-data' : strange;
    throw new UsageError(`--${option} says how an .onnx file is written; the output is none`);
  }
  const { size, batch, shape } = options;
  if (shape !== undefined && (size !== undefined || batch !== undefined)) {
    throw new UsageError('--shape says size and batch, too: give it or --size and --batch');
  }
  const { module, graph } = loadModel(source, {
    ...options,
    ...(size === undefined ? {} : { imageSize: size }),
  });
  const write = { force: options.force ?? false };
  const isCheckpoint = isWeightsPath(source) && !isArchitecture(source);
  if (options.fold ?? (isCheckpoint && module instanceof Yolov5)) foldBatchNorm(graph);
  uninterrupted(() => {
    if (kind === '.onnx') {
      writeModel(graph, output, { ...write, ...(options.externalData ? { externalData: true } : {}) });
    } else {
      const names = kind === '.safetensors' ? graph.meta.metadata.get('names') : undefined;
      const metadata = names === undefined ? {} : { metadata: new Map([['names', names]]) };
      writeTensors(module.stateDict(), output, { ...write, ...metadata });
    }
  });
  const written = statSync(output).size;
  if (options.json) printJson({ model: source, output, bytes: written });
  else if (options.csv) {
    printCsv({
      columns: [
        { key: 'model', title: 'model', kind: 'text' },
        { key: 'output', title: 'output', kind: 'text' },
        { key: 'bytes', title: 'bytes', kind: 'bytes' },
      ],
      rows: [[source, output, written]],
    });
  } else {
    const data = options.externalData && kind === '.onnx' ? `${output}.data` : null;
    const beside = data === null ? '' : ` and ${data} (${bytes(statSync(data).size)})`;
    process.stdout.write(`wrote ${output} (${bytes(written)})${beside}\n`);
  }
}
