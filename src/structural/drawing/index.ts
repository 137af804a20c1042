/** Drawings of graphs with their coupled channels. */
export { type DrawGroupsOptions, drawGroups } from './draw.ts';
