import { basename } from 'node:path';
import { type Detection, pruningSections } from '../../detect/index.ts';
import { type ImageRow, imageSource, type ReportImage, renderReport } from '../../report/index.ts';
import type { BudgetAmount } from '../../structural/index.ts';
import { runReport, type ShrinkTarget } from '../../train/index.ts';
import { readImage } from '../decode-rgb.ts';
import { drawnImage } from '../draw-detections.ts';
import { writeFilesAtomic } from '../file.ts';
import { SIDES } from './compare-images.ts';
import { FILES } from './files.ts';
import { PRUNE_DETECTOR_DEFAULTS, type PrunedDetector } from './options.ts';
import type { DetectorRun } from './run.ts';

/** Longest side of the images in the page: two stand side by side in it. */
const LONGEST = 560;

/** Writes the page and, beside it, every number as JSON. */
export async function writePruningReport(run: DetectorRun, result: PrunedDetector): Promise<null> {
  const { folder, options, names, splits, size, batchSize, seed } = run;
  const { epochs, finetuneEpochs } = { ...PRUNE_DETECTOR_DEFAULTS, ...options };
  const { train, val, test } = splits;
  const rows: ImageRow[] = [];
  for (const image of result.images) rows.push(await imageRow(image, names));
  const facts: (readonly [string, string | number])[] = [
    ['model', options.model],
    ['data', options.data],
    ['classes', names.join(', ')],
    ['images', `${train.length} training, ${val.length} validation${test ? `, ${test.length} test` : ''}`],
    ['size', `${size} x ${size}`],
    ['batch size', batchSize],
    ['epochs of the dense model', epochs],
    ['epochs after each cut', finetuneEpochs],
    ['target', targetText(options.target)],
    ['threads', options.threads ?? "all of the machine's"],
  ];
  const report = runReport(
    {
      title: `${basename(options.model)}: a smaller detector for ${basename(options.data)}`,
      ...(options.command === undefined ? {} : { command: options.command }),
      ...(options.versions === undefined ? {} : { versions: options.versions }),
      seed,
      facts,
    },
    [
      ...pruningSections(result, rows),
      ...(result.notes.length === 0 ? [] : [{ title: 'Notes', text: result.notes.join('\n\n'), items: [] }]),
    ],
  );
  const { created } = report;
  const json = {
    command: options.command ?? null,
    created,
    model: options.model,
    data: options.data,
    ...result,
  };
  const encoder = new TextEncoder();
  writeFilesAtomic(
    [
      { path: folder.path(FILES.report), chunks: [encoder.encode(await renderReport(report))] },
      { path: folder.path(FILES.json), chunks: [encoder.encode(`${JSON.stringify(json, null, 2)}\n`)] },
    ],
    { force: true },
  );
  return null;
}

const UNITS = {
  parameters: 'parameters',
  macs: 'multiply-accumulates',
  fileSize: 'bytes of the file',
  latency: 'ms',
} as const;

/** `50 % of the multiply-accumulates`, `2,000,000 parameters` */
function targetText(target: ShrinkTarget): string {
  if ('ratio' in target) return `${percent(target.ratio)} of the channels of each layer go`;
  const [of, amount] = Object.entries(target)[0] as [keyof typeof UNITS, BudgetAmount];
  if ('value' in amount) return `${amount.value.toLocaleString('en-US')} ${UNITS[of]}`;
  return `${percent(amount.share)} of the ${of === 'latency' ? 'latency' : UNITS[of]}`;
}

const percent = (share: number): string => `${Number((100 * share).toPrecision(4))} %`;

async function imageRow(
  { path, dense, pruned }: PrunedDetector['images'][number],
  names: readonly string[],
): Promise<ImageRow> {
  const image = await readImage(path);
  const nameOf = (label: number): string => names[label] ?? String(label);
  const images: ReportImage[] = [];
  for (const side of SIDES) {
    const detections = side === 'dense' ? dense : pruned;
    const { bytes, width, height } = await drawnImage(image, detections, 'jpg', {
      nameOf,
      longest: LONGEST,
      quality: 82,
    });
    const told = countsOf(detections, nameOf);
    images.push({
      label: `${side}: ${told}`,
      alt: `${basename(path)} with the boxes that the ${side} model finds: ${told}`,
      width,
      height,
      source: imageSource(bytes),
    });
  }
  return { kind: 'images', title: basename(path), images };
}

/** `3 red, 1 white` */
function countsOf(detections: readonly Detection[], nameOf: (label: number) => string): string {
  const counts = new Map<number, number>();
  for (const { label } of detections) counts.set(label, (counts.get(label) ?? 0) + 1);
  if (counts.size === 0) return 'nothing';
  return [...counts]
    .sort((a, b) => b[1] - a[1] || a[0] - b[0])
    .map(([label, count]) => `${count} ${nameOf(label)}`)
    .join(', ');
}
