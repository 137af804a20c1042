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
  const text = equation.replaceAll(' ', '');
  const [left, right, ...rest] = text.split('->');
  const terms = left!.split(',');
  if (rest.length > 0 || terms.length !== shapes.length) {
    throw fail(`equation '${equation}' expects ${terms.length} operands, got ${shapes.length}`);
  }
  const sizes = new Map<string, Dim>();
  const uses = new Map<string, number>();
  let ellipsis: readonly Dim[] | null = null;
  terms.forEach((term, operand) => {
    const shape = shapes[operand]!;
    const labels = readTerm(fail, equation, term);
    const hidden = shape.length - labels.filter((label) => label !== '...').length;
    if (labels.includes('...') ? hidden < 0 : hidden !== 0) {
      throw fail(
        `equation '${equation}': '${term}' does not fit the ${shape.length} dimensions of operand ${operand}`,
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
      uses.set(label, (uses.get(label) ?? 0) + 1);
    }
  });
  const hidden: readonly Dim[] = ellipsis ?? [];
  const labels =
    right === undefined
      ? ['...', ...[...uses.keys()].filter((label) => uses.get(label) === 1).sort()]
      : readTerm(fail, equation, right);
  const output = labels.flatMap((label): readonly Dim[] => {
    if (label === '...') return hidden;
    const size = sizes.get(label);
    if (size === undefined) throw fail(`equation '${equation}': output index '${label}' is in no operand`);
    return [size];
  });
  return { output, extents: [...sizes.values(), ...hidden] };
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
