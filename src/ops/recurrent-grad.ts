import type { Value } from '../ir/index.ts';
import type { GradContext, GradRule } from './operator.ts';
import { blocks, gruGrad, lstmGrad, type Run, type RunGradients, rnnGrad } from './recurrent-cell-grad.ts';

type Cell = 'RNN' | 'GRU' | 'LSTM';

/** Activations that the rules know, which are the defaults. */
const DEFAULTS: Readonly<Record<Cell, readonly string[]>> = {
  RNN: ['tanh'],
  GRU: ['sigmoid', 'tanh'],
  LSTM: ['sigmoid', 'tanh', 'tanh'],
};

/** Gradients of one direction, as the inputs of the node have them but without their axis of directions. */
interface Parts {
  readonly x: Value | null;
  readonly w: Value | null;
  readonly r: Value | null;
  readonly bias: Value | null;
  readonly first: Value;
  readonly firstCell: Value | null;
}

/**
 * A recurrent layer, by going back over its steps, which are written out: the nodes are linear in the number of steps, and only what hangs on the step before is computed step by
 * step. The hidden states are read from the output; gates are computed anew.
 */
export const recurrentGrad =
  (cell: Cell): GradRule =>
  (ctx) => {
    const { make, node } = ctx;
    const activations = checkedActivations(ctx, cell);
    const directions = ctx.shape(ctx.input(1))[0]!;
    const parts = Array.from({ length: directions }, (_, direction) =>
      direct(ctx, cell, direction, activations[direction]!),
    );
    /** Directions below each other, each with an axis of its own. */
    const stacked = (pick: (part: Parts) => Value | null): Value | null => {
      const values = parts.map(pick).filter((value) => value !== null);
      if (values.length === 0) return null;
      const own = (value: Value): Value => make.reshape(value, [1, ...ctx.shape(value)]);
      return make.concat(values.map(own), 0);
    };
    const xs = parts.map(({ x }) => x).filter((value) => value !== null);
    return node.inputs.map((_, index) => {
      if (!ctx.needs(index)) return null;
      if (index === 0) return make.sum(xs);
      if (index === 1) return stacked(({ w }) => w);
      if (index === 2) return stacked(({ r }) => r);
      if (index === 3) return stacked(({ bias }) => bias);
      if (index === 5) return stacked(({ first }) => first);
      return index === 6 ? stacked(({ firstCell }) => firstCell) : null;
    });
  };

/** Activations by direction. Throws UnsupportedError for what has no rule. */
function checkedActivations(ctx: GradContext, cell: Cell): readonly (readonly string[])[] {
  const { node } = ctx;
  const [steps] = ctx.shape(ctx.input(0));
  if (node.int('layout', 0) !== 0) throw ctx.unsupported('its gradient is written for layout 0 only');
  if (node.attributes.has('clip'))
    throw ctx.unsupported('its gradient is not written for the attribute clip');
  if (node.int('input_forget', 0) !== 0)
    throw ctx.unsupported('its gradient is not written for input_forget = 1');
  if (node.inputs[7]) throw ctx.unsupported('its gradient is not written for peepholes');
  if (node.inputs[4] && !ctx.numbers(4)?.every((length) => length === steps)) {
    throw ctx.unsupported(
      'its gradient is written for sequences of the full length only: leave out sequence_lens',
    );
  }
  const defaults = DEFAULTS[cell];
  const directions = ctx.shape(ctx.input(1))[0]!;
  const stated = node.attributes.get('activations');
  const names =
    stated?.kind === 'strings' ? stated.value.map((name) => String(name).toLowerCase()) : undefined;
  return Array.from({ length: directions }, (_, direction) => {
    const own = names?.slice(direction * defaults.length, (direction + 1) * defaults.length) ?? defaults;
    const known = own.join() === defaults.join() || (cell === 'RNN' && own.join() === 'relu');
    if (known) return own;
    throw ctx.unsupported(
      `its gradient is written for the activations ${defaults.join(', ')} only, got ${own.join(', ')}`,
    );
  });
}

