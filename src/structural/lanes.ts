import type { Lane } from './groups.ts';
import { Sets } from './sets.ts';

/** A matrix of units (-1: none) of which each row must lose equally many. */
export interface Matrix {
  readonly rows: number;
  readonly units: Int32Array;
  /** For messages: `4 rows of 16`. */
  readonly where: string;
}

/** Units, and what binds them. */
export interface LaneProblem {
  readonly unitCount: number;
  readonly groupOf: Int32Array;
  readonly whyNot: readonly (string | null)[];
  /** The kind of each unit: those of one kind are made by the same layers. All of one kind where left out. */
  readonly kindOf?: Int32Array;
  readonly matrices: readonly Matrix[];
}

/** Fewest units of a kind that make a cell of their own. */
const FEWEST_OF_A_KIND = 8;

/** Units of one group that are bound alike. */
interface Cell {
  readonly free: number[];
  size: number;
  /** How often each of its units stands in rows of matrices: `[row, times]`, rows numbered over all matrices. */
  readonly rows: readonly (readonly [row: number, times: number])[];
}

/**
 * Finds in what steps units can go so that rows stay equally long. Units that stand in the same rows equally often are a cell; cells bound by a matrix make one lane, of which every step takes numbers from
 * each cell that add up to the same in every row: one from each, or shares of their sizes. Where neither fits, the units are stuck.
 */
export function findLanes(problem: LaneProblem): {
  readonly lanes: readonly Lane[];
  readonly stuck: ReadonlyMap<number, string>;
} {
  const { matrixOf, binding } = bindings(problem);
  const kindCell = kindCells(problem);
  const cells = new Map<number | string, Cell>();
  for (let unit = 0; unit < problem.unitCount; unit++) {
    const rows = binding[unit] ?? [];
    const group = problem.groupOf[unit]!;
    const key = rows.length === 0 ? `${group} ${kindCell(unit)}` : `${group}|${rows.join(';')}`;
    let cell = cells.get(key);
    if (!cell) {
      cell = { free: [], size: 0, rows };
      cells.set(key, cell);
    }
    cell.size++;
    if (problem.whyNot[unit] === null) cell.free.push(unit);
  }
  const list = [...cells.values()];
  const tied = new Sets(list.length);
  const firstIn = new Map<number, number>();
  list.forEach(({ rows }, index) => {
    for (const [row] of rows) {
      const matrix = matrixOf[row]!;
      const known = firstIn.get(matrix);
      if (known === undefined) firstIn.set(matrix, index);
      else tied.union(known, index);
    }
  });
  const together = new Map<number, Cell[]>();
  list.forEach((cell, index) => {
    const root = tied.find(index);
    const known = together.get(root);
    if (known) known.push(cell);
    else together.set(root, [cell]);
  });
  const lanes: Lane[] = [];
  const stuck = new Map<number, string>();
  for (const bound of together.values()) {
    const drop = stepOf(bound, matrixOf, problem.matrices);
    if (!drop) {
      const matrix = matrixOf[bound.find(({ rows }) => rows.length > 0)?.rows[0]?.[0] ?? 0] ?? 0;
      const why = `of ${problem.matrices[matrix]?.where} equally many channels would have to go from each row, and they cannot`;
      for (const { free } of bound) for (const unit of free) stuck.set(unit, why);
      continue;
    }
    const used = bound.flatMap((cell, index) => (drop[index]! > 0 ? [{ cell, drop: drop[index]! }] : []));
    const steps = Math.min(...used.map(({ cell, drop: own }) => Math.floor(cell.free.length / own)));
    // Where nothing that cannot go holds a row open, the last step must stay undone.
    const empties = used.some(
      ({ cell, drop: own }) => cell.free.length === cell.size && cell.size === own * steps,
    );
    const maxSteps = empties ? steps - 1 : steps;
    if (maxSteps < 1) {
      for (const { cell } of used)
        for (const unit of cell.free) stuck.set(unit, 'nothing would be left of it');
      continue;
    }
    lanes.push({
      cells: used.map(({ cell }) => Int32Array.from(cell.free)),
      drop: used.map(({ drop: own }) => own),
      maxSteps,
    });
  }
  return { lanes, stuck };
}

/**
 * Tells units that nothing binds apart by their kinds, so that each layer loses its share where some of a group's layers have more channels than others (a stage of a ResNet without shortcut weights). A group with small kinds stays
 * together: a ratio of a single unit is all or nothing.
 */
