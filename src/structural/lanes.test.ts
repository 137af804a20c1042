import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findLanes } from './lanes.ts';

const free = (count: number): null[] => new Array<null>(count).fill(null);

describe('findLanes', () => {
  it('gives free units of a group one lane, of which one stays', () => {
    const { lanes, stuck } = findLanes({
      unitCount: 5,
      groupOf: Int32Array.of(0, 0, 0, 1, 1),
      whyNot: free(5),
      matrices: [],
    });
    expect(lanes).toEqual([
      { cells: [Int32Array.of(0, 1, 2)], drop: [1], maxSteps: 2 },
      { cells: [Int32Array.of(3, 4)], drop: [1], maxSteps: 1 },
    ]);
    expect(stuck.size).toBe(0);
  });

  it('lets all free units go where one that cannot keeps the axis', () => {
    const { lanes } = findLanes({
      unitCount: 3,
      groupOf: Int32Array.of(0, 0, 0),
      whyNot: [null, 'reaches an output', null],
      matrices: [],
    });
    expect(lanes).toEqual([{ cells: [Int32Array.of(0, 2)], drop: [1], maxSteps: 2 }]);
  });

  it('gives units that other layers make a lane of their own, unless they are few', () => {
    const lanesOf = (few: number) =>
      findLanes({
        unitCount: 20,
        groupOf: new Int32Array(20),
        whyNot: free(20),
        kindOf: Int32Array.from({ length: 20 }, (_, unit) => Number(unit < few)),
        matrices: [],
      }).lanes.map(({ cells, maxSteps }) => [cells.map(({ length }) => length), maxSteps]);
    expect(lanesOf(8)).toEqual([
      [[8], 7],
      [[12], 11],
    ]);
    expect(lanesOf(7)).toEqual([[[20], 19]]);
  });

  it('takes one from each row of a matrix', () => {
    const { lanes } = findLanes({
      unitCount: 6,
      groupOf: new Int32Array(6),
      whyNot: free(6),
      matrices: [{ rows: 2, units: Int32Array.of(0, 1, 2, 3, 4, 5), where: '2 rows of 3' }],
    });
    expect(lanes).toEqual([
      { cells: [Int32Array.of(0, 1, 2), Int32Array.of(3, 4, 5)], drop: [1, 1], maxSteps: 2 },
    ]);
  });

  it('is bound by nothing where all rows hold the same', () => {
    const { lanes } = findLanes({
      unitCount: 3,
      groupOf: new Int32Array(3),
      whyNot: free(3),
      matrices: [{ rows: 2, units: Int32Array.of(0, 1, 2, 0, 1, 2), where: '2 rows of 3' }],
    });
    expect(lanes).toEqual([{ cells: [Int32Array.of(0, 1, 2)], drop: [1], maxSteps: 2 }]);
  });

  it('takes shares where cells are of different sizes', () => {
    // Four groups of 2 (units 0-7) joined with 8 free ones make two rows of 8.
    const units = Int32Array.from({ length: 16 }, (_, index) => index);
    const { lanes } = findLanes({
      unitCount: 16,
      groupOf: Int32Array.from(units, (unit) => (unit < 8 ? 0 : 1)),
      whyNot: free(16),
      matrices: [
        { rows: 4, units: units.slice(0, 8), where: '4 rows of 2' },
        { rows: 2, units, where: '2 rows of 8' },
      ],
    });
    expect(lanes).toHaveLength(1);
    expect(lanes[0]?.drop).toEqual([1, 1, 1, 1, 4]);
    expect(lanes[0]?.maxSteps).toBe(1);
  });

  it('says why units are stuck', () => {
    const { lanes, stuck } = findLanes({
      unitCount: 4,
      groupOf: new Int32Array(4),
      whyNot: [null, null, 'frozen', 'frozen'],
      matrices: [{ rows: 2, units: Int32Array.of(0, 1, 2, 3), where: '2 rows of 2' }],
    });
    expect(lanes).toEqual([]);
    expect(stuck.get(0)).toBe(
      'of 2 rows of 2 equally many channels would have to go from each row, and they cannot',
    );
    const alone = findLanes({ unitCount: 1, groupOf: new Int32Array(1), whyNot: [null], matrices: [] });
    expect(alone.stuck.get(0)).toBe('nothing would be left of it');
  });

  it('keeps rows equal and filled, whatever matrices there are', () => {
    const problem = fc
      .record({
        rows: fc.integer({ min: 2, max: 4 }),
        length: fc.integer({ min: 1, max: 5 }),
        cut: fc.nat(4),
      })
      .chain(({ rows, length, cut }) =>
        fc.record({
          rows: fc.constant(rows),
          length: fc.constant(length),
          cut: fc.constant(cut),
          units: fc.shuffledSubarray(
            Array.from({ length: rows * length }, (_, index) => index),
            { minLength: rows * length, maxLength: rows * length },
          ),
          frozen: fc.array(fc.boolean(), { minLength: rows * length, maxLength: rows * length }),
        }),
      );
    fc.assert(
      fc.property(problem, ({ rows, length, units, frozen, cut }) => {
        const unitCount = rows * length;
        const matrix = Int32Array.from(units);
        const { lanes } = findLanes({
          unitCount,
          groupOf: Int32Array.from({ length: unitCount }, (_, unit) => (unit < cut ? 0 : 1)),
          whyNot: frozen.map((one) => (one && cut > 2 ? 'frozen' : null)),
          matrices: [{ rows, units: matrix, where: 'rows' }],
        });
        const removed = new Set<number>();
        for (const lane of lanes) {
          lane.cells.forEach((cell, index) => {
            for (const unit of cell.slice(0, lane.drop[index]! * lane.maxSteps)) removed.add(unit);
          });
        }
        const stay = Array.from(
          { length: rows },
          (_, row) =>
            matrix.slice(row * length, (row + 1) * length).filter((unit) => !removed.has(unit)).length,
        );
        expect(new Set(stay).size).toBe(1);
        expect(stay[0]).toBeGreaterThan(0);
      }),
    );
  });
});
