import type { Dim } from '../ir/index.ts';

/**
 * Arithmetic of dimensions: numbers, and expressions over symbols that stand for sizes of at least 1.
 *
 * Expressions are kept as polynomials over atoms, printed in one normal form, so that equal expressions are equal strings:
 * `12*batch`, `batch*seq + 1`, `floor((height + 1)/2)`, `min(height, 3)`. Division is exact where it cancels, else it is an atom
 * `floor(…)`; `max(a, b)` is `a + b - min(a, b)`. Null is an unknown dimension, and makes every result unknown.
 *
 * A name that does not read as such an expression is a symbol as it stands; in a longer expression it is written in backticks.
 */

/** Sum of `coefficient * product of atoms`, by the product's text; '' is the constant term. */
type Polynomial = ReadonlyMap<string, Term>;

interface Term {
  readonly coefficient: number;
  /** Atoms, sorted, repeated for powers. */
  readonly atoms: readonly string[];
}

/** Longer expressions than this are given up as unknown. */
const MOST_TERMS = 64;

/** Minima of one sum that are looked into together; each more doubles the work. */
const MOST_MINIMA = 2;

const SYMBOL = /^[A-Za-z_][\w.:$]*$/;
const SEPARATOR = '*';

const constant = (value: number): Polynomial =>
  value === 0 ? new Map() : new Map([['', { coefficient: value, atoms: [] }]]);

const atom = (text: string): Polynomial => new Map([[text, { coefficient: 1, atoms: [text] }]]);

function collect(terms: Iterable<Term>): Polynomial {
  const sum = new Map<string, Term>();
  for (const term of terms) {
    const key = term.atoms.join(SEPARATOR);
    const coefficient = (sum.get(key)?.coefficient ?? 0) + term.coefficient;
    if (coefficient === 0) sum.delete(key);
    else sum.set(key, { coefficient, atoms: term.atoms });
  }
  return sum;
}

const plus = (a: Polynomial, b: Polynomial): Polynomial => collect([...a.values(), ...b.values()]);

const scaled = (a: Polynomial, factor: number): Polynomial =>
  collect([...a.values()].map((term) => ({ ...term, coefficient: term.coefficient * factor })));

const minus = (a: Polynomial, b: Polynomial): Polynomial => plus(a, scaled(b, -1));

function times(a: Polynomial, b: Polynomial): Polynomial {
  const products: Term[] = [];
  for (const x of a.values()) {
    for (const y of b.values()) {
      products.push({ coefficient: x.coefficient * y.coefficient, atoms: [...x.atoms, ...y.atoms].sort() });
    }
  }
  return collect(products);
}

/** The value of a polynomial without symbols, or undefined. */
function numberOf(a: Polynomial): number | undefined {
  if (a.size === 0) return 0;
  return a.size === 1 ? a.get('')?.coefficient : undefined;
}

/** Terms in the order they are written: higher degree first, then by name, the constant last. */
const ordered = (a: Polynomial): Term[] =>
  [...a.values()].sort(
    (x, y) => y.atoms.length - x.atoms.length || (x.atoms.join(SEPARATOR) < y.atoms.join(SEPARATOR) ? -1 : 1),
  );

function print(a: Polynomial): string {
  const terms = ordered(a);
  // A leading minus reads badly; any positive term may go first.
  const first = Math.max(
    0,
    terms.findIndex((term) => term.coefficient > 0),
  );
  const [leading] = terms.splice(first, 1);
  if (!leading) return '0';
  let text = `${leading.coefficient < 0 ? '-' : ''}${printTerm(leading)}`;
  for (const term of terms) text += ` ${term.coefficient < 0 ? '-' : '+'} ${printTerm(term)}`;
  return text;
}

