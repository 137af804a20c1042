import { statSync } from 'node:fs';
import type { DataLoader } from '../data/index.ts';
import { measureLatency, randomInputs } from '../runtime/index.ts';
import { importanceMethod } from '../structural/index.ts';
import {
  distillationLoss,
  modelSection,
  type RoundCutOptions,
  type ShrinkRoundsOptions,
  type ShrinkRoundsProgress,
  type ShrinkTarget,
  shrinkInRounds,
  shrinkRoundsSections,
  trainingNotes,
} from '../train/index.ts';
import { interruptible } from './interrupt.ts';
import { printJson } from './output.ts';
import { roundsLines } from './rounds-text.ts';
import { judge, measure, writeVerified } from './trained-model.ts';
import { interruptAdvice, openCheckpoint } from './training-checkpoint.ts';
import { dataFacts, dataLines, evaluationLoader } from './training-data.ts';
import { floorLine, floorOf } from './training-floor.ts';
import { calibrationLoader, trainLoader } from './training-loader.ts';
import { type OpenedModel, openModel, trainable } from './training-model.ts';
import type { IterateCommandOptions } from './training-options.ts';
import { type RunProgress, withBar } from './training-progress.ts';
import { factsOf, frameOf, writeReport } from './training-report.ts';
import { lossOf, optimizerFacts, optimizerOf, schedulerFor } from './training-setup.ts';
import { changeLines, noteLines, reportLines, verifiedLines } from './training-text.ts';
import { UsageError } from './usage-error.ts';

/** Rounds where nothing is said. */
const USUAL_ROUNDS = 3;

