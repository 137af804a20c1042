/** The whole story of a smaller detector, in a folder. */
export {
  PRUNE_DETECTOR_DEFAULTS,
  PRUNE_DETECTOR_STAGES,
  type PruneDetectorEvent,
  type PruneDetectorOptions,
  type PruneDetectorStage,
  type PrunedDetector,
} from './options.ts';
export { pruneDetector } from './prune-detector.ts';
export {
  type StartingDetector,
  type StartingDetectorOptions,
  startingDetector,
} from './starting-detector.ts';
