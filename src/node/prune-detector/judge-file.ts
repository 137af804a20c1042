import {
  Detector,
  type DetectorState,
  evaluateDetector,
  type JudgedDetector,
  judgedDetector,
  rawDetector,
} from '../../detect/index.ts';
import { fileSizes, profile } from '../../profile/index.ts';
import { nodeCompressors } from '../compress.ts';
import { readBytes } from '../file.ts';
import { readModel } from '../model.ts';
import type { PruneDetectorStage } from './options.ts';
import { type DetectorRun, threadsOf } from './run.ts';

/** Judges a file of the run as it was written, on `val` and `test`, and counts what it has and costs. */
export async function judgeFile(
  run: DetectorRun,
  stage: PruneDetectorStage,
  file: string,
): Promise<DetectorState> {
  const { folder, splits, names, size } = run;
  const graph = readModel(folder.path(file));
  const judged: JudgedDetector[] = [];
  const detector = new Detector(graph, { names, ...threadsOf(run) });
  try {
    for (const split of ['val', 'test'] as const) {
      const dataset = splits[split];
      if (dataset === null) continue;
      const result = await evaluateDetector(detector, dataset, {
        size,
        onBatch: (done, total) => {
          run.options.signal?.throwIfAborted();
          run.tell({ kind: 'progress', stage, title: `judging ${file} on ${split}`, done, total });
        },
      });
      judged.push(judgedDetector(split, result));
    }
  } finally {
    await detector.dispose();
  }
  const { graph: raw } = rawDetector(graph);
  const { totals } = profile(raw, { shapes: { [raw.feeds[0]!.name]: [1, 3, size, size] }, zeros: false });
  const sizes = await fileSizes([readBytes(folder.path(file))], { compressors: nodeCompressors });
  return { parameters: totals.parameters, macs: totals.macs, sizes, judged };
}
