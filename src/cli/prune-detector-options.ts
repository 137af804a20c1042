import { type Command, Option } from 'commander';
import { MODEL } from './commands.ts';
import { collect, wholeNumber } from './parse.ts';
import { parseCountTarget, parseLatencyTarget, parseSizeTarget, type Target } from './shrink-parse.ts';
import { parseShare } from './training-parse.ts';

/** Options of `prune-detector`. */
export interface PruneDetectorCommandOptions {
  readonly data: string;
  readonly output: string;
  readonly ratio?: number;
  readonly macs?: Target;
  readonly params?: Target;
  readonly fileSize?: Target;
  readonly latency?: Target;
  readonly rounds: number;
  readonly epochs: number;
  readonly finetuneEpochs: number;
  readonly size: number;
  readonly batchSize: number;
  readonly hyp?: string;
  readonly finetuneHyp?: string;
  readonly cosLr?: boolean;
  readonly freeze?: readonly string[];
  readonly importance: string;
  readonly scope: 'layer' | 'global' | 'isomorphic';
  readonly roundTo: number;
  readonly maxRatio?: number;
  readonly ignore?: readonly string[];
  readonly cache?: 'memory' | 'disk' | 'none';
  readonly limit?: number;
  readonly images: number;
  readonly seed: number;
  readonly threads?: number;
  readonly json?: boolean;
  readonly force?: boolean;
  /** `secateur …` as it was typed. */
  readonly line: string;
}

/** Arguments and options of `prune-detector`. */
export const withPruneDetector = (command: Command): Command =>
  command
    .argument('<model>', `${MODEL}; or a YOLOv5 checkpoint (.pt)`)
    .requiredOption(
      '--data <file>',
      'YOLO data .yaml with the parts train and val, and test where there is one',
    )
    .requiredOption(
      '-o, --output <folder>',
      'folder for all that is made; a run that was stopped goes on from it',
    )
    .optionsGroup('How much goes, one of:')
    .option('--macs <amount>', 'multiply-accumulates that stay: 50%, or 1.1G', parseCountTarget)
    .option('--ratio <share>', 'share of the channels of each layer that goes, as 0.5 or 50%', parseShare)
    .option('--params <amount>', 'parameters that stay: 50%, or 3M', parseCountTarget)
    .option('--file-size <amount>', 'size of the file that stays: 60%, or 4MB', parseSizeTarget)
    .option('--latency <amount>', 'measured latency that stays: 60%, or 20ms', parseLatencyTarget)
    .optionsGroup('Which channels go:')
    .option('--rounds <n>', 'cut and fine-tune so many times', wholeNumber(1), 1)
    .option('--importance <name>', 'how channels are ranked: l2, taylor, …; see secateur shrink --help', 'l2')
    .addOption(
      new Option(
        '--scope <where>',
        'what is ranked together: the channels of a layer, of all, or of layers that are alike',
      )
        .choices(['layer', 'global', 'isomorphic'])
        .default('layer'),
    )
    .option(
      '--round-to <n>',
      'let a multiple of n channels stay in each layer; engines compute in eights',
      wholeNumber(1),
      8,
    )
    .option('--max-ratio <share>', 'largest share of a layer that may go', parseShare)
    .option('--ignore <pattern>', 'leave layers whole whose name matches (glob, repeatable)', collect)
    .optionsGroup('How it is trained:')
    .option('--epochs <n>', 'epochs of the dense model; 0 takes the model as it is', wholeNumber(0), 30)
    .option('--finetune-epochs <n>', 'epochs after each cut', wholeNumber(1), 60)
    .option('--size <pixels>', 'size of the images, a multiple of 32', wholeNumber(32), 320)
    .option('--batch-size <n>', 'images in a batch', wholeNumber(1), 16)
    .option(
      '--hyp <file>',
      "hyperparameters by Ultralytics' names, .yaml; by default Ultralytics' usual ones with an update each batch",
    )
    .option('--finetune-hyp <file>', 'others for after the cuts')
    .option('--cos-lr', 'let the learning rate fall along a cosine instead of a line')
    .option(
      '--freeze <pattern>',
      "do not train the dense model's parameters of this name (glob, repeatable)",
      collect,
    )
    .addOption(
      new Option('--cache <where>', 'keep decoded images; by default in memory where they fit').choices([
        'memory',
        'disk',
        'none',
      ]),
    )
    .option('--limit <n>', 'use only the first n images of each part of the data', wholeNumber(1))
    .option('--seed <n>', 'seed of all that is random', wholeNumber(0), 0)
    .option(
      '--threads <n>',
      'threads of the engine; results depend on their number in the last bits',
      wholeNumber(1),
    )
    .optionsGroup('Output:')
    .option('--images <n>', 'images to show before and after', wholeNumber(0), 6)
    .option('--json', 'print report.json')
    .option('--force', 'begin anew where the folder holds a run already');
