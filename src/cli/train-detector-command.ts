import { existsSync, statSync } from 'node:fs';
import { FileError } from '../core/errors.ts';
import {
  type AutoAnchors,
  type DetectionDataset,
  type DetectionResult,
  type DetectorHyperparameters,
  describeAnchors,
  detectionSections,
  detectorHyperparameters,
  hyperparameterFile,
  type TrainedDetector,
  trainDetector,
} from '../detect/index.ts';
import {
  diskCachedDataset,
  readHyperparameters,
  readYoloData,
  type YoloDataset,
  yoloDataset,
} from '../node/index.ts';
import { historySection } from '../train/index.ts';
import { interruptible } from './interrupt.ts';
import { keepZeros } from './kept-zeros.ts';
import { checkOutput, printJson } from './output.ts';
import { withProgress } from './progress.ts';
import { epochHead, epochLine } from './prune-detector-text.ts';
import { tellBroken } from './tell-broken.ts';
import { type OpenedDetector, openDetectorToTrain } from './train-detector-model.ts';
import type { TrainDetectorCommandOptions } from './train-detector-options.ts';
import { outcomeLines, transferText, warmupText } from './train-detector-text.ts';
import { type JudgedFile, OUTPUTS, writeDetector } from './trained-detector.ts';
import { checkCheckpoint, interruptAdvice, openCheckpoint } from './training-checkpoint.ts';
import type { Start } from './training-options.ts';
import { type ProgressBar, withBar } from './training-progress.ts';
import { checkReport, engineVersion, factsOf, writeReport } from './training-report.ts';
import { noteLines, reportLines } from './training-text.ts';
import { VERSION } from './version.ts';

/** The parts of the data. */
export interface DetectorData {
  readonly path: string;
  readonly names: readonly string[];
  readonly train: YoloDataset;
  readonly validation: YoloDataset;
  /** Null where the yaml names none. */
  readonly test: YoloDataset | null;
}

/** `secateur train` and `finetune` where `--data` is a YOLO data yaml. */
export async function trainDetectorCommand(
  source: string,
  options: TrainDetectorCommandOptions,
  start: Start,
): Promise<void> {
  const hyperparameters = check(options);
  const data = await openData(options);
  const opened = openDetectorToTrain(source, options, data.names.length, start);
  const kept = start === 'trained' && options.keepZeros !== false ? keepZeros(opened.module) : 0;
  const settings = settingsOf(source, options, hyperparameters, start);
  const say = (line: string): void => {
    if (!options.json) process.stdout.write(`${line}\n`);
  };
  for (const line of dataLines(data)) say(line);
  for (const line of noteLines([
    ...transferText(opened),
    ...warmupText(data.train.length, options, hyperparameters),
  ]))
    say(line);
  if (kept > 0) say(`zeros kept          ${kept.toLocaleString('en-US')}; --no-keep-zeros would train them`);
  const trained = await train(opened, data, options, hyperparameters, settings, say);
  const judged = await writeDetector(opened, trained, data, options);
  const reports = await report(source, options, settings, data, trained, judged);
  if (options.json) {
    printJson({
      model: source,
      output: options.output,
      command: options.line,
      settings,
      data: dataFacts(data),
      transfer: opened.transfer,
      zerosKept: kept,
      anchors: trained.anchors,
      anchorFit: trained.fit && {
        changed: trained.fit.changed,
        before: trained.fit.before,
        after: trained.fit.after,
      },
      frozen: trained.frozen,
      epochs: trained.history.epochs,
      best: trained.history.best,
      ended: trained.history.ended,
      judged: judged.map(({ split, result }) => ({ split, ...scores(result) })),
      bytes: statSync(options.output).size,
      reports,
    });
    return;
  }
  const lines = ['', ...outcomeLines(options.output, trained, judged), ...reportLines(reports)];
  process.stdout.write(`${lines.join('\n')}\n`);
}

