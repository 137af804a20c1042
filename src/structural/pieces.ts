import type { Tensor } from '../core/tensor.ts';
import type { Graph } from '../ir/index.ts';
import {
  batchesOf,
  type CalibrationData,
  type CalibrationOptions,
  feedsOf,
  samplesOf,
} from './calibration.ts';

/**
 * Calibration data as the graph takes it: a batch at a time, or a sample at a time where it was exported for one. Throws as `batchesOf` and `feedsOf`.
 */
export async function* piecesOf(
  data: CalibrationData,
  graph: Graph,
  options: CalibrationOptions = {},
): AsyncGenerator<Readonly<Record<string, Tensor>>, void, void> {
  const [first] = graph.feeds;
  const takesOne = first?.type?.kind === 'tensor' && first.type.shape?.[0] === 1;
  for await (const batch of batchesOf(data, options)) {
    // The batch is checked before it is taken apart.
    const feeds = feedsOf(batch, graph);
    if (!takesOne || feeds[first.name]!.shape[0] === 1) yield feeds;
    else for (const sample of samplesOf(batch)) yield feedsOf(sample, graph);
  }
}
