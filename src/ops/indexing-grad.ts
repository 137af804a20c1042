import { sizeOf, stridesOf, Tensor } from '../core/tensor.ts';
import { attr, type Value } from '../ir/index.ts';
import { backAlong } from './back-along.ts';
import type { Expressions } from './expressions.ts';
import { type GradContext, type GradRule, type Unsupported, unsupported } from './operator.ts';

const fromFront = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);

const zeros = (make: Expressions, shape: readonly number[], like: Value): Value =>
  make.full(0, make.dtype(like), shape);

/**
 * Adds slices of a gradient up where an index says, along an axis: what `Gather` undone is. `indices` is a vector, the gradient has as many slices on that axis. Indices that
 * come twice add up. ScatterND would be faster, but onnxruntime's CPU build adds from several threads at once there and loses what falls on one place
 * (https://github.com/microsoft/onnxruntime/issues/18048).
 */
function addAlong(
  make: Expressions,
  grad: Value,
  indices: Value,
  axis: number,
  shape: readonly number[],
): Value {
  const sizes = make.shape(grad);
  const column = sizes.map((size, own) => (own === axis ? size : 1));
  const places = make.expand(make.reshape(indices, column), sizes);
  return make.op('ScatterElements', [zeros(make, shape, grad), places, grad], {
    axis: attr.int(axis),
    reduction: attr.string('add'),
  });
}

const gatherGrad: GradRule = (ctx) => {
  const { make, grad, node } = ctx;
  const sizes = ctx.shape(ctx.input(0));
  const axis = fromFront(node.int('axis', 0), sizes.length);
  const count = sizeOf(ctx.shape(ctx.input(1)));
  const slices = make.reshape(grad, [...sizes.slice(0, axis), count, ...sizes.slice(axis + 1)]);
  const known = ctx.numbers(1);
  if (known?.length === 1) {
    // One slice, such as the class token: zeros around it.
    const place = fromFront(known[0]!, sizes[axis]!);
    const begin = sizes.map((_, own) => (own === axis ? place : 0));
    return [
      make.pad(
        slices,
        begin,
        sizes.map((size, own) => (own === axis ? size - 1 - place : 0)),
      ),
    ];
  }
  return [addAlong(make, slices, make.reshape(ctx.input(1), [count]), axis, sizes)];
};

const gatherElementsGrad: GradRule = (ctx) => {
  const { make, grad, node } = ctx;
  return [
    make.op('ScatterElements', [zeros(make, ctx.shape(ctx.input(0)), grad), ctx.input(1), grad], {
      axis: attr.int(node.int('axis', 0)),
      reduction: attr.string('add'),
    }),
  ];
};

/** Index tuples become row numbers of the data seen as a matrix, one row a slice. */
const gatherNDGrad: GradRule = (ctx) => {
  const { make, grad, node } = ctx;
  const sizes = ctx.shape(ctx.input(0));
  const indices = ctx.shape(ctx.input(1));
  const batch = node.int('batch_dims', 0);
  const depth = indices.at(-1)!;
  const batches = sizeOf(sizes.slice(0, batch));
  const named = sizes.slice(batch, batch + depth);
  const slice = sizeOf(sizes.slice(batch + depth));
  const count = sizeOf(indices.slice(0, -1));
  const tuples = make.reshape(make.cast(ctx.input(1), 'int64'), [batches, count / batches, depth]);
  const counted = make.where(make.less(tuples, 0), make.add(tuples, make.ints(named)), tuples);
  const rows = make.reduceSum(make.mul(counted, make.ints(stridesOf(named))), [2]);
  const firsts = Array.from({ length: batches }, (_, index) => index * sizeOf(named));
  const places = make.add(rows, make.reshape(make.ints(firsts), [batches, 1, 1]));
  const sum = addAlong(make, make.reshape(grad, [count, slice]), make.reshape(places, [count]), 0, [
    batches * sizeOf(named),
    slice,
  ]);
  return [make.reshape(sum, sizes)];
};

