import { describe, expect, it } from 'vitest';
import { Tensor } from '../core/tensor.ts';
import { fromGraph, type Module, type Parameter, toGraph } from '../nn/index.ts';
import { GraphBuilder } from '../ops/index.ts';
import { l1Unstructured } from '../prune/index.ts';
import type { Regularizer } from './objective.ts';
import { SGD } from './optimizers/index.ts';
import { groupLasso, l1Scales, l1Weights } from './regularizers.ts';
import { plainNet, smallNet } from './testdata/blobs.ts';
import { TrainStep } from './train-step.ts';

const images = Tensor.full([2, 1, 6, 6], 0.5);
const target = Tensor.int64([0, 1]);

/** The penalty alone as a loss, and its gradients by parameter: what one update of SGD with a learning rate of 1 takes off. */
async function penaltyOf(
  model: Module | ReturnType<typeof fromGraph>,
  regularizer: Regularizer,
): Promise<{ loss: number; gradient: (path: string) => number[] }> {
  const before = new Map([...model.parameters()].map((each) => [each, each.orig.float32.slice()]));
  const step = new TrainStep(model, {
    loss: (output) => output.mul(0).sum(),
    optimizer: new SGD(model.parameters(), { lr: 1 }),
    regularizers: [regularizer],
    threads: 1,
  });
  const { loss } = await step.run([images], target);
  await step.dispose();
  const taken = (parameter: Parameter): number[] =>
    [...before.get(parameter)!].map((value, index) => value - parameter.orig.float32[index]!);
  return { loss, gradient: (path) => taken(model.getParameter(path)) };
}

const sum = (values: Iterable<number>): number => [...values].reduce((total, each) => total + each, 0);

function expectClose(actual: readonly number[], expected: readonly number[]): void {
  expect(actual.length).toBe(expected.length);
  actual.forEach((value, index) => {
    expect(value).toBeCloseTo(expected[index]!, 5);
  });
}

describe('l1Weights', () => {
  it('adds λ Σ|w| of the chosen weights, with the gradient λ sign(w)', async () => {
    const model = smallNet();
    model.fc.weight.data.float32[7] = 0;
    const weights = [...model.conv.weight.data.float32, ...model.fc.weight.data.float32];
    const { loss, gradient } = await penaltyOf(model, l1Weights(0.01));
    expect(loss).toBeCloseTo(0.01 * sum(weights.map(Math.abs)), 6);
    expectClose(
      [...gradient('conv.weight'), ...gradient('fc.weight')],
      weights.map((weight) => 0.01 * Math.sign(weight)),
    );
    expect(gradient('fc.weight')[7]).toBe(0);
    expectClose(gradient('fc.bias'), [0, 0, 0]);
    expectClose(gradient('bn.weight'), [0, 0, 0, 0]);
  });

  it('leaves out what is masked or excluded', async () => {
    const model = smallNet();
    l1Unstructured(model.fc, 'weight', 0.5);
    const { float32: mask } = model.fc.weight.mask!;
    const kept = [...model.fc.weight.data.float32];
    const { loss, gradient } = await penaltyOf(model, l1Weights(0.01, { exclude: 'conv' }));
    expect(loss).toBeCloseTo(0.01 * sum(kept.map(Math.abs)), 6);
    expectClose(
      gradient('fc.weight'),
      kept.map((weight, index) => 0.01 * mask[index]! * Math.sign(weight)),
    );
    expectClose(gradient('conv.weight'), new Array(36).fill(0));
  });
});

describe('l1Scales', () => {
  it('adds λ Σ|γ| of the batch norms, in layers written here and in graphs alike', async () => {
    const model = smallNet();
    model.getParameter('bn.weight').data.setData(Float32Array.of(0.5, -2, 0, 1));
    const graph = fromGraph(toGraph(model, ['batch', 1, 6, 6]));
    for (const each of [model, graph]) {
      each.getParameter('bn.weight').data.setData(Float32Array.of(0.5, -2, 0, 1));
      const { loss, gradient } = await penaltyOf(each, l1Scales(0.1));
      expect(loss).toBeCloseTo(0.35, 6);
      expectClose(gradient('bn.weight'), [0.1, -0.1, 0, 0.1]);
      expectClose(gradient('bn.bias'), [0, 0, 0, 0]);
    }
  });

  it('says so where there is no batch norm', async () => {
    await expect(penaltyOf(plainNet(), l1Scales(0.1))).rejects.toThrow(
      'l1Scales: Sequential has no batch norm with weights; a file exported for inference has them folded into its convolutions (groupLasso works there)',
    );
  });
});

