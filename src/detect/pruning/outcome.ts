import type { FileSizes } from '../../profile/index.ts';
import type { Latency } from '../../runtime/index.ts';
import type { EpochRecord, ShrinkHistory } from '../../train/index.ts';
import type { Detection } from '../box.ts';
import type { ClassResult, DetectionResult } from '../detection-metrics.ts';

/** How good a detector is on a part of the data: what `DetectionResult` says, without what only a chart of it needs. */
export interface JudgedDetector
  extends Pick<
    DetectionResult,
    'images' | 'instances' | 'precision' | 'recall' | 'f1' | 'map50' | 'map' | 'confidence'
  > {
  /** Such as `test`. */
  readonly split: string;
  readonly classes: readonly ClassResult[];
  /** Precision at each recall, the mean over the classes, at an overlap of 0.5. */
  readonly curve: readonly (readonly [recall: number, precision: number])[];
}

/** What a detector has and costs. */
export interface DetectorCost {
  readonly parameters: number;
  /** Multiply-accumulates of one image of the size the model is pruned for. */
  readonly macs: number;
  /** Bytes of the ONNX file, as it is and as a web server sends it. */
  readonly sizes: FileSizes;
}

/** A detector at one moment of a run. */
export interface DetectorState extends DetectorCost {
  readonly judged: readonly JudgedDetector[];
}

/** Latency of the dense and the pruned model, measured in turns. */
export interface LatencyPair {
  readonly dense: Latency;
  readonly pruned: Latency;
}

/** An image with what both models find in it. */
export interface ComparedImage {
  readonly path: string;
  readonly width: number;
  readonly height: number;
  readonly dense: readonly Detection[];
  readonly pruned: readonly Detection[];
}

/** All that came of pruning a detector, as plain data. */
export interface PrunedDetectorOutcome {
  /** Names of the classes. */
  readonly names: readonly string[];
  /** Epochs in which the dense model was trained; none where it was taken as it was. */
  readonly training: readonly EpochRecord[];
  readonly dense: DetectorState;
  readonly rounds: ShrinkHistory;
  readonly pruned: DetectorState;
  /** For each number of threads. */
  readonly latency: readonly LatencyPair[];
  readonly images: readonly ComparedImage[];
}

/** Points of a curve that are kept. */
const POINTS = 101;

/** What is kept of a judgement. */
export function judgedDetector(split: string, result: DetectionResult): JudgedDetector {
  const { images, instances, precision, recall, f1, map50, map, confidence, classes, curves } = result;
  const { steps } = curves;
  const curve = Array.from({ length: curves.classes.length === 0 ? 0 : POINTS }, (_, point) => {
    const at = Math.round((point * (steps.length - 1)) / (POINTS - 1));
    const sum = curves.classes.reduce((total, own) => total + own.precisionAtRecall[at]!, 0);
    return [steps[at]!, sum / curves.classes.length] as const;
  });
  return { split, images, instances, precision, recall, f1, map50, map, confidence, classes, curve };
}
