import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Graph } from '../ir/index.ts';
import { readImage, readModel, readTrainedModel, readYoloData, yoloDataset } from '../node/index.ts';
import { foldBatchNorm } from '../passes/index.ts';
import type { Detection } from './box.ts';
import { Detector, evaluateDetector, exportDetector, letterbox, resizePixels } from './index.ts';

const SHARED = new URL('../../../shared/', import.meta.url);
const place = (name: string): string => fileURLToPath(new URL(name, SHARED));

const MODEL = place('data/onnx/yolov5n.onnx');
const CHECKPOINT = place('data/weights/yolov5n.pt');
const GOLDEN = place('golden/yolov5n-coco8.json');

interface Known {
  readonly cls: number;
  readonly conf: number;
  readonly box: readonly number[];
}

const ofCheckpoint = (): Graph => {
  const { module, names } = readTrainedModel(CHECKPOINT);
  return exportDetector(module, { names });
};

/** Why: `shared` lies beside the checkout, and not everywhere. */
describe.skipIf(!existsSync(MODEL) || !existsSync(GOLDEN)).each([
  ["Ultralytics' export", () => readModel(MODEL)],
  ['the checkpoint', ofCheckpoint],
])('YOLOv5n on COCO8, %s (skipped where ../shared is absent)', (_, open) => {
  let detector: Detector;
  beforeAll(() => {
    detector = new Detector(open(), { threads: 1 });
  });
  afterAll(() => detector.dispose());

  it('finds what Ultralytics finds', async () => {
    const golden = JSON.parse(readFileSync(GOLDEN, 'utf8')) as Record<string, readonly Known[]>;
    expect(detector.names?.slice(0, 2)).toEqual(['person', 'bicycle']);
    const told: string[] = [];
    for (const [name, known] of Object.entries(golden)) {
      const image = await readImage(place(`data/coco8/images/${name}`));
      const [found] = (await detector.detect([image])) as [Detection[]];
      expect(found.length, name).toBe(known.length);
      found.forEach(({ box, confidence, label }, index) => {
        const { cls, conf, box: corners } = known[index]!;
        const gap = Math.max(...box.map((value, corner) => Math.abs(value - corners[corner]!)));
        if (label !== cls || Math.abs(confidence - conf) > 0.005 || gap > 1)
          told.push(`${name} ${index}: ${label} ${confidence} ${box.join()}`);
      });
    }
    expect(told).toEqual([]);
  }, 60_000);

  it.each([
    ['val', 0.709, 0.484],
    ['train', 0.856, 0.619],
  ] as const)(
    'has the mAP of val.py for the checkpoint on %s, though the export takes one size',
    async (split, map50, map) => {
      const dataset = await yoloDataset(readYoloData(place('data/coco8/coco8.yaml')), split);
      const result = await evaluateDetector(detector, dataset);
      expect(Math.abs(result.map50 - map50)).toBeLessThanOrEqual(0.002);
      expect(Math.abs(result.map - map)).toBeLessThanOrEqual(0.002);
    },
    60_000,
  );

  it('runs at other sizes than it was exported for, as many boxes as pixels', async () => {
    expect(detector.takesAnySize).toBe(true);
    const image = await readImage(place('data/coco8/images/train/000000000034.jpg'));
    const output = await detector.predict([resizePixels(image, [256, 384])]);
    expect(output.shape).toEqual([1, (25_200 * 256 * 384) / 640 ** 2, 85]);
    const [found] = (await detector.detect([image], { size: [448, 640] })) as [Detection[]];
    expect(found.map(({ label }) => detector.nameOf(label))).toEqual(['zebra']);
    found[0]!.box.forEach((value, corner) => {
      expect(Math.abs(value - [0, 18, 441, 385][corner]!)).toBeLessThan(8);
    });
  }, 60_000);
});

describe.skipIf(!existsSync(MODEL))(
  'the checkpoint, exported as Ultralytics does (skipped where ../shared is absent)',
  () => {
    it('gives the boxes and scores of their export, and says of itself what that says', async () => {
      const [ours, theirs] = [foldBatchNorm(ofCheckpoint()).graph, readModel(MODEL)];
      for (const key of ['names', 'stride'])
        expect(ours.meta.metadata.get(key)).toBe(theirs.meta.metadata.get(key));
      const detectors = [ours, theirs].map((graph) => new Detector(graph, { threads: 1 }));
      const image = await readImage(place('data/coco8/images/val/000000000061.jpg'));
      const boxed = letterbox(image, { size: [640, 640] }).image;
      const [a, b] = await Promise.all(detectors.map((each) => each.predict([boxed])));
      for (const each of detectors) await each.dispose();
      let [box, score] = [0, 0];
      a!.float32.forEach((value, at) => {
        const gap = Math.abs(value - b!.float32[at]!);
        if (at % 85 < 4) box = Math.max(box, gap);
        else score = Math.max(score, gap);
      });
      expect(box).toBeLessThan(1e-3);
      expect(score).toBeLessThan(1e-4);
    }, 60_000);
  },
);
