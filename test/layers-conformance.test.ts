import fc from 'fast-check';
import { Tensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { type Attribute, attr } from '../src/ir/index.ts';
import { differences, runEverything } from './conformance.ts';
import { type OneNode, oneNode } from './one-node.ts';

/** Expects that onnxruntime computes the inferred dtypes and shapes, with these sizes in place of symbols. */
async function agrees(
  { node, inference }: OneNode,
  sizes: Readonly<Record<string, number>> = {},
  feeds: Readonly<Record<string, Tensor>> = {},
): Promise<void> {
  const computed = await runEverything(node.graph, inference, sizes, feeds);
  expect(computed.size).toBe(node.outputs.length);
  expect(differences(node.graph, inference, computed, sizes)).toEqual([]);
}

const size = (min: number, max: number): fc.Arbitrary<number> => fc.integer({ min, max });
const sizes = (count: number, min: number, max: number): fc.Arbitrary<number[]> =>
  fc.array(size(min, max), { minLength: count, maxLength: count });
const float32 = (...shape: (number | string)[]): string => `float32[${shape.join(',')}]`;

/** A window over 1 to 3 axes and images it fits into. */
const window = size(1, 3).chain((rank) =>
  fc.record({
    kernel: sizes(rank, 1, 4),
    strides: sizes(rank, 1, 3),
    dilations: sizes(rank, 1, 2),
    pads: sizes(2 * rank, 0, 2),
    // 7 elements hold 4 of them two apart.
    spatial: sizes(rank, 7, 11),
    autoPad: fc.constantFrom('NOTSET', 'NOTSET', 'VALID', 'SAME_UPPER', 'SAME_LOWER'),
    ceil: fc.boolean(),
    symbolic: fc.boolean(),
    groups: size(1, 3),
    opset: fc.constantFrom(11, 13, 17, 19, 21),
  }),
);

type Window = typeof window extends fc.Arbitrary<infer T> ? T : never;

function windowAttributes(w: Window, dilated = true): Record<string, Attribute> {
  const same = w.autoPad.startsWith('SAME');
  return {
    kernel_shape: attr.ints(w.kernel),
    strides: attr.ints(w.strides),
    auto_pad: attr.string(w.autoPad),
    ...(w.autoPad === 'NOTSET' ? { pads: attr.ints(w.pads) } : {}),
    // onnxruntime does not pad dilated windows by itself.
    ...(dilated && !same ? { dilations: attr.ints(w.dilations) } : {}),
  };
}

/** Sizes of the spatial axes as symbols `s0`, `s1`, … or as numbers, and what the symbols stand for. */
const spatialOf = (w: Window): { spatial: (string | number)[]; symbols: Record<string, number> } => ({
  spatial: w.spatial.map((extent, axis) => (w.symbolic ? `s${axis}` : extent)),
  symbols: Object.fromEntries(w.spatial.map((extent, axis) => [`s${axis}`, extent])),
});

describe('inferred shapes are those onnxruntime computes', () => {
  it('for convolutions', async () => {
    await fc.assert(
      fc.asyncProperty(window, async (w) => {
        const { spatial, symbols } = spatialOf(w);
        const attributes = { ...windowAttributes(w), group: attr.int(w.groups) };
        const inputs = [float32(1, 2 * w.groups, ...spatial), float32(3 * w.groups, 2, ...w.kernel)];
        await agrees(oneNode('Conv', inputs, { attributes, opset: w.opset }), symbols);
      }),
    );
  });

  it('for transposed convolutions', async () => {
    await fc.assert(
      fc.asyncProperty(window, fc.boolean(), async (w, padded) => {
        const { spatial, symbols } = spatialOf(w);
        const attributes = { ...windowAttributes(w), group: attr.int(w.groups) };
        const output_padding = attr.ints(w.strides.map((stride) => stride - 1));
        const inputs = [float32(1, 2 * w.groups, ...spatial), float32(2 * w.groups, 3, ...w.kernel)];
        await agrees(
          oneNode('ConvTranspose', inputs, {
            attributes: padded ? { ...attributes, output_padding } : attributes,
            opset: w.opset,
          }),
          symbols,
        );
      }),
    );
  });

  it.each(['MaxPool', 'AveragePool'])('for %s', async (opType) => {
    await fc.assert(
      fc.asyncProperty(window, async (w) => {
        // Padding of a whole window is refused; so is a stride above the kernel where the padding is automatic.
        fc.pre(w.pads.every((pad, index) => pad < w.kernel[index % w.kernel.length]!));
        fc.pre(!w.autoPad.startsWith('SAME') || w.strides.every((stride, axis) => stride <= w.kernel[axis]!));
        const { spatial, symbols } = spatialOf(w);
        const attributes = {
          ...windowAttributes(w, opType === 'MaxPool' || w.opset >= 19),
          ceil_mode: attr.int(w.ceil ? 1 : 0),
        };
        await agrees(
          oneNode(opType, [float32(1, 2, ...spatial)], {
            attributes,
            opset: w.opset,
            outputs: opType === 'MaxPool' ? 2 : 1,
          }),
          symbols,
        );
      }),
    );
  });

  it('for matrix products', async () => {
    const batch = fc.array(fc.tuple(size(1, 3), fc.boolean(), fc.boolean()), { maxLength: 2 });
    await fc.assert(
      fc.asyncProperty(
        batch,
        size(1, 4),
        size(1, 4),
        size(1, 4),
        fc.boolean(),
        fc.boolean(),
        async (axes, m, k, n, row, column) => {
          const a = row ? [k] : [...axes.map(([extent, left]) => (left ? 1 : extent)), m, k];
          const b = column ? [k] : [...axes.map(([extent, , right]) => (right ? 1 : extent)), k, n];
          await agrees(oneNode('MatMul', [float32(...a), float32(...b)]));
        },
      ),
    );
  });

  it.each<[equation: string, ...shapes: number[][]]>([
    ['bij,bjk->bik', [5, 2, 3], [5, 3, 4]],
    ['cb,ba', [2, 3], [3, 4]],
    ['...ij,...jk->...ik', [7, 5, 2, 3], [1, 5, 3, 4]],
    ['b...j,kj->b...k', [5, 7, 8, 3], [4, 3]],
    ['ii->i', [3, 3]],
    ['i,ij,j->', [2], [2, 3], [3]],
  ])('for Einsum %s', async (equation, ...shapes) => {
    const attributes = { equation: attr.string(equation) };
    await agrees(
      oneNode(
        'Einsum',
        shapes.map((shape) => float32(...shape)),
        { attributes },
      ),
    );
  });

  it.each(['LSTM', 'GRU', 'RNN'] as const)('for %s', async (opType) => {
    const gates = { LSTM: 4, GRU: 3, RNN: 1 }[opType];
    await fc.assert(
      fc.asyncProperty(
        sizes(4, 1, 4),
        fc.constantFrom('forward', 'reverse', 'bidirectional'),
        async ([steps, batch, features, hidden], direction) => {
          const ways = direction === 'bidirectional' ? 2 : 1;
          const rows = gates * hidden!;
          const inputs = [
            float32(steps!, batch!, features!),
            float32(ways, rows, features!),
            float32(ways, rows, hidden!),
            float32(ways, 2 * rows),
          ];
          const attributes = { hidden_size: attr.int(hidden!), direction: attr.string(direction) };
          await agrees(oneNode(opType, inputs, { attributes, outputs: opType === 'LSTM' ? 3 : 2 }));
        },
      ),
      { numRuns: 30 },
    );
  });

  it.each<
    [
      opType: string,
      opset: number,
      outputs: number,
      attributes: Record<string, Attribute>,
      ...inputs: string[],
    ]
  >([
    ['Gemm', 13, 1, { transB: attr.int(1) }, float32(2, 3), float32(4, 3), float32(4)],
    ['BatchNormalization', 9, 1, {}, float32(2, 3, 4), ...new Array<string>(4).fill(float32(3))],
    ['BatchNormalization', 15, 1, {}, float32(2, 3), ...new Array<string>(4).fill(float32(3))],
    ['InstanceNormalization', 11, 1, {}, float32(2, 3, 4), float32(3), float32(3)],
    ['LayerNormalization', 17, 3, { axis: attr.int(-2) }, float32(2, 3, 4), float32(3, 4), float32(3, 4)],
    ['GroupNormalization', 18, 1, { num_groups: attr.int(2) }, float32(2, 4, 3), float32(2), float32(2)],
    ['GroupNormalization', 21, 1, { num_groups: attr.int(2) }, float32(2, 4, 3), float32(4), float32(4)],
    ['RMSNormalization', 23, 1, {}, float32(2, 3, 4), float32(4)],
    ['Dropout', 13, 2, {}, float32(2, 3)],
    ['PRelu', 16, 1, {}, float32(2, 3, 4), float32(3, 1)],
    [
      'MaxUnpool',
      11,
      1,
      { kernel_shape: attr.ints([2, 3]), strides: attr.ints([2, 2]), pads: attr.ints([0, 1, 0, 0]) },
      float32(1, 2, 3, 3),
      'int64[1,2,3,3]',
    ],
    ['MaxRoiPool', 11, 1, { pooled_shape: attr.ints([2, 3]) }, float32(1, 2, 6, 6), float32(3, 5)],
    ['RoiAlign', 16, 1, { output_height: attr.int(2) }, float32(2, 2, 6, 6), float32(3, 4), 'int64[3]'],
    ['GlobalAveragePool', 11, 1, {}, float32(2, 3, 4, 5)],
    ['ConvInteger', 10, 1, {}, 'uint8[1,2,5,5]', 'uint8[3,2,3,3]'],
    ['MatMulInteger', 10, 1, {}, 'uint8[2,5,5]', 'int8[5,3]'],
  ])('for %s of opset %i', async (opType, opset, outputs, attributes, ...inputs) => {
    // Regions of interest name their image by number.
    const feeds =
      opType === 'MaxRoiPool' ? { input1: new Tensor('float32', new Float32Array(15), [3, 5]) } : {};
    await agrees(oneNode(opType, inputs, { opset, outputs, attributes }), {}, feeds);
  });
});
