/** Finding objects with YOLOv5: boxes, letterbox, suppression, detectors, and how good they are. */
export type { AnnotatedImage, AnnotatedObject } from './annotations/annotated-image.ts';
export { type BrokenAnnotation, type CocoAnnotations, parseCocoAnnotations } from './annotations/coco.ts';
export { type ParseVocOptions, parseVocAnnotation } from './annotations/voc.ts';
export {
  type YoloLabelText,
  type YoloLabelTextOptions,
  yoloLabelText,
} from './annotations/yolo-label-text.ts';
export { type ApMethod, averagePrecision } from './average-precision.ts';
export {
  type Box,
  boxIou,
  type CenterBox,
  clipBox,
  type Detection,
  type ImageSize,
  type IouKind,
  iouMatrix,
  type LabelledBox,
  normalized,
  unnormalized,
  xywhToXyxy,
  xyxyToXywh,
} from './box.ts';
export { classNamesOf, parseClassNames, printClassNames } from './class-names.ts';
export { ConfusionMatrix, type ConfusionMatrixOptions } from './confusion-matrix.ts';
export { type DetectionDataset, type DetectionSample, detectionDataset } from './dataset.ts';
export {
  type ClassCurves,
  type ClassResult,
  type DetectionCurves,
  DetectionMetrics,
  type DetectionMetricsOptions,
  type DetectionResult,
  evaluateDetections,
  type JudgedImage,
} from './detection-metrics.ts';
export { type DetectOptions, Detector, type DetectorOptions } from './detector.ts';
export { type EvaluateDetectorOptions, evaluateDetector } from './evaluate-detector.ts';
export { type ExportDetectorOptions, exportDetector } from './export-detector.ts';
export {
  detectorFitness,
  detectorScores,
  type JudgeDetectorOptions,
  judgeDetector,
} from './judge-detector.ts';
export {
  LETTERBOX_GREY,
  type Letterboxed,
  type LetterboxOptions,
  letterbox,
  type Placement,
  scaleBoxes,
} from './letterbox.ts';
export { IOU_THRESHOLDS, matchDetections, matchDetectionsCoco } from './matching.ts';
export { type NmsOptions, nonMaxSuppression } from './non-max-suppression.ts';
export * from './pruning/index.ts';
export { type RawDetector, type RawDetectorOptions, rawDetector } from './raw-detector.ts';
export {
  type RectangularBatch,
  type RectangularOptions,
  rectangularBatches,
} from './rectangular-batches.ts';
export * from './report/index.ts';
export { type Interpolation, resizePixels } from './resize-pixels.ts';
export * from './training/index.ts';
