import { Tensor } from '../core/tensor.ts';
import type { AnyModule } from '../nn/index.ts';
import { customFromMask, remove, selectParameters } from '../prune/index.ts';

/** Gives weights that have zeros masks of what is not zero, so that training keeps them. Gives the number of zeros that are kept. */
export function keepZeros(module: AnyModule): number {
  let kept = 0;
  for (const [owner, name] of selectParameters(module)) {
    const { data } = owner.getParameter(name);
    if (data.dtype !== 'float32') continue;
    const mask = Float32Array.from(data.float32, (weight) => (weight === 0 ? 0 : 1));
    const zeros = mask.reduce((count, keep) => count + (keep === 0 ? 1 : 0), 0);
    if (zeros === 0) continue;
    customFromMask(owner, name, new Tensor('float32', data.shape, mask));
    kept += zeros;
  }
  return kept;
}

/** Makes all masks permanent. */
export function releaseZeros(module: AnyModule): void {
  for (const { module: owner, name, parameter } of [...module.parameterPlaces()]) {
    if (parameter.pruning) remove(owner, name);
  }
}