function direct(ctx: GradContext, cell: Cell, direction: number, activations: readonly string[]): Parts {
  const { make } = ctx;
  const run = runOf(ctx, direction);
  const gradients = cellGradients(ctx, cell, run, activations);
  const { atInput, atHidden, lastOperand, first } = gradients;
  const rows = (value: Value): Value => make.reduceSum(value, [0], false);
  return {
    x: ctx.needs(0) ? intoOrder(ctx, make.matmul(atInput, run.w), direction) : null,
    w: ctx.needs(1) ? make.gemm(atInput, run.x, { transA: true }) : null,
    r: ctx.needs(2) ? recurrentWeight(run, atHidden, lastOperand) : null,
    bias: ctx.needs(3) ? make.concat([rows(atInput), rows(atHidden)], 0) : null,
    first,
    firstCell: gradients.firstCell ?? null,
  };
}

function cellGradients(ctx: GradContext, cell: Cell, run: Run, activations: readonly string[]): RunGradients {
  if (cell === 'LSTM') return lstmGrad(run);
  if (cell === 'GRU') return gruGrad(run, ctx.node.int('linear_before_reset', 0) === 0);
  return rnnGrad(run, activations[0] === 'relu' ? 'relu' : 'tanh');
}

/** `Σ gates hᵀ`, where the last block of R may be applied to something else. */
function recurrentWeight(run: Run, atHidden: Value, lastOperand: Value | undefined): Value {
  const { make, hidden } = run;
  const all = (gates: Value, operand: Value): Value => make.gemm(gates, operand, { transA: true });
  if (!lastOperand) return all(atHidden, run.previous);
  const last = make.shape(atHidden)[1]! - hidden;
  return make.concat(
    [
      all(make.slice(atHidden, [0], [last], [1]), run.previous),
      all(make.slice(atHidden, [last], [last + hidden], [1]), lastOperand),
    ],
    0,
  );
}

/** Everything of one direction, its steps in the order they run. */
function runOf(ctx: GradContext, direction: number): Run {
  const { make, node } = ctx;
  const [steps, batch, features] = ctx.shape(ctx.input(0)) as readonly [number, number, number];
  const [, rows, hidden] = ctx.shape(ctx.input(2)) as readonly [number, number, number];
  const own = (value: Value, shape: readonly number[], axis = 0): Value =>
    make.reshape(make.slice(value, [direction], [direction + 1], [axis]), shape);
  const initial = (index: number): Value | null => {
    const value = node.inputs[index];
    return value ? own(value, [batch, hidden]) : null;
  };
  const last = (index: number): Value | null => {
    const grad = ctx.gradOutputs[index];
    return grad ? own(grad, [batch, hidden]) : null;
  };
  const flow = ctx.gradOutputs[0];
  const ordered = (value: Value, width: number): Value =>
    make.reshape(reversedIf(ctx, value, direction), [steps * batch, width]);
  const state = ordered(own(ctx.output(0), [steps, batch, hidden], 1), hidden);
  const start = initial(5) ?? make.full(0, make.dtype(ctx.input(0)), [batch, hidden]);
  const bias = node.inputs[3] ? own(node.inputs[3], [2 * rows]) : null;
  const [w, r] = bias ? blocks(make, bias, 0, 2) : [];
  return {
    make,
    steps,
    batch,
    hidden,
    x: ordered(ctx.input(0), features),
    w: own(ctx.input(1), [rows, features]),
    r: own(ctx.input(2), [rows, hidden]),
    biases: w && r ? { w, r } : null,
    state,
    previous: make.concat(
      steps === 1 ? [start] : [start, make.slice(state, [0], [(steps - 1) * batch], [0])],
      0,
    ),
    cell: node.opType === 'LSTM' ? initial(6) : null,
    gradSteps: flow ? blocks(make, ordered(own(flow, [steps, batch, hidden], 1), hidden), 0, steps) : null,
    gradLast: last(1),
    gradCell: node.opType === 'LSTM' ? last(2) : null,
  };
}

/** True where a direction runs from the last step to the first. */
const isBackward = (ctx: GradContext, direction: number): boolean =>
  direction === 1 || ctx.node.string('direction', 'forward').toLowerCase() === 'reverse';

/** Turns the first axis around for a direction that runs backward. */
function reversedIf(ctx: GradContext, value: Value, direction: number): Value {
  if (!isBackward(ctx, direction)) return value;
  const [steps] = ctx.make.shape(value);
  return ctx.make.slice(value, [steps! - 1], [-steps! - 1], [0], [-1]);
}

/** Rows of a run as the input has them: `[steps, batch, features]`. */
function intoOrder(ctx: GradContext, rows: Value, direction: number): Value {
  return reversedIf(ctx, ctx.make.reshape(rows, ctx.shape(ctx.input(0))), direction);
}
