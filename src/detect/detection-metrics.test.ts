import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ArgumentError } from '../core/errors.ts';
import {
  type ApMethod,
  averagePrecision,
  type Box,
  ConfusionMatrix,
  type Detection,
  DetectionMetrics,
  evaluateDetections,
  type LabelledBox,
  matchDetections,
  matchDetectionsCoco,
} from './index.ts';

const at = (x: number, label = 0): LabelledBox => ({ label, box: [x, 0, x + 10, 10] });
const sure = (x: number, confidence: number, label = 0): Detection => ({ ...at(x, label), confidence });

describe('matchDetections', () => {
  it('gives a labelled box to the first detection that claims it', () => {
    const [half, , , , , , , , , close] = matchDetections([sure(1, 0.9), sure(0, 0.8)], [at(0)]);
    // The first overlaps 0.82, the second wholly; at 0.95 only that claims the box.
    expect([half, close]).toEqual([
      [true, false],
      [false, true],
    ]);
  });

  it('lets a detection claim only the box that it overlaps most', () => {
    const labels = [at(0), at(4)];
    // Both detections are closest to the second box: the first box stays without one.
    const detections = [sure(3, 0.9), sure(5, 0.8)];
    expect(matchDetections(detections, labels, [0.4])).toEqual([[true, false]]);
    // COCO gives the second detection what is left, where it overlaps enough.
    expect(matchDetectionsCoco([sure(3, 0.9), sure(2.5, 0.8)], labels, [0.4])).toEqual([[true, true]]);
    expect(matchDetections([sure(3, 0.9), sure(2.5, 0.8)], labels, [0.4])).toEqual([[true, false]]);
  });

  it('matches within a class', () => {
    expect(matchDetections([sure(0, 0.9, 1)], [at(0)], [0.5])).toEqual([[false]]);
    expect(matchDetectionsCoco([sure(0, 0.9, 1)], [at(0)], [0.5])).toEqual([[false]]);
  });

  it('is right for no more detections than there are boxes', () => {
    const spot = fc.tuple(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 1 }));
    fc.assert(
      fc.property(fc.array(spot, { maxLength: 8 }), fc.array(spot, { maxLength: 5 }), (some, others) => {
        const detections = some.map(([x, label], index) => sure(x, 1 - index / 10, label));
        const labels = others.map(([x, label]) => at(x, label));
        for (const match of [matchDetections, matchDetectionsCoco]) {
          const right = match(detections, labels);
          for (const [index, row] of right.entries()) {
            expect(row.length).toBe(detections.length);
            expect(row.filter(Boolean).length).toBeLessThanOrEqual(labels.length);
            const before = right[index - 1];
            if (before) expect(row.filter(Boolean).length).toBeLessThanOrEqual(before.filter(Boolean).length);
          }
        }
      }),
    );
  });
});

describe('averagePrecision', () => {
  it('is the area below the curve of the best precisions', () => {
    // One of two boxes found at once, the other after a mistake.
    expect(averagePrecision([0.5, 0.5, 1], [1, 0.5, 2 / 3], 'coco')).toBeCloseTo(
      (51 + 50 * (2 / 3)) / 101,
      9,
    );
    expect(averagePrecision([1], [1], 'coco')).toBe(1);
    // The straight line down to precision 0 at recall 1 takes half of the last step.
    expect(averagePrecision([1], [1])).toBeCloseTo(0.995, 9);
    expect(averagePrecision([], [])).toBeCloseTo(0.5, 9);
    expect(averagePrecision([], [], 'coco')).toBe(0);
  });

  it('refuses curves of different lengths and another method', () => {
    expect(() => averagePrecision([1], [])).toThrow(
      new ArgumentError('averagePrecision: expected recall and precision of one length, got 1 and 0'),
    );
    expect(() => averagePrecision([1], [1], 'voc' as ApMethod)).toThrow(
      "averagePrecision: expected the method 'ultralytics' or 'coco', got 'voc'",
    );
  });
});