/** Written places have no gradient to the data but where they add; what is written has that of its place. */
const scatterGrad =
  (scatter: 'ScatterElements' | 'ScatterND', gather: 'GatherElements' | 'GatherND'): GradRule =>
  (ctx) => {
    const { make, grad, node } = ctx;
    const reduction = node.string('reduction', 'none');
    if (reduction !== 'none' && reduction !== 'add')
      throw ctx.unsupported(`reduction '${reduction}' has no gradient rule`);
    const axis = scatter === 'ScatterElements' ? { axis: attr.int(node.int('axis', 0)) } : {};
    const updates = ctx.shape(ctx.input(2));
    const toData = (): Value =>
      reduction === 'add' ? grad : make.op(scatter, [grad, ctx.input(1), zeros(make, updates, grad)], axis);
    return [
      ctx.needs(0) ? toData() : null,
      null,
      ctx.needs(2) ? make.op(gather, [grad, ctx.input(1)], axis) : null,
    ];
  };

/** Elements of a gradient put at every `step`-th place along an axis, zeros between. */
function stuffed(make: Expressions, grad: Value, axis: number, step: number): Value {
  const sizes = make.shape(grad);
  const wide = [...sizes.slice(0, axis + 1), 1, ...sizes.slice(axis + 1)];
  const padded = make.pad(
    make.reshape(grad, wide),
    wide.map(() => 0),
    wide.map((_, index) => (index === axis + 1 ? step - 1 : 0)),
  );
  return make.reshape(padded, [...sizes.slice(0, axis), sizes[axis]! * step, ...sizes.slice(axis + 1)]);
}

/** A slice undone: turned round where its step was negative, zeros between where it was not 1, zeros around. */
const sliceGrad: GradRule = (ctx) => {
  const { make } = ctx;
  const sizes = ctx.shape(ctx.input(0));
  const [starts, ends] = [ctx.numbers(1), ctx.numbers(2)];
  const axes = (ctx.node.inputs[3] ? ctx.numbers(3) : sizes.map((_, axis) => axis))?.slice(0, starts?.length);
  const steps = ctx.node.inputs[4] ? ctx.numbers(4) : starts?.map(() => 1);
  if (!starts || !ends || !axes || !steps)
    throw ctx.unsupported('starts, ends, axes and steps must be constants');
  let gradient = ctx.grad;
  const begin = sizes.map(() => 0);
  const end = sizes.map(() => 0);
  // The last axis first: zeros between its elements are dear, and fewest then.
  const order = axes
    .map((axis, index) => ({ axis: fromFront(axis, sizes.length), index }))
    .sort((a, b) => b.axis - a.axis);
  for (const { axis, index } of order) {
    const size = sizes[axis]!;
    const count = ctx.shape(ctx.grad)[axis]!;
    const step = steps[index]!;
    const stated = starts[index]! < 0 ? starts[index]! + size : starts[index]!;
    const first = step > 0 ? Math.min(Math.max(stated, 0), size) : Math.min(Math.max(stated, -1), size - 1);
    if (step < 0) gradient = make.slice(gradient, [-1], [Number.MIN_SAFE_INTEGER], [axis], [-1]);
    if (Math.abs(step) > 1) gradient = stuffed(make, gradient, axis, Math.abs(step));
    begin[axis] = step > 0 ? first : first + step * (count - 1);
    end[axis] = size - begin[axis]! - make.shape(gradient)[axis]!;
  }
  return [make.pad(gradient, begin, end)];
};

/** Index of the element that each place of a padded axis shows. */
function shown(mode: string, size: number, begin: number, end: number): number[] {
  return Array.from({ length: size + begin + end }, (_, place) => {
    const at = place - begin;
    if (mode === 'edge') return Math.min(Math.max(at, 0), size - 1);
    if (mode === 'wrap') return ((at % size) + size) % size;
    // Reflected at the border elements, which are not repeated.
    const period = Math.max(1, 2 * (size - 1));
    const folded = ((at % period) + period) % period;
    return folded < size ? folded : period - folded;
  });
}

