import { Command, CommanderError } from 'commander';
import { SecateurError } from '../core/errors.ts';
import { addCompare, addConvert, addPrint, addProfile, addPrune } from './commands.ts';
import { addDetect, addPruneDetector } from './detection-commands.ts';
import { InterruptedError } from './interrupt.ts';
import { addConvertLabels } from './label-commands.ts';
import { addApply, addGroups, addShrink, addSimplify } from './structural-commands.ts';
import { terminalWidth } from './terminal.ts';
import {
  addEvaluate,
  addFinetune,
  addIterate,
  addLottery,
  addSensitivity,
  addTrain,
} from './training-commands.ts';
import { UsageError } from './usage-error.ts';
import { VERSION } from './version.ts';

const EXAMPLES = `
Examples:
  $ secateur profile yolov5s --classes 3 --shape 1,3,640,640
  $ secateur profile model.onnx --json
  $ secateur prune model.onnx -o pruned.onnx --amount 0.3
  $ secateur prune model.onnx -o pruned.onnx --granularity 2:4
  $ secateur shrink model.onnx -o small.onnx --ratio 0.5 --round-to 8
  $ secateur groups model.onnx --svg groups.svg
  $ secateur compare model.onnx pruned.onnx
  $ secateur train lenet5 --data mnist -o lenet5.onnx --epochs 5
  $ secateur finetune pruned.onnx --data mnist -o finetuned.onnx
  $ secateur iterate lenet5.onnx --data mnist -o sparse.onnx \\
      --target-sparsity 0.95 --max-drop 0.5%
  $ secateur detect yolov5n.onnx street.jpg -o found
  $ secateur evaluate yolov5n.onnx --data coco8.yaml
  $ secateur convert-labels annotations/ -o cells

MODEL is an .onnx file, a checkpoint (.pt, .pth, .th, .safetensors) of a
built-in architecture, or the name of one: yolov5n to yolov5x, lenet5, resnet20
to resnet110, mobilenet_v2. By name it has fresh weights unless --weights gives
some.

Exit codes: 0 done, 1 it failed (a file, a model, the engine), 2 the command
line was wrong, 130 it was interrupted.`;

/** The command line's definition; what a command does is loaded when it runs. */
function createProgram(args: readonly string[]): Command {
  const program = new Command('secateur')
    .description('Measure, prune and train neural networks: ONNX files and built-in architectures.')
    .version(VERSION, '-v, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [command]', 'print help for a command')
    .showSuggestionAfterError()
    .configureHelp({ helpWidth: terminalWidth(80) })
    .configureOutput({
      outputError: (text, write) => write(text.replace(/^error: /, 'secateur: ')),
    })
    .addHelpText('after', EXAMPLES)
    .exitOverride();
  // Commands take over what is set above.
  for (const add of [
    addProfile,
    addPrune,
    addGroups,
    addSimplify,
    addCompare,
    addConvert,
    addPrint,
    addDetect,
    addConvertLabels,
  ])
    add(program);
  // These print how to go on and what to type again.
  for (const add of [
    addShrink,
    addApply,
    addTrain,
    addFinetune,
    addIterate,
    addSensitivity,
    addLottery,
    addEvaluate,
    addPruneDetector,
  ])
    add(program, args);
  return program;
}

/** `help` for a command that does not exist is an error, as the command itself would be. */
function withoutHelpFor(program: Command, args: readonly string[]): readonly string[] {
  const [first, asked = ''] = args;
  const unknown =
    asked !== '' && ![...program.commands.map((command) => command.name()), 'help'].includes(asked);
  return first === 'help' && unknown && !asked.startsWith('-') ? [asked] : args;
}

/** Runs the command line and gives the exit code; the only place that turns errors into messages. */
export async function run(args: readonly string[]): Promise<number> {
  const program = createProgram(args);
  try {
    await program.parseAsync(withoutHelpFor(program, args), { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (error instanceof UsageError) {
      process.stderr.write(`secateur: ${error.message}\n`);
      return 2;
    }
    if (error instanceof InterruptedError) {
      process.stderr.write(`secateur: ${error.message}\n`);
      return error.exitCode;
    }
    if (error instanceof SecateurError) {
      process.stderr.write(`secateur: ${error.message}\n`);
      return error.code === 'argument' ? 2 : 1;
    }
    const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
    process.stderr.write(`secateur: unexpected error, please report it:\n${detail}\n`);
    return 1;
  }
}
