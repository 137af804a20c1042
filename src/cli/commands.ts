import { type Command, Option } from 'commander';
import {
  axis,
  collect,
  type NamedShape,
  parseAmount,
  parseImageSize,
  parseShape,
  wholeNumber,
} from './parse.ts';

/** How a command is to print. */
export interface OutputOptions {
  readonly json?: boolean;
  readonly csv?: boolean;
}

/** Options of every command that loads a model. */
export interface ModelOptions {
  readonly classes?: number;
  readonly weights?: string;
  readonly seed?: number;
  readonly shape?: readonly NamedShape[];
}

export interface ProfileCommandOptions extends ModelOptions, OutputOptions {
  readonly convention: 'macs' | 'flops' | 'thop@0.0.31' | 'thop@0.1.1';
  readonly sizes?: boolean;
  readonly latency?: boolean;
  readonly sparsity?: boolean;
  readonly sort?: string;
  readonly top?: number;
  readonly threads?: number;
}

export interface PruneCommandOptions extends ModelOptions, OutputOptions {
  readonly output: string;
  readonly method: string;
  readonly amount?: number | { readonly count: number };
  readonly granularity?: string;
  readonly norm?: string;
  readonly dim?: number;
  readonly global?: boolean;
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  readonly types?: readonly string[];
  readonly operator?: readonly string[];
  readonly parameter: string;
  readonly data?: readonly string[];
  readonly force?: boolean;
}

export interface CompareCommandOptions extends ModelOptions, OutputOptions {
  readonly inputs?: string;
  readonly latency: boolean;
  readonly threads?: number;
  readonly runs?: number;
}

export interface ConvertCommandOptions extends ModelOptions, OutputOptions {
  readonly output: string;
  readonly decode?: boolean;
  readonly fold?: boolean;
  readonly size?: readonly [height: number, width: number];
  readonly batch?: number;
  readonly force?: boolean;
  readonly externalData?: boolean;
}

export interface PrintCommandOptions extends ModelOptions, OutputOptions {
  readonly tree?: boolean;
  readonly inferred?: boolean;
}

/** What stands for a model on the command line. */
export const MODEL =
  'an .onnx file, a checkpoint (.pt, .pth, .th, .safetensors) or the name of a built-in architecture';

/** Options of every command that loads a model. */
export const withModel = (command: Command): Command =>
  command
    .option('--shape <shape>', 'input shape, as 1,3,640,640 or NAME=1,3,640,640 (repeatable)', parseShape)
    .option('--classes <n>', 'number of classes of a built-in architecture', wholeNumber(1))
    .option('--weights <file>', 'weights of a built-in architecture (.safetensors, .pt, .pth or .th)')
    .option(
      '--seed <n>',
      'seed of everything random: fresh weights, random methods, random inputs',
      wholeNumber(0),
      0,
    );

/** How a command is to print. */
export const withOutput = (command: Command): Command =>
  command
    .addOption(new Option('--json', 'print JSON').conflicts('csv'))
    .addOption(new Option('--csv', 'print comma-separated values'));

/** `secateur profile` */
export function addProfile(program: Command): void {
  const command = program
    .command('profile')
    .description('count parameters, zeros and operations, per layer and in total, without running the model')
    .argument('<model>', MODEL);
  withOutput(withModel(command))
    .addOption(
      new Option(
        '--convention <name>',
        'how operations are counted; thop counts what those versions call FLOPs',
      )
        .choices(['macs', 'flops', 'thop@0.0.31', 'thop@0.1.1'])
        .default('macs'),
    )
    .option('--sparsity', 'also: how many whole rows, kernels, filters and N:M groups are zero')
    .option('--sizes', 'also: file size as is, with gzip and with brotli')
    .option('--latency', 'also: measured latency in onnxruntime')
    .option('--threads <n>', 'threads of the engine while measuring latency', wholeNumber(1))
    .option('--sort <column>', 'sort layers by parameters, zeros, macs or name instead of by place')
    .option('--top <n>', 'show only the first n layers', wholeNumber(1))
    .addHelpText(
      'after',
      `
One sample is counted unless --shape says otherwise. A narrow terminal leaves
out activations, shares and output shapes; --csv and --json have everything.

Examples:
  $ secateur profile yolov5s --classes 3 --shape 1,3,640,640 \\
      --convention thop@0.0.31
  $ secateur profile model.onnx --sizes --latency
  $ secateur profile model.onnx --csv > layers.csv`,
    )
    .action(async (model: string, options: ProfileCommandOptions) =>
      (await import('./profile-command.ts')).profileCommand(model, options),
    );
}

