import { attr } from '../ir/index.ts';
import { onAxis } from './channels.ts';
import { inexactZeroPoint, tieToResult } from './contraction.ts';
import type { AxisLabels, Channels, ChannelsContext, ChannelsResult, ChannelsRule } from './operator.ts';

/** Which inputs of a convolution are image, weight and bias. */
export interface ConvInputs {
  readonly image: number;
  readonly weight: number;
  readonly bias: number;
}

/** Where ONNX's Conv has them. */
export const PLAIN_CONV: ConvInputs = { image: 0, weight: 1, bias: 2 };

/** A vector of labels, one for each of `sizes[0] * sizes[1]` channels, seen as a matrix: the labels of its rows. Rows of one are themselves. */
export function rowsOf(
  ctx: ChannelsContext,
  labels: AxisLabels,
  sizes: readonly [rows: number, columns: number],
): AxisLabels {
  if (!labels || sizes[1] === 1) return labels;
  return sizes[0] === 1 ? null : ctx.axisOf([{ axes: [0, 1], labels }], 0, sizes);
}

/** Channels of the image that lie on spatial axes stay: the window needs them side by side. Gives those of the batch. */
function aroundChannels(ctx: ChannelsContext, image: number): Channels {
  for (let axis = 2; axis < ctx.shape(image).length; axis++) {
    ctx.freeze(ctx.axis(image, axis), 'slides a window over them');
  }
  return ctx.moved(image, 0, 0);
}

/** Counts groups anew: as many as there are rows left. */
const countGroups = (rows: AxisLabels): Pick<ChannelsResult, 'cut'> =>
  rows ? { cut: (ctx) => ctx.setAttribute('group', attr.int(ctx.kept(rows))) } : {};

/**
 * A convolution with weight `[out, in / groups, ...kernel]`. Of several groups each loses equally many inputs and equally many outputs, or both its inputs and its outputs go whole; which ones may
 * differ between groups.
 */
export const convRule =
  ({ image, weight, bias }: ConvInputs): ChannelsRule =>
  (ctx) => {
    const batch = aroundChannels(ctx, image);
    const groups = ctx.node.int('group', 1);
    const output = ctx.source(weight, 0);
    let rows: AxisLabels = null;
    if (groups === 1) {
      ctx.contract(image, 1, weight, 1);
    } else {
      const [filters, perGroup] = ctx.shape(weight);
      const input = ctx.axis(image, 1);
      if (input && perGroup !== 1) ctx.perPart(weight, 1, 0, input);
      rows = rowsOf(ctx, input, [groups, perGroup!]);
      const outputRows = rowsOf(ctx, output, [groups, filters! / groups]);
      ctx.tie(rows, outputRows, 'reads groups of channels that cannot be cut');
    }
    const channels = [...batch, ...onAxis(1, output)];
    tieToResult(ctx, channels, ctx.outputShape(0), bias, 1);
    return { outputs: [channels], ...countGroups(rows) };
  };

/** onnxruntime's FusedConv: a tensor (input 3) is added to the result. */
export const fusedConvChannels: ChannelsRule = (ctx) => {
  const result = convRule(PLAIN_CONV)(ctx);
  tieToResult(ctx, result.outputs[0]!, ctx.outputShape(0), 3);
  return result;
};

/**
 * A transposed convolution, weight `[in, out / groups, ...kernel]`. The weight has one column for output channel `j` of every group: all groups lose the same ones, or a group goes with its inputs. What
 * tells the channels of the groups apart is the bias; without one, groups of several channels stay.
 */
export const convTransposeChannels: ChannelsRule = (ctx) => {
  const batch = aroundChannels(ctx, 0);
  const groups = ctx.node.int('group', 1);
  const [inputs, perGroup] = ctx.shape(1);
  ctx.contract(0, 1, 1, 0);
  const rows = groups === 1 ? null : rowsOf(ctx, ctx.axis(0, 1), [groups, inputs! / groups]);
  const columns = ctx.source(1, 1);
  const output =
    groups === 1
      ? columns
      : perGroup === 1
        ? rows
        : transposedGroups(ctx, rows, columns, [groups, perGroup!]);
  const channels = [...batch, ...onAxis(1, output)];
  tieToResult(ctx, channels, ctx.outputShape(0), 2, 1);
  return { outputs: [channels], ...countGroups(rows) };
};

/** Labels of `groups * perGroup` output channels, of which each goes where its group or its column of the weight goes. */
function transposedGroups(
  ctx: ChannelsContext,
  rows: AxisLabels,
  columns: AxisLabels,
  sizes: readonly [groups: number, perGroup: number],
): AxisLabels {
  const labels = ctx.axis(2, 0);
  if (!labels) {
    ctx.freeze(rows, 'gives each group several channels and has no bias that tells them apart');
    if (!columns) return null;
    return Int32Array.from({ length: sizes[0] * sizes[1] }, (_, at) => columns[at % sizes[1]]!);
  }
  const matrix: Channels = [{ axes: [0, 1], labels }];
  ctx.tie(rows, ctx.axisOf(matrix, 0, sizes), 'reads groups of channels that cannot be cut');
  ctx.tie(columns, ctx.axisOf(matrix, 1, sizes), 'has a weight that cannot be cut');
  return labels;
}

/** A convolution of integers with zero points (inputs 2 and 3). */
export const convIntegerChannels: ChannelsRule = (ctx) => {
  const result = convRule({ image: 0, weight: 1, bias: -1 })(ctx);
  inexactZeroPoint(ctx, 0, 1, 2);
  // The weight may have a zero point for each filter.
  tieToResult(ctx, result.outputs[0]!, ctx.outputShape(0), 3, 1);
  return result;
};

/** A convolution of quantized tensors: scales and zero points behind image and weight. */
export const qLinearConvChannels: ChannelsRule = (ctx) => {
  const result = convRule({ image: 0, weight: 3, bias: 8 })(ctx);
  inexactZeroPoint(ctx, 0, 1, 2);
  // The weight may have a scale and a zero point for each filter.
  for (const input of [4, 5]) tieToResult(ctx, result.outputs[0]!, ctx.outputShape(0), input, 1);
  return result;
};
