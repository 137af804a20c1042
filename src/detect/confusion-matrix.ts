import { ArgumentError } from '../core/errors.ts';
import type { Detection, LabelledBox } from './box.ts';
import { pairByOverlap } from './matching.ts';

/** Options of `ConfusionMatrix`. */
export interface ConfusionMatrixOptions {
  /** Detections of less or just this confidence are none. Default 0.25. */
  readonly confidence?: number;
  /** Pairs overlap more than this. Default 0.45. */
  readonly iou?: number;
  /**
   * Count detections without a labelled box in every image. Default false, as in YOLOv5, which leaves them out where no detection of the image has a partner.
   */
  readonly everyImage?: boolean;
}

/**
 * How often objects of each class were taken for each other one. Source: `ConfusionMatrix` of YOLOv5's metrics.py.
 */
export class ConfusionMatrix {
  readonly classes: number;
  /** `[found][labelled]`, whole numbers; the last row is of objects that were missed, the last column of detections where nothing is. */
  readonly counts: number[][];
  readonly #confidence: number;
  readonly #iou: number;
  readonly #everyImage: boolean;

  /** Throws ArgumentError where the number of classes is none. */
  constructor(classes: number, options: ConfusionMatrixOptions = {}) {
    if (!Number.isSafeInteger(classes) || classes < 1) {
      throw new ArgumentError(`ConfusionMatrix: expected a number of classes from 1 on, got ${classes}`);
    }
    this.classes = classes;
    this.counts = Array.from({ length: classes + 1 }, () => new Array<number>(classes + 1).fill(0));
    this.#confidence = Math.fround(options.confidence ?? 0.25);
    this.#iou = options.iou ?? 0.45;
    this.#everyImage = options.everyImage ?? false;
  }

  /** Adds an image. Boxes of both in the same pixels. Throws ArgumentError for a class that is not there; nothing is added then. */
  add(detections: readonly Detection[], labels: readonly LabelledBox[]): void {
    checkLabels('ConfusionMatrix', detections, this.classes);
    checkLabels('ConfusionMatrix', labels, this.classes);
    const sure = detections.filter(({ confidence }) => confidence > this.#confidence);
    const partners = pairByOverlap(sure, labels, this.#iou);
    partners.forEach((partner, index) => {
      this.#count(partner < 0 ? this.classes : sure[partner]!.label, labels[index]!.label);
    });
    const paired = new Set(partners.filter((partner) => partner >= 0));
    if (paired.size === 0 && !this.#everyImage) return;
    sure.forEach(({ label }, index) => {
      if (!paired.has(index)) this.#count(label, this.classes);
    });
  }

  #count(found: number, labelled: number): void {
    this.counts[found]![labelled] = this.counts[found]![labelled]! + 1;
  }
}

/** Throws ArgumentError for the first class that is not among `classes`. */
export function checkLabels(caller: string, list: readonly LabelledBox[], classes: number): void {
  const unknown = list.find(({ label }) => !Number.isInteger(label) || label < 0 || label >= classes);
  if (unknown === undefined) return;
  throw new ArgumentError(
    `${caller}: there is no class ${unknown.label}; the classes are 0 to ${classes - 1}`,
  );
}
