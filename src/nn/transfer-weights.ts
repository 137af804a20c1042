import { namePattern } from '../core/name-pattern.ts';
import type { Tensor } from '../core/tensor.ts';
import type { AnyModule } from './module.ts';
import { converted, mapOf, type StateDict } from './state-dict.ts';

/** Options of `transferWeights`. */
export interface TransferOptions {
  /** Patterns over names that are left as the module has them, such as `*.anchors`; see `freeze` for patterns. */
  readonly exclude?: readonly string[];
}

/** A tensor whose shape the module does not have. */
export interface NotFitting {
  readonly name: string;
  /** Shape in the module. */
  readonly expected: readonly number[];
  /** Shape in what was given. */
  readonly found: readonly number[];
}

/** What `transferWeights` did. Names are in the module's order, `unexpected` in that of what was given. */
export interface Transfer {
  readonly loaded: readonly string[];
  readonly notFitting: readonly NotFitting[];
  /** In the module, not given. */
  readonly missing: readonly string[];
  /** Given, not in the module. */
  readonly unexpected: readonly string[];
  /** Fitted, and left as the module has them because they were excluded. */
  readonly excluded: readonly string[];
}

/**
 * Copies those tensors of a state dict into a module that it has under the same name and of the same shape, and leaves the others as they are: a network of another number of classes takes all but its last layer. Reports everything
 * that was not copied. Real dtypes are converted. Throws ArgumentError where a dtype cannot be; nothing has changed then. Source: `intersect_dicts` of YOLOv5's train.py.
 */
export function transferWeights(module: AnyModule, dict: StateDict, options: TransferOptions = {}): Transfer {
  const given = mapOf(dict);
  const own = module.stateDict();
  const patterns = (options.exclude ?? []).map((pattern) => namePattern(pattern, { within: true }));
  const copies = new Map<string, { readonly to: Tensor; readonly copy: Tensor }>();
  const notFitting: NotFitting[] = [];
  const missing: string[] = [];
  const excluded: string[] = [];
  for (const [name, tensor] of own) {
    const source = given.get(name);
    if (source === undefined) missing.push(name);
    else if (String(source.shape) !== String(tensor.shape)) {
      notFitting.push({ name, expected: tensor.shape, found: source.shape });
    } else if (patterns.some((pattern) => pattern.test(name))) excluded.push(name);
    else copies.set(name, { to: tensor, copy: converted(source, tensor) });
  }
  for (const { to, copy } of copies.values()) to.setData(copy.data);
  for (const parameter of module.parameters()) parameter.refresh();
  const unexpected = [...given.keys()].filter((name) => !own.has(name));
  return { loaded: [...copies.keys()], notFitting, missing, unexpected, excluded };
}
