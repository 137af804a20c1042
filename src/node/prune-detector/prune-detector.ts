import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { ArgumentError } from '../../core/errors.ts';
import {
  detectorHyperparameters,
  hyperparameterFile,
  type PrunedDetectorOutcome,
} from '../../detect/index.ts';
import type { Json } from '../../train/index.ts';
import { readBytes } from '../file.ts';
import { StagedRun } from '../staged-run.ts';
import { readYoloData, type YoloDataset, yoloDataset } from '../yolo-data.ts';
import { compareImages } from './compare-images.ts';
import { CACHE, CHECKPOINTS, FILES } from './files.ts';
import { judgeFile } from './judge-file.ts';
import { compareFileLatency } from './latency.ts';
import {
  PRUNE_DETECTOR_DEFAULTS,
  type PruneDetectorOptions,
  type PruneDetectorStage,
  type PrunedDetector,
} from './options.ts';
import { pruneStage } from './prune-stage.ts';
import { writePruningReport } from './report.ts';
import type { DetectorRun, Splits } from './run.ts';
import { startingDetector } from './starting-detector.ts';
import { trainStage } from './train-stage.ts';

/**
 * The whole story of a smaller detector, in a folder: a YOLOv5 is trained on one's own images (its layers that give the maps replaced where the classes are others), judged, made smaller in rounds of cutting and training, judged again, measured, and
 * shown: `dense.onnx`, `pruned.onnx`, their weights as .safetensors, the plan, images before and after, and a report.
 *
 * Each stage is done once: a run that was stopped, however hard, goes on from its folder to the same files, bit for bit.
 *
 * ```ts
 * const { dense, pruned } = await pruneDetector({
 *   model: 'yolov5n.pt', data: 'bccd.yaml', folder: 'smaller', target: { macs: { share: 0.5 } },
 * });
 * ```
 *
 * Throws ArgumentError for options that cannot be, and where the folder holds a run with others; FileError and FormatError for what cannot be read or written; the reason of `signal`; and what training and cutting throw.
 */
export async function pruneDetector(given: PruneDetectorOptions): Promise<PrunedDetector> {
  const { hyperparameters = { nbs: given.batchSize ?? 16 } } = given;
  const options: PruneDetectorOptions = { ...given, hyperparameters };
  const settings = settingsOf(options);
  const data = readYoloData(options.data);
  const splits = await openSplits(options, data);
  // Before anything of an earlier run is written over.
  const start = startingDetector(options.model, { classes: data.names.length, seed: options.seed ?? 0 });
  const folder = StagedRun.open(options.folder, {
    run: 'prune-detector',
    settings: { ...settings, ...imagesOf(splits) },
    files: [...Object.values(FILES), ...Object.values(CHECKPOINTS), CACHE, `${CACHE}.json`],
    ...(options.force === undefined ? {} : { force: options.force }),
  });
  const run: DetectorRun = {
    folder,
    options,
    names: data.names,
    splits,
    size: options.size ?? 320,
    batchSize: options.batchSize ?? 16,
    seed: options.seed ?? 0,
    tell: (event) => options.onEvent?.(event),
  };
  const stage = <T>(
    name: PruneDetectorStage,
    files: readonly string[],
    work: () => Promise<T>,
  ): Promise<T> => {
    options.signal?.throwIfAborted();
    run.tell({ kind: 'stage', stage: name, known: folder.isDone(name, files) });
    return folder.stage(name, files, work);
  };

  const trained = await stage('train', [FILES.dense, FILES.denseWeights], () => trainStage(run, start));
  drop(folder, CHECKPOINTS.train);
  const dense = await stage('judge', [], () => judgeFile(run, 'judge', FILES.dense));
  const rounds = await stage('prune', [FILES.pruned, FILES.prunedWeights, FILES.plan], () => pruneStage(run));
  drop(folder, CHECKPOINTS.prune);
  const pruned = await stage('judge-pruned', [], () => judgeFile(run, 'judge-pruned', FILES.pruned));
  const latency = await stage('latency', [], () => compareFileLatency(run));
  const images = await stage('images', [], () => compareImages(run));
  const outcome: PrunedDetectorOutcome = {
    names: data.names,
    training: trained.epochs,
    dense,
    rounds,
    pruned,
    latency,
    images,
  };
  const notes = [...new Set([...trained.notes, ...outcome.rounds.rounds.flatMap((round) => round.notes)])];
  const result: PrunedDetector = {
    ...outcome,
    notes,
    files: Object.fromEntries(
      Object.entries(FILES).map(([name, file]) => [name, folder.path(file)]),
    ) as PrunedDetector['files'],
    seconds: folder.seconds,
  };
  await stage('report', [FILES.report, FILES.json], () => writePruningReport(run, result));
  return { ...result, seconds: folder.seconds };
}