function kindCells({ kindOf, groupOf }: LaneProblem): (unit: number) => number {
  if (!kindOf) return () => -1;
  const sizes = new Map<number, number>();
  for (const kind of kindOf) sizes.set(kind, (sizes.get(kind) ?? 0) + 1);
  const isLarge = (kind: number): boolean => (sizes.get(kind) ?? 0) >= FEWEST_OF_A_KIND;
  // A group with small kinds stays together.
  const small = new Set<number>();
  kindOf.forEach((kind, unit) => {
    if (!isLarge(kind)) small.add(groupOf[unit]!);
  });
  return (unit) => (small.has(groupOf[unit]!) ? -1 : kindOf[unit]!);
}

/** For each unit, the rows it stands in; matrices of which every row holds the same bind nothing. */
function bindings({ unitCount, matrices }: LaneProblem): {
  readonly matrixOf: readonly number[];
  readonly binding: readonly (readonly [row: number, times: number])[][];
} {
  const matrixOf: number[] = [];
  const binding: [number, number][][] = [];
  const bind = (unit: number, row: number, times: number): void => {
    const known = binding[unit];
    if (known) known.push([row, times]);
    else binding[unit] = [[row, times]];
  };
  const seen = new Int32Array(unitCount);
  matrices.forEach(({ rows, units }, matrix) => {
    const length = units.length / rows;
    const first = matrixOf.length;
    // Most matrices hold each unit once.
    if (rows > 1 && isEachOnce(units, seen, matrix + 1)) {
      for (let row = 0; row < rows; row++) matrixOf.push(matrix);
      units.forEach((unit, at) => {
        if (unit >= 0) bind(unit, first + Math.floor(at / length), 1);
      });
      return;
    }
    const times = Array.from({ length: rows }, (_, row) => {
      const counts = new Map<number, number>();
      for (let at = row * length; at < (row + 1) * length; at++) {
        const unit = units[at]!;
        if (unit >= 0) counts.set(unit, (counts.get(unit) ?? 0) + 1);
      }
      return counts;
    });
    const alike = times.every(
      (counts) =>
        counts.size === times[0]?.size && [...counts].every(([unit, count]) => times[0]?.get(unit) === count),
    );
    if (alike) return;
    times.forEach((counts, row) => {
      for (const [unit, count] of counts) bind(unit, first + row, count);
      matrixOf.push(matrix);
    });
  });
  return { matrixOf, binding };
}

/** True where no unit stands in a matrix twice; `stamp` is one that `seen` has not. */
function isEachOnce(units: Int32Array, seen: Int32Array, stamp: number): boolean {
  for (const unit of units) {
    if (unit < 0) continue;
    if (seen[unit] === stamp) return false;
    seen[unit] = stamp;
  }
  return true;
}

/** How many units of each cell go at a step; null where no step keeps rows equal. */
function stepOf(
  cells: readonly Cell[],
  matrixOf: readonly number[],
  matrices: readonly Matrix[],
): readonly number[] | null {
  const one = cells[0];
  if (one && cells.length === 1 && one.rows.length === 0) return one.free.length > 0 ? [1] : null;
  const ones = cells.map(() => 1);
  const sizes = cells.map(({ free }) => free.length);
  const divisor = sizes.reduce(greatestCommonDivisor, 0);
  const shares = sizes.map((size) => (divisor === 0 ? 0 : size / divisor));
  return (
    [ones, shares].find(
      (drop) =>
        drop.some((count) => count > 0) &&
        drop.every((count, index) => count <= sizes[index]!) &&
        keepsRows(cells, drop, matrixOf, matrices),
    ) ?? null
  );
}

/** True where every row of every matrix loses the same. */
function keepsRows(
  cells: readonly Cell[],
  drop: readonly number[],
  matrixOf: readonly number[],
  matrices: readonly Matrix[],
): boolean {
  const lost = new Map<number, number>();
  const touched = new Set<number>();
  cells.forEach(({ rows }, index) => {
    for (const [row, times] of rows) {
      lost.set(row, (lost.get(row) ?? 0) + times * drop[index]!);
      touched.add(matrixOf[row]!);
    }
  });
  for (const matrix of touched) {
    const first = matrixOf.indexOf(matrix);
    const count = matrices[matrix]!.rows;
    for (let row = 1; row < count; row++) {
      if ((lost.get(first + row) ?? 0) !== (lost.get(first) ?? 0)) return false;
    }
  }
  return true;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
