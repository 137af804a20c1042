import { existsSync } from 'node:fs';
import { extname } from 'node:path';
import { type ConvertedLabels, convertLabels, readBytes, readYoloData } from '../node/index.ts';
import type { ConvertLabelsCommandOptions } from './label-commands.ts';
import { printJson } from './output.ts';
import { withProgress } from './progress.ts';
import { renderTable, withCommas } from './table.ts';
import { tellBroken } from './tell-broken.ts';
import { UsageError } from './usage-error.ts';

/** `secateur convert-labels SOURCE -o FOLDER`: VOC's or COCO's annotations as a YOLO data set. */
export async function convertLabelsCommand(
  source: string,
  options: ConvertLabelsCommandOptions,
): Promise<void> {
  const { imageFolder, names, trainList, valList, testList, vocOrigin, format, ...rest } = options;
  const lists = {
    ...(trainList === undefined ? {} : { train: trainList }),
    ...(valList === undefined ? {} : { val: valList }),
    ...(testList === undefined ? {} : { test: testList }),
  };
  const converted = await withProgress('reading annotations', (report) =>
    convertLabels(source, options.output, {
      ...rest,
      lists,
      origin: vocOrigin,
      ...(format === undefined ? {} : { format }),
      ...(imageFolder === undefined ? {} : { imageFolders: imageFolder }),
      ...(names === undefined ? {} : { names: namesFrom(names) }),
      onProgress: report,
    }),
  );
  tellBroken(converted.broken);
  if (options.json) printJson({ source, output: options.output, ...converted });
  else process.stdout.write(`${linesOf(converted).join('\n')}\n`);
}

/** Names with commas between them, those of a data yaml, or the lines of a text file. */
function namesFrom(text: string): readonly string[] {
  const ending = extname(text).toLowerCase();
  if (ending === '.yaml' || ending === '.yml') return readYoloData(text).names;
  const isFile = ending === '.txt';
  if (!isFile && existsSync(text)) {
    throw new UsageError(
      `--names: '${text}' is a file; expected a .yaml or .txt file, or names such as cat,dog`,
    );
  }
  const list = isFile ? new TextDecoder().decode(readBytes(text)).split(/\r\n|\r|\n/) : text.split(',');
  const names = list.map((name) => name.trim()).filter((name) => name !== '');
  if (names.length === 0) throw new UsageError(`--names: '${text}' names no classes`);
  return names;
}

/** Names that are shown of many. */
const MOST_NAMES = 8;

const shortList = (names: readonly string[]): string =>
  names.length <= MOST_NAMES ? names.join(', ') : `${names.slice(0, MOST_NAMES).join(', ')}, …`;

function linesOf(converted: ConvertedLabels): readonly string[] {
  const { names, parts, otherClasses, beforeFirst, yaml } = converted;
  const right = (title: string) => ({ title, align: 'right' as const });
  const left = ([count, one, many, why]: readonly [number, string, string, string]): string[] =>
    count === 0 ? [] : [`${why.padEnd(20)}${withCommas(count)} ${count === 1 ? one : many}`];
  const others = Object.entries(otherClasses);
  return [
    renderTable(
      [{ title: 'part' }, right('images'), right('boxes'), right('without boxes')],
      Object.entries(parts).map(([part, { images, boxes, empty }]) => [
        part,
        ...[images, boxes, empty].map(withCommas),
      ]),
    ),
    '',
    `classes             ${withCommas(names.length)}: ${shortList(names)}`,
    ...left([converted.clipped, 'box', 'boxes', 'cut off at edges']),
    ...left([converted.emptyBoxes, 'box', 'boxes', 'outside or empty']),
    ...left([
      converted.difficult,
      'object left out (--difficult)',
      'objects left out (--difficult)',
      'difficult',
    ]),
    ...left([converted.crowd, 'box left out (--crowd)', 'boxes left out (--crowd)', 'crowds']),
    ...(others.length === 0
      ? []
      : [`other classes       ${shortList(others.map(([name, count]) => `${name} ${withCommas(count)}`))}`]),
    ...left([converted.unlisted, 'image left out', 'images left out', 'in no list']),
    ...(beforeFirst === 0
      ? []
      : [
          `note                ${withCommas(beforeFirst)} ${beforeFirst === 1 ? 'box begins' : 'boxes begin'} at pixel 0, before the first of VOC; if these files count from 0, use --voc-origin 0`,
        ]),
    `wrote               ${yaml}`,
  ];
}
