import { Generator } from '../../core/random.ts';
import { sizeOf, Tensor } from '../../core/tensor.ts';
import { Module, Parameter, type Variable } from '../../nn/index.ts';
import type { WeightLayout } from '../../ops/index.ts';

/** A module that holds a weight and a bias, and computes nothing. */
export class Holder extends Module {
  weight: Parameter;
  bias: Parameter;

  constructor(weight: Tensor, layout: WeightLayout | null = null) {
    super();
    this.weight = new Parameter(weight, { layout });
    this.bias = new Parameter(Tensor.full([weight.shape[0] ?? 1], 0.5));
  }

  override forward(x: Variable): Variable {
    return x;
  }
}

/** Normal numbers, the same each time. */
export const randn = (shape: readonly number[], seed = 0): Tensor =>
  new Tensor('float32', shape, new Generator(seed).randn(sizeOf(shape)));

/** A tensor of these numbers. */
export const tensor = (shape: readonly number[], ...values: number[]): Tensor =>
  new Tensor('float32', shape, Float32Array.from(values));

/** The elements of a parameter's mask; of a parameter without one, none. */
export const maskOf = (parameter: Parameter): number[] => [...(parameter.mask?.float32 ?? [])];

/** Number of zeros. */
export const zeros = (values: ArrayLike<number>): number =>
  Array.from(values).filter((value) => value === 0).length;
