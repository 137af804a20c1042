import type { Graph } from '../ir/index.ts';

/** What a pass gives back: the graph it was given, edited in place, and whether anything changed. */
export interface PassResult {
  readonly graph: Graph;
  readonly modified: boolean;
}
