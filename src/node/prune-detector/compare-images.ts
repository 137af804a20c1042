import { mkdirSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import { type ComparedImage, type Detection, Detector } from '../../detect/index.ts';
import { readImage } from '../decode-rgb.ts';
import { drawDetections } from '../draw-detections.ts';
import { withPath } from '../file.ts';
import { readModel } from '../model.ts';
import { FILES, IMAGES } from './files.ts';
import { type DetectorRun, threadsOf } from './run.ts';

/** Models of which images are drawn, as the names of the images have it. */
export const SIDES = ['dense', 'pruned'] as const;

/** Path of a drawn image, in the folder of the run: its number keeps images of one name apart. */
const drawnName = (path: string, index: number, side: (typeof SIDES)[number]): string =>
  join(IMAGES, `${index + 1}-${basename(path, extname(path))}-${side}.png`);

/** Finds objects in some images with both models, and draws them: images spread over the test part, or over `val` where there is none. */
export async function compareImages(run: DetectorRun): Promise<readonly ComparedImage[]> {
  const { folder, splits, names, size } = run;
  const { images } = splits.test ?? splits.val;
  const count = Math.min(run.options.images ?? 6, images.length);
  const chosen = Array.from(
    { length: count },
    (_, index) => images[Math.floor((index * images.length) / count)]!,
  );
  if (chosen.length === 0) return [];
  withPath(folder.path(IMAGES), 'cannot be made', () => mkdirSync(folder.path(IMAGES), { recursive: true }));
  const found: Record<(typeof SIDES)[number], (readonly Detection[])[]> = { dense: [], pruned: [] };
  for (const side of SIDES) {
    const detector = new Detector(readModel(folder.path(FILES[side])), { names, ...threadsOf(run) });
    try {
      for (const [index, { path }] of chosen.entries()) {
        run.options.signal?.throwIfAborted();
        const image = await readImage(path);
        const [detections = []] = await detector.detect([image], { size });
        await drawDetections(image, detections, folder.path(drawnName(path, index, side)), {
          nameOf: (label) => detector.nameOf(label),
          force: true,
        });
        found[side].push(detections);
        run.tell({
          kind: 'progress',
          stage: 'images',
          title: `finding objects with ${FILES[side]}`,
          done: index + 1,
          total: count,
        });
      }
    } finally {
      await detector.dispose();
    }
  }
  return chosen.map(({ path, width, height }, index) => ({
    path,
    width,
    height,
    dense: found.dense[index]!,
    pruned: found.pruned[index]!,
  }));
}
