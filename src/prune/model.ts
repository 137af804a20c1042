import { toFloat32 } from '../core/float16.ts';
import type { AnyModule, Parameter } from '../nn/index.ts';
import type { Amount } from './amount.ts';
import { planPruning } from './method.ts';
import { L1Unstructured } from './unstructured.ts';

/** Number of elements that are 0. */
function zerosOf({ data }: Parameter): number {
  if (data.dtype !== 'float32') return toFloat32(data).float32.reduce((sum, x) => sum + (x === 0 ? 1 : 0), 0);
  const values = data.float32;
  let zeros = 0;
  for (let i = 0; i < values.length; i++) if (values[i] === 0) zeros++;
  return zeros;
}

/**
 * YOLOv5's `sparsity(model)`: the share of zeros among all parameters, biases and normalizations included, as PyTorch gives it
 * (`float32(zeros) / float32(elements)`, rounded to float32). Masked weights count as the zeros they are, also before `remove`; 0 for a model without
 * parameters.
 */
export function sparsity(model: AnyModule): number {
  let elements = 0;
  let zeros = 0;
  for (const parameter of model.parameters()) {
    elements += parameter.size;
    zeros += zerosOf(parameter);
  }
  return elements === 0 ? 0 : Math.fround(Math.fround(zeros) / Math.fround(elements));
}

/**
 * YOLOv5's `prune(model, amount)`: sets the smallest weights of each 2-D convolution to zero, for good. Gives the model's sparsity afterwards.
 * For any Module, also the view of an ONNX file. Throws ArgumentError where `amount` cannot be; nothing has changed then.
 *
 * ```ts
 * prune(model, 0.3); // 0.2991… of a YOLOv5s
 * ```
 */
export function prune(model: AnyModule, amount: Amount = 0.3): number {
  const weights = [...model.parameterPlaces()].filter(
    ({ name, parameter }) => name === 'weight' && isConv2d(parameter),
  );
  const plans = weights.map(({ module, name }) => planPruning(new L1Unstructured(amount), module, name));
  weights.forEach(({ module, name }, index) => {
    plans[index]!();
    module.removePruning(name);
  });
  return sparsity(model);
}

/** A window of two axes, and filters counted first (a transposed convolution counts them second). */
const isConv2d = ({ layout }: Parameter): boolean =>
  layout !== null && layout.kernel.length === 2 && layout.input !== null && layout.output < layout.input;