/** `secateur prune` */
export function addPrune(program: Command): void {
  const command = program
    .command('prune')
    .description('set weights to zero with masks, and write the pruned model')
    .argument('<model>', MODEL)
    .requiredOption(
      '-o, --output <file>',
      '.onnx file to write; or .pt or .safetensors: a state dict with masks, as PyTorch has them',
    );
  withOutput(withModel(command))
    .addOption(
      new Option('--method <name>', 'which weights go')
        .choices([
          'l1-unstructured',
          'random-unstructured',
          'ln-structured',
          'random-structured',
          'l1',
          'l2',
          'random',
          'apoz',
          'mean-activation',
        ])
        .default('l1-unstructured'),
    )
    .option('--amount <amount>', 'share (0.3, 30%) or count (25) to prune; default 0.3', parseAmount)
    .option(
      '--granularity <kind>',
      'what goes as one: weight, row, column, kernel, filter, block:RxC, N:M (2:4), layer; ranked by --method l1, l2 or random',
    )
    .option('--norm <n>', 'norm of ln-structured: a number, inf, -inf, fro or nuc; default 2')
    .option('--dim <axis>', 'axis whose slices the structured methods prune; default 0', axis)
    .option('--global', 'rank over all layers together instead of within each')
    .option('--include <pattern>', 'only layers whose name matches (glob, repeatable)', collect)
    .option('--exclude <pattern>', 'no layer whose name matches (glob, repeatable)', collect)
    .option('--types <type>', 'only layers of this class, such as Conv2d (repeatable)', collect)
    .option(
      '--operator <name>',
      'only layers that are this ONNX operator, such as Conv (repeatable)',
      collect,
    )
    .option('--parameter <name>', 'parameter to prune', 'weight')
    .option(
      '--data <file>',
      'calibration inputs for apoz and mean-activation: .npy, .npz or .safetensors (repeatable)',
      collect,
    )
    .option('--force', 'write over an existing file')
    .addHelpText(
      'after',
      `
Masks set weights to zero. They make neither multiply-accumulates nor latency
smaller; a compressed file does get smaller.

Examples:
  $ secateur prune yolov5s --classes 3 -o pruned.onnx --amount 0.3
  $ secateur prune model.onnx -o pruned.onnx --amount 0.5 --global \\
      --exclude 'model.24.*'
  $ secateur prune model.onnx -o pruned.onnx --granularity 2:4
  $ secateur prune model.onnx -o pruned.onnx --granularity filter \\
      --method l2 --amount 0.25
  $ secateur prune model.onnx -o pruned.onnx --granularity filter \\
      --method apoz --amount 0.25 --data calibration.npy
  $ secateur prune resnet20 --weights resnet20.th -o masked.pt --amount 0.5`,
    )
    .action(async (model: string, options: PruneCommandOptions) =>
      (await import('./prune-command.ts')).pruneCommand(model, options),
    );
}

/** `secateur compare` */
export function addCompare(program: Command): void {
  const command = program
    .command('compare')
    .description(
      'two models side by side: parameters, zeros, operations, sizes, latency, and how far their outputs differ',
    )
    .argument('<a>', MODEL)
    .argument('<b>', MODEL);
  withOutput(withModel(command))
    .option('--inputs <file>', 'inputs to run both on: .npy, .npz or .safetensors; random by default')
    .option('--no-latency', 'do not measure latency')
    .option('--threads <n>', 'threads of the engine', wholeNumber(1))
    .option('--runs <n>', 'least number of timed runs', wholeNumber(3))
    .addHelpText(
      'after',
      `
Examples:
  $ secateur compare model.onnx pruned.onnx
  $ secateur compare model.onnx pruned.onnx --inputs image.npy --json`,
    )
    .action(async (a: string, b: string, options: CompareCommandOptions) =>
      (await import('./compare-command.ts')).compareCommand(a, b, options),
    );
}

/** `secateur convert` */
export function addConvert(program: Command): void {
  const command = program
    .command('convert')
    .description(
      'write a model in another form: a checkpoint or an architecture as ONNX, its weights as safetensors or .pt',
    )
    .argument('<model>', MODEL)
    .requiredOption('-o, --output <file>', '.onnx, .safetensors or .pt file to write');
  withOutput(withModel(command))
    .option(
      '--decode',
      'YOLOv5: decode boxes in the graph, as Ultralytics exports do; default of checkpoints',
    )
    .option('--no-decode', 'YOLOv5: give the three raw maps')
    .option(
      '--fold',
      'fold batch norms into the convolutions before them, as Ultralytics exports do; default of YOLOv5 checkpoints',
    )
    .option('--no-fold', 'keep batch norms, which training on needs')
    .option('--size <pixels>', 'size of the images: 640 or 384x640 (height first)', parseImageSize)
    .option('--batch <n>', 'images at once; default any number', wholeNumber(1))
    .option('--external-data', 'keep weights in a file beside the .onnx (done by itself above 2 GB)')
    .option('--force', 'write over an existing file')
    .addHelpText(
      'after',
      `
Examples:
  $ secateur convert yolov5n.pt -o yolov5n.onnx
  $ secateur convert yolov5n.pt -o raw.onnx --no-decode --size 384x640 --batch 1
  $ secateur convert yolov5s --classes 3 --decode -o yolov5s.onnx
  $ secateur convert model.onnx -o weights.safetensors`,
    )
    .action(async (model: string, options: ConvertCommandOptions) =>
      (await import('./convert-command.ts')).convertCommand(model, options),
    );
}

/** `secateur print` */
export function addPrint(program: Command): void {
  const command = program
    .command('print')
    .description('print a model as text: its graph, or its tree of modules')
    .argument('<model>', MODEL);
  withOutput(withModel(command))
    .option('--tree', 'print the tree of modules instead of the graph')
    .option('--inferred', 'with the shapes that were inferred, not only those the file declares')
    .addHelpText(
      'after',
      `
Examples:
  $ secateur print model.onnx --inferred
  $ secateur print yolov5s --tree
  $ secateur print model.onnx --json`,
    )
    .action(async (model: string, options: PrintCommandOptions) =>
      (await import('./print-command.ts')).printCommand(model, options),
    );
}
