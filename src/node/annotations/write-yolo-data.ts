import { randomUUID } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { stringify } from 'yaml';
import { FileError } from '../../core/errors.ts';
import { type WriteOptions, withPath } from '../file.ts';
import { labelPath, type YoloSplit } from '../yolo-data.ts';

/** An image of a YOLO data set that is to be written. */
export interface YoloEntry {
  /** Path of the image as it is there. */
  readonly image: string;
  readonly part: YoloSplit;
  /** What its label file says. */
  readonly text: string;
}

/** How images come into a data set: as links, as copies, or not, where they lie in its folder already. */
export type ImageMode = 'link' | 'copy' | 'none';

/** What `writeYoloData` makes. */
export interface WrittenYoloData {
  /** Path of the data yaml. */
  readonly yaml: string;
}

const YAML = 'data.yaml';
/** In the order they are told. */
export const PARTS: readonly YoloSplit[] = ['train', 'val', 'test'];

/** Texts are quoted: to PyYAML, by which YOLOv5 reads, `no`, `12:30` and `=` are none. */
const YAML_STYLE = { defaultStringType: 'QUOTE_DOUBLE', defaultKeyType: 'PLAIN', lineWidth: 0 } as const;

const COMMENT = ` Written by secateur convert-labels. YOLOv5's own train.py takes 'path' from its own folder:
 write the whole path there for it.
`;

/** Throws FileError where there is a data set already and `force` is not given, or the folder cannot be made. */
export function checkYoloFolder(folder: string, { force = false }: WriteOptions = {}): void {
  if (!existsSync(folder)) {
    const parent = dirname(resolve(folder));
    if (!existsSync(parent)) {
      throw new FileError(folder, `cannot be written: there is no folder '${dirname(folder)}'`);
    }
    return;
  }
  if (!statSync(folder).isDirectory()) throw new FileError(folder, 'cannot be written: it is not a folder');
  const there = [YAML, 'labels', ...PARTS.map((part) => `${part}.txt`)].find((name) =>
    existsSync(join(folder, name)),
  );
  if (!force && there !== undefined) {
    throw new FileError(
      join(folder, there),
      'exists already and is not written over; pass force (--force) to replace it',
    );
  }
}

/**
 * Where the image and label of each entry go, from the folder on: `images/train/a.jpg` and `labels/train/a.txt`, numbered where two images of a part have one name. With `none`, where they lie.
 *
 * Throws FileError for an image that does not lie in `images` of the folder, where it is to stay: YOLO would look for its labels elsewhere.
 */
function placesOf(
  entries: readonly YoloEntry[],
  folder: string,
  mode: ImageMode,
): readonly { readonly image: string; readonly label: string }[] {
  if (mode === 'none') {
    const root = realpathSync(dirname(resolve(folder)));
    const home = join(root, basename(resolve(folder)));
    return entries.map(({ image }) => {
      const path = relative(home, realpathSync(image));
      if (path.split(sep)[0] !== 'images') {
        throw new FileError(
          image,
          `does not lie in '${join(folder, 'images')}', and YOLO looks for labels in 'labels' beside 'images'; link or copy the images (--images link)`,
        );
      }
      return { image: path, label: labelPath(join(sep, path)).slice(1) };
    });
  }
  const taken = new Set<string>();
  return entries.map(({ image, part }) => {
    const name = basename(image);
    const dot = name.lastIndexOf('.');
    const [stem, ending] = [name.slice(0, dot), name.slice(dot)];
    let own = stem;
    for (let number = 2; taken.has(`${part}/${own.toLowerCase()}`); number++) own = `${stem}-${number}`;
    taken.add(`${part}/${own.toLowerCase()}`);
    return { image: join('images', part, `${own}${ending}`), label: join('labels', part, `${own}.txt`) };
  });
}

/**
 * Writes a YOLO data set: label files, lists of the images of each part, and `data.yaml`, which comes last. All is written beside the folder first, so that it appears whole where the folder was not there; with
 * `force` files of the same names are replaced and others stay.
 *
 * Throws FileError where that fails; nothing is left beside then.
 */
export function writeYoloData(
  folder: string,
  entries: readonly YoloEntry[],
  names: readonly string[],
  options: WriteOptions & { readonly images?: ImageMode } = {},
): WrittenYoloData {
  const { images: mode = 'link' } = options;
  checkYoloFolder(folder, options);
  const places = placesOf(entries, folder, mode);
  const target = resolve(folder);
  const staging = join(dirname(target), `.${basename(target)}.${randomUUID()}.tmp`);
  return withPath(folder, 'cannot be written', () => {
    try {
      mkdirSync(staging);
      entries.forEach(({ image, text }, index) => {
        const place = places[index]!;
        put(join(staging, place.label), (path) => writeFileSync(path, text));
        if (mode === 'none') return;
        put(join(staging, place.image), (path) => {
          if (mode === 'copy') copyFileSync(image, path);
          else linkTo(image, path, join(target, place.image));
        });
      });
      const present = PARTS.filter((part) => entries.some((entry) => entry.part === part));
      for (const part of present) {
        const list = places.flatMap(({ image }, index) =>
          entries[index]!.part === part ? [`./${image.split(sep).join('/')}\n`] : [],
        );
        writeFileSync(join(staging, `${part}.txt`), list.sort().join(''));
      }
      const content = {
        path: '.',
        ...Object.fromEntries(present.map((part) => [part, `${part}.txt`])),
        names,
      };
      writeFileSync(
        join(staging, YAML),
        `${COMMENT.replace(/^(?=.)/gm, '#')}${stringify(content, YAML_STYLE)}`,
      );
      if (existsSync(target)) moveInto(staging, target);
      else renameSync(staging, target);
    } finally {
      rmSync(staging, { recursive: true, force: true });
    }
    return { yaml: join(folder, YAML) };
  });
}

function put(path: string, write: (path: string) => void): void {
  mkdirSync(dirname(path), { recursive: true });
  write(path);
}

/** Makes a link that holds once it stands at `target`. Where the system refuses links to those who are no administrators, a copy. */
function linkTo(image: string, path: string, target: string): void {
  try {
    symlinkSync(relative(dirname(target), realpathSync(image)), path);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EPERM')) throw error;
    copyFileSync(image, path);
  }
}

/** Moves the files of a folder into another that is there, file by file, the yaml last. */
function moveInto(from: string, to: string): void {
  const entries = readdirSync(from, { withFileTypes: true }).sort(
    (a, b) => Number(a.name === YAML) - Number(b.name === YAML),
  );
  for (const entry of entries) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory() && existsSync(target)) moveInto(source, target);
    else renameSync(source, target);
  }
}
