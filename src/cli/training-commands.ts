import { type Command, Option } from 'commander';
import { commandLine } from './command-line.ts';
import { isDetectionData, isTyped, refuseOthers } from './kinds-of-data.ts';
import { collect, wholeNumber } from './parse.ts';
import { withRounds } from './rounds-options.ts';
import { parseCountTarget, parseSizeTarget } from './shrink-parse.ts';
import {
  detectorOptions,
  OF_CLASSIFIERS,
  OF_DETECTORS,
  withDetectorTraining,
} from './train-detector-options.ts';
import {
  type EvaluateCommandOptions,
  type IterateCommandOptions,
  type LotteryCommandOptions,
  type SensitivityCommandOptions,
  type Start,
  type TrainCommandOptions,
  withCheckpoint,
  withData,
  withLayers,
  withOptimizer,
  withReport,
  withSplit,
  withTraining,
} from './training-options.ts';
import { numberIn, parseRewind, parseSeeds, parseShare, parseShares } from './training-parse.ts';

const DATA_HELP = `
--data takes a folder of MNIST's idx files, of CIFAR-10's batches, or of class
folders of images; or .npy and .npz arrays.`;

const DETECTOR_HELP = `
With a YOLO data .yaml a YOLOv5 is trained as by its train.py: mosaics, warm-up,
moving averages, AutoAnchor. Epochs are 30 then, batches of 16 images; the best
epoch by 0.1 mAP50 + 0.9 mAP50-95 is written, with decoded boxes and the names of
the classes as .onnx, or as weights in a .pt or .safetensors. For other classes
than the weights are of, the layers that give the maps begin anew. --lr,
--momentum, --weight-decay, --warmup and --label-smoothing go before --hyp FILE.`;

/** What `train` and `finetune` do: each kind of data has a command of its own. */
const trainingAction =
  (args: readonly string[], start: Start) =>
  async (source: string, options: Omit<TrainCommandOptions, 'line'>, own: Command): Promise<void> => {
    refuseOthers(own, options.data, { ofClassifiers: OF_CLASSIFIERS, ofDetectors: OF_DETECTORS });
    const given = { ...options, line: commandLine(args) };
    if (isDetectionData(options.data)) {
      const { trainDetectorCommand } = await import('./train-detector-command.ts');
      return trainDetectorCommand(source, detectorOptions(own, given as never), start);
    }
    const { trainCommand, finetuneCommand } = await import('./train-command.ts');
    return start === 'fresh' ? trainCommand(source, given) : finetuneCommand(source, given);
  };

/** `secateur train` */
export function addTrain(program: Command, args: readonly string[]): void {
  const command = program
    .command('train')
    .description('train an architecture from fresh weights, and write it as ONNX')
    .argument(
      '<name>',
      'a built-in architecture: lenet5, resnet20 to resnet110, mobilenet_v2, yolov5n to yolov5x',
    );
  withDetectorTraining(withTraining(command, { epochs: 10, start: 'fresh' }))
    .addHelpText(
      'after',
      `${DATA_HELP}

Without --validation-split the data's test half is what accuracy is reported on.
Masks hold in training: what is pruned stays exactly zero. The file is read back
and run in onnxruntime before the command says that it is done.
${DETECTOR_HELP}

Examples:
  $ secateur train lenet5 --data mnist -o lenet5.onnx --epochs 5
  $ secateur train resnet20 --data cifar10 -o resnet20.onnx --epochs 100 \\
      --lr 0.1 --weight-decay 5e-4 --augment crop,flip --warmup 1 \\
      --checkpoint resnet20.ckpt --report resnet20.html
  $ secateur train lenet5 --data mnist -o sparse.onnx --gradual magnitude \\
      --sparsity 0.9
  $ secateur train yolov5n --weights yolov5n.pt --data bccd.yaml \\
      -o cells.onnx --size 320 --epochs 30 --report cells.html`,
    )
    .action(trainingAction(args, 'fresh'));
}

/** `secateur finetune` */
export function addFinetune(program: Command, args: readonly string[]): void {
  const command = program
    .command('finetune')
    .description('train a model further, its pruned weights kept at zero, and write it as ONNX')
    .argument('<model>', 'an .onnx file, a checkpoint of a YOLOv5 (.pt), or an architecture with --weights');
  withDetectorTraining(
    withTraining(command, { epochs: 5, start: 'trained' }).option(
      '--no-keep-zeros',
      'train weights that are zero too',
    ),
  )
    .addHelpText(
      'after',
      `${DATA_HELP}

Weights of convolutions and linear layers that are zero stay zero. With
--teacher MODEL the model learns from another one's outputs too.
${DETECTOR_HELP}

Examples:
  $ secateur prune lenet5.onnx -o pruned.onnx --amount 0.9 --global
  $ secateur finetune pruned.onnx --data mnist -o finetuned.onnx --epochs 2
  $ secateur finetune pruned.onnx --data mnist -o student.onnx \\
      --teacher lenet5.onnx
  $ secateur finetune yolov5n.pt --data bccd.yaml -o cells.onnx --size 320
  $ secateur finetune small.onnx --data bccd.yaml -o better.onnx --size 320 \\
      --hyp hyp.yaml --freeze model.0 --freeze 'model.[1-3]' --cos-lr`,
    )
    .action(trainingAction(args, 'trained'));
}

