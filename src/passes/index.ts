/** Rewrites of whole graphs, each of which keeps what the graph computes. */
export { foldBatchNorm } from './fold-batch-norm.ts';
export { leaveOutExpands } from './leave-out-expands.ts';
export { leaveOutZeros } from './leave-out-zeros.ts';
export { liftConstants } from './lift-constants.ts';
export type { PassResult } from './pass.ts';
export { rebatch } from './rebatch.ts';
export { removeUnused } from './remove-unused.ts';
export { upgradeOpset } from './upgrade-opset.ts';
