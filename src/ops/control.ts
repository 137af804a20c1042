import type { Dim, Graph, Shape } from '../ir/index.ts';
import { axisOf } from './broadcast.ts';
import { entry } from './entry.ts';
import { sameDim } from './expect.ts';
import { notDifferentiable } from './later.ts';
import {
  type InferContext,
  type InferRule,
  type Inferred,
  type Operator,
  type UpgradeRule,
  unsupported,
} from './operator.ts';

const branchesHaveNoGradient = unsupported(
  'which branch runs is known at run time only, and gradients do not go into subgraphs; write the branch that is meant in its place, or compute both and choose with Where',
);

const turnsHaveNoGradient = unsupported(
  'the way back over its turns needs what each of them computed, which it does not keep; write its turns as nodes, one after the other',
);

const sequencesHaveNoGradient = unsupported(
  'what is in sequences and optionals is not followed, so neither are gradients; pass tensors on, by Split and Concat for instance',
);

const costOfBranches = unsupported('how often its subgraphs run is known at run time only');

const subgraphsNotFollowed = unsupported(
  'channels are not followed into its subgraphs, so what they read and give stays whole',
);

const sequencesNotFollowed = unsupported(
  'channels are not followed through sequences and optionals, so what is put in and taken out stays whole',
);

function subgraph(ctx: InferContext, name: string): Graph {
  const attribute = ctx.node.attributes.get(name);
  if (attribute?.kind === 'graph') return attribute.value;
  throw ctx.error(`attribute '${name}' expects a graph, got ${attribute?.kind ?? 'none'}`);
}

/** What holds of both of two types: equal dimensions and elements stay, others are unknown. Null where rank or dtype differ. */
function common(a: Inferred | null, b: Inferred | null): Inferred | null {
  if (!a || !b || a.dtype !== b.dtype || a.shape.length !== b.shape.length) return null;
  const shape = a.shape.map((dim, axis) => (dim === b.shape[axis] ? dim : null));
  if (!a.known || !b.known || a.known.length !== b.known.length) return { dtype: a.dtype, shape };
  const other = b.known;
  return {
    dtype: a.dtype,
    shape,
    known: a.known.map((element, i) => (element === other[i] ? element : null)),
  };
}

/** The branch taken where the condition is known; else what both branches have in common. */
const conditional: InferRule = (ctx) => {
  const condition = ctx.known(0)?.[0];
  if (typeof condition === 'number') {
    return ctx.inferSubgraph(subgraph(ctx, condition === 0 ? 'else_branch' : 'then_branch'), []);
  }
  const yes = ctx.inferSubgraph(subgraph(ctx, 'then_branch'), []);
  const no = ctx.inferSubgraph(subgraph(ctx, 'else_branch'), []);
  return yes.map((type, index) => common(type, no[index] ?? null));
};

/** A type without known elements: what a loop carries changes from turn to turn. */
const carried = (type: Inferred | null): Inferred | null => type && { dtype: type.dtype, shape: type.shape };

const sameType = (a: Inferred | null, b: Inferred | null): boolean =>
  a === b ||
  (a !== null &&
    b !== null &&
    a.dtype === b.dtype &&
    a.shape.length === b.shape.length &&
    a.shape.every((dim, axis) => dim === b.shape[axis]));

/** Infers a body until what it carries from turn to turn stays the same; dimensions that change become unknown. */
function settled(
  ctx: InferContext,
  body: Graph,
  start: readonly (Inferred | null)[],
  inputs: (state: readonly (Inferred | null)[]) => readonly (Inferred | null)[],
  skipped: number,
): { state: readonly (Inferred | null)[]; outputs: readonly (Inferred | null)[] } {
  let state = start.map(carried);
  for (;;) {
    const before = state;
    const outputs = ctx.inferSubgraph(body, inputs(before));
    state = before.map((type, index) => carried(common(type, outputs[index + skipped] ?? null)));
    // Each turn gives up a dimension or a type, so this ends.
    if (state.every((type, index) => sameType(type, before[index] ?? null))) return { state, outputs };
  }
}

/** Body inputs: turn, condition, carried values; outputs: condition, carried values, values stacked over turns. */
const loop: InferRule = (ctx) => {
  const body = subgraph(ctx, 'body');
  const start = ctx.inputs.slice(2);
  const turn: Inferred = { dtype: 'int64', shape: [] };
  const again: Inferred = { dtype: 'bool', shape: [] };
  const { state, outputs } = settled(ctx, body, start, (types) => [turn, again, ...types], 1);
  const turns = stops(ctx, body) ? null : (ctx.known(0)?.[0] ?? null);
  const stacked = outputs
    .slice(1 + start.length)
    .map((type) => type && { dtype: type.dtype, shape: [turns, ...type.shape] });
  return [...state, ...stacked];
};

