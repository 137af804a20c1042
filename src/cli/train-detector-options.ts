import { type Command, Option } from 'commander';
import { isTyped } from './kinds-of-data.ts';
import { collect, wholeNumber } from './parse.ts';
import type { CheckpointOptions, DataOptions, OptimizerOptions, ReportOptions } from './training-options.ts';

/** Options of `train` and `finetune` where the data is that of a detector; what was not typed is left out. */
export interface TrainDetectorCommandOptions
  extends Pick<DataOptions, 'data' | 'batchSize' | 'limit' | 'weights' | 'threads' | 'json' | 'line'>,
    Partial<Pick<OptimizerOptions, 'lr' | 'momentum' | 'weightDecay' | 'warmup' | 'labelSmoothing'>>,
    Pick<OptimizerOptions, 'optimizer'>,
    CheckpointOptions,
    ReportOptions {
  readonly output: string;
  readonly seed: number;
  readonly epochs: number;
  readonly patience?: number;
  readonly keepZeros?: boolean;
  readonly size: number;
  readonly hyp?: string;
  readonly cosLr?: boolean;
  readonly freeze?: readonly string[];
  readonly cache?: 'memory' | 'disk' | 'none';
  readonly autoAnchor: boolean;
}

/** Options of `train` and `finetune` that belong to detectors alone, as commander calls them. */
export const OF_DETECTORS = ['size', 'hyp', 'cosLr', 'freeze', 'cache', 'autoAnchor'] as const;

/** Options of `train` and `finetune` that belong to classifiers alone. */
export const OF_CLASSIFIERS = [
  'validationSplit',
  'normalize',
  'shape',
  'classes',
  'schedule',
  'clipGradNorm',
  'augment',
  'restoreBest',
  'ema',
  'include',
  'exclude',
  'sparseTraining',
  'gradual',
  'sparsity',
  'gradualScope',
  'gradualEvery',
  'teacher',
  'temperature',
  'alpha',
] as const;

/** Hyperparameters that can be typed besides being in a file. */
const HYPERPARAMETERS = ['lr', 'momentum', 'weightDecay', 'warmup', 'labelSmoothing'] as const;

/** What is meant where it is not typed. */
const [EPOCHS, BATCH_SIZE, SIZE] = [30, 16, 640];

/** Adds the options that belong to detectors alone. */
export const withDetectorTraining = (command: Command): Command =>
  command
    .optionsGroup('Detectors, whose --data is a .yaml:')
    .option('--size <pixels>', `size of the images, a multiple of 32; default ${SIZE}`, wholeNumber(32))
    .option(
      '--hyp <file>',
      "hyperparameters by Ultralytics' names, .yaml; default those of hyp.scratch-low, with an update each batch (nbs)",
    )
    .option('--cos-lr', 'let the learning rate fall along a cosine instead of a line')
    .option(
      '--freeze <pattern>',
      'do not train parameters whose name matches, as model.0 (glob, repeatable)',
      collect,
    )
    .addOption(
      new Option('--cache <where>', 'keep decoded images; by default in memory where they fit').choices([
        'memory',
        'disk',
        'none',
      ]),
    )
    .option('--no-auto-anchor', 'keep the anchors, whether they fit the boxes or not');

/** What was typed for a detector, or is meant where nothing was. */
export function detectorOptions(
  command: Command,
  options: Omit<TrainDetectorCommandOptions, 'size'> & { readonly size?: number },
): TrainDetectorCommandOptions {
  const given = { ...options, size: options.size ?? SIZE };
  for (const name of HYPERPARAMETERS) if (!isTyped(command, name)) delete given[name];
  if (!isTyped(command, 'epochs')) given.epochs = EPOCHS;
  if (!isTyped(command, 'batchSize')) given.batchSize = BATCH_SIZE;
  return given;
}
