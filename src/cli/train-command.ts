import { statSync } from 'node:fs';
import type { DataLoader } from '../data/index.ts';
import type { AnyModule } from '../nn/index.ts';
import {
  distillationLoss,
  type History,
  historySection,
  type LossFunction,
  type ModelState,
  modelSection,
  Trainer,
  trainingNotes,
  weightSections,
  weightsNow,
} from '../train/index.ts';
import { interruptible } from './interrupt.ts';
import { keepZeros } from './kept-zeros.ts';
import { isArchitecture } from './load.ts';
import { checkOutput, printJson } from './output.ts';
import { judge, measure, type Verification, writeVerified } from './trained-model.ts';
import { checkCheckpoint, interruptAdvice, openCheckpoint } from './training-checkpoint.ts';
import { dataFacts, dataLines, evaluationLoader, type OpenedData } from './training-data.ts';
import { checkGradual, gradualEvery, gradualOf, regularizersOf } from './training-gradual.ts';
import { trainLoader } from './training-loader.ts';
import { checkClassifier, moduleOf, type OpenedModel, openModel, trainable } from './training-model.ts';
import type { Start, TrainCommandOptions } from './training-options.ts';
import { withBar } from './training-progress.ts';
import { checkReport, factsOf, frameOf, writeReport } from './training-report.ts';
import { checkOptimizer, lossOf, optimizerFacts, optimizerOf, schedulerOf } from './training-setup.ts';
import { changeLines, epochsText, noteLines, reportLines, verifiedLines } from './training-text.ts';
import { UsageError } from './usage-error.ts';

/** `secateur train NAME --data PATH -o OUT`: trains an architecture from fresh weights. */
export async function trainCommand(source: string, options: TrainCommandOptions): Promise<void> {
  if (!isArchitecture(source) && /\.onnx$/i.test(source)) {
    throw new UsageError(
      `train begins with fresh weights; to train '${source}' further: secateur finetune ${source}`,
    );
  }
  await trainAndWrite(source, options, 'fresh');
}

/** `secateur finetune MODEL.onnx --data PATH -o OUT`: trains a model further; what is zero stays zero. */
export async function finetuneCommand(source: string, options: TrainCommandOptions): Promise<void> {
  if (isArchitecture(source) && options.weights === undefined) {
    throw new UsageError(
      `finetune begins with trained weights, and ${source} has fresh ones: give --weights FILE, or use secateur train ${source}`,
    );
  }
  await trainAndWrite(source, options, 'trained');
}

async function trainAndWrite(source: string, options: TrainCommandOptions, start: Start): Promise<void> {
  check(options);
  const opened = await openModel(source, options);
  const { module, data } = opened;
  const settings = settingsOf(source, options, start);
  const loader = trainLoader(opened, options);
  const kept = start === 'trained' && options.keepZeros !== false ? keepZeros(module) : 0;
  const teacher = options.teacher === undefined ? null : teacherOf(options.teacher, options, data);
  const before = await measure(
    opened,
    await judge('judging the model', module, data.validation.dataset, options),
  );
  const weights = weightsNow(module);
  const history = await train(opened, loader, teacher, options, settings, start);
  const after = await measure(
    opened,
    await judge('judging the model', module, data.validation.dataset, options),
  );
  // Masks are there until the model is written.
  const sections = options.report === undefined ? [] : weightSections(module, weights);
  const verification = await writeVerified(opened, options.output, options);
  const outcome = { before, after, history, verification, kept };
  const reports =
    options.report === undefined
      ? []
      : await writeReport(
          options.report,
          frameOf(
            `${source}: ${start === 'fresh' ? 'trained' : 'fine-tuned'} on ${data.kind}`,
            options,
            data,
            factsOf(settings),
          ),
          [modelSection(before, after), historySection(history), ...sections],
          options.force,
        );
  print(opened, options, settings, outcome, reports);
}

function check(options: TrainCommandOptions): void {
  checkOutput(options, ['.onnx']);
  checkReport(options);
  checkCheckpoint(options);
  checkOptimizer(options);
  checkGradual(options);
  const { teacher, temperature, alpha, labelSmoothing } = options;
  if (teacher === undefined && (temperature ?? alpha) !== undefined) {
    throw new UsageError(
      `--${temperature === undefined ? 'alpha' : 'temperature'} has no part here: there is no --teacher MODEL`,
    );
  }
  if (teacher !== undefined && labelSmoothing > 0) {
    throw new UsageError('--label-smoothing has no part here: what --teacher says is smooth already');
  }
}

/** A model to learn from; it has weights and classes of its own. Errors as `moduleOf`. */
function teacherOf(
  source: string,
  { classes: _, weights: __, ...options }: TrainCommandOptions,
  data: OpenedData,
): AnyModule {
  if (isArchitecture(source)) {
    throw new UsageError(
      `--teacher: ${source} would have fresh weights, and nothing to teach; give an .onnx file`,
    );
  }
  const { module, graph } = moduleOf(source, options, data);
  checkClassifier(source, graph, data);
  return module;
}

