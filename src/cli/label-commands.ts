import { type Command, InvalidArgumentError, Option } from 'commander';
import { collect, wholeNumber } from './parse.ts';
import { parseShare } from './training-parse.ts';

/** Options of `convert-labels`. */
export interface ConvertLabelsCommandOptions {
  readonly output: string;
  readonly format?: 'voc' | 'coco';
  readonly imageFolder?: readonly string[];
  readonly images: 'link' | 'copy' | 'none';
  readonly names?: string;
  readonly trainList?: string;
  readonly valList?: string;
  readonly testList?: string;
  readonly valShare: number;
  readonly testShare: number;
  readonly seed: number;
  readonly difficult?: boolean;
  readonly crowd?: boolean;
  readonly vocOrigin: 0 | 1;
  readonly json?: boolean;
  readonly force?: boolean;
}

function parseOrigin(text: string): 0 | 1 {
  if (text === '0') return 0;
  if (text === '1') return 1;
  throw new InvalidArgumentError('expected 0 or 1');
}

/** `secateur convert-labels` */
export function addConvertLabels(program: Command): void {
  program
    .command('convert-labels')
    .description('make a YOLO data set of annotations in Pascal VOC (XML) or COCO (JSON)')
    .argument('<source>', 'an annotation file, or a folder of them and the images')
    .requiredOption(
      '-o, --output <folder>',
      'folder for labels/, images/, lists and data.yaml; made if needed',
    )
    .addOption(
      new Option('--format <name>', 'what the files are; default by their endings').choices(['voc', 'coco']),
    )
    .option(
      '--image-folder <folder>',
      'where the images are; default the source, or for a file its folder or the one above (repeatable)',
      collect,
    )
    .addOption(
      new Option(
        '--images <how>',
        'link or copy images into the folder; none: they are in its images/ already',
      )
        .choices(['link', 'copy', 'none'])
        .default('link'),
    )
    .option(
      '--names <list>',
      'classes in order, as cat,dog or a .yaml or .txt file; objects of others are left out; default all',
    )
    .option('--train-list <file>', 'names of the images to train with, one on a line')
    .option('--val-list <file>', 'names of the images to validate with')
    .option('--test-list <file>', 'names of the images to test with')
    .option('--val-share <share>', 'images to validate with, where nothing says which', parseShare, 0.2)
    .option('--test-share <share>', 'images to test with, where nothing says which', parseShare, 0)
    .option('--seed <n>', 'which images these are', wholeNumber(0), 0)
    .option('--difficult', 'keep objects that VOC marks difficult')
    .option('--crowd', "keep COCO's boxes around crowds")
    .option('--voc-origin <n>', 'VOC: number of the first pixel, 1 or 0', parseOrigin, 1)
    .option('--json', 'print what was written and left out as JSON')
    .option('--force', 'write over existing files')
    .addHelpText(
      'after',
      `
Folders and files named train, val (valid) and test say which images these are,
and so do VOC's lists in ImageSets/Main. Where nothing does, shares are drawn by
the seed; so are images to validate with where there are only training images.
Broken files and missing images are left out and told.

Examples:
  $ secateur convert-labels VOCdevkit/VOC2007 -o voc-yolo
  $ secateur convert-labels coco/annotations/instances_val2017.json \\
      --image-folder coco/val2017 -o coco-yolo --names person,dog
  $ secateur convert-labels cells/ -o cells-yolo --val-share 0.2 --test-share 0.1
  $ secateur evaluate yolov5n.onnx --data coco-yolo/data.yaml`,
    )
    .action(async (source: string, options: ConvertLabelsCommandOptions) =>
      (await import('./convert-labels-command.ts')).convertLabelsCommand(source, options),
    );
}