/** `secateur iterate MODEL --structural --data PATH -o OUT`: cuts channels and fine-tunes in rounds until a target is met or accuracy would fall too far. What every `iterate` checks was checked. */
export async function roundsCommand(source: string, options: IterateCommandOptions): Promise<void> {
  const target = targetOf(options);
  checkTogether(options);
  const opened = await openModel(source, options);
  const { data } = opened;
  const settings = settingsOf(source, options, target);
  const loader = trainLoader(opened, options);
  const validation = evaluationLoader(data.validation.dataset, options);
  const judged = (title: string, { module }: OpenedModel) =>
    judge(title, module, data.validation.dataset, options);
  const before = await measure(opened, await judged('judging the model', opened));
  const { model, history } = await run(opened, loader, validation, options, settings, target);
  const smaller: OpenedModel = { ...opened, module: model, graph: () => model.graph };
  const after = await measure(smaller, await judged('judging the model', smaller));
  const verification = await writeVerified(smaller, options.output, options);
  const reports =
    options.report === undefined
      ? []
      : await writeReport(
          options.report,
          frameOf(`${source}: made smaller in rounds`, options, data, factsOf(settings)),
          [modelSection(before, after), ...shrinkRoundsSections(history, floorLine(history.dense, options))],
          options.force,
        );
  const notes = [...new Set([...trainingNotes(model), ...history.rounds.flatMap((round) => round.notes)])];
  if (options.json) {
    printJson({
      model: source,
      output: options.output,
      command: options.line,
      settings,
      data: dataFacts(data),
      notes,
      ...history,
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
    '',
    ...roundsLines(history),
    ...changeLines(before, after),
    ...verifiedLines(options.output, statSync(options.output).size, verification),
    ...reportLines(reports),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

/** The one target that was given. Throws UsageError where there is none, or several. */
function targetOf(options: IterateCommandOptions): ShrinkTarget {
  const { targetRatio, targetMacs, targetParameters, targetSize, targetLatency } = options;
  const given = [targetRatio, targetMacs, targetParameters, targetSize, targetLatency].filter(
    (value) => value !== undefined,
  );
  if (given.length !== 1) {
    throw new UsageError(
      `iterate --structural needs ${given.length === 0 ? 'a target' : 'one target, not several'}: --target-ratio 0.5, --target-macs 50%, --target-parameters 50%, --target-size 60% or --target-latency 20ms`,
    );
  }
  if (targetMacs) return { macs: targetMacs };
  if (targetParameters) return { parameters: targetParameters };
  if (targetSize) return { fileSize: targetSize };
  if (targetLatency) return { latency: targetLatency };
  if (targetRatio! > 0 && targetRatio! < 1) return { ratio: targetRatio! };
  throw new UsageError(`--target-ratio: expected a share between 0 and 1, got ${targetRatio}`);
}

/** Throws UsageError for options that have no part beside the others, ArgumentError for a ranking that is not known. */
function checkTogether(options: IterateCommandOptions): void {
  const { scope, rounding, roundTo, sparseTraining, sparseEpochs } = options;
  const { distill, temperature, alpha, labelSmoothing, importance = 'l2' } = options;
  importanceMethod(importance);
  if (scope === 'sensitivity')
    throw new UsageError('--scope sensitivity has no part here: it says how many weights may be zero');
  if (rounding !== undefined && roundTo === undefined)
    throw new UsageError('--rounding has no part here: there is no --round-to N');
  if (sparseEpochs !== undefined && sparseTraining === undefined)
    throw new UsageError('--sparse-epochs has no part here: there is no --sparse-training KIND:FACTOR');
  if (!distill && (temperature ?? alpha) !== undefined) {
    throw new UsageError(
      `--${temperature === undefined ? 'alpha' : 'temperature'} has no part here: there is no --distill`,
    );
  }
  if (distill && labelSmoothing > 0)
    throw new UsageError('--label-smoothing has no part here: what the dense model says is smooth already');
}

/** All that the result follows from, for JSON, reports and checkpoints. */
function settingsOf(source: string, options: IterateCommandOptions, target: ShrinkTarget) {
  const { data, validationSplit, limit, normalize, seed = 0, batchSize } = options;
  const { rounds = USUAL_ROUNDS, importance = 'l2', scope = 'layer', ratioFor = [], ignore = [] } = options;
  const { keepAtLeast, maxRatio, roundTo, rounding, heads = 'width', repair = false } = options;
  const { sparseTraining, sparseEpochs, distill = false, temperature = 4, alpha = 0.9 } = options;
  const { finetuneEpochs, floor, maxDrop } = options;
  return {
    model: source,
    structural: true,
    data,
    validationSplit: validationSplit ?? null,
    limit: limit ?? null,
    normalize,
    seed,
    batchSize,
    target,
    rounds,
    importance,
    scope,
    ratios: ratioFor.map(({ pattern, ratio }) => `${pattern}=${ratio}`),
    ignore,
    keepAtLeast: keepAtLeast ?? null,
    maxRatio: maxRatio ?? null,
    roundTo: roundTo ?? null,
    rounding: rounding ?? null,
    heads,
    repair,
    sparseTraining: sparseTraining ? `${sparseTraining.method}:${sparseTraining.lambda}` : null,
    ...(sparseTraining ? { sparseEpochs: sparseEpochs ?? finetuneEpochs } : {}),
    distill,
    ...(distill ? { temperature, alpha } : {}),
    finetuneEpochs,
    floor: floor ?? null,
    maxDrop: maxDrop ?? null,
    ...optimizerFacts(options, 'trained'),
  };
}

/** Time that candidates of `--target-latency` are run for, in milliseconds. */
const TIMED = 500;

/** Which channels go. */
function choiceOf(options: IterateCommandOptions, { data, graph }: OpenedModel): RoundCutOptions {
  const { importance, scope, ratioFor, ignore, keepAtLeast, maxRatio } = options;
  const { roundTo, rounding, heads, repair, seed, threads } = options;
  const shapes = Object.fromEntries(graph().feeds.map(({ name }) => [name, [1, ...data.inputShape]]));
  return {
    shapes,
    ...(importance === undefined
      ? {}
      : { importance: { method: importanceMethod(importance).name, fallback: 'l2' } }),
    ...(scope === 'global' || scope === 'isomorphic' ? { scope } : {}),
    ...(ratioFor ? { ratios: ratioFor } : {}),
    ...(ignore ? { ignore } : {}),
    ...(keepAtLeast === undefined ? {} : { keepAtLeast }),
    ...(maxRatio === undefined ? {} : { maxRatio }),
    ...(roundTo === undefined ? {} : { roundTo }),
    ...(rounding ? { rounding } : {}),
    ...(heads ? { heads } : {}),
    ...(repair ? { repair } : {}),
    ...(seed === undefined ? {} : { seed }),
    ...(threads === undefined ? {} : { threads }),
    measureLatency: async (candidate) => {
      const { median } = await measureLatency(candidate, randomInputs(candidate, { shapes }), {
        minTime: TIMED,
        ...(threads === undefined ? {} : { threads }),
      });
      return median;
    },
  };
}

async function run(
  opened: OpenedModel,
  train: DataLoader,
  validation: DataLoader,
  options: IterateCommandOptions,
  settings: ReturnType<typeof settingsOf>,
  target: ShrinkTarget,
): ReturnType<typeof shrinkInRounds> {
  const { rounds = USUAL_ROUNDS, finetuneEpochs: epochs, clipGradNorm, threads, seed = 0 } = options;
  const { sparseTraining, sparseEpochs = epochs, distill = false, temperature, alpha } = options;
  const { checkpointEvery } = options;
  const checkpoint = openCheckpoint(options, settings);
  const sparse = sparseTraining ? { ...sparseTraining, epochs: sparseEpochs } : null;
  const finetune: ShrinkRoundsOptions['finetune'] = {
    epochs,
    optimizer: (model) => optimizerOf(trainable(model), options, 'trained'),
    ...schedulerFor(options, epochs),
    loss: distill
      ? distillationLoss({
          ...(temperature === undefined ? {} : { temperature }),
          ...(alpha === undefined ? {} : { alpha }),
        })
      : lossOf(options),
    seed,
    ...(clipGradNorm === undefined ? {} : { clipGradNorm }),
    ...(threads === undefined ? {} : { threads }),
  };
  return interruptible(
    (signal) =>
      withBar((bar) =>
        shrinkInRounds({
          model: opened.graph(),
          data: { train, validation, calibration: calibrationLoader(opened, options) },
          target,
          rounds,
          shrink: choiceOf(options, opened),
          sparse,
          finetune,
          distill,
          floor: floorOf(options),
          checkpoint,
          resume: checkpoint !== null,
          signal,
          ...(checkpointEvery === undefined ? {} : { checkpointEvery }),
          onProgress: (progress) => bar.show(barOf(progress, sparse, epochs)),
        }),
      ),
    () => interruptAdvice(options, options.line),
  );
}

/** How far a run is, in batches. */
function barOf(
  { round, rounds, stage, epoch, epochs, batch, batches, means }: ShrinkRoundsProgress,
  sparse: ShrinkRoundsOptions['sparse'],
  finetuneEpochs: number,
): RunProgress {
  const first = sparse && sparse.method !== 'growing' ? sparse.epochs : 0;
  const growing = sparse?.method === 'growing' ? sparse.epochs : 0;
  const each = growing + finetuneEpochs;
  const before = round === 0 ? 0 : first + (round - 1) * each + (stage === 'fine-tune' ? growing : 0);
  return {
    title: `${round === 0 ? 'sparse training' : `round ${round}/${rounds}${stage === 'sparse' ? ', growing' : ''}`}, epoch ${epoch}/${epochs}`,
    done: (before + epoch - 1) * batches + batch,
    total: (first + rounds * each) * batches,
    details: `loss ${means.loss?.toPrecision(3)}`,
  };
}