const padGrad: GradRule = (ctx) => {
  const { make, node } = ctx;
  const sizes = ctx.shape(ctx.input(0));
  const pads = ctx.numbers(1);
  const axes = node.inputs[3] ? ctx.numbers(3) : sizes.map((_, axis) => axis);
  if (!pads || !axes) throw ctx.unsupported('pads and axes must be constants');
  const mode = node.string('mode', 'constant');
  const begin = sizes.map(() => 0);
  const end = sizes.map(() => 0);
  axes.forEach((axis, index) => {
    begin[fromFront(axis, sizes.length)] = pads[index]!;
    end[fromFront(axis, sizes.length)] = pads[index + axes.length]!;
  });
  if (mode === 'constant') {
    const inside = make.pad(
      ctx.grad,
      begin.map((size) => -size),
      end.map((size) => -size),
    );
    // The value put around has what the input does not.
    const toValue = (value: Value): Value =>
      make.reshape(
        make.sub(make.reduceSum(ctx.grad, undefined, false), make.reduceSum(inside, undefined, false)),
        ctx.shape(value),
      );
    return [inside, null, ctx.needs(2) ? toValue(ctx.input(2)) : null];
  }
  let gradient = ctx.grad;
  sizes.forEach((size, axis) => {
    if (begin[axis] === 0 && end[axis] === 0) return;
    const places = shown(mode, size, begin[axis]!, end[axis]!);
    const matrix = new Float32Array(places.length * size);
    places.forEach((place, row) => {
      matrix[row * size + place] = 1;
    });
    gradient = backAlong(make, gradient, axis, new Tensor('float32', [places.length, size], matrix));
  });
  return [gradient];
};

const triluGrad: GradRule = ({ make, grad, node }) => [
  make.op('Trilu', [grad, ...(node.inputs[1] ? [node.inputs[1]] : [])], {
    upper: attr.int(node.int('upper', 1)),
  }),
];

const topKGrad: GradRule = (ctx: GradContext) => {
  const { make, grad, node } = ctx;
  return [
    make.op('ScatterElements', [zeros(make, ctx.shape(ctx.input(0)), grad), ctx.output(1), grad], {
      axis: attr.int(node.int('axis', -1)),
    }),
  ];
};

/** Cutting and padding around the middle undo each other. */
const centerCropPadGrad: GradRule = (ctx) => {
  const { make, grad, node } = ctx;
  const sizes = ctx.shape(ctx.input(0));
  const axes = node.ints('axes');
  const wanted = axes ? axes.map((axis) => sizes[fromFront(axis, sizes.length)]!) : sizes;
  return [make.op('CenterCropPad', [grad, make.ints(wanted)], axes ? { axes: attr.ints(axes) } : {})];
};

/** Gradient rules of operators that choose elements by position, or write to positions. */
export const INDEXING_GRADS: Readonly<Record<string, GradRule | Unsupported>> = {
  Gather: gatherGrad,
  GatherElements: gatherElementsGrad,
  GatherND: gatherNDGrad,
  Slice: sliceGrad,
  Pad: padGrad,
  Scatter: unsupported('it is the old name of ScatterElements, which upgradeOpset gives it'),
  ScatterElements: scatterGrad('ScatterElements', 'GatherElements'),
  ScatterND: scatterGrad('ScatterND', 'GatherND'),
  Compress: unsupported('how many elements it keeps depends on the data, and shapes must be known'),
  Trilu: triluGrad,
  TopK: topKGrad,
  GridSample: unsupported(
    'its samples would have to be scattered back by interpolation, which is not written; train without it',
  ),
  CenterCropPad: centerCropPadGrad,
};
