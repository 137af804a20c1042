import { type Command, InvalidArgumentError, Option } from 'commander';
import { collect, wholeNumber } from './parse.ts';
import {
  type NamedRatio,
  parseCountTarget,
  parseLatencyTarget,
  parseNamedRatio,
  type Target,
} from './shrink-parse.ts';
import { numberIn, parseShare } from './training-parse.ts';
import { UsageError } from './usage-error.ts';

/** Ways of training that make channels ready to go, by the words of the command line. */
const KINDS = ['slimming', 'group-lasso', 'growing'] as const;

/** A penalty before channels go, and its factor. */
export interface SparseTrainingOption {
  readonly method: (typeof KINDS)[number];
  readonly lambda: number;
}

/** Options of `iterate --structural`. */
export interface RoundsOptions {
  readonly structural?: boolean;
  readonly targetRatio?: number;
  readonly targetMacs?: Target;
  readonly targetLatency?: Target;
  readonly importance?: string;
  readonly ratioFor?: readonly NamedRatio[];
  readonly ignore?: readonly string[];
  readonly keepAtLeast?: number;
  readonly maxRatio?: number;
  readonly roundTo?: number;
  readonly rounding?: 'up' | 'nearest';
  readonly heads?: 'width' | 'whole';
  readonly repair?: boolean;
  readonly sparseTraining?: SparseTrainingOption;
  readonly sparseEpochs?: number;
  readonly distill?: boolean;
  readonly temperature?: number;
  readonly alpha?: number;
}

/** `slimming:1e-4` */
function parseSparseTraining(text: string): SparseTrainingOption {
  const [name, factor = ''] = text.split(':');
  const method = KINDS.find((known) => known === name);
  const lambda = Number(factor);
  if (method && factor.trim() !== '' && Number.isFinite(lambda) && lambda > 0) return { method, lambda };
  throw new InvalidArgumentError(`expected KIND:FACTOR such as slimming:1e-4; kinds are ${KINDS.join(', ')}`);
}

/** Options of cutting channels in rounds, under a heading of their own. */
export const withRounds = (command: Command): Command =>
  command
    .optionsGroup('Options of --structural:')
    .option('--structural', 'cut channels out of the model, in place of setting weights to zero')
    .option('--target-ratio <share>', 'share of the channels of each layer that is to go, as 0.5', parseShare)
    .option(
      '--target-macs <amount>',
      'multiply-accumulates that are to be left: 50%, or 2.26G',
      parseCountTarget,
    )
    .option(
      '--target-latency <amount>',
      'measured latency that is to be left: 60%, or 20ms',
      parseLatencyTarget,
    )
    .option(
      '--importance <name>',
      'how channels are ranked, as in secateur shrink; default l2, which also ranks what others cannot',
    )
    .option(
      '--ratio-for <pattern=share>',
      'another ratio for layers of these names (repeatable)',
      parseNamedRatio,
    )
    .option('--ignore <pattern>', 'leave layers whole whose name matches (glob, repeatable)', collect)
    .option('--keep-at-least <n>', 'channels of each layer that stay at least; default 1', wholeNumber(1))
    .option('--max-ratio <share>', 'largest share of a layer that may go; default 1', parseShare)
    .option('--round-to <n>', 'let a multiple of n channels stay in each layer', wholeNumber(1))
    .addOption(
      new Option('--rounding <how>', 'to the next multiple up, or to the nearest; default up').choices([
        'up',
        'nearest',
      ]),
    )
    .addOption(
      new Option(
        '--heads <how>',
        'attention heads: width takes equally many channels from each (default), whole takes them as wholes',
      ).choices(['width', 'whole']),
    )
    .option('--repair', 'fit the weights that read cut channels anew by least squares, before fine-tuning')
    .option(
      '--sparse-training <kind:factor>',
      'make channels ready to go: slimming or group-lasso before the first cut, growing before each',
      parseSparseTraining,
    )
    .option('--sparse-epochs <n>', 'epochs of it; default as --finetune-epochs', wholeNumber(1))
    .option('--distill', 'let the dense model teach, beside the labels')
    .option('--temperature <t>', 'softens what it says; default 4', numberIn(0.01))
    .option('--alpha <share>', 'share of its word in the loss; default 0.9', numberIn(0, 1));

/** `keepAtLeast` as it is typed. */
const typed = (name: string): string => `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

/** Options that say nothing without `--structural`. */
const STRUCTURAL = [
  'targetRatio',
  'targetMacs',
  'targetLatency',
  'importance',
  'ratioFor',
  'ignore',
  'keepAtLeast',
  'maxRatio',
  'roundTo',
  'rounding',
  'heads',
  'repair',
  'sparseTraining',
  'sparseEpochs',
  'distill',
  'temperature',
  'alpha',
] as const satisfies readonly (keyof RoundsOptions)[];

/** Options that say nothing with it. */
const OF_ZEROS = ['targetSparsity', 'sparsitySchedule', 'rate', 'granularity', 'include', 'exclude'] as const;

/** Throws UsageError where an option is given that has no part in cutting channels, or, without `--structural`, in setting weights to zero. */
export function checkKind(
  options: RoundsOptions & { readonly [name in (typeof OF_ZEROS)[number]]?: unknown },
): void {
  const { structural = false } = options;
  const names: readonly (keyof typeof options)[] = structural ? OF_ZEROS : STRUCTURAL;
  const given = names.find((name) => options[name] !== undefined);
  if (given === undefined) return;
  throw new UsageError(
    `${typed(given)} has no part here: it is for ${structural ? 'setting weights to zero, and --structural cuts channels' : '--structural'}`,
  );
}
