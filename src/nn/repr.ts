/** Values as Python prints them, for `toString` of modules. */

/** A Python float: `0.1`, `1.0`, `1e-05`. */
export function pyFloat(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e16) return `${value}.0`;
  const [mantissa, exponent] = value.toExponential().split('e') as [string, string];
  const power = Number(exponent);
  if (power >= -4 && power < 16) return String(value);
  return `${mantissa}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
}

/** A Python bool. */
export const pyBool = (value: boolean): string => (value ? 'True' : 'False');

/** A Python tuple: `(3, 3)`, `(6,)`. */
export const pyTuple = (values: readonly number[]): string =>
  values.length === 1 ? `(${values[0]},)` : `(${values.join(', ')})`;