describe('evaluateDetections', () => {
  it('is as good as can be for detections that are the labels', () => {
    const images = [0, 1, 2].map((image) => ({
      labels: [at(0, image % 2), at(50, 1)],
      detections: [sure(0, 0.9, image % 2), sure(50, 0.8, 1)],
    }));
    const result = evaluateDetections(images, ['a', 'b', 'c']);
    expect(result.map50).toBeCloseTo(0.995, 9);
    expect(result.map).toBeCloseTo(0.995, 9);
    expect([result.precision, result.recall]).toEqual([1, 1]);
    expect([result.images, result.instances]).toEqual([3, 6]);
    expect(result.classes.map(({ name, instances }) => [name, instances])).toEqual([
      ['a', 2],
      ['b', 4],
    ]);
    expect(result.confusion).toEqual([
      [2, 0, 0, 0],
      [0, 4, 0, 0],
      [0, 0, 0, 0],
      [0, 0, 0, 0],
    ]);
    const coco = evaluateDetections(images, 3, { method: 'coco' });
    expect([coco.map50, coco.map]).toEqual([1, 1]);
  });

  it('is 0 where nothing is right, and where nothing is labelled', () => {
    const wrong = evaluateDetections([{ labels: [at(0)], detections: [sure(80, 0.9)] }], 1);
    expect([wrong.map50, wrong.precision, wrong.recall, wrong.f1]).toEqual([0, 0, 0, 0]);
    const nothing = evaluateDetections([{ labels: [], detections: [sure(80, 0.9)] }], 1);
    expect([nothing.map, nothing.instances, nothing.classes.length]).toEqual([0, 0, 0]);
    const unseen = evaluateDetections([{ labels: [at(0)], detections: [] }], 1);
    expect([unseen.map, unseen.classes[0]!.recall]).toEqual([0, 0]);
  });

  it('finds the confidence that separates right from wrong', () => {
    const images = Array.from({ length: 20 }, (_, image) => ({
      labels: [at(0)],
      detections: [sure(0, 0.7 + image / 100), sure(60, 0.1 + image / 100)],
    }));
    const { confidence, f1, curves } = evaluateDetections(images, 1);
    expect(confidence).toBeGreaterThan(0.29);
    expect(confidence).toBeLessThan(0.71);
    expect(f1).toBeGreaterThan(0.99);
    const [own] = curves.classes;
    expect(own!.precision[0]).toBeCloseTo(0.5, 2);
    expect([own!.recall[0], own!.recall.at(-1), own!.precision.at(-1)]).toEqual([1, 0, 1]);
    expect(curves.steps.length).toBe(1000);
  });

  it('falls when wrong detections of high confidence are added', () => {
    const boxes = fc.array(fc.integer({ min: 0, max: 50 }), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(boxes, fc.integer({ min: 1, max: 5 }), (places, mistakes) => {
        const labels = places.map((place) => at(place * 20));
        const detections = places.map((place, index) => sure(place * 20, 0.5 - index / 100));
        const wrong = Array.from({ length: mistakes }, (_, index) => sure(5000 + index * 20, 0.9));
        for (const method of ['ultralytics', 'coco'] as const) {
          const before = evaluateDetections([{ labels, detections }], 1, { method });
          const after = evaluateDetections([{ labels, detections: [...wrong, ...detections] }], 1, {
            method,
          });
          expect(after.map).toBeLessThan(before.map);
        }
      }),
      { numRuns: 25 },
    );
  });

  it('looks at a hundred detections of an image and class as COCO does', () => {
    const many = Array.from({ length: 100 }, (_, index) => sure(100 + index * 20, 0.9));
    const image = { labels: [at(0)], detections: [...many, sure(0, 0.5)] };
    expect(evaluateDetections([image], 1, { method: 'coco' }).map50).toBe(0);
    expect(evaluateDetections([image], 1).map50).toBeGreaterThan(0);
  });

  it('refuses classes that are not there, and adds nothing', () => {
    const metrics = new DetectionMetrics(2);
    expect(() => metrics.add([sure(0, 1, 2)], [at(0)])).toThrow(
      new ArgumentError('DetectionMetrics: there is no class 2; the classes are 0 to 1'),
    );
    expect(() => metrics.add([], [at(0, -1)])).toThrow(ArgumentError);
    expect([metrics.compute().images, metrics.compute().instances]).toEqual([0, 0]);
    expect(() => new DetectionMetrics([])).toThrow(
      new ArgumentError('ConfusionMatrix: expected a number of classes from 1 on, got 0'),
    );
    expect(() => new DetectionMetrics(1, { method: 'voc' as ApMethod })).toThrow(
      "DetectionMetrics: expected the method 'ultralytics' or 'coco', got 'voc'",
    );
  });
});

describe('ConfusionMatrix', () => {
  const far: Box = [500, 500, 510, 510];

  it('counts what was taken for what, what was missed and what is not there', () => {
    const matrix = new ConfusionMatrix(2);
    matrix.add([sure(0, 0.9, 1), { label: 0, confidence: 0.8, box: far }], [at(0, 0), at(100, 1)]);
    expect(matrix.counts).toEqual([
      [0, 0, 1],
      [1, 0, 0],
      [0, 1, 0],
    ]);
  });

  it('passes over detections of little confidence', () => {
    const matrix = new ConfusionMatrix(1);
    matrix.add([sure(0, 0.25)], [at(0)]);
    expect(matrix.counts).toEqual([
      [0, 0],
      [1, 0],
    ]);
  });

  it('counts detections without a partner in images without any where it is asked to', () => {
    const detections = [{ label: 0, confidence: 0.8, box: far }];
    const [as, all] = [new ConfusionMatrix(1), new ConfusionMatrix(1, { everyImage: true })];
    as.add(detections, [at(0)]);
    all.add(detections, [at(0)]);
    expect([as.counts[0]![1], all.counts[0]![1]]).toEqual([0, 1]);
  });

  it('pairs the closest, each once', () => {
    const matrix = new ConfusionMatrix(2);
    matrix.add([sure(2, 0.9, 0), sure(0, 0.8, 1)], [at(0, 1)]);
    expect(matrix.counts[1]![1]).toBe(1);
    expect(matrix.counts[0]![2]).toBe(1);
  });
});
