import type { Command } from 'commander';
import { commandLine } from './command-line.ts';
import { MODEL, withModel, withOutput } from './commands.ts';
import { wholeNumber } from './parse.ts';
import {
  type ApplyCommandOptions,
  type GroupsCommandOptions,
  type ShrinkCommandOptions,
  type SimplifyCommandOptions,
  withAmount,
  withChoice,
  withCut,
  withHeads,
} from './shrink-options.ts';

/** `secateur shrink` */
export function addShrink(program: Command, args: readonly string[]): void {
  const command = program
    .command('shrink')
    .description('remove channels with everything that hangs on them, prove the result, and write it')
    .argument('<model>', MODEL)
    .option('-o, --output <file>', 'ONNX file to write')
    .option('--plan <file>', 'also write what is cut as a plan: JSON that can be edited and applied')
    .option('--dry-run', 'show what would be cut, and write no model');
  withOutput(withModel(withCut(withChoice(withAmount(command)))))
    .addHelpText(
      'after',
      `
Give one of --ratio, --macs, --params, --size and --latency, or --remove-blocks,
or both. Channels that only go together are found by themselves, outputs of the
model stay, and what is not cut has its reason in the result.

The cut model is run beside the original with the same channels silenced before
anything is written; exit code 1 says that they differ.

--importance takes
  l1, l2, lamp, batch-norm, fpgm, random   from the weights alone
  activation-mean, apoz, wanda             on inputs (--data)
  taylor, taylor-multi, hessian            on samples with labels (--data)

Examples:
  $ secateur shrink model.onnx -o small.onnx --ratio 0.5 --round-to 8
  $ secateur shrink model.onnx -o small.onnx --macs 50% --global --max-ratio 0.8
  $ secateur shrink lenet5.onnx -o small.onnx --params 50% \\
      --importance taylor --data mnist
  $ secateur shrink model.onnx --ratio 0.3 --dry-run --plan plan.json
  $ secateur apply plan.json model.onnx -o small.onnx`,
    )
    .action(async (model: string, options: Omit<ShrinkCommandOptions, 'line'>) =>
      (await import('./shrink-command.ts')).shrinkCommand(model, { ...options, line: commandLine(args) }),
    );
}

/** `secateur apply` */
export function addApply(program: Command, args: readonly string[]): void {
  const command = program
    .command('apply')
    .description('cut a model as a plan says: another copy, or the PyTorch checkpoint it came from')
    .argument('<plan>', 'a plan of secateur shrink --plan, as it is or edited')
    .argument(
      '<model>',
      'an .onnx file, the name of a built-in architecture, or a PyTorch state dict (.pt, .pth, .th, .safetensors)',
    )
    .option('-o, --output <file>', '.onnx file to write, or .safetensors or .pt for a state dict')
    .option('--plan <file>', 'also write the plan anew, with all that follows from what was edited')
    .option('--dry-run', 'show what would be cut, and write nothing but what --plan names');
  withOutput(withModel(withCut(command)))
    .addHelpText(
      'after',
      `
A plan is checked against the model: parameters by name and shape, and that what
goes can go together. What is edited in a plan are the lists "remove" of its
groups, and "blocks"; an edited plan is brought up to date with --plan before it
is applied to a state dict, whose tensors are cut one by one.

Examples:
  $ secateur shrink model.onnx --ratio 0.5 --dry-run --plan plan.json
  $ secateur apply plan.json model.onnx -o small.onnx
  $ secateur apply edited.json model.onnx --dry-run --plan new.json
  $ secateur apply new.json checkpoint.pt -o small.pt`,
    )
    .action(async (plan: string, model: string, options: Omit<ApplyCommandOptions, 'line'>) =>
      (await import('./apply-command.ts')).applyCommand(plan, model, { ...options, line: commandLine(args) }),
    );
}

/** `secateur simplify` */
export function addSimplify(program: Command): void {
  const command = program
    .command('simplify')
    .description('remove channels that masks have zeroed; the model computes the same')
    .argument('<model>', MODEL)
    .requiredOption('-o, --output <file>', 'ONNX file to write');
  withOutput(withModel(command))
    .option('--threads <n>', 'threads of the engine', wholeNumber(1))
    .option('--force', 'write over an existing file')
    .addHelpText(
      'after',
      `
A filter that is all zeros gives a constant: what reads it gets that constant in
its bias, and the channel goes. Both models are run before anything is written;
exit code 1 says that their outputs differ.

Examples:
  $ secateur prune lenet5 -o masked.onnx --method ln-structured --amount 0.5
  $ secateur simplify masked.onnx -o small.onnx`,
    )
    .action(async (model: string, options: SimplifyCommandOptions) =>
      (await import('./simplify-command.ts')).simplifyCommand(model, options),
    );
}

/** `secateur groups` */
export function addGroups(program: Command): void {
  const command = program
    .command('groups')
    .description('list the channels of a model that can only be removed together')
    .argument('<model>', MODEL);
  withOutput(withModel(withHeads(command)))
    .option('--svg <file>', 'also draw the graph, each group in a colour')
    .option('--force', 'write over an existing file')
    .addHelpText(
      'after',
      `
Channels of layers that are added up, or tied in another way, are one group.
What cannot be cut says why.

Examples:
  $ secateur groups resnet20
  $ secateur groups model.onnx --svg groups.svg
  $ secateur groups model.onnx --json`,
    )
    .action(async (model: string, options: GroupsCommandOptions) =>
      (await import('./groups-command.ts')).groupsCommand(model, options),
    );
}
