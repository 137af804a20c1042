import type { Command } from 'commander';
import { commandLine } from './command-line.ts';
import { MODEL, type ModelOptions } from './commands.ts';
import { collect, wholeNumber } from './parse.ts';
import { type PruneDetectorCommandOptions, withPruneDetector } from './prune-detector-options.ts';
import { numberIn } from './training-parse.ts';

/** Options of `detect`. */
export interface DetectCommandOptions extends Omit<ModelOptions, 'classes' | 'shape'> {
  readonly output: string;
  readonly conf: number;
  readonly iou: number;
  readonly classes?: readonly string[];
  readonly modelClasses?: number;
  readonly names?: string;
  readonly agnostic?: boolean;
  readonly maxDet: number;
  readonly size?: number;
  readonly threads?: number;
  readonly json?: boolean;
  readonly force?: boolean;
}

/** A list with commas; may be given again. */
const parseList = (text: string, before: readonly string[] = []): string[] => [
  ...before,
  ...text.split(',').flatMap((part) => collect(part.trim()).filter((word) => word !== '')),
];

/** `secateur detect` */
export function addDetect(program: Command): void {
  program
    .command('detect')
    .description('find objects in images with a YOLOv5, draw them, and write what was found as JSON')
    .argument('<model>', MODEL)
    .argument('<image...>', 'image files, and folders of them')
    .requiredOption(
      '-o, --output <folder>',
      'folder for the drawn images and detections.json; made if needed',
    )
    .option('--conf <share>', 'least confidence', numberIn(0, 1), 0.25)
    .option('--iou <share>', 'boxes of a class that overlap more are one', numberIn(0, 1), 0.45)
    .option('--classes <list>', 'only these classes, by name or number: person,2 (repeatable)', parseList)
    .option('--agnostic', 'boxes of different classes that overlap are one, too')
    .option('--max-det <n>', 'most objects in an image', wholeNumber(1), 300)
    .option('--size <pixels>', "size images are fitted into; default the model's, or 640", wholeNumber(1))
    .option('--names <file>', 'YOLO data .yaml with the names of the classes; default those in the model')
    .option('--model-classes <n>', 'number of classes of a built-in architecture', wholeNumber(1))
    .option('--weights <file>', 'weights of a built-in architecture (.safetensors, .pt, .pth or .th)')
    .option('--threads <n>', 'threads of the engine', wholeNumber(1))
    .option('--json', 'print what was found as JSON')
    .option('--force', 'write over existing files')
    .addHelpText(
      'after',
      `
Any ONNX file with a YOLOv5's input and decoded boxes will do: [N, 3, H, W], RGB
from 0 to 1, and [N, boxes, 5 + classes]. Images that cannot be read are told and
passed over. Boxes are x1, y1, x2, y2 in pixels of the image.

Examples:
  $ secateur detect yolov5n.onnx street.jpg -o found
  $ secateur detect yolov5n.onnx images/ -o found --classes person,dog --conf 0.4`,
    )
    .action(async (model: string, images: readonly string[], options: DetectCommandOptions) =>
      (await import('./detect-command.ts')).detectCommand(model, images, options),
    );
}

/** `secateur prune-detector` */
export function addPruneDetector(program: Command, args: readonly string[]): void {
  const command = program
    .command('prune-detector')
    .description(
      'train a YOLOv5 on your images, cut channels in rounds with training between, and show what it bought',
    );
  withPruneDetector(command)
    .addHelpText(
      'after',
      `
MODEL is a YOLOv5: a checkpoint (.pt) or an ONNX file. Where the data has other
classes the layers that give the maps begin anew, and all other weights are kept.
Without a target half the multiply-accumulates stay.

The folder gets dense.onnx and pruned.onnx, their weights as .safetensors, the
plan of the cuts, images with the boxes both models find, report.html, and
report.json with every number. A run that was stopped, however hard, goes on when
it is called again with the same options, to the same files.

Examples:
  $ secateur prune-detector yolov5n.pt --data bccd.yaml -o smaller
  $ secateur prune-detector yolov5n.pt --data bccd.yaml -o quarter \\
      --macs 25% --rounds 2
  $ secateur prune-detector smaller/dense.onnx --data bccd.yaml -o faster \\
      --epochs 0 --latency 60%`,
    )
    .action(async (model: string, options: Omit<PruneDetectorCommandOptions, 'line'>) =>
      (await import('./prune-detector-command.ts')).pruneDetectorCommand(model, {
        ...options,
        line: commandLine(args),
      }),
    );
}
