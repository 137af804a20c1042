import { ArgumentError } from '../core/errors.ts';
import type { Tensor } from '../core/tensor.ts';
import { type Size, sizeOfImage } from '../data/index.ts';
import type { ImageSize, LabelledBox } from './box.ts';
import { clipBox } from './box.ts';
import type { DetectionDataset } from './dataset.ts';
import { DetectionMetrics, type DetectionMetricsOptions, type DetectionResult } from './detection-metrics.ts';
import type { Detector } from './detector.ts';
import { letterbox, type Placement, scaleBoxes } from './letterbox.ts';
import { type NmsOptions, nonMaxSuppression } from './non-max-suppression.ts';
import { pixelsOf } from './pixels.ts';
import { rectangularBatches } from './rectangular-batches.ts';
import { scaleToLongest } from './scale-to-longest.ts';

/** Options of `evaluateDetector`; as val.py's where they are left out. */
export interface EvaluateDetectorOptions
  extends DetectionMetricsOptions,
    Pick<NmsOptions, 'confThres' | 'iouThres' | 'agnostic' | 'maxDet' | 'maxNms'> {
  /** As of `Detector.detect`. */
  readonly size?: Size;
  /** Images that share a size with `rect`; they are run in smaller batches where the detector's are. Default 32. */
  readonly batchSize?: number;
  /**
   * Make batches of images of like proportions, with half a stride of edges, as val.py does for checkpoints; else squares, as it does for exported models. The two differ by some hundredths where images are few. By default
   * wherever the model can be run at any size, so that a checkpoint and its export are judged alike.
   */
  readonly rect?: boolean;
  /** Called after each batch. */
  readonly onBatch?: (done: number, total: number) => void;
}

/** What images are put into together. */
interface Batch {
  readonly indices: readonly number[];
  readonly shape: readonly [height: number, width: number];
}

/**
 * Judges a detector on a data set as YOLOv5's val.py: confidences from 0.001 on, overlaps of 0.6 suppressed, every class of a box a detection, at most 300 of an image. Images whose pixels cannot be read
 * are left out.
 *
 * Throws ArgumentError where the data has other classes than the detector has names, or `rect` is asked of a model of one size; the errors of `Detector.predict`.
 */
export async function evaluateDetector(
  detector: Detector,
  dataset: DetectionDataset,
  options: EvaluateDetectorOptions = {},
): Promise<DetectionResult> {
  const { confThres = 0.001, iouThres = 0.6, agnostic, maxDet, maxNms, onBatch } = options;
  // Before the first image is read, where the model tells.
  if (detector.names !== null) requireClasses(detector.names.length, dataset);
  const metrics = new DetectionMetrics(dataset.names, options);
  const size = detector.sizeFor(options.size);
  let done = 0;
  for (const { indices, shape } of batchesOf(detector, dataset, size, options)) {
    const prepared: PreparedImage[] = [];
    for (const index of indices) {
      const sample = await dataset.get(index);
      if (sample !== null) prepared.push(prepare(sample.image, sample.labels, Math.max(...size), shape));
    }
    if (prepared.length > 0) {
      const prediction = await detector.predict(prepared.map(({ image }) => image));
      requireClasses(prediction.shape[2]! - 5, dataset);
      const found = nonMaxSuppression(prediction, {
        confThres,
        iouThres,
        multiLabel: true,
        ...(agnostic === undefined ? {} : { agnostic }),
        ...(maxDet === undefined ? {} : { maxDet }),
        ...(maxNms === undefined ? {} : { maxNms }),
      });
      found.forEach((detections, place) => {
        const { size: own, labels, placement } = prepared[place]!;
        const [height, width] = shape;
        const boxes = scaleBoxes(
          detections.map(({ box }) => box),
          { height, width },
          own,
          placement,
        );
        metrics.add(
          detections.map((detection, at) => ({ ...detection, box: boxes[at]! })),
          labels,
        );
      });
    }
    done += indices.length;
    onBatch?.(done, dataset.length);
  }
  return metrics.compute();
}

function requireClasses(known: number, { names }: DetectionDataset): void {
  if (known === names.length) return;
  throw new ArgumentError(
    `evaluateDetector: the model knows ${known} classes, the data has ${names.length}; expected a model trained on the data's classes`,
  );
}

function batchesOf(
  detector: Detector,
  dataset: DetectionDataset,
  size: readonly [height: number, width: number],
  { rect = detector.takesAnySize, batchSize = 32 }: EvaluateDetectorOptions,
): Batch[] {
  if (rect) {
    if (!detector.takesAnySize) {
      throw new ArgumentError(
        `evaluateDetector: rect needs a model that takes any size; this one takes ${detector.inputSize?.join(' x ')}`,
      );
    }
    return rectangularBatches(dataset.sizes, {
      size: Math.max(...size),
      stride: detector.stride,
      batchSize,
    });
  }
  const count = detector.batchSize;
  const batches: Batch[] = [];
  for (let start = 0; start < dataset.length; start += count) {
    const indices = Array.from({ length: Math.min(count, dataset.length - start) }, (_, at) => start + at);
    batches.push({ indices, shape: size });
  }
  return batches;
}

interface PreparedImage {
  readonly image: Tensor;
  readonly size: ImageSize;
  readonly labels: readonly LabelledBox[];
  readonly placement: Placement;
}

/** An image scaled so that its longer side is `longest`, then put into `shape` without enlarging. Source: `load_image` and `__getitem__` of YOLOv5's dataloaders.py. */
function prepare(image: Tensor, labels: readonly LabelledBox[], longest: number, shape: Size): PreparedImage {
  const { height, width } = pixelsOf('evaluateDetector', image);
  const scaled = scaleToLongest(image, longest, 'area');
  const [scaledHeight, scaledWidth] = scaled.shape as [number, number, number];
  const boxed = letterbox(scaled, {
    size: sizeOfImage('evaluateDetector', shape),
    auto: false,
    scaleup: false,
  });
  const size = { height, width };
  return {
    image: boxed.image,
    size,
    labels: labels.map(({ box, label }) => ({ label, box: clipBox(box, size) })),
    placement: {
      ratio: [(boxed.ratio[0] * scaledWidth) / width, (boxed.ratio[1] * scaledHeight) / height],
      pad: boxed.pad,
    },
  };
}
