import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Generator } from '../../core/random.ts';
import { Tensor } from '../../core/tensor.ts';
import { COCO_ANCHORS } from '../../models/index.ts';
import type { LabelledBox } from '../box.ts';
import { detectionDataset } from '../dataset.ts';
import { anchorFit, autoAnchor, describeAnchors, kmeanAnchors } from './auto-anchor.ts';
import { kMeans } from './k-means.ts';

interface Fit {
  readonly seed: number;
  readonly count: number;
  readonly scale: number;
  readonly anchors: readonly number[];
  readonly threshold: number;
  readonly bpr: number;
  readonly aat: number;
}

const { fits } = JSON.parse(readFileSync(new URL('../testdata/schedule.json', import.meta.url), 'utf8')) as {
  readonly fits: readonly Fit[];
};

/** Sizes around some middles, a tenth of them to either side. */
function around(middles: readonly (readonly [number, number])[], each: number, seed = 1): Float32Array {
  const generator = new Generator(seed);
  return Float32Array.from(
    middles.flatMap((middle) =>
      Array.from({ length: each }, () =>
        middle.map((side) => side * (0.9 + 0.2 * generator.rand(1)[0]!)),
      ).flat(),
    ),
  );
}

describe('anchors', () => {
  it('fit boxes as autoanchor.py says', () => {
    for (const { seed, count, scale, anchors, threshold, bpr, aat } of fits) {
      const sizes = new Generator(seed).rand(2 * count).map((share) => share * scale + 2);
      const found = anchorFit(sizes, [anchors], threshold);
      expect(found.bpr).toBeCloseTo(bpr, 6);
      expect(found.aat).toBeCloseTo(aat, 6);
    }
  });

  it('fit by the larger of both ratios', () => {
    // 40 x 10 is four times as wide as 10 x 10: not below 4; 39 x 10 is.
    expect(anchorFit(Float32Array.of(40, 10), [[10, 10]])).toEqual({ bpr: 0, aat: 0 });
    expect(anchorFit(Float32Array.of(39, 10), [[10, 10, 20, 20]])).toEqual({ bpr: 1, aat: 2 });
  });

  it('are found where boxes gather', () => {
    const middles = [
      [8, 24],
      [40, 40],
      [150, 60],
    ] as const;
    const found = kmeanAnchors(around(middles, 40), {
      count: 3,
      generations: 100,
      generator: new Generator(2),
    });
    // Small areas first.
    middles.flat().forEach((side, index) => {
      expect(found[index]! / side).toBeCloseTo(1, 1);
    });
  });

  it('evolve to fit no worse, the same with the same seed', () => {
    const sizes = new Generator(3).rand(200).map((share) => share * 100 + 2);
    const run = (generations: number): number[] =>
      kmeanAnchors(sizes, {
        count: 4,
        generations,
        threshold: 2,
        generator: new Generator(7),
      });
    // Each box's nearest anchor by the larger ratio, where that is below 2.
    const fitness = (anchors: readonly number[]): number => {
      let sum = 0;
      for (let box = 0; box < sizes.length; box += 2) {
        const near = [0, 2, 4, 6].map((k) => {
          const [w, h] = [sizes[box]! / anchors[k]!, sizes[box + 1]! / anchors[k + 1]!];
          return Math.min(w, 1 / w, h, 1 / h);
        });
        const best = Math.max(...near);
        if (best > 0.5) sum += best;
      }
      return sum / (sizes.length / 2);
    };
    expect(run(300)).toEqual(run(300));
    expect(fitness(run(300))).toBeGreaterThan(fitness(run(0)) + 0.02);
  });

  it('begin at random where boxes are few or alike, and leave tiny ones out', () => {
    const few = kmeanAnchors(Float32Array.of(20, 20, 1, 1), {
      count: 2,
      generations: 200,
      generator: new Generator(1),
    });
    expect(few).toHaveLength(4);
    expect(few.every((side) => side >= 2 && Number.isFinite(side))).toBe(true);
    expect(anchorFit(Float32Array.of(20, 20), [few]).bpr).toBe(1);
    const alike = kmeanAnchors(new Float32Array(40).fill(9), {
      count: 3,
      generations: 10,
      generator: new Generator(1),
    });
    expect(alike).toHaveLength(6);
  });

  it('cannot be fitted to nothing', () => {
    expect(() => anchorFit(new Float32Array(0), COCO_ANCHORS)).toThrow(
      'anchorFit: expected widths and heights of one box at least, got 0 numbers',
    );
    expect(() => anchorFit(Float32Array.of(1, 1), COCO_ANCHORS, 1)).toThrow(
      'anchorFit: threshold expects a ratio above 1, got 1',
    );
  });
});

