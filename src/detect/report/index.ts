/** Reports of detectors: how good one is, and what pruning made of it. */
export { detectionSections } from './result-sections.ts';
