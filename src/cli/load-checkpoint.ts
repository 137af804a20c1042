import { exportDetector } from '../detect/index.ts';
import type { Dim, Graph } from '../ir/index.ts';
import { exampleInput, Yolov5 } from '../models/index.ts';
import { type AnyModule, trace } from '../nn/index.ts';
import { readTrainedModel } from '../node/index.ts';
import { UsageError } from './usage-error.ts';

/** What inputs a graph is made for. */
interface InputOptions {
  readonly imageSize?: readonly [height: number, width: number];
  readonly batch?: number;
}

/**
 * The shape of an architecture's input: its usual one at any batch, or at the size and batch that are asked for.
 */
export function declaredShape(name: string, { imageSize, batch }: InputOptions): readonly Dim[] {
  const [, channels = 1, ...usual] = exampleInput(name);
  return [batch ?? 'batch', channels, ...(imageSize ?? usual)];
}

/**
 * Reads a checkpoint of a built-in architecture: its module, and its graph as it is written. Boxes of a YOLOv5 are decoded unless that is not wanted, and its graph is as Ultralytics exports it. Which of several sets of weights was read
 * is told on stderr. Throws UsageError for options that do not fit; otherwise as `readTrainedModel`.
 */
export function loadCheckpoint(
  source: string,
  options: InputOptions & { readonly shape?: readonly number[]; readonly decode?: boolean },
): { readonly module: AnyModule; readonly graph: Graph; readonly example: readonly number[] } {
  const { name, module, names, part, parts } = readTrainedModel(source);
  if (parts.length > 1) {
    process.stderr.write(`note: '${source}' holds weights under ${parts.join(', ')}; ${part} were read\n`);
  }
  const shape = options.shape ?? declaredShape(name, options);
  const example = [1, ...shape.slice(1).map(Number)];
  if (!(module instanceof Yolov5)) {
    if (options.decode !== undefined)
      throw new UsageError(`--decode is for detectors; '${source}' is a ${name}`);
    return { module, graph: trace(module, [shape]), example };
  }
  const [batch, channels, height, width, ...more] = shape;
  if (channels !== 3 || typeof height !== 'number' || typeof width !== 'number' || more.length > 0) {
    throw new UsageError(`--shape: '${source}' takes images [N, 3, H, W], got [${shape.join(', ')}]`);
  }
  module.decode = options.decode ?? true;
  const graph = exportDetector(module, {
    names,
    size: [height, width],
    batch: batch!,
    decode: module.decode,
  });
  return { module, graph, example };
}
