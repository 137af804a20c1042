import { type Detection, iouMatrix, type LabelledBox, overlap } from './box.ts';

/** The ten thresholds 0.5, 0.55 … 0.95 of COCO. */
export const IOU_THRESHOLDS: readonly number[] = /* @__PURE__ */ Array.from(
  { length: 10 },
  (_, step) => (50 + 5 * step) / 100,
);

/** A detection and a labelled box that overlap, by their places. */
interface Pair {
  readonly detection: number;
  readonly label: number;
  readonly iou: number;
}

/** Pairs that overlap enough, the closest first; of equally close ones the last, as NumPy's reversed sort has them. */
function closePairs(
  matrix: Float32Array,
  detections: number,
  fits: (label: number, detection: number, iou: number) => boolean,
): Pair[] {
  const pairs: Pair[] = [];
  matrix.forEach((iou, at) => {
    const [label, detection] = [Math.floor(at / detections), at % detections];
    if (fits(label, detection, iou)) pairs.push({ label, detection, iou });
  });
  return pairs.reverse().sort((a, b) => b.iou - a.iou);
}

/** The first pair of each detection, or of each label. */
function firstOfEach(pairs: readonly Pair[], of: 'detection' | 'label'): Pair[] {
  const first = new Map<number, Pair>();
  for (const pair of pairs) if (!first.has(pair[of])) first.set(pair[of], pair);
  return [...first.values()];
}

const boxesOf = (list: readonly LabelledBox[]): LabelledBox['box'][] => list.map(({ box }) => box);

/**
 * Which detections are right, for each threshold: `[threshold][detection]`. A detection claims the labelled box of its class that it overlaps most, and of the detections that claim
 * a box the first has it. Source: `process_batch` of YOLOv5's val.py.
 *
 * @param detections The most confident first.
 * @param thresholds Least overlaps; default 0.5 to 0.95.
 */
export function matchDetections(
  detections: readonly Detection[],
  labels: readonly LabelledBox[],
  thresholds: readonly number[] = IOU_THRESHOLDS,
): boolean[][] {
  const matrix = iouMatrix(boxesOf(labels), boxesOf(detections));
  return thresholds.map((threshold) => {
    const least = Math.fround(threshold);
    const pairs = closePairs(
      matrix,
      detections.length,
      (label, detection, iou) => iou >= least && labels[label]!.label === detections[detection]!.label,
    );
    const claims = firstOfEach(pairs, 'detection').sort((a, b) => a.detection - b.detection);
    const right = new Array<boolean>(detections.length).fill(false);
    for (const { detection } of firstOfEach(claims, 'label')) right[detection] = true;
    return right;
  });
}

/**
 * Which detections are right as COCO has it: `[threshold][detection]`. Each detection in turn takes, of the boxes of its class that none has taken, the one it overlaps most. Source: `evaluateImg` of pycocotools, without crowds
 * and ranges of area.
 *
 * @param detections The most confident first.
 */
export function matchDetectionsCoco(
  detections: readonly Detection[],
  labels: readonly LabelledBox[],
  thresholds: readonly number[] = IOU_THRESHOLDS,
): boolean[][] {
  return thresholds.map((threshold) => {
    const taken = new Set<number>();
    return detections.map((detection) => {
      let [best, chosen] = [Math.min(threshold, 1 - 1e-10), -1];
      labels.forEach(({ label, box }, row) => {
        if (label !== detection.label || taken.has(row)) return;
        const iou = overlap(box, detection.box);
        if (iou < best) return;
        [best, chosen] = [iou, row];
      });
      if (chosen >= 0) taken.add(chosen);
      return chosen >= 0;
    });
  });
}

/**
 * Detections with the labelled boxes they overlap most, whatever their classes; each has one partner at most. Source: `ConfusionMatrix.process_batch` of YOLOv5's metrics.py.
 *
 * @returns Place of the detection for each labelled box; -1 for none.
 */
export function pairByOverlap(
  detections: readonly Detection[],
  labels: readonly LabelledBox[],
  threshold: number,
): number[] {
  const matrix = iouMatrix(boxesOf(labels), boxesOf(detections));
  const above = Math.fround(threshold);
  const pairs = closePairs(matrix, detections.length, (_label, _detection, iou) => iou > above);
  // Both filters keep the closest first: so does the second sort of YOLOv5.
  const partners = new Array<number>(labels.length).fill(-1);
  for (const { label, detection } of firstOfEach(firstOfEach(pairs, 'detection'), 'label'))
    partners[label] = detection;
  return partners;
}
