import { type Command, Option } from 'commander';
import type { ModelOptions, OutputOptions } from './commands.ts';
import { collect, parseShape, wholeNumber } from './parse.ts';
import type { RoundsOptions } from './rounds-options.ts';
import type { Target } from './shrink-parse.ts';
import {
  type Augmentation,
  numberIn,
  type Penalty,
  parseAugment,
  parsePenalty,
  parseShare,
  type RewindPoint,
} from './training-parse.ts';

/** Learning rates that suit the optimizers, for a network that is new and for one that was trained before. */
export const LEARNING_RATES = {
  fresh: { sgd: 0.05, adam: 1e-3, adamw: 1e-3, rmsprop: 1e-3 },
  trained: { sgd: 0.01, adam: 1e-4, adamw: 1e-4, rmsprop: 1e-4 },
} as const;

/** How far a network is when training begins. */
export type Start = keyof typeof LEARNING_RATES;

/** Options of every command that reads a data set. */
export interface DataOptions extends ModelOptions, Omit<OutputOptions, 'csv'> {
  readonly data: string;
  readonly batchSize: number;
  readonly validationSplit?: number;
  readonly limit?: number;
  readonly normalize: 'data' | 'imagenet' | 'none';
  readonly threads?: number;
  /** `secateur …` as it was typed. */
  readonly line: string;
}

/** Options of every command that can write a report. */
export interface ReportOptions {
  readonly report?: string;
  readonly force?: boolean;
}

/** Options of every command that can be stopped and resumed. */
export interface CheckpointOptions {
  readonly checkpoint?: string;
  readonly checkpointEvery?: number;
  readonly resume?: boolean;
  readonly force?: boolean;
}

/** How weights are trained: of every command that trains. */
export interface OptimizerOptions {
  readonly optimizer: 'sgd' | 'adam' | 'adamw' | 'rmsprop';
  readonly lr?: number;
  readonly momentum?: number;
  readonly weightDecay: number;
  readonly schedule: 'none' | 'step' | 'cosine' | 'onecycle';
  readonly warmup: number;
  readonly labelSmoothing: number;
  readonly clipGradNorm?: number;
  readonly augment?: readonly Augmentation[];
}

/** Options of `train` and `finetune`. */
export interface TrainCommandOptions extends DataOptions, ReportOptions, CheckpointOptions, OptimizerOptions {
  readonly output: string;
  readonly epochs: number;
  readonly ema?: number;
  readonly patience?: number;
  readonly restoreBest?: boolean;
  readonly sparseTraining?: readonly Penalty[];
  readonly gradual?: 'magnitude' | 'movement' | 'rigl';
  readonly sparsity?: number;
  readonly gradualScope: 'global' | 'layer';
  readonly gradualEvery?: number;
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  readonly teacher?: string;
  readonly temperature?: number;
  readonly alpha?: number;
  readonly keepZeros?: boolean;
}

/** Options of `evaluate`. */
export interface EvaluateCommandOptions extends Omit<DataOptions, 'validationSplit'>, ReportOptions {
  readonly metric?: readonly string[];
  readonly split: 'train' | 'test';
  readonly task: 'train' | 'val' | 'test';
  readonly size?: number;
  readonly conf: number;
  readonly iou: number;
  readonly rect?: boolean;
}

/** Options of `sensitivity`. */
export interface SensitivityCommandOptions extends DataOptions, ReportOptions, CheckpointOptions {
  readonly amounts?: readonly number[];
  readonly metric: string;
  readonly granularity?: string;
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  readonly maxDrop?: number;
  readonly sparsity?: number;
}

/** Options of `iterate`. */
export interface IterateCommandOptions
  extends DataOptions,
    ReportOptions,
    CheckpointOptions,
    OptimizerOptions,
    RoundsOptions {
  readonly output: string;
  readonly targetSparsity?: number;
  readonly targetParameters?: Target;
  readonly targetSize?: Target;
  readonly sparsitySchedule?: 'exponential' | 'cubic' | 'linear' | 'one-shot';
  readonly rounds?: number;
  readonly rate?: number;
  readonly scope?: 'global' | 'layer' | 'sensitivity' | 'isomorphic';
  readonly granularity?: string;
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  readonly finetuneEpochs: number;
  readonly floor?: number;
  readonly maxDrop?: number;
}

/** Options of `lottery`. */
export interface LotteryCommandOptions
  extends DataOptions,
    ReportOptions,
    CheckpointOptions,
    OptimizerOptions {
  readonly seeds: readonly number[];
  readonly rounds: number;
  readonly rate: number;
  readonly epochs: number;
  readonly rewind: RewindPoint;
  readonly controls: 'all' | 'reinit' | 'random-mask' | 'none';
}

