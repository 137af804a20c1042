import { type Command, Option } from 'commander';
import type { ModelOptions, OutputOptions } from './commands.ts';
import { collect, wholeNumber } from './parse.ts';
import {
  type NamedRatio,
  parseBlocks,
  parseCountTarget,
  parseLatencyTarget,
  parseNamedRatio,
  parseSizeTarget,
  type Target,
} from './shrink-parse.ts';
import { parseShare } from './training-parse.ts';

/** Options of commands that run a model on data, where there is any. */
export interface CalibrationOptions {
  readonly data?: string;
  readonly samples: number;
  readonly batchSize: number;
  readonly dataNormalize: 'data' | 'imagenet' | 'none';
}

/** How a cut model is checked, and what it is written as. */
export interface CutOptions extends ModelOptions, OutputOptions, CalibrationOptions {
  readonly output?: string;
  readonly dryRun?: boolean;
  readonly recalibrate?: boolean;
  readonly repair?: boolean;
  readonly verify: boolean;
  readonly measure?: boolean;
  readonly threads?: number;
  readonly plan?: string;
  readonly report?: string;
  readonly force?: boolean;
  /** `secateur …` as it was typed. */
  readonly line: string;
}

/** Options of `shrink`. */
export interface ShrinkCommandOptions extends CutOptions {
  readonly ratio?: number;
  readonly macs?: Target;
  readonly params?: Target;
  readonly size?: Target;
  readonly latency?: Target;
  readonly removeBlocks?: { readonly share: number } | { readonly count: number };
  readonly importance: string;
  readonly aggregate?: 'sum' | 'mean' | 'max' | 'first';
  readonly normalize?: 'mean' | 'max' | 'sum' | 'none';
  readonly members?: 'out' | 'out-in';
  readonly fallback?: 'l1' | 'l2';
  readonly global?: boolean;
  readonly isomorphic?: boolean;
  readonly ratioFor?: readonly NamedRatio[];
  readonly ignore?: readonly string[];
  readonly keepAtLeast?: number;
  readonly maxRatio?: number;
  readonly roundTo?: number;
  readonly rounding?: 'up' | 'nearest';
  readonly heads: 'width' | 'whole';
}

/** Options of `apply`. */
export type ApplyCommandOptions = CutOptions;

/** Options of `simplify`. */
export interface SimplifyCommandOptions extends ModelOptions, OutputOptions {
  readonly output: string;
  readonly threads?: number;
  readonly force?: boolean;
}

/** Options of `groups`. */
export interface GroupsCommandOptions extends ModelOptions, OutputOptions {
  readonly heads: 'width' | 'whole';
  readonly svg?: string;
  readonly force?: boolean;
}

/** How heads, and groups of a convolution, are taken. */
export const withHeads = (command: Command): Command =>
  command.addOption(
    new Option(
      '--heads <how>',
      'attention heads and groups of a convolution: width takes equally many channels from each, whole takes them as wholes',
    )
      .choices(['width', 'whole'])
      .default('width'),
  );

/** Data to run on, which none has to give. */
const withCalibration = (command: Command): Command =>
  command
    .option(
      '--data <path>',
      'samples to measure on: a data set as of secateur train, or inputs in .npy, .npz or .safetensors',
    )
    .option('--samples <n>', 'samples of --data to use', wholeNumber(1), 256)
    .option('--batch-size <n>', 'samples that are run at once', wholeNumber(1), 32)
    .addOption(
      new Option('--data-normalize <how>', 'normalize images by the figures of the data set or of ImageNet')
        .choices(['data', 'imagenet', 'none'])
        .default('data'),
    );

/** What is done after a cut, and how the result is checked and shown. */
export const withCut = (command: Command): Command =>
  withCalibration(command)
    .option('--recalibrate', 'measure statistics of batch norm anew on --data (default, but with --repair)')
    .option('--no-recalibrate', 'leave statistics of batch norm as they were')
    .option('--repair', 'fit the weights that read cut channels anew by least squares (needs --data)')
    .option('--no-verify', 'skip the proof that the cut model computes what it must')
    .option('--measure', 'also measure latency before and after, in turns')
    .option('--threads <n>', 'threads of the engine', wholeNumber(1))
    .option('--report <file>', 'write a report as an HTML page, and its data as .json beside it')
    .option('--force', 'write over existing files');

/** How much goes: one of these. */
export const withAmount = (command: Command): Command =>
  command
    .option('--ratio <share>', 'share of the channels of each layer that goes, as 0.5 or 50%', parseShare)
    .option('--macs <amount>', 'multiply-accumulates that stay: 50%, or 2.26G', parseCountTarget)
    .option('--params <amount>', 'parameters that stay: 50%, or 3M', parseCountTarget)
    .option('--size <amount>', 'size of the file that stays: 60%, or 4MB', parseSizeTarget)
    .option('--latency <amount>', 'measured latency that stays: 60%, or 20ms', parseLatencyTarget)
    .option(
      '--remove-blocks <n>',
      'first remove so many blocks whole, or such a share of them, those that change the output least',
      parseBlocks,
    );

/** Which channels go. */
export const withChoice = (command: Command): Command =>
  withHeads(
    command
      .option('--importance <name>', 'how channels are ranked; see below', 'l2')
      .addOption(
        new Option(
          '--aggregate <how>',
          'one number out of those of all layers that are tied; default mean',
        ).choices(['sum', 'mean', 'max', 'first']),
      )
      .addOption(
        new Option('--normalize <how>', "what a group's scores are divided by; default mean").choices([
          'mean',
          'max',
          'sum',
          'none',
        ]),
      )
      .addOption(
        new Option(
          '--members <which>',
          'whose weights count: out, filters that make the channels, or out-in, also weights that read them',
        ).choices(['out', 'out-in']),
      )
      .addOption(
        new Option('--fallback <name>', 'how groups are ranked that --importance cannot rank').choices([
          'l1',
          'l2',
        ]),
      )
      .addOption(
        new Option('--global', 'rank over all layers together instead of within each').conflicts(
          'isomorphic',
        ),
      )
      .option('--isomorphic', 'rank over layers that are alike')
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
      ),
  );
