import type { Dim, Shape } from '../ir/index.ts';
import { differ } from './expect.ts';

/** Makes the error to throw. */
type Fail = (message: string) => Error;

/** An einsum equation applied to shapes. */
export interface EinsumShapes {
  readonly output: Shape;
  /** The extent of every index, those that are summed over among them. */
  readonly extents: readonly Dim[];
}

/**
 * Reads an equation such as `bij,bjk->bik` or `...ij,...jk` for operands of these shapes. The axes that an ellipsis stands for are
 * as many in each operand, and broadcast. Without an arrow the output has the ellipsis, then the indices that occur once, in alphabetical order.
 * Throws what `fail` makes where the equation does not fit. Source: ONNX Einsum-12, which follows `numpy.einsum`.
 */
export function einsumShapes(fail: Fail, equation: string, shapes: readonly Shape[]): EinsumShapes {
  const { terms, result } = readEquation(fail, equation, shapes.length);
  const sizes = new Map<string, Dim>();
  let ellipsis: readonly Dim[] | null = null;
  terms.forEach((labels, operand) => {
    const shape = shapes[operand]!;
    const hidden = shape.length - labels.filter((label) => label !== '...').length;
    if (labels.includes('...') ? hidden < 0 : hidden !== 0) {
      throw fail(
        `equation '${equation}': '${labels.join('')}' does not fit the ${shape.length} dimensions of operand ${operand}`,
      );
    }
    let axis = 0;
    for (const label of labels) {
      if (label === '...') {
        const own = shape.slice(axis, axis + hidden);
        ellipsis = ellipsis ? broadcastHidden(fail, equation, ellipsis, own) : own;
        axis += hidden;
        continue;
      }
      const found = shape[axis++]!;
      const known = sizes.get(label);
      if (sizes.has(label) && differ(known, found) && known !== 1 && found !== 1) {
        throw fail(`equation '${equation}': index '${label}' is ${known} and ${found}`);
      }
      sizes.set(label, wider(known, found));
    }
  });
  const hidden: readonly Dim[] = ellipsis ?? [];
  const output = result.flatMap((label): readonly Dim[] => {
    if (label === '...') return hidden;
    const size = sizes.get(label);
    if (size === undefined) throw fail(`equation '${equation}': output index '${label}' is in no operand`);
    return [size];
  });
  return { output, extents: [...sizes.values(), ...hidden] };
}

/**
 * The indices that the axes of each operand and of the output run over; those of an ellipsis are called by their distance from its end. For an equation that fits operands of these ranks, as
 * `einsumShapes` checks.
 */
export function einsumIndices(
  fail: Fail,
  equation: string,
  ranks: readonly number[],
): { readonly operands: readonly (readonly string[])[]; readonly output: readonly string[] } {
  const { terms, result } = readEquation(fail, equation, ranks.length);
  const hiddenOf = (labels: readonly string[], rank: number): number => rank - labels.length + 1;
  const expanded = (labels: readonly string[], hidden: number): string[] =>
    labels.flatMap((label) =>
      label === '...' ? Array.from({ length: hidden }, (_, axis) => `...${hidden - axis}`) : [label],
    );
  const broadcast = Math.max(
    0,
    ...terms.map((labels, operand) => (labels.includes('...') ? hiddenOf(labels, ranks[operand]!) : 0)),
  );
  return {
    operands: terms.map((labels, operand) => expanded(labels, hiddenOf(labels, ranks[operand]!))),
    output: expanded(result, broadcast),
  };
}

/** The terms of an equation, and that of the output, which may be left to be understood. */
function readEquation(
  fail: Fail,
  equation: string,
  operands: number,
): { readonly terms: readonly (readonly string[])[]; readonly result: readonly string[] } {
  const [left, right, ...rest] = equation.replaceAll(' ', '').split('->');
  const terms = left!.split(',');
  if (rest.length > 0 || terms.length !== operands) {
    throw fail(`equation '${equation}' expects ${terms.length} operands, got ${operands}`);
  }
  const read = terms.map((term) => readTerm(fail, equation, term));
  if (right !== undefined) return { terms: read, result: readTerm(fail, equation, right) };
  const all = read.flat();
  const once = all.filter((label) => label !== '...' && all.indexOf(label) === all.lastIndexOf(label));
  return { terms: read, result: ['...', ...once.sort()] };
}

/** The labels of a term, with `...` as one. */
function readTerm(fail: Fail, equation: string, term: string): string[] {
  const labels = term.match(/\.\.\.|[A-Za-z]/g) ?? [];
  if (labels.join('') !== term || labels.filter((label) => label === '...').length > 1) {
    throw fail(`equation '${equation}': '${term}' is not letters with at most one '...'`);
  }
  return labels;
}

/** Of two dimensions that broadcast, the one that is not 1; a size before a symbol. */
function wider(a: Dim | undefined, b: Dim): Dim {
  if (a === undefined || a === 1) return b;
  if (b === 1 || typeof a === 'number') return a;
  return typeof b === 'number' ? b : a === b ? a : null;
}

function broadcastHidden(fail: Fail, equation: string, a: readonly Dim[], b: readonly Dim[]): Dim[] {
  if (a.length !== b.length) {
    throw fail(
      `equation '${equation}': '...' stands for ${a.length} axes and ${b.length}; they must be as many`,
    );
  }
  return a.map((own, axis) => {
    const other = b[axis]!;
    if (differ(own, other) && own !== 1 && other !== 1) {
      throw fail(`equation '${equation}': '...' is ${own} and ${other} along its axis ${axis}`);
    }
    return wider(own, other);
  });
}
