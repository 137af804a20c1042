import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Tensor } from '../core/tensor.ts';
import {
  type Box,
  boxIou,
  type Detection,
  evaluateDetections,
  type LabelledBox,
  letterbox,
  type NmsOptions,
  nonMaxSuppression,
} from './index.ts';

/** Results of YOLOv5 7.0, OpenCV and pycocotools; testdata/generate.py makes them. */
const reference = JSON.parse(
  readFileSync(new URL('./testdata/reference.json', import.meta.url), 'utf8'),
) as Reference;

interface Reference {
  readonly overlaps: readonly {
    a: Box;
    b: Box;
    iou: number;
    giou: number;
    diou: number;
    ciou: number;
  }[];
  readonly suppressions: readonly {
    prediction: readonly (readonly number[])[];
    options: Readonly<Record<string, never>>;
    found: readonly (readonly number[])[];
  }[];
  readonly letterboxes: readonly {
    height: number;
    width: number;
    options: {
      new_shape: number | [number, number];
      auto?: boolean;
      scaleFill?: boolean;
      scaleup?: boolean;
      stride?: number;
    };
    shape: readonly number[];
    ratio: readonly number[];
    pad: readonly number[];
    sum: number;
    row: readonly number[];
  }[];
  readonly images: readonly { labels: readonly LabelledBox[]; detections: readonly Detection[] }[];
  readonly val: {
    classes: number[];
    precision: number[];
    recall: number[];
    f1: number[];
    ap: number[][];
    confusion: number[][];
  };
  readonly coco: { map: number; map50: number };
}

const NAMES = ['a', 'b', 'c', 'd'];

describe('beside YOLOv5 and pycocotools', () => {
  it.each(['iou', 'giou', 'diou', 'ciou'] as const)('computes %s', (kind) => {
    expect(reference.overlaps.length).toBeGreaterThan(8);
    for (const pair of reference.overlaps) expect(boxIou(pair.a, pair.b, kind)).toBeCloseTo(pair[kind], 9);
  });

  it('suppresses the same boxes', () => {
    expect(reference.suppressions.length).toBe(12);
    for (const { prediction, options, found } of reference.suppressions) {
      const input = new Tensor(
        'float32',
        [1, prediction.length, prediction[0]!.length],
        Float32Array.from(prediction.flat()),
      );
      const given: Record<string, unknown> = {};
      for (const [name, value] of Object.entries(options))
        given[name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase())] = value;
      const [detections] = nonMaxSuppression(input, given as NmsOptions);
      const rows = detections!.map(({ box, confidence, label }) =>
        [...box, confidence].map((value) => Number(value.toFixed(4))).concat(label),
      );
      expect(rows.length, JSON.stringify(options)).toBe(found.length);
      rows.forEach((row, index) => {
        row.forEach((value, place) => {
          expect(Math.abs(value - found[index]![place]!)).toBeLessThan(2e-4);
        });
      });
    }
  });

  it('letterboxes with the same sizes, edges and pixels', () => {
    for (const { height, width, options, shape, ratio, pad, sum, row } of reference.letterboxes) {
      const data = Uint8Array.from({ length: height * width * 3 }, (_, at) => {
        const [c, x, y] = [at % 3, Math.floor(at / 3) % width, Math.floor(at / 3 / width)];
        return (x * 7 + y * 13 + c * 50 + x * y) % 256;
      });
      const { new_shape: size, ...rest } = options;
      const found = letterbox(new Tensor('uint8', [height, width, 3], data), { size, ...rest });
      const what = `${height} x ${width} ${JSON.stringify(options)}`;
      expect(found.image.shape, what).toEqual(shape);
      expect(found.pad, what).toEqual(pad);
      found.ratio.forEach((value, axis) => {
        expect(value, what).toBeCloseTo(ratio[axis]!, 9);
      });
      const pixels = found.image.data as Uint8Array;
      const start = Math.floor(shape[0]! / 2) * shape[1]!;
      row.forEach((value, x) => {
        expect(Math.abs(pixels[(start + x) * 3 + 1]! - value), what).toBeLessThanOrEqual(1);
      });
      // Enlarging may be off by a level in one byte of a hundred.
      const total = pixels.reduce((all, value) => all + value, 0);
      expect(Math.abs(total - sum) / pixels.length, what).toBeLessThan(0.02);
    }
  });

  it('judges as val.py', () => {
    const result = evaluateDetections(reference.images, NAMES);
    const { val } = reference;
    expect(result.images).toBe(14);
    expect(result.classes.map(({ label }) => label)).toEqual(val.classes);
    expect(result.confusion).toEqual(val.confusion);
    result.classes.forEach((own, index) => {
      expect(own.precision).toBeCloseTo(val.precision[index]!, 5);
      expect(own.recall).toBeCloseTo(val.recall[index]!, 5);
      expect(own.f1).toBeCloseTo(val.f1[index]!, 5);
      own.ap.forEach((value, threshold) => {
        expect(value).toBeCloseTo(val.ap[index]![threshold]!, 5);
      });
    });
    const mean = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0) / list.length;
    expect(result.map).toBeCloseTo(mean(val.ap.map(mean)), 5);
    expect(result.map50).toBeCloseTo(mean(val.ap.map(([first]) => first!)), 5);
  });

  it('judges as pycocotools', () => {
    const result = evaluateDetections(reference.images, NAMES, { method: 'coco' });
    expect(result.map).toBeCloseTo(reference.coco.map, 9);
    expect(result.map50).toBeCloseTo(reference.coco.map50, 9);
    // Not the same numbers by chance.
    expect(Math.abs(evaluateDetections(reference.images, NAMES).map50 - result.map50)).toBeGreaterThan(1e-3);
  });
});
