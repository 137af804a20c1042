import type { Dim, Node } from '../ir/index.ts';
import { cost, inputShape } from './cost.ts';
import { differ, expectFloat, expectRank, expectSameDtype, expectShape, sameDim } from './expect.ts';
import { type IsConstant, makeLayer } from './layer.ts';
import {
  type CostRule,
  type InferContext,
  type InferRule,
  LATEST_OPSET,
  type Layer,
  type Operator,
  type WeightLayout,
} from './operator.ts';
import { recurrentChannels } from './recurrent-channels.ts';
import { recurrentGrad } from './recurrent-grad.ts';

/** What tells the three recurrent operators apart. */
interface Cell {
  /** Blocks of `hidden` rows in the weights: one of an RNN, three gates of a GRU, four of an LSTM. */
  readonly gates: number;
  /** Operations of one step of one sequence beside the matrix products, in multiples of `hidden`, as thop counts them (`rnn_hooks.py`). */
  readonly thopExtra: number;
  /** True where there is a cell state beside the hidden state. */
  readonly cellState: boolean;
}

const CELLS = {
  // + h for the tanh
  RNN: { gates: 1, thopExtra: 1, cellState: false },
  // + h per gate, r * (...), and three for h' = (1 - z) * n + z * h
  GRU: { gates: 3, thopExtra: 7, cellState: false },
  // + h per gate, three for c' = f * c + i * g, one for o * tanh(c')
  LSTM: { gates: 4, thopExtra: 8, cellState: true },
} as const satisfies Record<string, Cell>;

/** Sequences run forward, backward, or both ways. */
function directions(ctx: InferContext): number {
  const direction = ctx.node.string('direction', 'forward').toLowerCase();
  if (direction === 'bidirectional') return 2;
  if (direction === 'forward' || direction === 'reverse') return 1;
  throw ctx.error(`direction expects forward, reverse or bidirectional, got '${direction}'`);
}

/** Batch first (`layout = 1`, from opset 14 on) or steps first. */
const batchFirst = (node: Node): boolean => node.int('layout', 0) !== 0;

/**
 * X `[steps, batch, features]`, W `[directions, gates * hidden, features]`, R `[directions, gates * hidden, hidden]`; gives
 * Y `[steps, directions, batch, hidden]` and the last states `[directions, batch, hidden]`, or with `layout = 1`
 * `[batch, steps, features]`, `[batch, steps, directions, hidden]` and `[batch, directions, hidden]`.
 */
const inferRecurrent =
  ({ gates, cellState }: Cell): InferRule =>
  (ctx) => {
    const { dtype, shape } = expectRank(ctx, 0, 'the input', 3);
    expectFloat(ctx, 0, 1, 2, 3, 5, 6, 7);
    expectSameDtype(ctx, 0, 1, 2, 3, 5, 6, 7);
    const first = batchFirst(ctx.node);
    const [steps, batch] = first ? [shape[1]!, shape[0]!] : [shape[0]!, shape[1]!];
    const features = shape[2]!;
    const weight = expectRank(ctx, 1, 'weight W', 3).shape;
    const recurrent = expectRank(ctx, 2, 'weight R', 3).shape;
    const ways = directions(ctx);
    const stated = ctx.node.int('hidden_size');
    const hidden = sameDim(stated, recurrent[2]);
    const rows: Dim = typeof hidden === 'number' ? gates * hidden : null;
    if (differ(weight[2], features)) {
      throw ctx.error(
        `weight W expects ${weight[2]} input features, got ${features}; prune both sides of the connection together`,
      );
    }
    expectShape(ctx, 1, 'weight W', [ways, rows, features]);
    expectShape(ctx, 2, 'weight R', [ways, rows, hidden]);
    expectShape(ctx, 3, 'bias', [ways, typeof rows === 'number' ? 2 * rows : null]);
    expectShape(ctx, 4, 'sequence_lens', [batch]);
    const state: readonly Dim[] = first ? [batch, ways, hidden] : [ways, batch, hidden];
    expectShape(ctx, 5, 'initial_h', state);
    if (cellState) {
      expectShape(ctx, 6, 'initial_c', state);
      expectShape(ctx, 7, 'peepholes', [ways, typeof hidden === 'number' ? 3 * hidden : null]);
    }
    const sequence: readonly Dim[] = first ? [batch, steps, ways, hidden] : [steps, ways, batch, hidden];
    const last = { dtype, shape: state };
    return [{ dtype, shape: sequence }, last, ...(cellState ? [last] : [])];
  };

const recurrentCost =
  ({ gates, thopExtra }: Cell): CostRule =>
  (ctx) => {
    const [first, second, features] = inputShape(ctx, 0);
    const [ways, , hidden] = inputShape(ctx, 2);
    const runs = first! * second! * ways!;
    const macs = runs * gates * hidden! * (features! + hidden!);
    // Two biases per gate where there are any.
    const thop = macs + runs * hidden! * (thopExtra + (ctx.inputs[3] ? 2 * gates : 0));
    return cost(macs, thop, thop);
  };

/** Both directions lie in one tensor, so the names are PyTorch's without `_l0` and `_reverse`; `bias` is both of PyTorch's. */
const layout = (input: number | null): WeightLayout => ({ output: 1, input, kernel: [], groups: 1 });

const recurrentLayer =
  (type: string) =>
  (_node: Node, isConstant: IsConstant): Layer | null =>
    makeLayer(isConstant, type, [
      ['weight_ih', 1, layout(2)],
      ['weight_hh', 2, layout(2)],
      ['bias', 3, layout(null)],
    ]);

const recurrentOperator = (opType: keyof typeof CELLS, summary: string): Operator => ({
  domain: '',
  opType,
  opsets: [7, LATEST_OPSET],
  summary,
  infer: inferRecurrent(CELLS[opType]),
  cost: recurrentCost(CELLS[opType]),
  grad: recurrentGrad(opType),
  channels: recurrentChannels,
  // Bias, initial states, peepholes.
  zeroInputs: CELLS[opType].cellState ? [3, 5, 6, 7] : [3, 5],
  layer: recurrentLayer(opType),
});

/** Recurrent layers. */
export const RECURRENT: readonly Operator[] = [
  recurrentOperator('LSTM', 'Long short-term memory over sequences, in one direction or both.'),
  recurrentOperator('GRU', 'Gated recurrent units over sequences, in one direction or both.'),
  recurrentOperator('RNN', 'Simple recurrent layer over sequences, in one direction or both.'),
];
