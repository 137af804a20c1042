import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { exportDetector } from '../src/detect/index.ts';
import { squares, tinyDetector } from '../src/detect/training/testdata/tiny-detector.ts';
import { writeModel } from '../src/node/index.ts';

/** Anchors that fit the squares. */
const ANCHORS = [
  [16, 16, 24, 24, 24, 32],
  [32, 24, 32, 32, 40, 40],
  [48, 48, 56, 56, 64, 64],
];

/** Writes a data set of squares with its yaml, `data.yaml`: so many images of each part, beginning with the same for the same number. */
export async function writeSquares(
  folder: string,
  counts: Readonly<Partial<Record<'train' | 'val' | 'test', number>>>,
): Promise<void> {
  for (const [seed, [split, count]] of Object.entries(counts).entries()) {
    for (const kind of ['images', 'labels']) mkdirSync(join(folder, kind, split), { recursive: true });
    const dataset = squares(count, seed + 1);
    for (let index = 0; index < count; index++) {
      const { image, labels } = (await dataset.get(index))!;
      await sharp(image.data as Uint8Array, { raw: { width: 64, height: 64, channels: 3 } }).toFile(
        join(folder, 'images', split, `${index}.png`),
      );
      const lines = labels.map(({ label, box: [x1, y1, x2, y2] }) =>
        [label, (x1 + x2) / 128, (y1 + y2) / 128, (x2 - x1) / 64, (y2 - y1) / 64].join(' '),
      );
      writeFileSync(join(folder, 'labels', split, `${index}.txt`), `${lines.join('\n')}\n`);
    }
  }
  const parts = Object.keys(counts).map((split) => `${split}: images/${split}\n`);
  writeFileSync(join(folder, 'data.yaml'), `${parts.join('')}names: [red, blue]\n`);
}

/** Writes a small detector of the squares' classes, fresh, as an ONNX file with decoded boxes. */
export const writeTinyDetector = (path: string): void =>
  writeModel(
    exportDetector(tinyDetector().eval(), { anchors: ANCHORS, names: ['red', 'blue'], size: 64 }),
    path,
  );
