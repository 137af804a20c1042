import { ArgumentError } from '../core/errors.ts';
import { type ApMethod, averagePrecision, closedCurve, interpolate, smoothed } from './average-precision.ts';
import type { Detection, LabelledBox } from './box.ts';
import { ConfusionMatrix, type ConfusionMatrixOptions, checkLabels } from './confusion-matrix.ts';
import { IOU_THRESHOLDS, matchDetections, matchDetectionsCoco } from './matching.ts';

/** Options of `DetectionMetrics` and `evaluateDetections`. */
export interface DetectionMetricsOptions {
  /** 'ultralytics' (default): matches and areas as YOLOv5's val.py; 'coco': as pycocotools (all areas, 100 detections of an image and class). */
  readonly method?: ApMethod;
  readonly confusion?: ConfusionMatrixOptions;
}

/** How well objects of one class are found. */
export interface ClassResult {
  /** Index into the classes. */
  readonly label: number;
  readonly name: string;
  /** Labelled boxes of the class. */
  readonly instances: number;
  /** At the confidence where the mean F1 is best. */
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
  /** Average precision at an overlap of 0.5. */
  readonly map50: number;
  /** Mean of the average precisions at 0.5, 0.55 … 0.95. */
  readonly map: number;
  /** Average precision at each of the ten thresholds. */
  readonly ap: readonly number[];
}

/** Curves of one class at an overlap of 0.5. */
export interface ClassCurves {
  readonly label: number;
  readonly name: string;
  /** At each confidence of `DetectionCurves.steps`. */
  readonly precision: readonly number[];
  readonly recall: readonly number[];
  readonly f1: readonly number[];
  /** Precision at each recall of `DetectionCurves.steps`. */
  readonly precisionAtRecall: readonly number[];
}

/** What a report draws. */
export interface DetectionCurves {
  /** 1000 places from 0 to 1. */
  readonly steps: readonly number[];
  readonly classes: readonly ClassCurves[];
}

/** How well objects are found; means are over the classes that have labelled boxes, and 0 where none has. */
export interface DetectionResult {
  readonly images: number;
  /** Labelled boxes. */
  readonly instances: number;
  /** Mean over the classes, at `confidence`. */
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
  /** Mean average precision at an overlap of 0.5. */
  readonly map50: number;
  /** Mean average precision at overlaps 0.5 to 0.95. */
  readonly map: number;
  /** The confidence at which the mean F1, smoothed over a tenth of the range, is best. */
  readonly confidence: number;
  /** Classes that have labelled boxes. */
  readonly classes: readonly ClassResult[];
  readonly curves: DetectionCurves;
  /** `[found][labelled]`; the last of each is the background. */
  readonly confusion: readonly (readonly number[])[];
}

/** Detections and labelled boxes of one image, both in the same pixels. */
export interface JudgedImage {
  /** Down to low confidences, such as 0.001: the curves need them. */
  readonly detections: readonly Detection[];
  readonly labels: readonly LabelledBox[];
}

/** A detection that was compared with the labels. */
interface Judged {
  readonly confidence: number;
  /** For each threshold. */
  readonly right: readonly boolean[];
}

/** Detections of an image and class that COCO looks at. */
const COCO_MOST = 100;

const STEPS: readonly number[] = /* @__PURE__ */ Array.from({ length: 1000 }, (_, step) => step * (1 / 999));

/** Keeps quotients finite. Source: YOLOv5's `ap_per_class`. */
const EPSILON = 1e-16;

const byConfidence = (a: { confidence: number }, b: { confidence: number }): number =>
  b.confidence - a.confidence;

/**
 * Precision, recall, F1, average precision and confusion of a detector, gathered image by image. Source: `ap_per_class` and `ConfusionMatrix` of YOLOv5's metrics.py, `process_batch` of its val.py.
 */
export class DetectionMetrics {
  readonly names: readonly string[];
  readonly #method: ApMethod;
  readonly #confusion: ConfusionMatrix;
  readonly #judged: Judged[][];
  readonly #instances: number[];
  #images = 0;

  /**
   * @param names Names of the classes, or how many there are.
   *
   * Throws ArgumentError where there are no classes or the method is not known.
   */
  constructor(names: number | readonly string[], options: DetectionMetricsOptions = {}) {
    const { method = 'ultralytics', confusion = {} } = options;
    if (method !== 'ultralytics' && method !== 'coco') {
      throw new ArgumentError(
        `DetectionMetrics: expected the method 'ultralytics' or 'coco', got '${String(method)}'`,
      );
    }
    this.#confusion = new ConfusionMatrix(typeof names === 'number' ? names : names.length, confusion);
    const { classes } = this.#confusion;
    this.names =
      typeof names === 'number' ? Array.from({ length: names }, (_, label) => String(label)) : names;
    this.#method = method;
    this.#judged = Array.from({ length: classes }, () => []);
    this.#instances = new Array<number>(classes).fill(0);
  }