describe('clusters', () => {
  it('are the best of all beginnings', () => {
    const points = Float64Array.of(0, 0, 0, 1, 10, 0, 10, 1, 5, 20, 5, 21);
    const found = kMeans(points, 3, new Generator(0))!;
    const centres = [0, 1, 2].map((k) => [found[2 * k], found[2 * k + 1]]).sort((a, b) => a[0]! - b[0]!);
    expect(centres).toEqual([
      [0, 0.5],
      [5, 20.5],
      [10, 0.5],
    ]);
  });

  it('are none where points are the same', () => {
    expect(kMeans(new Float64Array(8), 2, new Generator(0))).toBeNull();
  });
});

describe('autoAnchor', () => {
  /** Images of 200 x 100 with boxes of some sizes. */
  const images = (sizes: readonly (readonly [number, number])[]) =>
    detectionDataset(
      sizes.map(([width, height]) => {
        const labels: LabelledBox[] = [{ label: 0, box: [0, 0, width, height] }];
        return { image: Tensor.zeros('uint8', [100, 200, 3]), labels };
      }),
      ['thing'],
    );

  it('keeps anchors that fit', async () => {
    const found = await autoAnchor(
      images([
        [20, 30],
        [60, 60],
        [100, 80],
      ]),
      COCO_ANCHORS,
      { imageSize: 640 },
    );
    expect(found).toEqual({
      anchors: COCO_ANCHORS,
      changed: false,
      before: { bpr: 1, aat: expect.any(Number) },
      after: found.before,
      boxes: 3,
    });
  });

  it('finds others where they do not, and the same ones each time', async () => {
    // At 64 pixels boxes of 1.3 x 2.6 and a little more.
    const dataset = images(Array.from({ length: 30 }, (_, index) => [4, 8 + (index % 3)] as const));
    const found = await autoAnchor(dataset, COCO_ANCHORS, { imageSize: 64 });
    expect(found.before.bpr).toBe(0);
    expect(found.changed).toBe(true);
    expect(found.after.bpr).toBe(1);
    expect(found.anchors.map((sizes) => sizes.length)).toEqual([6, 6, 6]);
    const areas = found.anchors
      .flat()
      .flatMap((side, index, all) => (index % 2 ? [side * all[index - 1]!] : []));
    expect(areas).toEqual([...areas].sort((a, b) => a - b));
    expect(await autoAnchor(dataset, COCO_ANCHORS, { imageSize: 64 })).toEqual(found);
  });

  it('is told in a sentence', () => {
    const fit = {
      anchors: COCO_ANCHORS,
      before: { bpr: 0.5, aat: 1 },
      after: { bpr: 0.995, aat: 3 },
      boxes: 2804,
    };
    expect(describeAnchors({ ...fit, changed: true })).toBe(
      'anchors were fitted anew to 2,804 boxes: there is one for 99.5 % of them, before for 50.0 %',
    );
    expect(describeAnchors({ ...fit, changed: false })).toBe(
      'anchors stay: there is one for 50.0 % of 2,804 boxes',
    );
  });

  it('says where there are no boxes', async () => {
    const empty = detectionDataset([{ image: Tensor.zeros('uint8', [10, 10, 3]), labels: [] }], ['thing']);
    await expect(autoAnchor(empty, COCO_ANCHORS, { imageSize: 64 })).rejects.toThrow(
      'autoAnchor: the images have no boxes to fit anchors to',
    );
  });
});
