import { StateDictError } from '../core/errors.ts';
import { fromFloat32, toFloat32 } from '../core/float16.ts';
import type { Tensor } from '../core/tensor.ts';

/** Tensors by name, as files hold them and modules give them. */
export type StateDict = ReadonlyMap<string, Tensor> | Readonly<Record<string, Tensor>>;

/** A state dict as a map. */
export const mapOf = (dict: StateDict): ReadonlyMap<string, Tensor> =>
  new Map<string, Tensor>(dict instanceof Map ? dict : Object.entries(dict));

/** Elements of a tensor for one of another dtype, in memory of their own. Throws ArgumentError for dtypes that are no real numbers. */
export const converted = (source: Tensor, { dtype }: Tensor): Tensor =>
  source.dtype === dtype ? source.clone() : fromFloat32(toFloat32(source), dtype);

const quoted = (names: readonly string[]): string => names.map((name) => `"${name}"`).join(', ');
const size = (tensor: Tensor): string => `[${tensor.shape.join(', ')}]`;

const COUNTER = 'num_batches_tracked';

/**
 * Batch norm's counter is newer than many checkpoints, which have its statistics alone: it stays as it is then. Graphs that were read never have it: it is left
 * out where they have the statistics. Source: `_NormBase._load_from_state_dict`.
 */
const isCounterOf = (name: string, others: ReadonlyMap<string, Tensor>): boolean =>
  (name === COUNTER || name.endsWith(`.${COUNTER}`)) &&
  others.has(`${name.slice(0, -COUNTER.length)}running_mean`);

/**
 * Copies the elements of `dict` into the tensors of `own`, by name. Checks everything first: throws StateDictError with PyTorch's
 * `load_state_dict` sentences, and has changed nothing then.
 */
export function loadInto(
  typeName: string,
  own: ReadonlyMap<string, Tensor>,
  dict: StateDict,
  strict: boolean,
): { missingKeys: readonly string[]; unexpectedKeys: readonly string[] } {
  const given = mapOf(dict);
  const missingKeys = [...own.keys()].filter((name) => !given.has(name) && !isCounterOf(name, given));
  const unexpectedKeys = [...given.keys()].filter((name) => !own.has(name) && !isCounterOf(name, own));
  const problems: string[] = [];
  if (strict && unexpectedKeys.length > 0)
    problems.push(`Unexpected key(s) in state_dict: ${quoted(unexpectedKeys)}.`);
  if (strict && missingKeys.length > 0)
    problems.push(`Missing key(s) in state_dict: ${quoted(missingKeys)}.`);
  const copies: [Tensor, Tensor][] = [];
  for (const [name, tensor] of own) {
    const source = given.get(name);
    if (!source) continue;
    if (size(source) !== size(tensor)) {
      problems.push(
        `size mismatch for ${name}: copying a param with shape ${size(source)} from the state dict, the shape in the current model is ${size(tensor)}.`,
      );
      continue;
    }
    copies.push([tensor, converted(source, tensor)]);
  }
  if (problems.length > 0) {
    throw new StateDictError(
      `Error(s) in loading state_dict for ${typeName}:\n\t${problems.join('\n\t')}`,
      missingKeys,
      unexpectedKeys,
    );
  }
  for (const [tensor, copy] of copies) tensor.setData(copy.data);
  return { missingKeys, unexpectedKeys };
}