  /** Adds an image. Throws ArgumentError for a class that is not there; nothing is added then. */
  add(detections: readonly Detection[], labels: readonly LabelledBox[]): void {
    checkLabels('DetectionMetrics', detections, this.names.length);
    checkLabels('DetectionMetrics', labels, this.names.length);
    const sorted = this.#looked(detections.toSorted(byConfidence));
    const match = this.#method === 'coco' ? matchDetectionsCoco : matchDetections;
    const right = match(sorted, labels);
    sorted.forEach(({ confidence, label }, index) => {
      this.#judged[label]!.push({ confidence, right: right.map((of) => of[index]!) });
    });
    for (const { label } of labels) this.#instances[label] = this.#instances[label]! + 1;
    this.#confusion.add(sorted, labels);
    this.#images++;
  }

  #looked(sorted: readonly Detection[]): readonly Detection[] {
    if (this.#method !== 'coco') return sorted;
    const seen = new Map<number, number>();
    return sorted.filter(({ label }) => {
      const count = (seen.get(label) ?? 0) + 1;
      seen.set(label, count);
      return count <= COCO_MOST;
    });
  }

  /** What was found over all images so far. */
  compute(): DetectionResult {
    const present = this.names.flatMap((name, label) =>
      this.#instances[label]! > 0
        ? [judgeClass(label, name, this.#instances[label]!, this.#judged[label]!, this.#method)]
        : [],
    );
    const curves = present.map((one) => one.curves);
    const anyRight = present.some(({ ap }) => ap.some((value) => value > 0));
    const meanF1 = STEPS.map((_, step) => mean(curves.map(({ f1 }) => f1[step]!)));
    const best = indexOfLargest(smoothed(meanF1, 0.1));
    const at = (curve: readonly number[]): number => (anyRight ? curve[best]! : 0);
    const classes = present.map(({ label, name, instances, ap, curves: own }) => ({
      label,
      name,
      instances,
      precision: at(own.precision),
      recall: at(own.recall),
      f1: at(own.f1),
      map50: ap[0]!,
      map: mean(ap),
      ap,
    }));
    return {
      images: this.#images,
      instances: this.#instances.reduce((sum, count) => sum + count, 0),
      precision: mean(classes.map(({ precision }) => precision)),
      recall: mean(classes.map(({ recall }) => recall)),
      f1: mean(classes.map(({ f1 }) => f1)),
      map50: mean(classes.map(({ map50 }) => map50)),
      map: mean(classes.map(({ map }) => map)),
      confidence: STEPS[best]!,
      classes,
      curves: { steps: STEPS, classes: curves },
      confusion: this.#confusion.counts.map((row) => [...row]),
    };
  }
}

/**
 * Judges detections by labelled boxes: `DetectionMetrics` over all images at once. Throws ArgumentError as that.
 *
 * @param names Names of the classes, or how many there are.
 */
export function evaluateDetections(
  images: Iterable<JudgedImage>,
  names: number | readonly string[],
  options: DetectionMetricsOptions = {},
): DetectionResult {
  const metrics = new DetectionMetrics(names, options);
  for (const { detections, labels } of images) metrics.add(detections, labels);
  return metrics.compute();
}

const mean = (values: readonly number[]): number =>
  values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;

const indexOfLargest = (values: readonly number[]): number =>
  values.reduce((best, value, index) => (value > values[best]! ? index : best), 0);

function judgeClass(
  label: number,
  name: string,
  instances: number,
  judged: readonly Judged[],
  method: ApMethod,
): { label: number; name: string; instances: number; ap: readonly number[]; curves: ClassCurves } {
  const zeros = new Array<number>(STEPS.length).fill(0);
  if (judged.length === 0) {
    return {
      label,
      name,
      instances,
      ap: IOU_THRESHOLDS.map(() => 0),
      curves: { label, name, precision: zeros, recall: zeros, f1: zeros, precisionAtRecall: zeros },
    };
  }
  const sorted = judged.toSorted(byConfidence);
  const perThreshold = IOU_THRESHOLDS.map((_, threshold) => {
    let right = 0;
    const recall: number[] = [];
    const precision: number[] = [];
    sorted.forEach((detection, index) => {
      if (detection.right[threshold]) right++;
      recall.push(right / instances);
      precision.push(right / (index + 1));
    });
    return { recall, precision };
  });
  const loosest = perThreshold[0]!;
  // As confidence falls recall grows: negated, places ascend.
  const places = STEPS.map((step) => -step);
  const falling = sorted.map(({ confidence }) => -confidence);
  const recall = interpolate(places, falling, loosest.recall, 0);
  const precision = interpolate(places, falling, loosest.precision, 1);
  const curve = closedCurve(loosest.recall, loosest.precision);
  return {
    label,
    name,
    instances,
    ap: perThreshold.map((own) => averagePrecision(own.recall, own.precision, method)),
    curves: {
      label,
      name,
      precision,
      recall,
      f1: STEPS.map((_, i) => (2 * precision[i]! * recall[i]!) / (precision[i]! + recall[i]! + EPSILON)),
      precisionAtRecall: interpolate(STEPS, curve.recall, curve.precision),
    },
  };
}