function printTerm({ coefficient, atoms }: Term): string {
  const factors = atoms.map((name) =>
    SYMBOL.test(name) || /^(floor|min)\(/.test(name) ? name : `\`${name}\``,
  );
  const size = Math.abs(coefficient);
  return (size === 1 && factors.length > 0 ? factors : [String(size), ...factors]).join('*');
}

function toDim(a: Polynomial): Dim {
  const value = numberOf(a);
  if (value !== undefined) return Number.isSafeInteger(value) ? value : null;
  if (a.size > MOST_TERMS || [...a.values()].some((term) => !Number.isSafeInteger(term.coefficient))) {
    return null;
  }
  const [only] = a.values();
  if (a.size === 1 && only?.coefficient === 1 && only.atoms.length === 1) return only.atoms[0]!;
  return print(a);
}

/** Reads an expression; the symbols in it go through `substitute`. Undefined where the text is not one. */
function parse(text: string, substitute: (symbol: string) => Polynomial): Polynomial | undefined {
  let at = 0;
  let broken = false;
  const skip = (token: string): boolean => {
    if (!text.startsWith(token, at)) return false;
    at += token.length;
    return true;
  };
  const need = (token: string): void => {
    if (!skip(token)) broken = true;
  };
  const sum = (): Polynomial => {
    let result = skip('-') ? scaled(product(), -1) : product();
    while (!broken) {
      if (skip(' + ')) result = plus(result, product());
      else if (skip(' - ')) result = minus(result, product());
      else break;
    }
    return result;
  };
  const product = (): Polynomial => {
    let result = factor();
    while (!broken && skip('*')) result = times(result, factor());
    return result;
  };
  const factor = (): Polynomial => {
    if (skip('(')) {
      const inner = sum();
      need(')');
      return inner;
    }
    if (skip('floor(')) {
      const dividend = sum();
      need('/');
      const divisor = factor();
      need(')');
      return broken || numberOf(divisor) === 0 ? fail() : floorQuotient(dividend, divisor);
    }
    if (skip('min(')) {
      const a = sum();
      need(', ');
      const b = sum();
      need(')');
      return broken ? fail() : smaller(a, b);
    }
    const token = /^(?:\d+|`[^`]+`|[A-Za-z_][\w.:$]*)/.exec(text.slice(at))?.[0];
    if (token === undefined) return fail();
    at += token.length;
    if (/^\d/.test(token)) return constant(Number(token));
    return substitute(token.startsWith('`') ? token.slice(1, -1) : token);
  };
  const fail = (): Polynomial => {
    broken = true;
    return constant(0);
  };
  const result = sum();
  return broken || at !== text.length ? undefined : result;
}

const toPolynomial = (dim: number | string): Polynomial =>
  typeof dim === 'number' ? constant(dim) : (parse(dim, atom) ?? atom(dim));

/** The quotient where the division leaves no rest, by division of leading terms; undefined otherwise. */
function exactQuotient(a: Polynomial, b: Polynomial): Polynomial | undefined {
  const [lead] = ordered(b);
  if (!lead) return undefined;
  let rest = a;
  let quotient = constant(0);
  for (let step = 0; rest.size > 0; step++) {
    const [top] = ordered(rest);
    if (!top || step > MOST_TERMS) return undefined;
    const partial = termQuotient(top, lead);
    if (!partial) return undefined;
    const term = collect([partial]);
    quotient = plus(quotient, term);
    rest = minus(rest, times(term, b));
  }
  return quotient;
}

function termQuotient(a: Term, b: Term): Term | undefined {
  if (a.coefficient % b.coefficient !== 0) return undefined;
  const atoms = [...a.atoms];
  for (const name of b.atoms) {
    const index = atoms.indexOf(name);
    if (index < 0) return undefined;
    atoms.splice(index, 1);
  }
  return { coefficient: a.coefficient / b.coefficient, atoms };
}

/** Greatest common divisor of the coefficients. */
function contentOf(a: Polynomial): number {
  let divisor = 0;
  for (const { coefficient } of a.values()) {
    let [x, y] = [divisor, Math.abs(coefficient)];
    while (y !== 0) [x, y] = [y, x % y];
    divisor = x;
  }
  return divisor;
}

function floorQuotient(a: Polynomial, b: Polynomial): Polynomial {
  const exact = exactQuotient(a, b);
  if (exact) return exact;
  const [divisorTerm] = b.values();
  if (b.size !== 1 || !divisorTerm) return atom(`floor(${grouped(a)}/${grouped(b)})`);
  if (divisorTerm.coefficient < 0) return floorQuotient(scaled(a, -1), scaled(b, -1));
  // floor((q*k + r)/k) = q + floor(r/k)
  const whole: Term[] = [];
  const rest: Term[] = [];
  for (const term of a.values()) {
    const quotient = termQuotient(term, divisorTerm);
    if (quotient) whole.push(quotient);
    else rest.push(term);
  }
  const divisor = numberOf(b);
  if (divisor === undefined)
    return plus(collect(whole), atom(`floor(${grouped(collect(rest))}/${grouped(b)})`));
  // Of the constant, too, the whole part goes out.
  const left = numberOf(collect(rest.filter((term) => term.atoms.length === 0))) ?? 0;
  const out = Math.floor(left / divisor);
  const remainder = collect([...rest, { coefficient: -out * divisor, atoms: [] }]);
  const outside = plus(collect(whole), constant(out));
  if (remainder.size === 0) return outside;
  const value = numberOf(remainder);
  if (value !== undefined) return plus(outside, constant(Math.floor(value / divisor)));
  // floor(floor(x/a)/b) = floor(x/(a*b))
  const nested = nestedFloor(remainder);
  if (nested) return plus(outside, floorQuotient(nested.dividend, scaled(nested.divisor, divisor)));
  // Common factors go, and of floor((k*p + r)/(k*d)) the r < k.
  const symbols = collect([...remainder.values()].filter((term) => term.atoms.length > 0));
  const common = gcd(contentOf(symbols), divisor);
  if (common > 1) {
    const rounded = Math.floor((numberOf(minus(remainder, symbols)) ?? 0) / common);
    const reduced = plus(
      collect([...symbols.values()].map((t) => ({ ...t, coefficient: t.coefficient / common }))),
      constant(rounded),
    );
    return plus(outside, floorQuotient(reduced, constant(divisor / common)));
  }
  // floor(-x/k) = -floor((x + k - 1)/k)
  if (ordered(remainder)[0]!.coefficient < 0) {
    const turned = plus(scaled(remainder, -1), constant(divisor - 1));
    return minus(outside, floorQuotient(turned, constant(divisor)));
  }
  return plus(outside, atom(`floor(${grouped(remainder)}/${divisor})`));
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

/** The parts of `floor(x/a) + c` with whole c, as `(x + a*c)` and `a`. */
function nestedFloor(a: Polynomial): { dividend: Polynomial; divisor: Polynomial } | undefined {
  const symbolic = [...a.values()].filter((term) => term.atoms.length > 0);
  const [only] = symbolic;
  if (symbolic.length !== 1 || only?.coefficient !== 1 || only.atoms.length !== 1) return undefined;
  const parts = floorParts(only.atoms[0]!);
  const divisor = parts && numberOf(parts.divisor);
  if (!parts || divisor === undefined) return undefined;
  const shift = numberOf(minus(a, collect([only]))) ?? 0;
  return { dividend: plus(parts.dividend, constant(shift * divisor)), divisor: parts.divisor };
}

/** Dividend and divisor of an atom `floor(a/b)`. */
function floorParts(text: string): { dividend: Polynomial; divisor: Polynomial } | undefined {
  if (!text.startsWith('floor(')) return undefined;
  const inner = text.slice('floor('.length, -1);
  let depth = 0;
  for (let at = 0; at < inner.length; at++) {
    const character = inner[at];
    if (character === '(') depth++;
    else if (character === ')') depth--;
    else if (character === '/' && depth === 0) {
      const dividend = parse(inner.slice(0, at), atom);
      const divisor = parse(inner.slice(at + 1), atom);
      return dividend && divisor && { dividend, divisor };
    }
  }
  return undefined;
}

function grouped(a: Polynomial): string {
  const text = print(a);
  const [only] = a.values();
  const bare = a.size === 1 && only?.coefficient === 1 && only.atoms.length === 1;
  return bare || /^\d+$/.test(text) ? text : `(${text})`;
}

function smaller(a: Polynomial, b: Polynomial): Polynomial {
  const difference = minus(a, b);
  const range = rangeOf(difference);
  if (range.least >= 0) return b;
  if (range.most <= 0) return a;
  // min(a, b) = b - N + min(P, N) where a - b = P - N with positive terms only, so that equal minima look equal.
  const positive = collect([...difference.values()].filter((term) => term.coefficient > 0));
  const negative = scaled(collect([...difference.values()].filter((term) => term.coefficient < 0)), -1);
  const [first, second] = [print(positive), print(negative)].sort().reverse();
  return plus(minus(b, negative), atom(`min(${first}, ${second})`));
}

interface Range {
  readonly least: number;
  readonly most: number;
}

/** The tighter of two ranges that both hold. */
const within = (a: Range, b: Range): Range => ({
  least: Math.max(a.least, b.least),
  most: Math.min(a.most, b.most),
});

function rangeOf(a: Polynomial, depth = 0): Range {
  const direct = within(termRange(a), minimumRange(a, depth));
  const loosened = withoutFloors(a);
  if (!loosened) return direct;
  const { least, most } = rangeOf(loosened.rest, depth);
  return within(direct, { least: least + loosened.slack.least, most: most + loosened.slack.most });
}

/** What follows from min(p, q) being neither above p nor above q, for the minima that stand alone in a term. */
function minimumRange(a: Polynomial, depth: number): Range {
  let range: Range = { least: Number.NEGATIVE_INFINITY, most: Number.POSITIVE_INFINITY };
  if (depth >= MOST_MINIMA) return range;
  for (const term of a.values()) {
    const [name] = term.atoms;
    if (term.atoms.length !== 1 || !name?.startsWith('min(')) continue;
    const rest = minus(a, collect([term]));
    const ranges = splitMinimum(name).map((text) =>
      rangeOf(plus(rest, scaled(toPolynomial(text), term.coefficient)), depth + 1),
    );
    range = within(
      range,
      term.coefficient < 0
        ? { ...range, least: Math.max(...ranges.map(({ least }) => least)) }
        : { ...range, most: Math.min(...ranges.map(({ most }) => most)) },
    );
  }
  return range;
}

/**
 * The polynomial with `c*floor(x/k)`, for c a multiple of k, written as `c/k*x` less a slack of up to `c/k*(k - 1)`: what else holds
 * of x can then cancel, as in `width - 2*floor(width/2)`, which is 0 or 1.
 */
function withoutFloors(a: Polynomial): { rest: Polynomial; slack: Range } | undefined {
  let rest = a;
  let [least, most] = [0, 0];
  for (const term of a.values()) {
    const [name] = term.atoms;
    const parts = term.atoms.length === 1 && name !== undefined ? floorParts(name) : undefined;
    const divisor = parts && numberOf(parts.divisor);
    if (!parts || divisor === undefined || divisor <= 0 || term.coefficient % divisor !== 0) continue;
    const factor = term.coefficient / divisor;
    rest = plus(minus(rest, collect([term])), scaled(parts.dividend, factor));
    if (factor > 0) least -= factor * (divisor - 1);
    else most -= factor * (divisor - 1);
  }
  return rest === a ? undefined : { rest, slack: { least, most } };
}

function termRange(a: Polynomial): Range {
  let least = 0;
  let most = 0;
  for (const { coefficient, atoms } of a.values()) {
    let low = 1;
    let high = 1;
    for (const name of atoms) {
      const range = atomRange(name);
      if (range.least < 0) {
        low = atoms.length === 1 ? range.least : Number.NEGATIVE_INFINITY;
        high = atoms.length === 1 ? range.most : Number.POSITIVE_INFINITY;
        break;
      }
      low *= range.least;
      high = high === 0 || range.most === 0 ? 0 : high * range.most;
    }
    least += coefficient * (coefficient > 0 ? low : high);
    most += coefficient * (coefficient > 0 ? high : low);
  }
  return { least, most };
}

function atomRange(name: string): Range {
  const parts = floorParts(name);
  const divisor = parts && numberOf(parts.divisor);
  if (parts) {
    const range = rangeOf(parts.dividend);
    if (divisor !== undefined && divisor > 0) {
      return { least: Math.floor(range.least / divisor), most: Math.floor(range.most / divisor) };
    }
    return range.least >= 0 && rangeOf(parts.divisor).least > 0
      ? { least: 0, most: range.most }
      : { least: Number.NEGATIVE_INFINITY, most: Number.POSITIVE_INFINITY };
  }
  if (name.startsWith('min(')) {
    const ranges = splitMinimum(name).map((text) => rangeOf(toPolynomial(text)));
    return {
      least: Math.min(...ranges.map((range) => range.least)),
      most: Math.min(...ranges.map((range) => range.most)),
    };
  }
  return { least: 1, most: Number.POSITIVE_INFINITY };
}

/** The two arguments of an atom `min(a, b)`. */
function splitMinimum(name: string): string[] {
  const inner = name.slice('min('.length, -1);
  let depth = 0;
  for (let at = 0; at < inner.length; at++) {
    if (inner[at] === '(') depth++;
    else if (inner[at] === ')') depth--;
    else if (depth === 0 && inner.startsWith(', ', at)) return [inner.slice(0, at), inner.slice(at + 2)];
  }
  return [inner];
}

const binary =
  (
    onNumbers: (a: number, b: number) => number,
    onPolynomials: (a: Polynomial, b: Polynomial) => Polynomial,
  ) =>
  (a: Dim, b: Dim): Dim => {
    if (a === null || b === null) return null;
    if (typeof a === 'number' && typeof b === 'number') return onNumbers(a, b);
    if (!isWhole(a) || !isWhole(b)) return null;
    return toDim(onPolynomials(toPolynomial(a), toPolynomial(b)));
  };

const isWhole = (dim: number | string): boolean => typeof dim === 'string' || Number.isSafeInteger(dim);

/** `a + b` */
export const addDims = binary((a, b) => a + b, plus);

/** `a - b` */
export const subtractDims = binary((a, b) => a - b, minus);

/** `a * b`; 0 times anything is 0. */
export const multiplyDims = (a: Dim, b: Dim): Dim => (a === 0 || b === 0 ? 0 : product(a, b));

const product = binary((a, b) => a * b, times);

/** `floor(a / b)`: `12*batch / 12` is `batch`. Unknown where b is 0. */
export const divideDims = (a: Dim, b: Dim): Dim => (b === 0 ? null : quotient(a, b));

const quotient = binary((a, b) => Math.floor(a / b), floorQuotient);

/** `a / b` cut toward zero, as processors divide. Unknown where it depends on a sign that is not known. */
export function truncateDims(a: Dim, b: Dim): Dim {
  if (typeof a === 'number' && typeof b === 'number') return b === 0 ? null : Math.trunc(a / b) + 0;
  if (a === null || b === null || !isWhole(a) || !isWhole(b)) return null;
  const [dividend, divisor] = [toPolynomial(a), toPolynomial(b)];
  const by = rangeOf(divisor);
  if (by.least <= 0) return null;
  const range = rangeOf(dividend);
  if (range.least > -by.least && range.most < by.least) return 0;
  if (range.least >= 0) return divideDims(a, b);
  if (range.most <= 0) return ceilDivideDims(a, b);
  const exact = exactQuotient(dividend, divisor);
  return exact ? toDim(exact) : null;
}

/** `ceil(a / b)` */
export const ceilDivideDims = (a: Dim, b: Dim): Dim => {
  const negated = divideDims(multiplyDims(a, -1), b);
  return negated === null ? null : multiplyDims(negated, -1);
};

/** `a - b*floor(a / b)`: the remainder with the sign of b. */
export const moduloDims = (a: Dim, b: Dim): Dim => subtractDims(a, multiplyDims(b, divideDims(a, b)));

/** The smaller of both: `min(height, 3)` where that is not known. */
export const minDims = binary(Math.min, smaller);

/** The larger of both. */
export const maxDims = binary(Math.max, (a, b) => minus(plus(a, b), smaller(a, b)));

/** Product of all dimensions; 1 of none. */
export const productOfDims = (dims: readonly Dim[]): Dim => dims.reduce<Dim>(multiplyDims, 1);

/**
 * What is known of `a - b`: the sign (-1, 0, 1) where it is the same for all sizes, `'>='` or `'<='` where it may be 0,
 * and null where nothing is known. Symbols stand for sizes of at least 1.
 */
export function compareDims(a: Dim, b: Dim): -1 | 0 | 1 | '>=' | '<=' | null {
  if (a === null || b === null || !isWhole(a) || !isWhole(b)) return null;
  const { least, most } = rangeOf(minus(toPolynomial(a), toPolynomial(b)));
  if (least === 0 && most === 0) return 0;
  if (least > 0) return 1;
  if (most < 0) return -1;
  if (least >= 0) return '>=';
  return most <= 0 ? '<=' : null;
}

/** `floor(dim * scale)` in float32, as engines compute it; unknown where the dimension is symbolic and the scale no multiple of 1/1024. */
export function scaleDim(dim: Dim, scale: number): Dim {
  if (typeof dim === 'number') return Math.floor(Math.fround(dim * scale));
  for (let divisor = 1; divisor <= 1024; divisor *= 2) {
    const factor = scale * divisor;
    if (Number.isInteger(factor)) return divideDims(multiplyDims(dim, factor), divisor);
  }
  return null;
}

/**
 * The dimension with sizes put in place of symbols. A name in `sizes` that equals the whole text goes first, whatever it looks
 * like; symbols without a size stay.
 */
export function evaluateDim(dim: Dim, sizes: Readonly<Record<string, number>>): Dim {
  if (typeof dim !== 'string') return dim;
  if (Object.hasOwn(sizes, dim)) return sizes[dim]!;
  if (Object.keys(sizes).length === 0) return dim;
  const result = parse(dim, (symbol) =>
    Object.hasOwn(sizes, symbol) ? constant(sizes[symbol]!) : atom(symbol),
  );
  return result ? toDim(result) : dim;
}