describe('groupLasso', () => {
  /** `λ √n Σ‖w_g‖` and its gradient `λ √n w / ‖w_g‖`, groups given as lists of positions. */
  const expected = (weights: ArrayLike<number>, groups: readonly number[][], lambda: number) => {
    const gradient = new Array<number>(weights.length).fill(0);
    let loss = 0;
    for (const group of groups) {
      const norm = Math.sqrt(sum(group.map((index) => weights[index]! ** 2)));
      loss += lambda * Math.sqrt(group.length) * norm;
      for (const index of group)
        gradient[index] = norm && (lambda * Math.sqrt(group.length) * weights[index]!) / norm;
    }
    return { loss, gradient };
  };
  const rows = (count: number, size: number): number[][] =>
    Array.from({ length: count }, (_, row) => Array.from({ length: size }, (_, place) => row * size + place));

  it('adds λ √size ‖w‖₂ of each filter; where a filter is 0 so is its gradient', async () => {
    const model = smallNet();
    model.conv.weight.data.float32.fill(0, 0, 9);
    const { conv, fc } = model;
    const ofConv = expected(conv.weight.data.float32.slice(), rows(4, 9), 0.02);
    const ofLinear = expected(fc.weight.data.float32.slice(), rows(3, 36), 0.02);
    const { loss, gradient } = await penaltyOf(model, groupLasso(0.02));
    expect(loss).toBeCloseTo(ofConv.loss + ofLinear.loss, 5);
    expectClose(gradient('conv.weight'), ofConv.gradient);
    expectClose(gradient('fc.weight'), ofLinear.gradient);
    expect(gradient('conv.weight').slice(0, 9)).toEqual(new Array(9).fill(0));
  });

  it('takes groups along another axis: the inputs of a linear layer', async () => {
    for (const dim of [1, -1]) {
      const model = smallNet();
      const columns = Array.from({ length: 36 }, (_, column) => [column, 36 + column, 72 + column]);
      const { loss, gradient } = expected(model.fc.weight.data.float32.slice(), columns, 0.02);
      const found = await penaltyOf(model, groupLasso(0.02, { include: 'fc', dim }));
      expect(found.loss).toBeCloseTo(loss, 5);
      expectClose(found.gradient('fc.weight'), gradient);
    }
  });

  it('knows where the filters of a weight are that is multiplied from the right', async () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', 'float32', ['batch', 1, 6, 6]);
    const flat = builder.op('Flatten', [x], { name: 'flatten' });
    const values = Float32Array.from({ length: 72 }, (_, index) => Math.sin(index));
    const weight = builder.constant(Tensor.of(values, [36, 2]), 'fc.weight');
    builder.output(builder.op('MatMul', [flat, weight], { name: '/fc/MatMul' }), 'y');
    const columns = [0, 1].map((column) => Array.from({ length: 36 }, (_, row) => 2 * row + column));
    const { loss, gradient } = expected(values.slice(), columns, 0.02);
    const found = await penaltyOf(fromGraph(builder.graph), groupLasso(0.02));
    expect(found.loss).toBeCloseTo(loss, 5);
    expectClose(found.gradient('fc.weight'), gradient);
  });

  it('takes each entry of a vector as a group', async () => {
    const model = smallNet();
    model.getParameter('bn.weight').data.setData(Float32Array.of(0.5, -2, 0, 1));
    const { loss, gradient } = await penaltyOf(model, groupLasso(0.1, { types: 'BatchNorm*' }));
    expect(loss).toBeCloseTo(0.35, 5);
    expectClose(gradient('bn.weight'), [0.1, -0.1, 0, 0.1]);
  });

  it('refuses an axis that is not there, and negative factors', async () => {
    await expect(penaltyOf(smallNet(), groupLasso(0.1, { include: 'fc', dim: 2 }))).rejects.toThrow(
      'groupLasso: dim 2 is out of range for a weight of shape [3, 36]; expected -2 to 1',
    );
    expect(() => groupLasso(-1)).toThrow('groupLasso: lambda expects a number of at least 0, got -1');
    expect(() => l1Weights(Number.NaN)).toThrow('l1Weights: lambda expects a number of at least 0, got NaN');
    expect(() => l1Scales(-0.5)).toThrow('l1Scales: lambda expects a number of at least 0, got -0.5');
  });
});
