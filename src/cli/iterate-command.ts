import { statSync } from 'node:fs';
import type { DataLoader } from '../data/index.ts';
import { parseGranularity } from '../prune/index.ts';
import {
  amountsFrom,
  type IterateHistory,
  type IterateTarget,
  iterate,
  iterateOutcome,
  iterateSections,
  magnitudePruning,
  modelSection,
  type Sensitivity,
  sensitivity,
  sensitivitySection,
  trainingNotes,
  weightSections,
  weightsNow,
} from '../train/index.ts';
import { interruptible } from './interrupt.ts';
import { checkOutput, printJson } from './output.ts';
import { withProgress } from './progress.ts';
import { roundsCommand } from './rounds-command.ts';
import { checkKind } from './rounds-options.ts';
import { bytes, percent, renderTable, withCommas } from './table.ts';
import { judge, measure, writeVerified } from './trained-model.ts';
import { checkCheckpoint, interruptAdvice, openCheckpoint } from './training-checkpoint.ts';
import { dataFacts, dataLines, evaluationLoader } from './training-data.ts';
import { checkFloor, floorLine, floorOf } from './training-floor.ts';
import { trainLoader } from './training-loader.ts';
import { type OpenedModel, openModel, trainable } from './training-model.ts';
import type { IterateCommandOptions } from './training-options.ts';
import { withBar } from './training-progress.ts';
import { checkReport, factsOf, frameOf, writeReport } from './training-report.ts';
import { checkOptimizer, lossOf, optimizerFacts, optimizerOf, schedulerFor } from './training-setup.ts';
import { changeLines, noteLines, reportLines, share, verifiedLines } from './training-text.ts';
import { UsageError } from './usage-error.ts';

