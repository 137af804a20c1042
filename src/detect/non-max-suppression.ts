import { ArgumentError, ShapeError } from '../core/errors.ts';
import type { Tensor } from '../core/tensor.ts';
import type { Detection } from './box.ts';

/** Options of `nonMaxSuppression`. */
export interface NmsOptions {
  /** Boxes of less objectness, or less confidence, go. Default 0.25. */
  readonly confThres?: number;
  /** A box goes where it overlaps a more confident one by more than this. Default 0.45. */
  readonly iouThres?: number;
  /** Only boxes of these classes; default all. */
  readonly classes?: readonly number[];
  /** Let boxes of different classes suppress each other. Default false. */
  readonly agnostic?: boolean;
  /** Every class above `confThres` makes a detection of a box, not only the best. Default false. */
  readonly multiLabel?: boolean;
  /** Detections of an image; default 300. */
  readonly maxDet?: number;
  /** Candidates of an image that are looked at, the most confident ones; default 30,000. */
  readonly maxNms?: number;
  /** Pixels by which the boxes of each class are moved away from those of the class before; default 7680 as since YOLOv5 v6, 4096 before. */
  readonly classOffset?: number;
}

interface Settings extends Required<Omit<NmsOptions, 'classes'>> {
  readonly classes: ReadonlySet<number> | null;
}

/** Numbers before those of the classes: x, y, width, height, objectness. */
const BOX_NUMBERS = 5;

/** Candidates side by side, in no order. */
interface Candidates {
  /** x1, y1, x2, y2 of each. */
  readonly boxes: number[];
  readonly confidences: number[];
  readonly labels: number[];
}

const { fround } = Math;

/**
 * Boxes of a YOLOv5 as detections, image by image, the most confident first; in the pixels of the network's input. Computed in float32, step by step as YOLOv5's
 * `non_max_suppression` and torchvision's `nms`; boxes that are not finite are left out, and there is no limit of time.
 *
 * @param prediction float32[N, boxes, 5 + classes]: centre x, y, width, height in pixels, objectness, probabilities of the classes.
 *
 * Throws ShapeError for another tensor, ArgumentError for thresholds outside of 0 to 1, limits that are none and classes that are not there.
 */
export function nonMaxSuppression(prediction: Tensor, options: NmsOptions = {}): Detection[][] {
  const [images = 0, boxes = 0, numbers = 0] = prediction.shape;
  if (prediction.dtype !== 'float32' || prediction.shape.length !== 3 || numbers <= BOX_NUMBERS) {
    throw new ShapeError(
      `nonMaxSuppression: expected decoded boxes float32[N, boxes, 5 + classes], got ${prediction}`,
    );
  }
  const classCount = numbers - BOX_NUMBERS;
  const settings = settingsOf(options, classCount);
  const data = prediction.float32;
  return Array.from({ length: images }, (_, image) =>
    suppressed(
      candidatesOf(
        data.subarray(image * boxes * numbers, (image + 1) * boxes * numbers),
        classCount,
        settings,
      ),
      settings,
    ),
  );
}

function settingsOf(options: NmsOptions, classCount: number): Settings {
  const { confThres = 0.25, iouThres = 0.45, classes, agnostic = false, multiLabel = false } = options;
  const { maxDet = 300, maxNms = 30_000, classOffset = 7680 } = options;
  for (const [name, value] of Object.entries({ confThres, iouThres })) {
    if (!(value >= 0 && value <= 1)) {
      throw new ArgumentError(`nonMaxSuppression: ${name} expects a number from 0 to 1, got ${value}`);
    }
  }
  for (const [name, value] of Object.entries({ maxDet, maxNms })) {
    if (!(value >= 1)) {
      throw new ArgumentError(`nonMaxSuppression: ${name} expects a number of at least 1, got ${value}`);
    }
  }
  if (!(classOffset >= 0)) {
    throw new ArgumentError(`nonMaxSuppression: classOffset expects pixels from 0 on, got ${classOffset}`);
  }
  const unknown = classes?.find((label) => !Number.isInteger(label) || label < 0 || label >= classCount);
  if (unknown !== undefined) {
    throw new ArgumentError(
      `nonMaxSuppression: there is no class ${unknown}; the boxes have ${classCount} classes, from 0 on`,
    );
  }
  return {
    // Confidences are compared as tensors are, in float32; overlaps in torchvision's C++, where the threshold is a float64: 3/5 in float32 is above 0.6.
    confThres: fround(confThres),
    iouThres,
    classes: classes === undefined ? null : new Set(classes),
    agnostic,
    multiLabel: multiLabel && classCount > 1,
    maxDet,
    maxNms,
    classOffset,
  };
}

