import { attr, type Value } from '../ir/index.ts';
import type { Expressions } from './expressions.ts';
import { step } from './step.ts';

/**
 * One direction of a recurrent layer, with its steps in the order they run. Values of all steps lie below each other as the rows of a matrix `[steps batch, …]`: whatever does not hang on the
 * step before is computed for all of them at once.
 */
export interface Run {
  readonly make: Expressions;
  readonly steps: number;
  readonly batch: number;
  readonly hidden: number;
  /** `[steps batch, features]` */
  readonly x: Value;
  /** `[gates hidden, features]` */
  readonly w: Value;
  /** `[gates hidden, hidden]` */
  readonly r: Value;
  /** `[gates hidden]` each; null where the layer has no bias. */
  readonly biases: { readonly w: Value; readonly r: Value } | null;
  /** Hidden states after each step and before it, `[steps batch, hidden]`. */
  readonly state: Value;
  readonly previous: Value;
  /** Cell state before the first step, `[batch, hidden]`; null: zeros. */
  readonly cell: Value | null;
  /** Gradients of the hidden states of each step, `[batch, hidden]`; null: none flows into the sequence. */
  readonly gradSteps: readonly Value[] | null;
  /** Gradients of the hidden and cell state after the last step. */
  readonly gradLast: Value | null;
  readonly gradCell: Value | null;
}

/** Gradients of one direction. */
export interface RunGradients {
  /** Of what is added up from the input, `W x + bias`: `[steps batch, gates hidden]`. */
  readonly atInput: Value;
  /** Of what is added up from the hidden state, `R h + bias`. */
  readonly atHidden: Value;
  /** Where the last block of R is applied to something else than the hidden state, what that is. */
  readonly lastOperand?: Value;
  /** Of the hidden and cell state before the first step. */
  readonly first: Value;
  readonly firstCell?: Value;
}

/** `x wᵀ + bias` */
const affine = (make: Expressions, x: Value, w: Value, bias: Value | null): Value =>
  make.op('Gemm', bias ? [x, w, bias] : [x, w], { transB: attr.int(1) });

/** Cuts into equal blocks along an axis. */
export function blocks(make: Expressions, value: Value, axis: number, count: number): readonly Value[] {
  if (count === 1) return [value];
  return make.ops('Split', [value], {
    outputs: count,
    attributes: { axis: attr.int(axis), num_outputs: attr.int(count) },
  });
}

const complement = (make: Expressions, a: Value): Value => make.sub(1, a);

/** `a (1 - a)`, the derivative of a sigmoid by its value. */
const sigmoidSlope = (make: Expressions, a: Value): Value => make.mul(a, complement(make, a));

/** `1 - a²`, the derivative of tanh by its value. */
const tanhSlope = (make: Expressions, a: Value): Value => make.sub(1, make.mul(a, a));

/** `W x + R h` with both biases. */
function gatesOf(run: Run): Value {
  const { make, biases } = run;
  const bias = biases && make.add(biases.w, biases.r);
  return make.add(affine(make, run.x, run.w, bias), affine(make, run.previous, run.r, null));
}

/** Walks back over the steps; `back` gives the gradient of the state before a step, from that after it. */
function walkBack(run: Run, back: (grad: Value, index: number) => Value): Value {
  const { make } = run;
  let grad = run.gradLast;
  for (let index = run.steps - 1; index >= 0; index--) {
    const parts = [grad, run.gradSteps?.[index]].filter((part): part is Value => Boolean(part));
    const total =
      parts.length > 0 ? make.sum(parts) : make.full(0, make.dtype(run.x), [run.batch, run.hidden]);
    grad = back(total, index);
  }
  if (grad) return grad;
  return make.full(0, make.dtype(run.x), [run.batch, run.hidden]);
}

/** `h' = f(W x + R h)` with f = tanh or relu. */
export function rnnGrad(run: Run, activation: 'tanh' | 'relu'): RunGradients {
  const { make, steps } = run;
  const slope = activation === 'tanh' ? tanhSlope(make, run.state) : step(make, run.state);
  const slopes = blocks(make, slope, 0, steps);
  const gates: Value[] = [];
  const first = walkBack(run, (grad, index) => {
    gates[index] = make.mul(grad, slopes[index]!);
    return make.matmul(gates[index], run.r);
  });
  const all = make.concat(gates, 0);
  return { atInput: all, atHidden: all, first };
}

/**
 * `z, r = σ(…)`, `n = tanh(W x + r (R h + bias))`, `h' = (1 - z) n + z h`. With `resetFirst` (ONNX's `linear_before_reset = 0`) it is `n = tanh(W x + R (r h) + bias)`. The blocks of the weights
 * are z, r, n.
 */
