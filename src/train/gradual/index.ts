/** Pruning during training, as callbacks of the Trainer. */
export { type SparsityDistribution, sparsityDistributions } from './densities.ts';
export { GradualMagnitude } from './magnitude.ts';
export { MovementPruning } from './movement.ts';
export { RigL, type RigLOptions } from './rigl.ts';
export type { GradualOptions } from './scheduled.ts';
export type { GradualSelection } from './targets.ts';