/** All that the result follows from, for JSON, reports and checkpoints. */
function settingsOf(source: string, options: TrainCommandOptions, start: Start) {
  const { data, validationSplit, limit, normalize, seed = 0, batchSize, epochs } = options;
  const { ema, patience, restoreBest, sparseTraining = [], gradual, sparsity, gradualScope } = options;
  const { teacher, temperature = 4, alpha = 0.9, keepZeros: keep } = options;
  return {
    model: source,
    data,
    validationSplit: validationSplit ?? null,
    limit: limit ?? null,
    normalize,
    seed,
    batchSize,
    epochs,
    ...optimizerFacts(options, start),
    ema: ema ?? null,
    patience: patience ?? null,
    restoreBest: restoreBest ?? false,
    sparseTraining: sparseTraining.map(({ kind, lambda }) => `${kind}:${lambda}`),
    gradual: gradual ?? null,
    ...(gradual === undefined ? {} : { sparsity, gradualScope }),
    teacher: teacher ?? null,
    ...(teacher === undefined ? {} : { temperature, alpha }),
    ...(start === 'trained' ? { keepZeros: keep !== false } : {}),
  };
}

async function train(
  { module, data }: OpenedModel,
  loader: DataLoader,
  teacher: AnyModule | null,
  options: TrainCommandOptions,
  settings: ReturnType<typeof settingsOf>,
  start: Start,
): Promise<History> {
  const {
    epochs,
    ema,
    clipGradNorm,
    checkpointEvery,
    patience,
    restoreBest = false,
    seed = 0,
    threads,
  } = options;
  const optimizer = optimizerOf(trainable(module), options, start);
  const loss: LossFunction = teacher
    ? distillationLoss({ temperature: options.temperature ?? 4, alpha: options.alpha ?? 0.9 })
    : lossOf(options);
  const trainer = new Trainer(module, {
    optimizer,
    loss,
    scheduler: schedulerOf(optimizer, options, { epochs, batches: loader.length }),
    schedulerInterval: 'step',
    teacher,
    regularizers: regularizersOf(options.sparseTraining),
    callbacks: gradualOf(module, options, loader),
    seed,
    ...(clipGradNorm === undefined ? {} : { clipGradNorm }),
    ...(ema === undefined ? {} : { ema }),
    ...(threads === undefined ? {} : { threads }),
  });
  const checkpoint = openCheckpoint(options, {
    ...settings,
    ...(options.gradual === undefined ? {} : { gradualEvery: gradualEvery(options, loader) }),
  });
  const total = epochs * loader.length;
  try {
    return await interruptible(
      (signal) =>
        withBar((bar) =>
          trainer.fit(loader, {
            epochs,
            validation: evaluationLoader(data.validation.dataset, options),
            restoreBest,
            checkpoint,
            resume: checkpoint !== null,
            signal,
            ...(patience === undefined ? {} : { earlyStopping: { patience } }),
            ...(checkpointEvery === undefined ? {} : { checkpointEvery }),
            onProgress: ({ phase, epoch, batch, means }) =>
              bar.show({
                title: `${phase === 'train' ? 'epoch' : 'judging epoch'} ${epoch}/${epochs}`,
                done: (epoch - 1) * loader.length + batch,
                total,
                details: `loss ${means.loss?.toPrecision(3)}`,
              }),
          }),
        ),
      () => interruptAdvice(options, options.line),
    );
  } finally {
    await trainer.dispose();
  }
}

interface Outcome {
  readonly before: ModelState;
  readonly after: ModelState;
  readonly history: History;
  readonly verification: Verification;
  /** Zeros that were there before and were kept. */
  readonly kept: number;
}

function print(
  opened: OpenedModel,
  options: TrainCommandOptions,
  settings: ReturnType<typeof settingsOf>,
  { before, after, history, verification, kept }: Outcome,
  reports: readonly string[],
): void {
  const { source, module, data } = opened;
  const { output } = options;
  const notes = trainingNotes(module);
  if (options.json) {
    printJson({
      model: source,
      output,
      command: options.line,
      settings,
      data: dataFacts(data),
      notes,
      zerosKept: kept,
      epochs: history.epochs,
      best: history.best,
      ended: history.ended,
      before,
      after,
      verification,
      reports,
    });
    return;
  }
  const lines = [
    ...dataLines(data),
    ...noteLines(notes),
    ...(kept > 0
      ? [`zeros kept          ${kept.toLocaleString('en-US')}; --no-keep-zeros would train them`]
      : []),
    '',
    epochsText(history.epochs),
    '',
    ...(history.ended === 'early-stopping'
      ? [`ended early         no better epoch within ${options.patience}`]
      : []),
    ...(history.best ? [`best epoch          ${history.best.epoch} of ${history.epochs.length}`] : []),
    ...changeLines(before, after),
    ...verifiedLines(output, statSync(output).size, verification),
    ...reportLines(reports),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}
