import type { Tensor } from '../core/tensor.ts';
import { Graph } from '../ir/index.ts';
import { GraphModule } from '../nn/index.ts';
import { graphParameters, type WeightLayout } from '../ops/index.ts';
import type { Model } from './model.ts';
import { addSparsity, countZeros, type GranularSparsity, granularSparsity } from './zeros.ts';

/** Zeros of one parameter. */
export interface ParameterSparsity {
  /** Name of the parameter, such as `model.0.conv.weight`. */
  readonly name: string;
  readonly shape: readonly number[];
  readonly parameters: number;
  readonly zeros: number;
  /** zeros / parameters; 0 for an empty parameter. */
  readonly sparsity: number;
  /** Null for parameters that are no weights, such as biases. */
  readonly granularity: GranularSparsity | null;
}

/** Zeros of a model: in all, by granularity, and of each parameter. */
export interface SparsityReport {
  readonly parameters: number;
  readonly zeros: number;
  readonly sparsity: number;
  /** Over all weights: how many rows, kernels, filters and N:M groups are zero, of how many. */
  readonly granularity: GranularSparsity;
  readonly layers: readonly ParameterSparsity[];
}

interface Named {
  readonly name: string;
  readonly tensor: Tensor;
  readonly layout: WeightLayout | null;
}

/**
 * Counts the zeros of a model's parameters: in all, of each, and by granularity (weights, rows and columns of kernels, kernels, filters, input
 * channels, N:M groups). Masked entries count as zeros. Needs no input shapes. Linear in the number of parameters.
 */
export function sparsityReport(model: Model): SparsityReport {
  const layers = parametersOf(model).map(({ name, tensor, layout }): ParameterSparsity => {
    const isWeight = layout !== null && layout.input !== null && tensor.shape.length >= 2;
    const granularity = isWeight ? granularSparsity(tensor, layout) : null;
    const zeros = granularity?.weights.zero ?? countZeros(tensor);
    const parameters = tensor.size;
    return { name, shape: tensor.shape, parameters, zeros, sparsity: ratio(zeros, parameters), granularity };
  });
  const parameters = layers.reduce((sum, layer) => sum + layer.parameters, 0);
  const zeros = layers.reduce((sum, layer) => sum + layer.zeros, 0);
  return {
    parameters,
    zeros,
    sparsity: ratio(zeros, parameters),
    granularity: addSparsity(layers.flatMap(({ granularity }) => granularity ?? [])),
    layers,
  };
}

const ratio = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole);

function parametersOf(model: Model): readonly Named[] {
  if (model instanceof Graph || model instanceof GraphModule) {
    return graphParameters(model instanceof Graph ? model : model.graph)
      .filter(({ kind }) => kind === 'parameter')
      .map(({ value, tensor, layout }) => ({ name: value.name, tensor, layout }));
  }
  return [...model.parameterPlaces()].map(({ path, name, parameter }) => ({
    name: path === '' ? name : `${path}.${name}`,
    tensor: parameter.data,
    layout: parameter.layout,
  }));
}