/** Data set, batches, seed, threads and output: of every command here. */
export const withData = (command: Command): Command =>
  command
    .requiredOption(
      '--data <path>',
      'data set: a folder of MNIST idx files, CIFAR-10 batches or class folders of images; .npy or .npz arrays',
    )
    .option('--batch-size <n>', 'samples in a batch', wholeNumber(1), 128)
    .option('--limit <n>', 'use only the first n samples of each half of the data', wholeNumber(1))
    .addOption(
      new Option(
        '--normalize <how>',
        "figures that images are normalized by: the data set's own, ImageNet's, or none",
      )
        .choices(['data', 'imagenet', 'none'])
        .default('data'),
    )
    .option('--shape <shape>', 'input shape, as 1,3,64,64, where the model leaves it open', parseShape)
    .option(
      '--classes <n>',
      "number of classes of a built-in architecture; the data's by default",
      wholeNumber(1),
    )
    .option('--weights <file>', 'weights of a built-in architecture (.safetensors, .pt, .pth or .th)')
    .option(
      '--seed <n>',
      'seed of everything random: fresh weights, order of the data, dropout',
      wholeNumber(0),
      0,
    )
    .option(
      '--threads <n>',
      'threads of the engine; results depend on their number in the last bits',
      wholeNumber(1),
    )
    .option('--json', 'print JSON');

/** Which samples are for training, which for validation. */
export const withSplit = (command: Command): Command =>
  command.option(
    '--validation-split <share>',
    'hold out this share of the training samples for validation, and the test half for the end; else the test half is validation',
    parseShare,
  );

export const withReport = (command: Command): Command =>
  command.option('--report <file>', 'write a report as an HTML page, and its data as .json beside it');

export const withCheckpoint = (command: Command, each: string): Command =>
  command
    .option('--checkpoint <file>', `keep what was done so far in this file, ${each}`)
    .option('--resume', 'go on from the checkpoint where there is one');

const ratesText = (start: Start): string =>
  `${LEARNING_RATES[start].sgd} for sgd, ${LEARNING_RATES[start].adam} for the others`;

/** Optimizer, learning rate, loss. */
export const withOptimizer = (command: Command, start: Start): Command =>
  command
    .addOption(
      new Option('--optimizer <name>', 'how weights are updated')
        .choices(['sgd', 'adam', 'adamw', 'rmsprop'])
        .default('sgd'),
    )
    .option('--lr <rate>', `learning rate; default ${ratesText(start)}`, numberIn(0))
    .option('--momentum <factor>', 'momentum of sgd (default 0.9) and rmsprop (default 0)', numberIn(0, 1))
    .option('--weight-decay <factor>', 'weight decay', numberIn(0), 0)
    .addOption(
      new Option(
        '--schedule <name>',
        'how the learning rate goes: step divides by ten after half and three quarters of the epochs',
      )
        .choices(['none', 'step', 'cosine', 'onecycle'])
        .default('cosine'),
    )
    .option('--warmup <epochs>', 'epochs in which the learning rate grows, such as 0.5', numberIn(0), 0)
    .option('--label-smoothing <share>', 'share of the target that all classes get', numberIn(0, 1), 0)
    .option('--clip-grad-norm <norm>', 'largest norm of all gradients together', numberIn(0))
    .option(
      '--augment <list>',
      'change training images at random: crop, flip, mixup (blends of two), or several: crop,flip',
      parseAugment,
    );

/** Which layers are pruned. */
export const withLayers = (command: Command): Command =>
  command
    .option('--include <pattern>', 'prune only layers whose name matches (glob, repeatable)', collect)
    .option('--exclude <pattern>', 'prune no layer whose name matches (glob, repeatable)', collect);

/** What `train` and `finetune` have in common. */
export const withTraining = (
  command: Command,
  defaults: { readonly epochs: number; readonly start: Start },
): Command =>
  withLayers(
    withReport(
      withCheckpoint(
        withOptimizer(
          withSplit(withData(command))
            .requiredOption('-o, --output <file>', 'ONNX file to write')
            .option('--epochs <n>', 'passes over the training samples', wholeNumber(1), defaults.epochs),
          defaults.start,
        ),
        'after each epoch and when interrupted',
      )
        .option('--checkpoint-every <n>', 'also after every n batches', wholeNumber(1))
        .option('--patience <n>', 'stop after n epochs without a better validation accuracy', wholeNumber(1))
        .option('--restore-best', 'end with the weights of the best epoch')
        .option(
          '--ema <decay>',
          'end with a moving average of the weights, such as 0.999',
          numberIn(0, 0.9999999),
        ),
    ),
  )
    .option(
      '--sparse-training <kind:factor>',
      'push weights towards zero: l1 (weights), slimming (scales of batch norm), group-lasso (filters) (repeatable)',
      parsePenalty,
    )
    .addOption(
      new Option('--gradual <method>', 'prune during training, up to --sparsity').choices([
        'magnitude',
        'movement',
        'rigl',
      ]),
    )
    .option('--sparsity <share>', 'sparsity that --gradual ends with, as 0.9 or 90%', parseShare)
    .addOption(
      new Option('--gradual-scope <scope>', 'rank weights over all layers together, or within each')
        .choices(['global', 'layer'])
        .default('global'),
    )
    .option(
      '--gradual-every <n>',
      'steps between changes of the masks; default 100, fewer in short runs',
      wholeNumber(1),
    )
    .option('--teacher <model>', 'model to learn from beside the labels (knowledge distillation)')
    .option('--temperature <t>', 'softens what the teacher says; default 4', numberIn(0.01))
    .option('--alpha <share>', "share of the teacher's word in the loss; default 0.9", numberIn(0, 1))
    .option('--force', 'write over existing files');
