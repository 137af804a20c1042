import type { Generator } from '../core/random.ts';
import type { Tensor } from '../core/tensor.ts';

/**
 * Makes one input out of another. It draws whatever is random from `random`, leaves its input alone (which may show the memory of a data
 * set) and may return it.
 */
export interface Transform {
  (input: Tensor, random: Generator): Tensor;
  /** True where it draws nothing and takes [N, C, H, W] too, with the numbers that it gives image by image. */
  readonly batched?: boolean;
}

/** Transforms in turn (torchvision's `Compose`), on one generator; `batched` where all of them are. */
export function compose(...transforms: readonly Transform[]): Transform {
  const composed = (input: Tensor, random: Generator): Tensor =>
    transforms.reduce((tensor, transform) => transform(tensor, random), input);
  return Object.assign(composed, { batched: transforms.every(({ batched }) => batched === true) });
}

/** Marks a transform that draws nothing and takes [N, C, H, W] too. */
export const asBatched = (transform: (input: Tensor) => Tensor): Transform =>
  Object.assign((input: Tensor) => transform(input), { batched: true });
