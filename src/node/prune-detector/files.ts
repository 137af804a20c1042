/** Files of a run, by their names in its folder. */
export const FILES = {
  dense: 'dense.onnx',
  denseWeights: 'dense.safetensors',
  pruned: 'pruned.onnx',
  prunedWeights: 'pruned.safetensors',
  plan: 'plan.json',
  report: 'report.html',
  json: 'report.json',
} as const;

/** Where training goes on after a stop; they go when their stage is done. */
export const CHECKPOINTS = { train: 'dense.checkpoint', prune: 'pruned.checkpoint' } as const;

/** Decoded training images, where they are kept on disk. */
export const CACHE = 'images.cache';

/** Folder of the drawn images. */
export const IMAGES = 'images';
