import { type Anchors, decodedDetector } from '../models/index.ts';
import { type AnyModule, toGraph } from '../nn/index.ts';
import type { DetectionDataset } from './dataset.ts';
import type { DetectionResult } from './detection-metrics.ts';
import { Detector } from './detector.ts';
import { type EvaluateDetectorOptions, evaluateDetector } from './evaluate-detector.ts';

/** Options of `judgeDetector`. */
export interface JudgeDetectorOptions
  extends Pick<EvaluateDetectorOptions, 'rect' | 'batchSize' | 'onBatch'> {
  /** Longer side that images are scaled to, a multiple of the largest stride. */
  readonly size: number;
  /** Anchors in pixels; default COCO's. */
  readonly anchors?: Anchors;
  /** Default 8, 16, 32. */
  readonly strides?: readonly number[];
  readonly threads?: number;
}

/**
 * Judges a model that gives raw maps, as it is in evaluation mode, by `evaluateDetector`. It is compiled once for all images. Throws as `decodedDetector` and `evaluateDetector`.
 */
export async function judgeDetector(
  model: AnyModule,
  dataset: DetectionDataset,
  options: JudgeDetectorOptions,
): Promise<DetectionResult> {
  const { size, anchors, strides, threads, ...rest } = options;
  const decoded = decodedDetector(model, {
    ...(anchors === undefined ? {} : { anchors }),
    ...(strides === undefined ? {} : { strides }),
  });
  const graph = toGraph(decoded, ['batch', 3, size, size]);
  const detector = new Detector(graph, {
    names: dataset.names,
    ...(threads === undefined ? {} : { threads }),
  });
  try {
    return await evaluateDetector(detector, dataset, { size, ...rest });
  } finally {
    await detector.dispose();
  }
}

/** Weights of mAP50 and mAP50-95 in what models are compared by. Source: `fitness` of YOLOv5's metrics.py. */
const FITNESS = [0.1, 0.9] as const;

/** What models are compared by: `0.1 mAP50 + 0.9 mAP50-95`. */
export const detectorFitness = ({ map50, map }: Pick<DetectionResult, 'map50' | 'map'>): number =>
  FITNESS[0] * map50 + FITNESS[1] * map;

/** The numbers of a judgement that epochs and rounds are compared by and reported with; `fitness` first. */
export const detectorScores = (result: DetectionResult): Record<string, number> => ({
  fitness: detectorFitness(result),
  map50: result.map50,
  map: result.map,
  precision: result.precision,
  recall: result.recall,
});