function candidatesOf(
  data: Float32Array,
  classCount: number,
  { confThres, classes, multiLabel }: Settings,
): Candidates {
  const found: Candidates = { boxes: [], confidences: [], labels: [] };
  const add = (at: number, confidence: number, label: number): void => {
    if (classes !== null && !classes.has(label)) return;
    const [x, y] = [data[at]!, data[at + 1]!];
    const [halfWidth, halfHeight] = [fround(data[at + 2]! / 2), fround(data[at + 3]! / 2)];
    if (!Number.isFinite(x + y + halfWidth + halfHeight)) return;
    found.boxes.push(
      fround(x - halfWidth),
      fround(y - halfHeight),
      fround(x + halfWidth),
      fround(y + halfHeight),
    );
    found.confidences.push(confidence);
    found.labels.push(label);
  };
  const numbers = BOX_NUMBERS + classCount;
  for (let at = 0; at < data.length; at += numbers) {
    const objectness = data[at + 4]!;
    if (!(objectness > confThres)) continue;
    let [best, bestLabel] = [Number.NEGATIVE_INFINITY, 0];
    for (let label = 0; label < classCount; label++) {
      const confidence = fround(data[at + BOX_NUMBERS + label]! * objectness);
      if (multiLabel) {
        if (confidence > confThres) add(at, confidence, label);
      } else if (confidence > best) [best, bestLabel] = [confidence, label];
    }
    if (!multiLabel && best > confThres) add(at, best, bestLabel);
  }
  return found;
}

function suppressed({ boxes, confidences, labels }: Candidates, settings: Settings): Detection[] {
  const { iouThres, agnostic, maxDet, maxNms, classOffset } = settings;
  const order = Array.from(confidences.keys())
    .sort((a, b) => confidences[b]! - confidences[a]!)
    .slice(0, maxNms);
  // Of what is kept: the box where it was moved to, and its area.
  const kept: { x1: number; y1: number; x2: number; y2: number; area: number }[] = [];
  const detections: Detection[] = [];
  for (const index of order) {
    // Far from the others' the boxes of a class lie in float32 as coarse as in YOLOv5.
    const offset = agnostic ? 0 : fround(labels[index]! * classOffset);
    const x1 = fround(boxes[4 * index]! + offset);
    const y1 = fround(boxes[4 * index + 1]! + offset);
    const x2 = fround(boxes[4 * index + 2]! + offset);
    const y2 = fround(boxes[4 * index + 3]! + offset);
    const area = fround(fround(x2 - x1) * fround(y2 - y1));
    const goes = kept.some((other) => {
      const width = Math.max(0, fround(Math.min(x2, other.x2) - Math.max(x1, other.x1)));
      const height = Math.max(0, fround(Math.min(y2, other.y2) - Math.max(y1, other.y1)));
      const shared = fround(width * height);
      return fround(shared / fround(fround(other.area + area) - shared)) > iouThres;
    });
    if (goes) continue;
    kept.push({ x1, y1, x2, y2, area });
    detections.push({
      box: [boxes[4 * index]!, boxes[4 * index + 1]!, boxes[4 * index + 2]!, boxes[4 * index + 3]!],
      confidence: confidences[index]!,
      label: labels[index]!,
    });
    if (detections.length >= maxDet) break;
  }
  return detections;
}
