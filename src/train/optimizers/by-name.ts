import { ArgumentError } from '../../core/errors.ts';
import type { Parameter } from '../../nn/index.ts';
import { Adam, AdamW } from './adam.ts';
import type { Optimizer } from './optimizer.ts';
import { RMSprop } from './rmsprop.ts';
import { SGD } from './sgd.ts';

const OPTIMIZERS = { SGD, Adam, AdamW, RMSprop } as const;

/** Names that `optimizerByName` takes. */
export const optimizerNames: readonly string[] = Object.keys(OPTIMIZERS);

/** PyTorch's option names are ours but for the case: `weight_decay`. */
const camel = (name: string): string => name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());

/**
 * An optimizer by PyTorch's class name, in any case, with PyTorch's options (`{ lr: 0.1, weight_decay: 5e-4 }`); for command lines and files. Throws ArgumentError where
 * the name is not known.
 */
export function optimizerByName(
  name: string,
  params: Iterable<Parameter>,
  options: Readonly<Record<string, unknown>> = {},
): Optimizer {
  const found = Object.entries(OPTIMIZERS).find(([known]) => known.toLowerCase() === name.toLowerCase());
  if (!found)
    throw new ArgumentError(`optimizer '${name}' is not known; expected ${optimizerNames.join(', ')}`);
  const own = Object.fromEntries(Object.entries(options).map(([key, value]) => [camel(key), value]));
  return new found[1](params, own);
}