/** Refuses what cannot be before any work. Gives the hyperparameters. */
function check(options: TrainDetectorCommandOptions): DetectorHyperparameters {
  checkOutput(options, OUTPUTS);
  checkReport(options);
  checkCheckpoint(options);
  const { hyp, lr, momentum, weightDecay, warmup, labelSmoothing, data, batchSize } = options;
  if (!existsSync(data))
    throw new FileError(data, 'cannot be read: there is no such file or folder (--data)');
  // What is typed goes before what the file says. Without one each batch makes an update: one's own images are few.
  return detectorHyperparameters({
    ...(hyp === undefined ? { nbs: batchSize } : readHyperparameters(hyp)),
    ...(lr === undefined ? {} : { lr0: lr }),
    ...(momentum === undefined ? {} : { momentum }),
    ...(weightDecay === undefined ? {} : { weightDecay }),
    ...(warmup === undefined ? {} : { warmupEpochs: warmup }),
    ...(labelSmoothing === undefined ? {} : { labelSmoothing }),
  });
}

async function openData({ data: path, limit }: TrainDetectorCommandOptions): Promise<DetectorData> {
  const yolo = readYoloData(path);
  const part = (split: 'train' | 'val' | 'test'): Promise<YoloDataset> =>
    yoloDataset(yolo, split, limit === undefined ? {} : { limit });
  const data = await withProgress('reading the labels', async () => ({
    path,
    names: yolo.names,
    train: await part('train'),
    validation: await part('val'),
    test: yolo.splits.test === undefined ? null : await part('test'),
  }));
  for (const split of [data.train, data.validation, data.test]) tellBroken(split?.broken ?? []);
  return data;
}

/** All that the result follows from, for JSON, reports and checkpoints. */
function settingsOf(
  source: string,
  options: TrainDetectorCommandOptions,
  hyperparameters: DetectorHyperparameters,
  start: Start,
) {
  const { data, size, seed, batchSize, epochs, optimizer, limit, patience, freeze = [], weights } = options;
  return {
    model: source,
    weights: weights ?? null,
    data,
    limit: limit ?? null,
    seed,
    size,
    batchSize,
    epochs,
    optimizer,
    schedule: options.cosLr ? 'cosine' : 'linear',
    patience: patience ?? null,
    freeze: [...freeze],
    autoAnchor: options.autoAnchor,
    ...(start === 'trained' ? { keepZeros: options.keepZeros !== false } : {}),
    hyperparameters: hyperparameterFile(hyperparameters),
  };
}

const OPTIMIZERS = { sgd: 'SGD', adam: 'Adam', adamw: 'AdamW', rmsprop: 'RMSprop' } as const;

