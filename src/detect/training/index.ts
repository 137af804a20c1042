/** Training detectors: loss, data, hyperparameters, anchors, and the loop that puts them together. */
export {
  type DetectorHyperparameters,
  detectorHyperparameters,
  hyperparameterFile,
  parseHyperparameters,
} from './hyperparameters.ts';
