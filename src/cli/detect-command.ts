import { existsSync, mkdirSync, statSync } from 'node:fs';
import { basename, extname, join, resolve } from 'node:path';
import { FileError, SecateurError } from '../core/errors.ts';
import type { Detection, Detector } from '../detect/index.ts';
import {
  DRAWN_EXTENSIONS,
  drawDetections,
  imagesIn,
  readImage,
  readYoloData,
  writeFileAtomic,
} from '../node/index.ts';
import type { DetectCommandOptions } from './detection-commands.ts';
import { openDetector } from './detector-model.ts';
import { isArchitecture } from './load.ts';
import { printJson } from './output.ts';
import { withProgress } from './progress.ts';
import { renderTable, withCommas } from './table.ts';
import { UsageError } from './usage-error.ts';

/** What was found in an image. */
interface Found {
  readonly path: string;
  readonly drawn: string;
  readonly height: number;
  readonly width: number;
  readonly detections: readonly Detection[];
}

interface Broken {
  readonly path: string;
  readonly reason: string;
}

/** `secateur detect MODEL IMAGE… -o FOLDER`: finds objects, draws them and writes them as JSON. */
export async function detectCommand(
  source: string,
  places: readonly string[],
  options: DetectCommandOptions,
): Promise<void> {
  const paths = [...new Set(places.flatMap(imagesAt))];
  const plan = drawnPaths(paths, options.output);
  const list = join(options.output, 'detections.json');
  requireWeights(source, options);
  requireOthers(plan);
  checkFolder(options, [list, ...plan.values()]);
  const names = options.names === undefined ? undefined : readYoloData(options.names).names;
  const { modelClasses: classes, weights, threads, size } = options;
  const { detector } = openDetector(
    source,
    {
      ...(weights === undefined ? {} : { weights }),
      ...(classes === undefined ? {} : { classes }),
    },
    { ...(names === undefined ? {} : { names }), ...(threads === undefined ? {} : { threads }) },
  );
  const only = options.classes?.map((word) => classOf(word, detector));
  // Before any image is read: sizes that the model does not take.
  detector.sizeFor(size);
  const begin = performance.now();
  const found: Found[] = [];
  const broken: Broken[] = [];
  makeFolder(options.output);
  try {
    await withProgress('finding objects', async (report) => {
      for (const [index, path] of paths.entries()) {
        const image = await readImage(path).catch((error: unknown) => {
          if (error instanceof SecateurError && error.code === 'engine') throw error;
          broken.push({ path, reason: error instanceof Error ? error.message : String(error) });
          return null;
        });
        if (image === null) continue;
        const [detections = []] = await detector.detect([image], {
          confThres: options.conf,
          iouThres: options.iou,
          maxDet: options.maxDet,
          agnostic: options.agnostic ?? false,
          ...(only === undefined ? {} : { classes: only }),
          ...(size === undefined ? {} : { size }),
        });
        const drawn = plan.get(path)!;
        await drawDetections(image, detections, drawn, {
          nameOf: (label) => detector.nameOf(label),
          force: options.force ?? false,
        });
        const [height = 0, width = 0] = image.shape;
        found.push({ path, drawn, height, width, detections });
        report((index + 1) / paths.length);
      }
    });
  } finally {
    await detector.dispose();
  }
  // One image alone is told by the error.
  if (paths.length > 1 || found.length > 0)
    for (const { path, reason } of broken) process.stderr.write(`secateur: ${path}: ${reason}\n`);
  if (found.length === 0) {
    const what = paths.length === 1 ? 'cannot be read' : `none of the ${paths.length} images can be read`;
    throw new FileError(paths[0]!, `${what}: ${broken[0]?.reason}`);
  }
  const report = jsonOf(source, found, broken, detector, options);
  writeFileAtomic(list, [new TextEncoder().encode(`${JSON.stringify(report, null, 2)}\n`)], {
    force: options.force ?? false,
  });
  if (options.json) {
    printJson(report);
    return;
  }
  const seconds = (performance.now() - begin) / 1000;
  const count = found.reduce((sum, { detections }) => sum + detections.length, 0);
  const lines = [
    renderTable(
      [{ title: 'image', flexible: true }, { title: 'objects', align: 'right' }, { title: 'what' }],
      found.map(({ path, detections }) => [
        path,
        withCommas(detections.length),
        summary(detections, detector),
      ]),
    ),
    '',
    `found               ${withCommas(count)} objects in ${withCommas(found.length)} images`,
    `written             ${found.length === 1 ? found[0]!.drawn : `${found.length} images in ${options.output}`}, ${list}`,
    `took                ${seconds.toFixed(1)} s`,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

/** The image at a path, or those of the folder. */
function imagesAt(place: string): string[] {
  if (!existsSync(place)) throw new FileError(place, 'cannot be read: there is no such file or folder');
  if (!statSync(place).isDirectory()) return [place];
  const images = imagesIn(place);
  if (images.length === 0) throw new FileError(place, 'holds no images');
  return images;
}

/** Where each image is drawn: under its own name, numbered where two have one, as a .jpg where its format is not written. */
function drawnPaths(paths: readonly string[], folder: string): Map<string, string> {
  const taken = new Set<string>();
  return new Map(
    paths.map((path) => {
      const ending = extname(path);
      const stem = basename(path, ending);
      const written = DRAWN_EXTENSIONS.includes(ending.toLowerCase()) ? ending : '.jpg';
      let name = `${stem}${written}`;
      for (let number = 2; taken.has(name.toLowerCase()); number++) name = `${stem}-${number}${written}`;
      taken.add(name.toLowerCase());
      return [path, join(folder, name)];
    }),
  );
}

function checkFolder({ output, force = false }: DetectCommandOptions, files: readonly string[]): void {
  if (existsSync(output) && !statSync(output).isDirectory()) {
    throw new FileError(output, 'is a file; expected a folder to write into');
  }
  const there = force ? undefined : files.find((file) => existsSync(file));
  if (there !== undefined) throw new FileError(there, 'exists already; --force writes over it');
}

/** An architecture by name starts from random weights, which find nothing. */
function requireWeights(source: string, { weights }: DetectCommandOptions): void {
  if (weights !== undefined || !isArchitecture(source)) return;
  throw new UsageError(
    `'${source}' is an architecture without trained weights; give a file of it instead, or its weights by --weights`,
  );
}

/** Images are not drawn over themselves, nor over each other's originals, whatever --force says. */
function requireOthers(plan: ReadonlyMap<string, string>): void {
  const originals = new Set([...plan.keys()].map((path) => resolve(path)));
  const over = [...plan.values()].find((drawn) => originals.has(resolve(drawn)));
  if (over === undefined) return;
  throw new UsageError(`--output: '${over}' is one of the images themselves; give another folder`);
}

function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (error) {
    throw new FileError(path, `cannot be made: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}

/** Number of a class by its name or number. */
function classOf(word: string, { names }: Detector): number {
  const known = names?.indexOf(word) ?? -1;
  if (known >= 0) return known;
  if (/^\d+$/.test(word) && (names === null || Number(word) < names.length)) return Number(word);
  throw new UsageError(
    `--classes: the model has no class '${word}'${names === null ? ' by name; give its number' : `; it has ${names.join(', ')}`}`,
  );
}

/** `2 person, 1 dog` */
function summary(detections: readonly Detection[], detector: Detector): string {
  const counts = new Map<number, number>();
  for (const { label } of detections) counts.set(label, (counts.get(label) ?? 0) + 1);
  return [...counts]
    .sort((a, b) => b[1] - a[1])
    .map(([label, count]) => `${count} ${detector.nameOf(label)}`)
    .join(', ');
}

function jsonOf(
  model: string,
  found: readonly Found[],
  broken: readonly Broken[],
  detector: Detector,
  { conf, iou, size }: DetectCommandOptions,
): object {
  return {
    model,
    confidence: conf,
    iou,
    size: detector.sizeFor(size),
    images: found.map(({ path, drawn, height, width, detections }) => ({
      path,
      drawn,
      height,
      width,
      detections: detections.map(({ box, confidence, label }) => ({
        label,
        name: detector.nameOf(label),
        confidence: Number(confidence.toFixed(6)),
        box: box.map((value) => Number(value.toFixed(2))),
      })),
    })),
    broken,
  };
}