async function train(
  { module, anchors, strides }: OpenedDetector,
  data: DetectorData,
  options: TrainDetectorCommandOptions,
  hyperparameters: DetectorHyperparameters,
  settings: ReturnType<typeof settingsOf>,
  say: (line: string) => void,
): Promise<TrainedDetector> {
  const { epochs, size, batchSize, seed, optimizer, freeze, cache, threads } = options;
  const { patience, checkpointEvery, cosLr } = options;
  const checkpoint = openCheckpoint(options, settings);
  const run = (bar: ProgressBar, signal: AbortSignal, images: DetectionDataset): Promise<TrainedDetector> => {
    const tell = (line: string): void => {
      bar.clear();
      say(line);
    };
    let first = true;
    return trainDetector({
      model: module,
      anchors,
      strides,
      train: images,
      validation: data.validation,
      size,
      epochs,
      batchSize,
      hyperparameters,
      optimizer: OPTIMIZERS[optimizer],
      seed,
      autoAnchor: options.autoAnchor,
      checkpoint,
      resume: checkpoint !== null,
      signal,
      ...(cosLr === undefined ? {} : { cosine: cosLr }),
      ...(freeze === undefined ? {} : { freeze }),
      ...(cache === 'memory' || cache === 'none' ? { cache: cache === 'none' ? false : cache } : {}),
      ...(threads === undefined ? {} : { threads }),
      ...(patience === undefined ? {} : { patience }),
      ...(checkpointEvery === undefined ? {} : { checkpointEvery }),
      onAnchors: (found: AutoAnchors) => noteLines([describeAnchors(found)]).forEach(tell),
      onEpoch: (record) => {
        if (first) tell(`\n${epochHead()}`);
        first = false;
        tell(epochLine(0, record, epochs));
      },
      onProgress: ({ phase, epoch, batch, batches, means }) =>
        bar.show({
          title: `${phase === 'train' ? 'epoch' : 'judging epoch'} ${epoch}/${epochs}`,
          done: (epoch - 1) * batches + batch,
          total: epochs * batches,
          details: `loss ${means.loss?.toPrecision(3)}`,
        }),
    });
  };
  return interruptible(
    (signal) =>
      withBar(async (bar) => {
        if (cache !== 'disk') return run(bar, signal, data.train);
        const cached = await diskCachedDataset(data.train, {
          path: `${options.output}.images`,
          longest: size,
          onProgress: (done, total) => bar.show({ title: 'decoding images', done, total }),
        });
        try {
          return await run(bar, signal, cached);
        } finally {
          cached.close();
        }
      }),
    () => interruptAdvice(options, options.line),
  );
}

const partFacts = ({ length, summary }: YoloDataset) => ({ images: length, ...summary });

/** The data for JSON. */
const dataFacts = ({ path, names, train, validation, test }: DetectorData) => ({
  path,
  kind: 'yolo',
  names,
  train: partFacts(train),
  validation: partFacts(validation),
  test: test && partFacts(test),
});

const counted = (count: number, thing: string): string =>
  `${count.toLocaleString('en-US')} ${thing}${count === 1 ? '' : 's'}`;

const partText = ({ length, summary: { objects, missing, empty, corrupt } }: YoloDataset): string =>
  [
    `${counted(length, 'image')}, ${counted(objects, 'object')}`,
    ...(missing + empty > 0 ? [`${counted(missing + empty, 'image')} without any`] : []),
    ...(corrupt > 0 ? [`${counted(corrupt, 'file')} damaged`] : []),
  ].join(', ');

const dataLines = ({ path, names, train, validation, test }: DetectorData): string[] => [
  `data                ${path}: ${names.join(', ')}`,
  `training on         ${partText(train)}`,
  `validation          ${partText(validation)}`,
  ...(test ? [`test                ${partText(test)}`] : []),
];

/** A judgement without what curves are drawn of. */
function scores({ curves: _, confusion: __, ...numbers }: DetectionResult) {
  return numbers;
}

async function report(
  source: string,
  options: TrainDetectorCommandOptions,
  { hyperparameters, ...settings }: ReturnType<typeof settingsOf>,
  data: DetectorData,
  { history, fit }: TrainedDetector,
  judged: readonly JudgedFile[],
): Promise<string[]> {
  if (options.report === undefined) return [];
  const last = judged.at(-1)!;
  return writeReport(
    options.report,
    {
      title: `${source}: trained on ${data.path}`,
      command: options.line,
      seed: options.seed,
      versions: { secateur: VERSION, node: process.versions.node, ...engineVersion() },
      facts: [
        ['data', `${data.path} (yolo)`],
        ['training on', partText(data.train)],
        ['validation', partText(data.validation)],
        ...(data.test ? [['test', partText(data.test)] as const] : []),
        ...(fit ? [['anchors', describeAnchors(fit)] as const] : []),
        ['batch size', options.batchSize],
        ...factsOf(settings),
        [
          'hyperparameters',
          Object.entries(hyperparameters)
            .map(([name, value]) => `${name} ${value}`)
            .join(', '),
        ],
        ['judged on', last.split],
      ],
    },
    [historySection(history), ...detectionSections(last.result, data.names)],
    options.force,
  );
}
