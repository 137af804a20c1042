import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { FileError, FormatError } from '../core/errors.ts';
import { type Cifar10Options, cifar10, type TensorDataset } from '../data/index.ts';
import { readBytes, withPath } from './file.ts';
import { decodePixels, loadSharp } from './image-folder-decode.ts';

/** Pixels of a row: an image of 32x32. */
const PIXELS = 1024;
/** The batches from here on are the test images. */
const FIRST_TEST_BATCH = 50;
const BATCH = /^cifar10_batch_(\d+)\.png$/;
const LABELS = 'labels.json';

/** Options of `readCifar10Png`. */
export interface Cifar10PngOptions extends Cifar10Options {
  /** The training images (batches below 50), or the test images (50 and above). Default true. */
  readonly train?: boolean;
}

/** Numbers of the batches in a folder, those of one half, sorted. Empty where it has none, or no labels. */
export function cifar10PngBatches(directory: string, train: boolean): number[] {
  if (!existsSync(join(directory, LABELS))) return [];
  return withPath(directory, 'cannot be read', () => readdirSync(directory))
    .flatMap((name) => {
      const number = BATCH.exec(name)?.[1];
      return number === undefined ? [] : [Number(number)];
    })
    .filter((number) => number < FIRST_TEST_BATCH === train)
    .sort((a, b) => a - b);
}

/**
 * Reads CIFAR-10 from the PNG batches of a folder, `cifar10_batch_<number>.png` beside `labels.json`, as tfjs's examples have them: each row of a PNG is one
 * image, its 1,024 pixels in order; the labels of a batch are an array under its number. Gives float32[N, 3, 32, 32] and int64[N].
 *
 * Throws FileError where there are no such files, FormatError where labels and rows do not fit each other, EngineError where sharp, which decodes,
 * is not installed.
 */
export async function readCifar10Png(
  directory: string,
  options: Cifar10PngOptions = {},
): Promise<TensorDataset> {
  const { train = true } = options;
  const batches = cifar10PngBatches(directory, train);
  if (batches.length === 0) {
    const which = train ? `below ${FIRST_TEST_BATCH}` : `from ${FIRST_TEST_BATCH} on`;
    throw new FileError(
      directory,
      `holds no CIFAR-10 in PNG; expected ${LABELS} and cifar10_batch_<number>.png, numbers ${which}`,
    );
  }
  const sharp = await loadSharp('readCifar10Png');
  const labels = parseLabels(readBytes(join(directory, LABELS)));
  const parts = await Promise.all(
    batches.map(async (number) => {
      const path = join(directory, `cifar10_batch_${number}.png`);
      const image = await decodePixels(sharp, path).catch((error: Error) => {
        throw new FormatError('CIFAR-10', `${path}: ${error.message}`, {}, { cause: error });
      });
      const [rows, width, channels] = image.shape as [number, number, number];
      const own = labels.get(String(number));
      if (width !== PIXELS || channels !== 3 || own?.length !== rows) {
        throw new FormatError(
          'CIFAR-10',
          `${path}: ${rows} rows of ${width} pixels in ${channels} channels, and ${own?.length ?? 'no'} labels; expected ${PIXELS} pixels in 3 channels, and a label per row`,
        );
      }
      return { pixels: planesOfRows(image.bytes), labels: own };
    }),
  );
  return cifar10(
    Buffer.concat(parts.map(({ pixels }) => pixels)),
    Uint8Array.from(parts.flatMap((part) => part.labels)),
    options,
  );
}

/** Rows of RGB pixels as red, green and blue planes. */
function planesOfRows(rows: Uint8Array): Uint8Array {
  const planes = new Uint8Array(rows.length);
  for (let start = 0; start < rows.length; start += 3 * PIXELS) {
    for (let i = 0; i < PIXELS; i++) {
      for (let channel = 0; channel < 3; channel++) {
        planes[start + channel * PIXELS + i] = rows[start + 3 * i + channel]!;
      }
    }
  }
  return planes;
}

function parseLabels(bytes: Uint8Array): Map<string, number[]> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    throw new FormatError('CIFAR-10', `${LABELS} is no JSON: ${String(error)}`, {}, { cause: error });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new FormatError('CIFAR-10', `${LABELS} is no object of arrays`);
  }
  return new Map(
    Object.entries(value).map(([batch, labels]: [string, unknown]) => {
      if (!isLabels(labels)) {
        throw new FormatError('CIFAR-10', `${LABELS} is no array of the numbers 0 to 9`, { field: batch });
      }
      return [batch, labels];
    }),
  );
}

const isLabels = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((label) => Number.isInteger(label) && label >= 0 && label < 10);