/** Options of `evaluate` that belong to models of one kind, as commander calls them. */
const EVALUATE_OPTIONS = {
  ofClassifiers: ['split', 'metric', 'normalize', 'shape'],
  ofDetectors: ['task', 'size', 'conf', 'iou', 'rect'],
};

/** `secateur evaluate` */
export function addEvaluate(program: Command, args: readonly string[]): void {
  const command = program
    .command('evaluate')
    .description('loss and accuracy of a classifier on a data set, or mAP of a detector')
    .argument('<model>', 'an .onnx file, or an architecture with --weights');
  withReport(withData(command))
    .option('--force', 'write over existing files')
    .addOption(
      new Option('--split <half>', 'which half of the data').choices(['train', 'test']).default('test'),
    )
    .option(
      '--metric <name>',
      'also: top5, how often the class is among the five largest (repeatable)',
      collect,
    )
    .addOption(
      new Option('--task <part>', 'detectors: which part of the data')
        .choices(['val', 'test', 'train'])
        .default('val'),
    )
    .option(
      '--size <pixels>',
      "detectors: size images are fitted into; default the model's, or 640",
      wholeNumber(1),
    )
    .option('--conf <share>', 'detectors: least confidence', numberIn(0, 1), 0.001)
    .option('--iou <share>', 'detectors: boxes of a class that overlap more are one', numberIn(0, 1), 0.6)
    .option('--rect', 'detectors: batches of images of like proportions; default where the model takes them')
    .option('--no-rect', 'detectors: squares')
    .addHelpText(
      'after',
      `${DATA_HELP} With a YOLO data .yaml the model is a
detector with a YOLOv5's inputs and outputs, and judged as by its val.py.

Examples:
  $ secateur evaluate lenet5.onnx --data mnist
  $ secateur evaluate model.onnx --data images --normalize imagenet \\
      --metric top5 --json
  $ secateur evaluate yolov5n.onnx --data coco8.yaml
  $ secateur evaluate small.onnx --data bccd.yaml --task test --size 416`,
    )
    .action(async (model: string, options: Omit<EvaluateCommandOptions, 'line'>, own: Command) => {
      refuseOthers(own, options.data, EVALUATE_OPTIONS);
      const given = { ...options, line: commandLine(args) };
      if (!isDetectionData(options.data))
        return (await import('./evaluate-command.ts')).evaluateCommand(model, given);
      const { batchSize, ...rest } = given;
      // Classifiers' batches are larger than those that val.py puts into one size.
      const { evaluateDetectorCommand } = await import('./evaluate-detector-command.ts');
      return evaluateDetectorCommand(model, {
        ...rest,
        batchSize: isTyped(own, 'batchSize') ? batchSize : 32,
      });
    });
}

/** `secateur iterate` */
export function addIterate(program: Command, args: readonly string[]): void {
  const command = program
    .command('iterate')
    .description('prune and fine-tune in rounds, until a target is met or accuracy would fall too far')
    .argument('<model>', 'an .onnx file, or an architecture with --weights');
  withRounds(
    withLayers(
      withReport(
        withCheckpoint(
          withOptimizer(
            withSplit(withData(command))
              .requiredOption('-o, --output <file>', 'ONNX file to write')
              .option(
                '--target-sparsity <share>',
                'share of the prunable weights to set to zero, as 0.95',
                parseShare,
              )
              .option(
                '--target-parameters <n>',
                'parameters that are to be left; 50% too, with --structural',
                parseCountTarget,
              )
              .option(
                '--target-size <size>',
                'size of the file with gzip, as 40KB; with --structural of the file as it is, and 50% too',
                parseSizeTarget,
              )
              .addOption(
                new Option(
                  '--sparsity-schedule <name>',
                  'how sparsity grows from round to round; default exponential',
                ).choices(['exponential', 'cubic', 'linear', 'one-shot']),
              )
              .option('--rounds <n>', 'rounds of pruning; default 3 with --structural', wholeNumber(1))
              .option(
                '--rate <share>',
                'exponential: share of what remains that each round prunes; default 0.2',
                parseShare,
              )
              .addOption(
                new Option(
                  '--scope <scope>',
                  'rank over all layers together (default), within each (default of --structural), over layers that are alike (isomorphic, --structural), or prune each layer as its sensitivity allows',
                ).choices(['global', 'layer', 'isomorphic', 'sensitivity']),
              )
              .option(
                '--granularity <kind>',
                'what goes as one: weight, row, column, kernel, filter, block:RxC',
              )
              .option('--finetune-epochs <n>', 'epochs of fine-tuning after each pruning', wholeNumber(1), 2)
              .option(
                '--floor <accuracy>',
                'end where validation accuracy would fall below, as 0.98',
                parseShare,
              )
              .option('--max-drop <share>', 'end where it would fall by more than this, as 0.5%', parseShare),
            'trained',
          ),
          'after each epoch and when interrupted',
        ).option('--checkpoint-every <n>', 'also after every n batches', wholeNumber(1)),
      ),
    ).option('--force', 'write over existing files'),
  )
    .addHelpText(
      'after',
      `${DATA_HELP}

What is written is the sparsest model whose accuracy is not below the floor; with
--structural the smallest. There channels go with all that hangs on them, each cut
is proven, batch norm is measured anew, and the model trains on, round by round.

Examples:
  $ secateur iterate lenet5.onnx --data mnist -o sparse.onnx \\
      --target-sparsity 0.95 --max-drop 0.5%
  $ secateur iterate lenet5.onnx --data mnist -o small.onnx \\
      --target-size 40KB --checkpoint run.ckpt --report run.html
  $ secateur iterate lenet5.onnx --data mnist -o small.onnx --structural \\
      --target-macs 50% --max-drop 1% --distill`,
    )
    .action(async (model: string, options: Omit<IterateCommandOptions, 'line'>) =>
      (await import('./iterate-command.ts')).iterateCommand(model, { ...options, line: commandLine(args) }),
    );
}

