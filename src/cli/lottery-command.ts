import { createModel } from '../models/index.ts';
import {
  type Lottery,
  type LotteryNetwork,
  lottery,
  lotterySection,
  metricTitle,
  type Spread,
} from '../train/index.ts';
import { interruptible } from './interrupt.ts';
import { isArchitecture } from './load.ts';
import { printJson } from './output.ts';
import { percent, renderTable } from './table.ts';
import { checkCheckpoint, interruptAdvice, openCheckpoint } from './training-checkpoint.ts';
import { dataFacts, dataLines, evaluationLoader } from './training-data.ts';
import { trainLoader } from './training-loader.ts';
import { openModel, trainable } from './training-model.ts';
import type { LotteryCommandOptions } from './training-options.ts';
import { withBar } from './training-progress.ts';
import { checkReport, factsOf, frameOf, writeReport } from './training-report.ts';
import { checkOptimizer, lossOf, optimizerFacts, optimizerOf, schedulerFor } from './training-setup.ts';
import { reportLines } from './training-text.ts';
import { UsageError } from './usage-error.ts';

/** Networks that tickets are compared with, by the words of the command line. */
const CONTROLS = {
  all: ['reinit', 'random-mask'],
  reinit: ['reinit'],
  'random-mask': ['random-mask'],
  none: [],
} as const;

/** `secateur lottery NAME --data PATH`: the lottery-ticket experiment of Frankle and Carbin (2019). */
export async function lotteryCommand(source: string, options: LotteryCommandOptions): Promise<void> {
  check(source, options);
  const name = source.toLowerCase();
  const opened = await openModel(source, options);
  const { module, data } = opened;
  const classes = options.classes ?? data.classes?.length;
  const settings = settingsOf(source, options);
  const { seeds, rounds, rate, epochs, rewind, controls, clipGradNorm, threads } = options;
  const checkpoint = openCheckpoint(options, settings);
  const found = await interruptible(
    (signal) =>
      withBar((bar) =>
        lottery({
          model: () => createModel(name, classes === undefined ? {} : { classes }),
          data: {
            train: trainLoader(opened, options),
            validation: evaluationLoader(data.validation.dataset, options),
          },
          seeds,
          rounds,
          rate,
          epochs,
          rewindTo: rewind,
          controls: CONTROLS[controls],
          optimizer: (model) => optimizerOf(trainable(model), options, 'fresh'),
          ...schedulerFor(options, epochs),
          trainer: {
            loss: lossOf(options),
            ...(clipGradNorm === undefined ? {} : { clipGradNorm }),
            ...(threads === undefined ? {} : { threads }),
          },
          checkpoint,
          signal,
          onProgress: ({ training, trainings, seed, round, network, epoch, batch, batches }) => {
            const each = epochs * batches;
            bar.show({
              title: `training ${training}/${trainings}`,
              done: (training - 1) * each + (epoch - 1) * batches + batch,
              total: trainings * each,
              details: `seed ${seed}, round ${round}, ${NAMES[network]}`,
            });
          },
        }),
      ),
    () => interruptAdvice(options, options.line),
  );
  const reports =
    options.report === undefined
      ? []
      : await writeReport(
          options.report,
          frameOf(`${source}: lottery tickets on ${data.kind}`, options, data, factsOf(settings)),
          [lotterySection(found)],
          options.force,
        );
  if (options.json) {
    const parameters = [...module.parameters()].reduce((sum, { size }) => sum + size, 0);
    printJson({
      model: source,
      command: options.line,
      settings,
      data: dataFacts(data),
      parameters,
      ...found,
      reports,
    });
    return;
  }
  const lines = [
    ...dataLines(data),
    '',
    tableText(found, seeds.length),
    '',
    `${metricTitle(found.metric)} after the last epoch${seeds.length > 1 ? `, mean and standard deviation of ${seeds.length} seeds` : `, seed ${seeds[0]}`}; best at epoch: of the ticket`,
    ...reportLines(reports),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

function check(source: string, options: LotteryCommandOptions): void {
  checkReport(options);
  checkCheckpoint(options);
  checkOptimizer(options);
  if (!isArchitecture(source) && /\.onnx$/i.test(source)) {
    throw new UsageError(
      `lottery begins with fresh weights of a built-in architecture, such as lenet5; '${source}' is a file`,
    );
  }
  if (options.weights !== undefined) {
    throw new UsageError('--weights has no part here: tickets are drawn from fresh weights, by --seeds');
  }
  const { rate, rewind, epochs } = options;
  if (!(rate > 0 && rate < 1)) throw new UsageError(`--rate: expected a share between 0 and 1, got ${rate}`);
  if (typeof rewind === 'object' && 'epoch' in rewind && rewind.epoch > epochs) {
    throw new UsageError(`--rewind: epoch ${rewind.epoch} is beyond the ${epochs} epochs of a training`);
  }
}

function settingsOf(source: string, options: LotteryCommandOptions) {
  const { data, validationSplit, limit, normalize, seed = 0, batchSize } = options;
  const { seeds, rounds, rate, epochs, rewind, controls } = options;
  return {
    model: source,
    data,
    validationSplit: validationSplit ?? null,
    limit: limit ?? null,
    normalize,
    seed,
    batchSize,
    seeds,
    rounds,
    rate,
    epochs,
    rewind: typeof rewind === 'string' ? rewind : Object.entries(rewind)[0]!.join(':'),
    controls,
    ...optimizerFacts(options, 'fresh'),
  };
}

const NAMES: Readonly<Record<LotteryNetwork, string>> = {
  ticket: 'ticket',
  reinit: 'fresh weights',
  'random-mask': 'random mask',
};

/** `98.12 ± 0.10 %` */
const spreadText = (spread: Spread | undefined, seeds: number): string => {
  if (!spread) return '';
  const mean = (spread.mean * 100).toFixed(2);
  return seeds > 1 ? `${mean} ± ${(spread.deviation * 100).toFixed(2)} %` : `${mean} %`;
};

function tableText({ rounds }: Lottery, seeds: number): string {
  const networks = (Object.keys(NAMES) as LotteryNetwork[]).filter((network) =>
    rounds.some(({ final }) => final[network] !== undefined),
  );
  const right = (title: string) => ({ title, align: 'right' }) as const;
  return renderTable(
    [
      right('round'),
      right('remaining'),
      ...networks.map((network) => right(NAMES[network])),
      right('best at epoch'),
    ],
    rounds.map(({ round, remaining, final, bestEpoch }) => [
      String(round),
      percent(remaining),
      ...networks.map((network) => spreadText(final[network], seeds)),
      bestEpoch.ticket ? bestEpoch.ticket.mean.toFixed(1) : '',
    ]),
  );
}
