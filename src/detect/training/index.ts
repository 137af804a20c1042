/** Training detectors: loss, data, hyperparameters, anchors, and the loop that puts them together. */

export {
  type AnchorFit,
  type AutoAnchorOptions,
  type AutoAnchors,
  anchorFit,
  autoAnchor,
  describeAnchors,
  type KmeanAnchorsOptions,
  kmeanAnchors,
} from './auto-anchor.ts';
export {
  DetectionTrainingData,
  type DetectionTrainingOptions,
  detectionCollate,
} from './detection-training-data.ts';
export {
  DETECTOR_OPTIMIZERS,
  type DetectorOptimizerOptions,
  detectorOptimizer,
} from './detector-optimizer.ts';
export { DetectorSchedule, type DetectorScheduleOptions, detectorEma } from './detector-schedule.ts';
export {
  type DetectorTraining,
  type DetectorTrainingOptions,
  detectorTraining,
} from './detector-training.ts';
export { flipLeftRight, flipUpDown } from './flip.ts';
export { type HsvGains, multiplyHsv, randomHsv } from './hsv.ts';
export {
  type DetectorHyperparameters,
  detectorHyperparameters,
  hyperparameterFile,
  parseHyperparameters,
} from './hyperparameters.ts';
export { mixup } from './mixup.ts';
export { mosaic } from './mosaic.ts';
export {
  applyPerspective,
  drawPerspective,
  isCandidate,
  type Perspective,
  type PerspectiveRanges,
  randomPerspective,
} from './perspective.ts';
export {
  cachedInMemory,
  type ImageScale,
  type ScaledDataset,
  scaledDataset,
  scaledLabels,
} from './scaled-dataset.ts';
export { type TrainDetectorOptions, type TrainedDetector, trainDetector } from './train-detector.ts';
export { accumulatedBatches, detectorAccumulate, warmupBatches } from './warmup.ts';
export { type Matrix, warpPixels } from './warp.ts';
export { type LossGains, scaledGains, YoloLoss, type YoloLossOptions } from './yolo-loss.ts';
