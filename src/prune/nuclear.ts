/** Sweeps over all pairs of rows after which Jacobi's method has converged for any matrix met in practice (six to ten do). */
const MOST_SWEEPS = 60;

/**
 * Sum of the singular values of a row-major matrix, by one-sided Jacobi rotations in float64: pairs of rows are rotated until all are
 * orthogonal; their lengths are the singular values then. Source: Golub and Van Loan, Matrix Computations, 8.6.3.
 */
export function nuclearNorm(matrix: Float32Array, rows: number, columns: number): number {
  // Fewer, longer rows converge sooner; a matrix and its transpose have the same singular values.
  const count = Math.min(rows, columns);
  const length = Math.max(rows, columns);
  const a = Array.from({ length: count }, (_, r) =>
    Float64Array.from({ length }, (__, c) => matrix[rows <= columns ? r * columns + c : c * columns + r]!),
  );
  for (let sweep = 0; sweep < MOST_SWEEPS; sweep++) {
    let rotated = false;
    for (let i = 0; i < count - 1; i++) {
      for (let j = i + 1; j < count; j++) rotated = rotate(a[i]!, a[j]!) || rotated;
    }
    if (!rotated) break;
  }
  return a.reduce((sum, row) => sum + Math.sqrt(dot(row, row)), 0);
}

function dot(x: Float64Array, y: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += x[i]! * y[i]!;
  return sum;
}

/** Makes two rows orthogonal; false where they are already. */
function rotate(x: Float64Array, y: Float64Array): boolean {
  const xx = dot(x, x);
  const yy = dot(y, y);
  const xy = dot(x, y);
  if (!(Math.abs(xy) > 1e-14 * Math.sqrt(xx * yy))) return false;
  // tan of the angle: the smaller root of t² + 2ζt - 1 = 0.
  const zeta = (yy - xx) / (2 * xy);
  const t = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.sqrt(1 + zeta * zeta));
  const cos = 1 / Math.sqrt(1 + t * t);
  const sin = cos * t;
  for (let i = 0; i < x.length; i++) {
    const [u, v] = [x[i]!, y[i]!];
    x[i] = cos * u - sin * v;
    y[i] = sin * u + cos * v;
  }
  return true;
}
