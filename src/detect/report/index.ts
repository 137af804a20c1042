/** Reports of detectors: how good one is, and what pruning made of it. */
export { pruningSections } from './pruning-sections.ts';
export { detectionSections } from './result-sections.ts';
