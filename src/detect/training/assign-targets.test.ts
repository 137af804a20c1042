import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assignTargets, LABEL_SIZE, type TargetGrid, type TargetMatch } from './assign-targets.ts';
import { parseLossCases } from './testdata/loss-cases.ts';

const lossCases = parseLossCases(readFileSync(new URL('../testdata/loss.json', import.meta.url), 'utf8'));

const share = fc.float({ min: 0, max: 1, noNaN: true });
const labels = fc
  .array(fc.tuple(fc.nat(4), share, share, share, share), { maxLength: 6 })
  .map((rows) => Float32Array.from(rows.flat()));
const side = fc.integer({ min: 1, max: 12 });
const grids = fc
  .tuple(
    side,
    side,
    fc.array(fc.tuple(fc.float({ min: 0.5, max: 8 }), fc.float({ min: 0.5, max: 8 })), {
      minLength: 1,
      maxLength: 4,
    }),
  )
  .map(([height, width, anchors]): TargetGrid => ({ height, width, anchors: anchors.flat() }));
const images = fc.array(labels, { minLength: 1, maxLength: 3 });

/** The label that a match is of, by its image and box. */
const rowsOf = (found: Float32Array): number[][] =>
  Array.from({ length: found.length / LABEL_SIZE }, (_, row) => [
    ...found.subarray(row * LABEL_SIZE, (row + 1) * LABEL_SIZE),
  ]);

const place = ({ image, anchor, row, column }: TargetMatch): string => [image, anchor, row, column].join(' ');

describe('assignTargets', () => {
  it.each(lossCases)('gives the matches of YOLOv5, in its order: $name', (given) => {
    const images = given.labels.map((rows) => Float32Array.from(rows.flat()));
    given.strides.forEach((stride, map) => {
      const grid = {
        anchors: given.anchors[map]!.map((size) => size / stride),
        height: given.size[0] / stride,
        width: given.size[1] / stride,
      };
      const matches = assignTargets(images, grid, given.hyperparameters.anchor_t ?? 4);
      const rows = matches.map(({ image, anchor, row, column, label, box }) => [
        image,
        anchor,
        row,
        column,
        label,
        ...box.map((number) => Number(number.toPrecision(7))),
      ]);
      expect(rows).toEqual(given.matches[map]);
    });
  });

  it('keeps matches on the map, boxes near their cell, and sides within the ratio', () => {
    fc.assert(
      fc.property(images, grids, fc.float({ min: 2, max: 6 }), (given, grid, threshold) => {
        for (const { image, anchor, row, column, box, label } of assignTargets(given, grid, threshold)) {
          const own = rowsOf(given[image]!);
          expect(own.map(([name]) => name)).toContain(label);
          expect(row >= 0 && row < grid.height && column >= 0 && column < grid.width).toBe(true);
          const [x, y, width, height] = box;
          for (const offset of [x, y]) expect(offset >= -0.5 - 1e-5 && offset <= 1.5 + 1e-5).toBe(true);
          const sides = [width / grid.anchors[2 * anchor]!, height / grid.anchors[2 * anchor + 1]!];
          for (const ratio of sides) expect(Math.max(ratio, 1 / ratio)).toBeLessThan(threshold * (1 + 1e-6));
        }
      }),
    );
  });

  it('gives each label that an anchor takes the cell of its centre, and two neighbours at most', () => {
    fc.assert(
      fc.property(labels, grids, (given, grid) => {
        for (const label of rowsOf(given)) {
          const matches = assignTargets([Float32Array.from(label)], grid, 4);
          for (let anchor = 0; anchor < grid.anchors.length / 2; anchor++) {
            const own = matches.filter((match) => match.anchor === anchor);
            const [width, height] = [label[3]! * grid.width, label[4]! * grid.height];
            const ratios = [width / grid.anchors[2 * anchor]!, height / grid.anchors[2 * anchor + 1]!];
            const most = Math.max(...ratios, ...ratios.map((ratio) => 1 / ratio));
            if (Math.abs(most - 4) < 1e-5) continue;
            expect(own.length > 0).toBe(most < 4);
            expect(own.length).toBeLessThanOrEqual(3);
            if (own.length === 0) continue;
            const centre = own[0]!;
            expect(centre.row).toBe(Math.min(Math.floor(label[2]! * grid.height), grid.height - 1));
            expect(centre.column).toBe(Math.min(Math.floor(label[1]! * grid.width), grid.width - 1));
            for (const { row, column } of own.slice(1)) {
              expect(Math.abs(row - centre.row) + Math.abs(column - centre.column)).toBeLessThanOrEqual(1);
            }
          }
        }
      }),
    );
  });

  it('takes a box for an anchor at less than the ratio, not at it', () => {
    const grid = { anchors: [1, 1], height: 8, width: 8 };
    const of = (size: number): number => assignTargets([[0, 0.53, 0.53, size / 8, 1 / 8]], grid, 4).length;
    expect([of(3.9), of(4), of(0.26), of(0.25)]).toEqual([3, 0, 3, 0]);
  });

  it('lets the nearest neighbours answer, but none beyond the edge', () => {
    const grid = { anchors: [1, 1], height: 4, width: 4 };
    const at = (x: number, y: number): string[] =>
      assignTargets([[0, x / 4, y / 4, 0.25, 0.25]], grid, 4).map(place);
    expect(at(1.25, 2.75)).toEqual(['0 0 2 1', '0 0 2 0', '0 0 3 1']);
    expect(at(0.25, 3.75)).toEqual(['0 0 3 0']);
    // In the very middle no neighbour is nearer than another.
    expect(at(1.5, 1.5)).toEqual(['0 0 1 1']);
  });
});
