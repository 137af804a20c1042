import { attr, type Value } from '../ir/index.ts';
import type { GradContext, GradRule, Unsupported } from './operator.ts';

/** The same elements under the input's shape. */
const reshaped: GradRule = (ctx) => [ctx.make.reshape(ctx.grad, ctx.shape(ctx.input(0)))];

const transposeGrad: GradRule = (ctx) => {
  const rank = ctx.shape(ctx.input(0)).length;
  const perm = ctx.node.ints('perm', []);
  const axes = perm.length > 0 ? perm : Array.from({ length: rank }, (_, axis) => rank - 1 - axis);
  const back = new Array<number>(rank);
  axes.forEach((axis, index) => {
    back[axis] = index;
  });
  return [ctx.make.transpose(ctx.grad, back)];
};

const fromFront = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);

const concatGrad: GradRule = (ctx) => {
  const { make, grad, node } = ctx;
  const axis = fromFront(node.int('axis', 0), ctx.shape(grad).length);
  let end = 0;
  return node.inputs.map((input, index) => {
    const size = input ? ctx.shape(input)[axis]! : 0;
    end += size;
    return input && ctx.needs(index) ? make.slice(grad, [end - size], [end], [axis]) : null;
  });
};

/** Parts without a gradient count as zeros. */
const splitGrad: GradRule = (ctx) => {
  const { make, node } = ctx;
  const axis = fromFront(node.int('axis', 0), ctx.shape(ctx.input(0)).length);
  const flowing = ctx.gradOutputs.flatMap((gradient, index) => (gradient ? [{ gradient, index }] : []));
  const [only, another] = flowing;
  const leading = node.outputs.slice(0, only?.index);
  if (only && !another && leading.every((output) => output !== null)) {
    // One part alone: zeros around it, which need not be stored.
    const sizes = ctx.shape(ctx.input(0));
    const first = leading.reduce((sum, output) => sum + (output ? ctx.shape(output)[axis]! : 0), 0);
    const last = sizes[axis]! - first - ctx.shape(only.gradient)[axis]!;
    const around = (count: number): number[] => sizes.map((_, own) => (own === axis ? count : 0));
    return [make.pad(only.gradient, around(first), around(last))];
  }
  const dtype = make.dtype(ctx.input(0));
  const parts = node.outputs.map((output, index) => {
    const gradient = ctx.gradOutputs[index];
    if (gradient) return gradient;
    if (!output) throw ctx.unsupported(`output ${index} is left out, so its size is not known`);
    return make.full(0, dtype, ctx.shape(output));
  });
  return [make.concat(parts, axis)];
};

const expandGrad: GradRule = (ctx) => [ctx.make.sumLike(ctx.grad, ctx.input(0))];

/** Tiles are axes of their own, which are summed. */
const tileGrad: GradRule = (ctx) => {
  const { make, grad } = ctx;
  const sizes = ctx.shape(ctx.input(0));
  const tiled = ctx.shape(grad);
  const split = sizes.flatMap((size, axis) => [tiled[axis]! / size, size]);
  const tiles = sizes.map((_, axis) => 2 * axis);
  return [make.reshape(make.reduceSum(make.reshape(grad, split), tiles), sizes)];
};

const spaceToDepthGrad: GradRule = ({ make, grad, node }) => [
  make.op('DepthToSpace', [grad], { blocksize: attr.int(node.int('blocksize', 1)) }),
];

/** SpaceToDepth has one order of channels, that of DCR; CRD is put back axis by axis. */
const depthToSpaceGrad: GradRule = (ctx) => {
  const { make, grad, node } = ctx;
  const block = node.int('blocksize', 1);
  if (node.string('mode', 'DCR') !== 'CRD')
    return [make.op('SpaceToDepth', [grad], { blocksize: attr.int(block) })];
  const [batch = 1, channels = 1, height = 1, width = 1] = ctx.shape(ctx.input(0));
  const blocks = make.reshape(grad, [batch, channels / block ** 2, height, block, width, block]);
  return [make.reshape(make.transpose(blocks, [0, 1, 3, 5, 2, 4]), [batch, channels, height, width])];
};

const reverseSequenceGrad: GradRule = ({ make, grad, node, input }) => [
  make.op('ReverseSequence', [grad, input(1)], {
    batch_axis: attr.int(node.int('batch_axis', 1)),
    time_axis: attr.int(node.int('time_axis', 0)),
  }),
];

const same = ({ grad }: GradContext): readonly Value[] => [grad];

/** Gradient rules of operators that move elements. */
export const LAYOUT_GRADS: Readonly<Record<string, GradRule | Unsupported>> = {
  Reshape: reshaped,
  Transpose: transposeGrad,
  Flatten: reshaped,
  Concat: concatGrad,
  Split: splitGrad,
  Squeeze: reshaped,
  Unsqueeze: reshaped,
  Expand: expandGrad,
  Tile: tileGrad,
  Identity: same,
  SpaceToDepth: spaceToDepthGrad,
  DepthToSpace: depthToSpaceGrad,
  ReverseSequence: reverseSequenceGrad,
};