const drop = (folder: StagedRun, name: string): void => rmSync(folder.path(name), { force: true });

/** All that the result follows from. */
function settingsOf(options: PruneDetectorOptions): Record<string, Json> {
  const { model, data, target, size = 320, batchSize = 16 } = options;
  const { rounds, epochs, finetuneEpochs } = { ...PRUNE_DETECTOR_DEFAULTS, ...options };
  const { cosine = false, freeze = [], shrink = {}, limit, images = 6, seed = 0, threads } = options;
  for (const [name, value, least] of [
    ['rounds', rounds, 1],
    ['epochs', epochs, 0],
    ['finetuneEpochs', finetuneEpochs, 1],
    ['size', size, 32],
    ['batchSize', batchSize, 1],
    ['images', images, 0],
    ['limit', limit ?? 1, 1],
  ] as const) {
    if (Number.isSafeInteger(value) && value >= least) continue;
    throw new ArgumentError(
      `pruneDetector: ${name} expects a whole number of at least ${least}, got ${value}`,
    );
  }
  if (size % 32 !== 0) throw new ArgumentError(`pruneDetector: size expects a multiple of 32, got ${size}`);
  const own = detectorHyperparameters(options.hyperparameters);
  const finetune = detectorHyperparameters(options.finetuneHyperparameters ?? options.hyperparameters);
  const plain = JSON.parse(JSON.stringify({ target, shrink })) as { target: Json; shrink: Json };
  return {
    model,
    modelHash: createHash('sha256').update(readBytes(model)).digest('hex'),
    data,
    ...plain,
    rounds,
    epochs,
    finetuneEpochs,
    size,
    batchSize,
    hyperparameters: hyperparameterFile(own),
    finetuneHyperparameters: hyperparameterFile(finetune),
    cosine,
    freeze,
    limit: limit ?? null,
    images,
    seed,
    threads: threads ?? null,
  };
}

/** Opens the parts of the data, and tells what of it is broken. */
async function openSplits(
  { limit, onEvent }: PruneDetectorOptions,
  data: ReturnType<typeof readYoloData>,
): Promise<Splits> {
  const open = (split: 'train' | 'val' | 'test'): Promise<YoloDataset> =>
    yoloDataset(data, split, limit === undefined ? {} : { limit });
  const splits: Splits = {
    train: await open('train'),
    val: await open('val'),
    test: data.splits.test === undefined ? null : await open('test'),
  };
  for (const dataset of Object.values(splits)) {
    if (dataset && dataset.broken.length > 0) onEvent?.({ kind: 'broken', broken: dataset.broken });
  }
  if (splits.train.summary.objects === 0) {
    throw new ArgumentError(
      `pruneDetector: the ${splits.train.length} training images of '${data.path}' have no labels; are they in folders called labels beside images?`,
    );
  }
  return splits;
}

/** How many images and objects there are: other data is another run. */
const imagesOf = ({ train, val, test }: Splits): Record<string, Json> => ({
  trainImages: [train.length, train.summary.objects],
  valImages: [val.length, val.summary.objects],
  testImages: test ? [test.length, test.summary.objects] : null,
});
