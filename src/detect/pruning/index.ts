/** Pruning detectors: cutting in rounds with their own training between, and what comes of it. */
export {
  type ComparedImage,
  type DetectorCost,
  type DetectorState,
  type JudgedDetector,
  judgedDetector,
  type LatencyPair,
  type PrunedDetectorOutcome,
} from './outcome.ts';
export { type ShrinkDetectorOptions, shrinkDetector } from './shrink-detector.ts';