/** True unless the loop runs for all its turns: its condition is left out or true, and the body hands it on. */
function stops(ctx: InferContext, body: Graph): boolean {
  const given = ctx.inputs[1];
  if (given && given.known?.[0] !== 1) return true;
  let condition = body.outputs[0];
  while (condition?.producer?.opType === 'Identity') condition = condition.producer.inputs[0] ?? undefined;
  if (condition === body.inputs[1]) return false;
  const constant = condition?.initializer ?? condition?.producer?.tensor('value');
  return constant?.toNumbers()[0] !== 1;
}

/** States first, then sequences that are walked along an axis. Opset 8 had a batch axis before it all. */
const scan: InferRule = (ctx) => {
  if (ctx.opset < 9) return ctx.node.outputs.map(() => null);
  const body = subgraph(ctx, 'body');
  const walked = ctx.node.int('num_scan_inputs', 0);
  const states = ctx.inputs.length - walked;
  const inputAxes = ctx.node.ints('scan_input_axes', new Array<number>(walked).fill(0));
  let turns: Dim = null;
  const slices = ctx.inputs.slice(states).map((type, index) => {
    if (!type) return null;
    const axis = axisOf(ctx, inputAxes[index] ?? 0, type.shape.length);
    turns = sameDim(turns, type.shape[axis]);
    return { dtype: type.dtype, shape: type.shape.filter((_, own) => own !== axis) };
  });
  const start = ctx.inputs.slice(0, states);
  const { state, outputs } = settled(ctx, body, start, (types) => [...types, ...slices], 0);
  const stackedTypes = outputs.slice(states);
  const outputAxes = ctx.node.ints('scan_output_axes', new Array<number>(stackedTypes.length).fill(0));
  const stacked = stackedTypes.map((type, index) => {
    if (!type) return null;
    const axis = axisOf(ctx, outputAxes[index] ?? 0, type.shape.length + 1);
    const shape: Shape = [...type.shape.slice(0, axis), turns, ...type.shape.slice(axis)];
    return { dtype: type.dtype, shape };
  });
  return [...state, ...stacked];
};

/** Sequences and optionals are no tensors, and what is in them is not followed; the file's declared types stand. */
const notFollowed: InferRule = (ctx) => ctx.node.outputs.map(() => null);

/** Opset 8 walked over batches of sequences with lengths of their own. */
const upgradeScan: UpgradeRule = (ctx) => {
  if (ctx.opset >= 9) return null;
  throw ctx.unsupported('Scan of opset 8 has a batch axis, which later ones do not; export the model again');
};

/** Subgraphs, sequences and optional values. */
export const CONTROL: readonly Operator[] = [
  entry('If', 1, 'One of two subgraphs.', conditional, {
    channels: subgraphsNotFollowed,
    cost: costOfBranches,
    grad: branchesHaveNoGradient,
  }),
  entry('Loop', 1, 'A subgraph run again and again.', loop, {
    channels: subgraphsNotFollowed,
    cost: costOfBranches,
    grad: turnsHaveNoGradient,
  }),
  entry('Scan', 8, 'A subgraph run along an axis.', scan, {
    channels: subgraphsNotFollowed,
    cost: costOfBranches,
    grad: turnsHaveNoGradient,
    upgrade: upgradeScan,
  }),
  entry('SequenceConstruct', 11, 'A sequence of tensors.', notFollowed, {
    channels: sequencesNotFollowed,
    grad: sequencesHaveNoGradient,
  }),
  entry('SequenceEmpty', 11, 'A sequence of nothing.', notFollowed, {
    channels: sequencesNotFollowed,
    grad: sequencesHaveNoGradient,
  }),
  entry('SequenceInsert', 11, 'A sequence with a tensor put in.', notFollowed, {
    channels: sequencesNotFollowed,
    grad: sequencesHaveNoGradient,
  }),
  entry('SequenceErase', 11, 'A sequence with a tensor taken out.', notFollowed, {
    channels: sequencesNotFollowed,
    grad: sequencesHaveNoGradient,
  }),
  entry('SequenceAt', 11, 'A tensor of a sequence.', notFollowed, {
    channels: sequencesNotFollowed,
    grad: sequencesHaveNoGradient,
  }),
  entry('SequenceLength', 11, 'The number of tensors of a sequence.', notFollowed, {
    channels: sequencesNotFollowed,
    grad: notDifferentiable,
  }),
  entry('SplitToSequence', 11, 'A tensor cut into a sequence.', notFollowed, {
    channels: sequencesNotFollowed,
    grad: sequencesHaveNoGradient,
  }),
  entry('ConcatFromSequence', 11, 'The tensors of a sequence joined.', notFollowed, {
    channels: sequencesNotFollowed,
    grad: sequencesHaveNoGradient,
  }),
  entry('Optional', 15, 'A value that may be missing.', notFollowed, {
    channels: sequencesNotFollowed,
    grad: sequencesHaveNoGradient,
  }),
  entry('OptionalGetElement', 15, 'The value of an optional.', notFollowed, {
    channels: sequencesNotFollowed,
    grad: sequencesHaveNoGradient,
  }),
  entry('OptionalHasElement', 15, 'True where an optional holds a value.', notFollowed, {
    channels: sequencesNotFollowed,
    grad: notDifferentiable,
  }),
];
