import { EngineError } from '../core/errors.ts';
import {
  type DetectionResult,
  Detector,
  detectorFitness,
  evaluateDetector,
  exportDetector,
  judgeDetector,
  type TrainedDetector,
} from '../detect/index.ts';
import { readModel, writeModel, writeTensors, type YoloDataset } from '../node/index.ts';
import { releaseZeros } from './kept-zeros.ts';
import { uninterrupted } from './output.ts';
import { withProgress } from './progress.ts';
import type { DetectorData } from './train-detector-command.ts';
import type { OpenedDetector } from './train-detector-model.ts';
import type { TrainDetectorCommandOptions } from './train-detector-options.ts';

/** What detectors are written as: a graph, or weights. */
export const OUTPUTS = ['.onnx', '.pt', '.pth', '.safetensors'];

/** How far the fitness of a written file may be from that of the best epoch: float32 sums in another order change the ranks of boxes that are as sure as each other. */
const TOLERANCE = 0.02;

/** How good the written model is on a part of the data. */
export interface JudgedFile {
  readonly split: 'val' | 'test';
  readonly result: DetectionResult;
}

/**
 * Writes a trained detector: a graph of decoded boxes as ONNX, or its weights; and judges what was written. Throws EngineError where the file is not as good as the best epoch was, FileError where it cannot be written.
 */
export async function writeDetector(
  { module }: OpenedDetector,
  { anchors, strides, history }: TrainedDetector,
  { names, validation, test }: DetectorData,
  { output, size, threads, force = false }: TrainDetectorCommandOptions,
): Promise<readonly JudgedFile[]> {
  releaseZeros(module);
  module.eval();
  const running = threads === undefined ? {} : { threads };
  const isGraph = /\.onnx$/i.test(output);
  uninterrupted(() => {
    if (isGraph) writeModel(exportDetector(module, { anchors, strides, names, size }), output, { force });
    else writeTensors(module.stateDict(), output, { force });
  });
  const detector = isGraph ? new Detector(readModel(output), { names, ...running }) : null;
  const judge = (dataset: YoloDataset): Promise<DetectionResult> =>
    withProgress('judging the file', (report) => {
      const onBatch = (done: number, total: number): void => report(done / total);
      return detector
        ? evaluateDetector(detector, dataset, { size, onBatch })
        : judgeDetector(module, dataset, { size, anchors, strides, ...running, onBatch });
    });
  const judged: JudgedFile[] = [];
  try {
    judged.push({ split: 'val', result: await judge(validation) });
    if (test) judged.push({ split: 'test', result: await judge(test) });
  } finally {
    await detector?.dispose();
  }
  const [fitness, best] = [detectorFitness(judged[0]!.result), history.best?.value ?? Number.NaN];
  if (Math.abs(fitness - best) > TOLERANCE) {
    throw new EngineError(
      `${output} was written, but its fitness is ${fitness.toFixed(3)}, that of the best epoch was ${best.toFixed(3)}; please report it`,
    );
  }
  return judged;
}