/** `secateur sensitivity` */
export function addSensitivity(program: Command, args: readonly string[]): void {
  const command = program
    .command('sensitivity')
    .description('accuracy with one layer pruned at a time, at each amount')
    .argument('<model>', 'an .onnx file, or an architecture with --weights');
  withLayers(withReport(withCheckpoint(withSplit(withData(command)), 'after each judgement')))
    .option('--amounts <list>', 'amounts to try, as 0.5,0.8,95%; default 0.1 to 0.9, and 0.95', parseShares)
    .option('--metric <name>', 'what is judged: accuracy or top5', 'accuracy')
    .option('--granularity <kind>', 'what goes as one: weight, row, column, kernel, filter, block:RxC')
    .option(
      '--max-drop <share>',
      'derive amounts by which no layer alone loses more than this, as 1%',
      parseShare,
    )
    .option('--sparsity <share>', 'derive amounts that come to this sparsity together, as 0.8', parseShare)
    .option('--force', 'write over existing files')
    .addHelpText(
      'after',
      `${DATA_HELP}

Nothing is trained and the model stays as it is. On a terminal accuracy that has
fallen by a hundredth is yellow, by a twentieth red.

Examples:
  $ secateur sensitivity lenet5.onnx --data mnist
  $ secateur sensitivity lenet5.onnx --data mnist --amounts 0.5,0.9 \\
      --granularity filter --max-drop 1% --json`,
    )
    .action(async (model: string, options: Omit<SensitivityCommandOptions, 'line'>) =>
      (await import('./sensitivity-command.ts')).sensitivityCommand(model, {
        ...options,
        line: commandLine(args),
      }),
    );
}

/** `secateur lottery` */
export function addLottery(program: Command, args: readonly string[]): void {
  const command = program
    .command('lottery')
    .description(
      'find lottery tickets, and train them beside networks with fresh weights and with random masks',
    )
    .argument('<name>', 'a built-in architecture: lenet5, resnet20 to resnet110, mobilenet_v2');
  withReport(
    withCheckpoint(
      withOptimizer(
        withSplit(withData(command))
          .option('--seeds <list>', 'seeds to repeat it all with, as 0,1,2', parseSeeds, [0, 1, 2])
          .option('--rounds <n>', 'rounds of pruning', wholeNumber(1), 10)
          .option('--rate <share>', 'share of what remains that each round prunes', parseShare, 0.2)
          .option('--epochs <n>', 'epochs of each training', wholeNumber(1), 5)
          .option(
            '--rewind <point>',
            'what the remaining weights are set back to: init, epoch:N or step:N of the first training',
            parseRewind,
            'init',
          )
          .addOption(
            new Option('--controls <which>', 'networks of the same sparsity to compare with')
              .choices(['all', 'reinit', 'random-mask', 'none'])
              .default('all'),
          ),
        'fresh',
      ),
      'after each training',
    ),
  )
    .option('--force', 'write over existing files')
    .addHelpText(
      'after',
      `${DATA_HELP}

As Frankle and Carbin (2019): train, prune the smallest weights, set the others
back, train again. Takes seeds x rounds x (1 + controls) trainings.

Examples:
  $ secateur lottery lenet5 --data mnist --rounds 5 --epochs 2 --seeds 0,1
  $ secateur lottery lenet5 --data mnist --rewind epoch:1 \\
      --checkpoint lottery.ckpt --report lottery.html`,
    )
    .action(async (name: string, options: Omit<LotteryCommandOptions, 'line'>) =>
      (await import('./lottery-command.ts')).lotteryCommand(name, { ...options, line: commandLine(args) }),
    );
}