/** `secateur iterate MODEL --data PATH -o OUT`: prunes and fine-tunes in rounds until a target is met or accuracy would fall too far. */
export async function iterateCommand(source: string, options: IterateCommandOptions): Promise<void> {
  checkOutput(options, ['.onnx']);
  checkReport(options);
  checkCheckpoint(options);
  checkOptimizer(options);
  checkKind(options);
  checkFloor(options);
  if (options.structural) return roundsCommand(source, options);
  const target = targetOf(options);
  checkTogether(options);
  const opened = await openModel(source, options);
  const { module, data } = opened;
  const settings = settingsOf(source, options, target);
  const loader = trainLoader(opened, options);
  const validation = evaluationLoader(data.validation.dataset, options);
  const before = await measure(
    opened,
    await judge('judging the model', module, data.validation.dataset, options),
  );
  const weights = weightsNow(module);
  const analysed = options.scope === 'sensitivity' ? await analyse(opened, validation, options) : null;
  const history = await run(opened, loader, validation, analysed, options, settings, target);
  const after = await measure(
    opened,
    await judge('judging the model', module, data.validation.dataset, options),
  );
  const weightParts = options.report === undefined ? [] : weightSections(module, weights);
  const verification = await writeVerified(opened, options.output, options);
  const reports =
    options.report === undefined
      ? []
      : await writeReport(
          options.report,
          frameOf(`${source}: pruned and fine-tuned in rounds`, options, data, factsOf(settings)),
          [
            modelSection(before, after),
            ...iterateSections(history, floorLine(history.dense, options)),
            ...(analysed ? [sensitivitySection(analysed)] : []),
            ...weightParts,
          ],
          options.force,
        );
  const notes = trainingNotes(module);
  if (options.json) {
    printJson({
      model: source,
      output: options.output,
      command: options.line,
      settings,
      data: dataFacts(data),
      notes,
      ...history,
      sensitivity: analysed,
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
    roundsText(history),
    '',
    `ended               ${iterateOutcome(history)}`,
    ...changeLines(before, after),
    ...verifiedLines(options.output, statSync(options.output).size, verification),
    ...reportLines(reports),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

/** The one target that was given. Throws UsageError where there is none, or several. */
function targetOf({ targetSparsity, targetParameters, targetSize }: IterateCommandOptions): IterateTarget {
  const given = [targetSparsity, targetParameters, targetSize].filter((value) => value !== undefined);
  if (given.length !== 1) {
    throw new UsageError(
      `iterate needs ${given.length === 0 ? 'a target' : 'one target, not several'}: --target-sparsity 0.95, --target-parameters 10000 or --target-size 40KB`,
    );
  }
  if (targetSparsity !== undefined) return { sparsity: targetSparsity };
  const amount = targetParameters ?? targetSize!;
  if ('value' in amount) return targetParameters ? { parameters: amount.value } : { fileSize: amount.value };
  throw new UsageError(
    `--target-${targetParameters ? 'parameters' : 'size'}: a share is for --structural; give ${targetParameters ? 'a number such as 10000' : 'a size such as 40KB'}, or a share of the weights to be zero: --target-sparsity 0.95`,
  );
}

/** Throws UsageError for options that have no part beside the others. */
function checkTogether({ scope, rounds, rate, sparsitySchedule, granularity }: IterateCommandOptions): void {
  if (scope === 'isomorphic') throw new UsageError('--scope isomorphic is for --structural');
  if (rate !== undefined && !(rate > 0 && rate < 1)) {
    throw new UsageError(`--rate: expected a share between 0 and 1, got ${rate}`);
  }
  if (rate !== undefined && (rounds !== undefined || (sparsitySchedule ?? 'exponential') !== 'exponential')) {
    const why = rounds === undefined ? `--sparsity-schedule ${sparsitySchedule}` : '--rounds';
    throw new UsageError(`--rate has no part here: ${why} says how much each round prunes`);
  }
  if (granularity !== undefined && parseGranularity(granularity).kind === 'nm') {
    throw new UsageError(
      `--granularity ${granularity} says by itself how much is pruned; use secateur prune`,
    );
  }
}

/** All that the result follows from, for JSON, reports and checkpoints. */
function settingsOf(source: string, options: IterateCommandOptions, target: IterateTarget) {
  const { data, validationSplit, limit, normalize, seed = 0, batchSize } = options;
  const {
    sparsitySchedule = 'exponential',
    rounds,
    rate,
    scope = 'global',
    granularity = 'weight',
    include = [],
    exclude = [],
  } = options;
  const { finetuneEpochs, floor, maxDrop } = options;
  return {
    model: source,
    data,
    validationSplit: validationSplit ?? null,
    limit: limit ?? null,
    normalize,
    seed,
    batchSize,
    target: Object.entries(target)[0]!.join(' '),
    sparsitySchedule,
    rounds: rounds ?? null,
    rate: rate ?? null,
    scope,
    granularity,
    include,
    exclude,
    finetuneEpochs,
    floor: floor ?? null,
    maxDrop: maxDrop ?? null,
    ...optimizerFacts(options, 'trained'),
  };
}

/** Which layers are pruned, and as what. */
const chosenOf = ({ include, exclude, granularity }: IterateCommandOptions) => ({
  ...(include ? { include } : {}),
  ...(exclude ? { exclude } : {}),
  ...(granularity === undefined ? {} : { granularity: parseGranularity(granularity) }),
});

/** Sensitivity of the layers, from which `--scope sensitivity` derives how much each is pruned. */
const analyse = (
  { module }: OpenedModel,
  data: DataLoader,
  options: IterateCommandOptions,
): Promise<Sensitivity> =>
  withProgress('judging each layer at each amount', (onProgress) =>
    sensitivity(module, {
      data,
      ...chosenOf(options),
      onProgress: (done, total) => onProgress(done / total),
      ...(options.threads === undefined ? {} : { threads: options.threads }),
    }),
  );

/** Sparsity that amounts are derived for where the target is no sparsity: they are scaled to each round's anyway. */
const USUAL_SPARSITY = 0.9;

async function run(
  { module, data }: OpenedModel,
  train: DataLoader,
  validation: DataLoader,
  analysed: Sensitivity | null,
  options: IterateCommandOptions,
  settings: ReturnType<typeof settingsOf>,
  target: IterateTarget,
): Promise<IterateHistory> {
  const { sparsitySchedule = 'exponential', rounds, rate, scope, finetuneEpochs: epochs } = options;
  const { clipGradNorm, threads } = options;
  const { checkpointEvery, seed = 0 } = options;
  const checkpoint = openCheckpoint(options, settings);
  const chosen = chosenOf(options);
  const amounts = analysed && amountsFrom(analysed, { sparsity: options.targetSparsity ?? USUAL_SPARSITY });
  const expected = roundsOf(options);
  return interruptible(
    (signal) =>
      withBar((bar) =>
        iterate({
          model: module,
          data: { train, validation },
          ...chosen,
          method: magnitudePruning({
            ...chosen,
            scope: scope === 'layer' ? 'layer' : 'global',
            ...(amounts ? { amounts } : {}),
          }),
          target,
          schedule: sparsitySchedule,
          ...(rounds === undefined ? {} : { rounds }),
          ...(rate === undefined ? {} : { rate }),
          finetune: {
            epochs,
            optimizer: (model) => optimizerOf(trainable(model), options, 'trained'),
            ...schedulerFor(options, epochs),
            loss: lossOf(options),
            seed,
            ...(clipGradNorm === undefined ? {} : { clipGradNorm }),
            ...(threads === undefined ? {} : { threads }),
          },
          floor: floorOf(options),
          inputShape: [1, ...data.inputShape],
          checkpoint,
          resume: checkpoint !== null,
          signal,
          ...(checkpointEvery === undefined ? {} : { checkpointEvery }),
          onProgress: ({ round, epoch, batch, batches, means }) =>
            bar.show({
              title: `round ${round}${expected === null ? '' : `/${expected}`}, epoch ${epoch}/${epochs}`,
              done: ((round - 1) * epochs + epoch - 1) * batches + batch,
              total: Math.max(expected ?? 0, round) * epochs * batches,
              details: `loss ${means.loss?.toPrecision(3)}`,
            }),
        }),
      ),
    () => interruptAdvice(options, options.line),
  );
}

/** Rounds that a run will probably take, for the bar; null where only measuring tells. */
function roundsOf({
  rounds,
  rate = 0.2,
  sparsitySchedule = 'exponential',
  targetSparsity,
}: IterateCommandOptions): number | null {
  if (sparsitySchedule === 'one-shot') return 1;
  if (rounds !== undefined) return rounds;
  if (sparsitySchedule !== 'exponential' || targetSparsity === undefined) return null;
  return Math.max(1, Math.ceil(Math.log(1 - targetSparsity) / Math.log(1 - rate)));
}

/** Rounds as a table for the terminal. */
function roundsText({ dense, parameters, rounds }: IterateHistory): string {
  const hasSizes = rounds.some(({ fileSize }) => fileSize !== null);
  const right = (title: string) => ({ title, align: 'right' }) as const;
  return renderTable(
    [
      right('round'),
      right('sparsity'),
      right('not zero'),
      ...(hasSizes ? [right('file, gzip')] : []),
      right('pruned'),
      right('fine-tuned'),
      { title: 'kept' },
    ],
    [
      ['0', '', withCommas(parameters), ...(hasSizes ? [''] : []), '', share(dense.accuracy), ''],
      ...rounds.map(({ round, sparsity, nonZero, fileSize, before, after, kept }) => [
        String(round),
        percent(sparsity),
        withCommas(nonZero),
        ...(hasSizes ? [fileSize === null ? '' : bytes(fileSize)] : []),
        share(before.accuracy),
        share(after.accuracy),
        kept ? 'yes' : 'no',
      ]),
    ],
  );
}