export function gruGrad(run: Run, resetFirst: boolean): RunGradients {
  const { make, steps, batch, hidden, biases, previous } = run;
  const [xz, xr, xn] = blocks(make, affine(make, run.x, run.w, biases?.w ?? null), 1, 3) as Blocks3;
  const [rz, rr, rn] = blocks(make, run.r, 0, 3) as Blocks3;
  const [bz, br, bn] = biases ? (blocks(make, biases.r, 0, 3) as Blocks3) : [null, null, null];
  const z = make.sigmoid(make.add(xz, affine(make, previous, rz, bz)));
  const r = make.sigmoid(make.add(xr, affine(make, previous, rr, br)));
  const reset = resetFirst ? make.mul(r, previous) : null;
  /** What r multiplies: `R h + bias`, or h. */
  const inner = reset ? previous : affine(make, previous, rn, bn);
  const n = make.tanh(make.add(xn, reset ? affine(make, reset, rn, bn) : make.mul(r, inner)));
  // Each gate's gradient is the state's times a factor that is known beforehand.
  const byZ = make.mul(make.sub(previous, n), sigmoidSlope(make, z));
  const byN = make.mul(complement(make, z), tanhSlope(make, n));
  const byR = make.mul(inner, sigmoidSlope(make, r));
  const keep = blocks(make, z, 0, steps);
  const [stepZ, stepN, stepR] = [byZ, byN, byR].map((value) => blocks(make, value, 0, steps)) as [
    readonly Value[],
    readonly Value[],
    readonly Value[],
  ];
  const open = blocks(make, r, 0, steps);
  const atInput: Value[] = [];
  const atHidden: Value[] = [];
  const first = walkBack(run, (grad, index) => {
    const dz = make.mul(grad, stepZ[index]!);
    const dn = make.mul(grad, stepN[index]!);
    // Of r times what it multiplies.
    const product = reset ? make.matmul(dn, rn) : dn;
    const dr = make.mul(product, stepR[index]!);
    const gated = make.mul(product, open[index]!);
    atInput[index] = make.concat([dz, dr, dn], 1);
    if (reset) {
      atHidden[index] = atInput[index];
      const gates = make.concat([dz, dr], 1);
      const weights = make.slice(run.r, [0], [2 * hidden], [0]);
      return make.sum([make.mul(grad, keep[index]!), gated, make.matmul(gates, weights)]);
    }
    atHidden[index] = make.concat([dz, dr, gated], 1);
    return make.add(make.mul(grad, keep[index]!), make.matmul(atHidden[index], run.r));
  });
  const stacked = (parts: readonly Value[]): Value =>
    make.reshape(make.concat(parts, 0), [steps * batch, 3 * hidden]);
  return {
    atInput: stacked(atInput),
    atHidden: stacked(atHidden),
    first,
    ...(reset ? { lastOperand: reset } : {}),
  };
}

type Blocks3 = readonly [Value, Value, Value];

/**
 * `i, o, f = σ(…)`, `g = tanh(…)`, `c' = f c + i g`, `h' = o tanh(c')`. The blocks of the weights are i, o, f, g.
 */
export function lstmGrad(run: Run): RunGradients {
  const { make, steps, batch, hidden } = run;
  const [gi, go, gf, gg] = blocks(make, gatesOf(run), 1, 4) as readonly [Value, Value, Value, Value];
  const [i, o, f, g] = [make.sigmoid(gi), make.sigmoid(go), make.sigmoid(gf), make.tanh(gg)];
  const added = blocks(make, make.mul(i, g), 0, steps);
  const kept = blocks(make, f, 0, steps);
  const start = run.cell ?? make.full(0, make.dtype(run.x), [batch, hidden]);
  const cells: Value[] = [];
  for (let index = 0; index < steps; index++) {
    cells[index] = make.add(make.mul(cells[index - 1] ?? start, kept[index]!), added[index]!);
  }
  const tanhCell = make.tanh(make.concat(cells, 0));
  const before = make.concat([start, ...cells.slice(0, -1)], 0);
  const byCell = blocks(make, make.mul(o, tanhSlope(make, tanhCell)), 0, steps);
  const factors = [
    make.mul(g, sigmoidSlope(make, i)),
    make.mul(tanhCell, sigmoidSlope(make, o)),
    make.mul(before, sigmoidSlope(make, f)),
    make.mul(i, tanhSlope(make, g)),
  ];
  const byGates = blocks(make, make.concat(factors, 1), 0, steps);
  const gates: Value[] = [];
  let gradCell = run.gradCell;
  const first = walkBack(run, (grad, index) => {
    const through = make.mul(grad, byCell[index]!);
    const cell = gradCell ? make.add(gradCell, through) : through;
    gates[index] = make.mul(make.concat([cell, grad, cell, cell], 1), byGates[index]!);
    gradCell = make.mul(cell, kept[index]!);
    return make.matmul(gates[index], run.r);
  });
  const all = make.concat(gates, 0);
  return { atInput: all, atHidden: all, first, ...(gradCell ? { firstCell: gradCell } : {}) };
}
