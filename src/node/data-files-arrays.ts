import { existsSync, statSync } from 'node:fs';
import { extname, join } from 'node:path';
import { dtypeInfo } from '../core/dtype.ts';
import { ShapeError, UnsupportedError } from '../core/errors.ts';
import { Generator } from '../core/random.ts';
import { Tensor } from '../core/tensor.ts';
import { TensorDataset, toFloat } from '../data/index.ts';
import { readTensors } from './tensors.ts';

/** Names of inputs and targets, of the training half or the whole, and of the test half where there may be one. */
const NAMES = [
  { train: ['x_train', 'y_train'], test: ['x_test', 'y_test'] },
  { train: ['train_images', 'train_labels'], test: ['test_images', 'test_labels'] },
  { train: ['x', 'y'] },
  { train: ['X', 'y'] },
  { train: ['images', 'labels'] },
] as const;

/** The names that are looked for, for messages. */
export const ARRAY_NAMES = NAMES.map(({ train }) => train.join(' and ')).join('; ');

/** Data sets out of arrays. */
export interface ArrayDatasets {
  readonly train: TensorDataset;
  /** Null where the arrays have no test half. */
  readonly test: TensorDataset | null;
}

/**
 * Data sets out of a folder of `.npy` files or one `.npz` file, by the names of the arrays; null where they are not there.
 *
 * Bytes are images or features of 0 to 255 and become x / 255: uint8[N, H, W] float32[N, 1, H, W], uint8[N, H, W, C] float32[N, C, H, W]. Other numbers
 * become float32 and keep their shape. Targets of whole numbers become int64, [N, 1] becomes [N]; others float32.
 *
 * @param layout Where the channels of images of bytes are; by default last where the last axis is 1, 3 or 4 and the second is not.
 */
export function readArrays(path: string, layout?: 'hwc' | 'chw'): ArrayDatasets | null {
  const find = arraysOf(path);
  if (find === null) return null;
  for (const names of NAMES) {
    const inputs = find(names.train[0]);
    const targets = find(names.train[1]);
    if (inputs === undefined || targets === undefined) continue;
    const test = 'test' in names ? names.test : undefined;
    const testInputs = test && find(test[0]);
    const testTargets = test && find(test[1]);
    if (testInputs === undefined || testTargets === undefined) {
      return { train: datasetOf(inputs, targets, [targets], layout), test: null };
    }
    // One list of classes for both halves, whichever has the highest.
    const all = [targets, testTargets];
    return {
      train: datasetOf(inputs, targets, all, layout),
      test: datasetOf(testInputs, testTargets, all, layout),
    };
  }
  return null;
}

/** How to get an array by its name. */
function arraysOf(path: string): ((name: string) => Tensor | undefined) | null {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat?.isFile() && extname(path).toLowerCase() === '.npz') {
    const tensors = readTensors(path);
    return (name) => tensors.get(name);
  }
  if (!stat?.isDirectory()) return null;
  return (name) => {
    const file = join(path, `${name}.npy`);
    return existsSync(file) ? readTensors(file).get(name) : undefined;
  };
}

function datasetOf(
  inputs: Tensor,
  targets: Tensor,
  allTargets: readonly Tensor[],
  layout: 'hwc' | 'chw' | undefined,
): TensorDataset {
  const labels = targetsOf(targets);
  const known = allTargets.map(targetsOf);
  const isClasses = known.every(({ dtype, shape }) => dtype === 'int64' && shape.length === 1);
  return new TensorDataset(inputsOf(inputs, layout), labels, isClasses ? { classes: classesOf(known) } : {});
}

/** '0', '1', … up to the highest class. */
function classesOf(targets: readonly Tensor[]): string[] {
  let highest = -1;
  for (const tensor of targets) {
    for (const label of tensor.data as BigInt64Array) highest = Math.max(highest, Number(label));
  }
  return Array.from({ length: highest + 1 }, (_, label) => String(label));
}

function inputsOf(tensor: Tensor, layout: 'hwc' | 'chw' | undefined): Tensor {
  const { shape } = tensor;
  if (tensor.dtype !== 'uint8') return asFloat32('inputs', tensor);
  if (shape.length < 3) return scaled(tensor, [shape.reduce((size, dim) => size * dim, 1), 1]).reshape(shape);
  const [count, ...image] = shape as [number, ...number[]];
  if (shape.length === 3) return scaled(tensor, [count, 1, ...image]);
  if (shape.length !== 4) {
    throw new ShapeError(
      `loadDataset: the inputs are ${tensor}; expected images of bytes as uint8[N, H, W], uint8[N, H, W, C] or uint8[N, C, H, W]`,
    );
  }
  return toFloat({ layout: layout ?? layoutOf(shape) })(tensor, new Generator(0));
}

/** x / 255, in another shape. */
const scaled = (tensor: Tensor, shape: readonly number[]): Tensor =>
  toFloat({ layout: 'chw' })(tensor.reshape(shape), new Generator(0)).reshape(shape);

function layoutOf(shape: readonly number[]): 'hwc' | 'chw' {
  const [, second, , last] = shape as [number, number, number, number];
  const mayBeChannels = (size: number): boolean => size === 1 || size === 3 || size === 4;
  return mayBeChannels(last) && !mayBeChannels(second) ? 'hwc' : 'chw';
}

function targetsOf(tensor: Tensor): Tensor {
  const { kind } = dtypeInfo(tensor.dtype);
  const shape = tensor.shape.length === 2 && tensor.shape[1] === 1 ? [tensor.shape[0]!] : tensor.shape;
  if (kind !== 'int' && kind !== 'uint' && kind !== 'bool')
    return asFloat32('targets', tensor).reshape(shape);
  return new Tensor('int64', shape, BigInt64Array.from<number | bigint>(tensor.data, BigInt));
}

function asFloat32(what: string, tensor: Tensor): Tensor {
  const { kind, bits } = dtypeInfo(tensor.dtype);
  if (tensor.dtype === 'float32') return tensor;
  if (kind === 'complex' || kind === 'string' || bits < 8 || (kind === 'float' && bits < 32)) {
    throw new UnsupportedError(
      `loadDataset: the ${what} are ${tensor}; expected whole numbers, float32 or float64`,
    );
  }
  return new Tensor('float32', tensor.shape, Float32Array.from<number | bigint>(tensor.data, Number));
}
