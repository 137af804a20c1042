import type { DetectionDataset, DetectorTrainingOptions } from '../../detect/index.ts';
import { diskCachedDataset } from '../disk-cached-dataset.ts';
import { CACHE } from './files.ts';
import type { PruneDetectorStage } from './options.ts';
import { type DetectorRun, threadsOf } from './run.ts';

/** What training of both kinds is given, but anchors and epochs. */
type Common = Pick<
  DetectorTrainingOptions,
  'train' | 'validation' | 'size' | 'batchSize' | 'cosine' | 'cache' | 'seed' | 'threads'
>;

/** Runs `work` with the data and settings that training of the dense model and after cuts share; a cache on disk is closed then. */
export async function withTrainingData<T>(
  run: DetectorRun,
  stage: PruneDetectorStage,
  work: (common: Common) => Promise<T>,
): Promise<T> {
  const { splits, size, batchSize, seed, folder } = run;
  const { cache, cosine } = run.options;
  const common = {
    validation: splits.val,
    size,
    batchSize,
    seed,
    ...threadsOf(run),
    ...(cosine === undefined ? {} : { cosine }),
  };
  if (cache !== 'disk') {
    const train: DetectionDataset = splits.train;
    return work({ ...common, train, ...(cache === undefined ? {} : { cache }) });
  }
  const cached = await diskCachedDataset(splits.train, {
    path: folder.path(CACHE),
    longest: size,
    onProgress: (done, total) => run.tell({ kind: 'progress', stage, title: 'decoding images', done, total }),
  });
  try {
    return await work({ ...common, train: cached });
  } finally {
    cached.close();
  }
}
