import { type Command, Option } from 'commander';
import { commandLine } from './command-line.ts';
import { collect } from './parse.ts';
import {
  type EvaluateCommandOptions,
  type TrainCommandOptions,
  withData,
  withTraining,
} from './training-options.ts';

const DATA_HELP = `
--data takes a folder of MNIST's idx files, of CIFAR-10's batches, or of class
folders of images; or .npy and .npz arrays.`;

/** `secateur train` */
export function addTrain(program: Command, args: readonly string[]): void {
  const command = program
    .command('train')
    .description('train an architecture from fresh weights, and write it as ONNX')
    .argument('<name>', 'a built-in architecture: lenet5, resnet20 to resnet110, mobilenet_v2');
  withTraining(command, { epochs: 10, lr: '0.05 for sgd, 0.001 for the others' })
    .addHelpText(
      'after',
      `${DATA_HELP}

Without --validation-split the data's test half is what accuracy is reported on.
Masks hold in training: what is pruned stays exactly zero. The file is read back
and run in onnxruntime before the command says that it is done.

Examples:
  $ secateur train lenet5 --data mnist -o lenet5.onnx --epochs 5
  $ secateur train resnet20 --data cifar10 -o resnet20.onnx --epochs 100 \\
      --lr 0.1 --weight-decay 5e-4 --augment crop,flip --warmup 1 \\
      --checkpoint resnet20.ckpt --report resnet20.html
  $ secateur train lenet5 --data mnist -o sparse.onnx --gradual magnitude \\
      --sparsity 0.9`,
    )
    .action(async (name: string, options: Omit<TrainCommandOptions, 'line'>) =>
      (await import('./train-command.ts')).trainCommand(name, { ...options, line: commandLine(args) }),
    );
}

/** `secateur finetune` */
export function addFinetune(program: Command, args: readonly string[]): void {
  const command = program
    .command('finetune')
    .description('train a model further, its pruned weights kept at zero, and write it as ONNX')
    .argument('<model>', 'an .onnx file, or an architecture with --weights');
  withTraining(command, { epochs: 5, lr: '0.01 for sgd, 0.0001 for the others' })
    .option('--no-keep-zeros', 'train weights that are zero too')
    .addHelpText(
      'after',
      `${DATA_HELP}

Weights of convolutions and linear layers that are zero stay zero. With
--teacher MODEL the model learns from another one's outputs too.

Examples:
  $ secateur prune lenet5.onnx -o pruned.onnx --amount 0.9 --global
  $ secateur finetune pruned.onnx --data mnist -o finetuned.onnx --epochs 2
  $ secateur finetune pruned.onnx --data mnist -o student.onnx \\
      --teacher lenet5.onnx`,
    )
    .action(async (model: string, options: Omit<TrainCommandOptions, 'line'>) =>
      (await import('./train-command.ts')).finetuneCommand(model, { ...options, line: commandLine(args) }),
    );
}

/** `secateur evaluate` */
export function addEvaluate(program: Command, args: readonly string[]): void {
  const command = program
    .command('evaluate')
    .description('loss and accuracy of a model on a data set')
    .argument('<model>', 'an .onnx file, or an architecture with --weights');
  withData(command)
    .addOption(
      new Option('--split <half>', 'which half of the data').choices(['train', 'test']).default('test'),
    )
    .option(
      '--metric <name>',
      'also: top5, how often the class is among the five largest (repeatable)',
      collect,
    )
    .addHelpText(
      'after',
      `${DATA_HELP}

Examples:
  $ secateur evaluate lenet5.onnx --data mnist
  $ secateur evaluate model.onnx --data images --normalize imagenet \\
      --metric top5 --json`,
    )
    .action(async (model: string, options: Omit<EvaluateCommandOptions, 'line'>) =>
      (await import('./evaluate-command.ts')).evaluateCommand(model, { ...options, line: commandLine(args) }),
    );
}
