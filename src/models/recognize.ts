import { UnsupportedError } from '../core/errors.ts';
import { toFloat32 } from '../core/float16.ts';
import type { Tensor } from '../core/tensor.ts';
import { type AnyModule, init, Parameter, type StateDict } from '../nn/index.ts';
import { FAMILIES, type Guess } from './architecture-families.ts';
import { type CreateModelOptions, createModel, modelNames } from './registry.ts';

/** An architecture that a state dict is of. */
export interface RecognizedModel {
  /** Its name and options, as `createModel` takes them. */
  readonly name: string;
  readonly options: CreateModelOptions;
}

/** A model made from a state dict. */
export interface ModelFromTensors extends RecognizedModel {
  /** With the weights loaded, in evaluation mode. */
  readonly module: AnyModule;
}

/** Names of a kind that a message lists before it only counts. */
const MOST_TOLD = 3;

/** Buffers of v5.0 that repeat others: its anchors in pixels. */
const REPEATED = /^model\.\d+\.anchor_grid$/;

/**
 * The built-in architecture that a state dict is of, by names and shapes: YOLOv5 (v4.0 and v5.0, or v6.0 to v7.0; n, s, m, l, x; classes and anchors), the ResNets of CIFAR (depth, classes, shortcut), LeNet-5, MobileNetV2. All tensors
 * must be there in their shapes and no others; counters of batch norms may be missing, and weights masked by `torch.nn.utils.prune`.
 *
 * Throws UnsupportedError where it is none of them, with the nearest and where the two differ, and for a YOLOv5 of a kind that is not built in.
 */
export function recognizeModel(tensors: StateDict): RecognizedModel {
  const { name, options } = built(asMap(tensors));
  return { name, options };
}

/**
 * The model that a state dict is of, with its weights. A YOLOv5 gives raw maps until its `decode` is set. Throws UnsupportedError as `recognizeModel`.
 */
export function modelFromTensors(tensors: StateDict): ModelFromTensors {
  const given = asMap(tensors);
  const model = built(given);
  model.module.loadStateDict(new Map([...given].filter(([name]) => !REPEATED.test(name))));
  model.module.eval();
  return model;
}

/** The tensors by name; a weight that `torch.nn.utils.prune` masks (`weight_orig`, `weight_mask`) as the network uses it. */
function asMap(tensors: StateDict): ReadonlyMap<string, Tensor> {
  const given = new Map<string, Tensor>(tensors instanceof Map ? tensors : Object.entries(tensors));
  for (const [name, orig] of [...given]) {
    const own = name.replace(/_orig$/, '');
    const mask = given.get(`${own}_mask`);
    if (own === name || mask === undefined || given.has(own) || String(mask.shape) !== String(orig.shape))
      continue;
    const parameter = new Parameter(toFloat32(orig));
    parameter.setPruning({ tensorName: own }, toFloat32(mask));
    given.delete(name);
    given.delete(`${own}_mask`);
    given.set(own, parameter.data);
  }
  return given;
}

function built(tensors: ReadonlyMap<string, Tensor>): ModelFromTensors {
  const guess = guessOf(tensors);
  // The weights come from the tensors.
  const module = init.skipInit(() => createModel(guess.name, guess.options));
  const problems = differences(module.stateDict(), tensors);
  if (problems.length === 0) return { ...guess, module };
  throw new UnsupportedError(
    `recognizeModel: the tensors are those of no built-in architecture (${modelNames.join(', ')}); nearest is ${described(guess)}, but ${problems.join('; ')}${hint(tensors)}`,
  );
}

function guessOf(tensors: ReadonlyMap<string, Tensor>): Guess {
  for (const family of FAMILIES) {
    const guess = family.guess(tensors);
    if (guess !== null) return guess;
  }
  const looked = FAMILIES.map(({ title, marks }) => `${title} (${marks})`).join(', ');
  const found = tensors.size === 0 ? 'there are none' : `they are called ${listed([...tensors.keys()])}`;
  throw new UnsupportedError(
    `recognizeModel: the tensors are those of no built-in architecture; looked for ${looked}; ${found}`,
  );
}

function described({ name, options: { classes, version, shortcut } }: Guess): string {
  const facts = [
    ...(version === undefined ? [] : [version === 5 ? 'v5.0' : 'v6.0 to v7.0']),
    ...(classes === undefined ? [] : [`${classes} classes`]),
    ...(shortcut === undefined ? [] : [`shortcut ${shortcut}`]),
  ];
  return facts.length === 0 ? name : `${name} (${facts.join(', ')})`;
}

/** How a state dict differs from that of a model, a clause for each kind of difference. */
function differences(
  own: ReadonlyMap<string, Tensor>,
  given: ReadonlyMap<string, Tensor>,
): readonly string[] {
  const missing = [...own.keys()].filter((name) => !given.has(name) && !name.endsWith('num_batches_tracked'));
  const unexpected = [...given.keys()].filter((name) => !own.has(name) && !REPEATED.test(name));
  const others = [...own].flatMap(([name, { shape }]) => {
    const found = given.get(name)?.shape;
    if (found === undefined || String(found) === String(shape)) return [];
    return [`${name} is [${found.join(', ')}], not [${shape.join(', ')}]`];
  });
  const clauses: string[] = [];
  if (missing.length > 0) clauses.push(`${listed(missing)} ${missing.length === 1 ? 'is' : 'are'} missing`);
  if (unexpected.length > 0)
    clauses.push(`${listed(unexpected)} ${unexpected.length === 1 ? 'is' : 'are'} not of it`);
  if (others.length > 0) {
    const rest = others.length - MOST_TOLD;
    clauses.push(
      `${others.slice(0, MOST_TOLD).join(', ')}${rest > 0 ? ` and ${rest} more have other shapes` : ''}`,
    );
  }
  return clauses;
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, MOST_TOLD).map((name) => `'${name}'`);
  const rest = names.length - shown.length;
  return rest > 0 ? `${shown.join(', ')} and ${rest} more` : shown.join(', ');
}

/** What people do to models that makes them another architecture's. */
function hint(tensors: ReadonlyMap<string, Tensor>): string {
  const names = [...tensors.keys()];
  if (names.some((name) => name.endsWith('.conv.bias')) && !names.some((name) => name.includes('.bn.'))) {
    return '. Batch norms are folded into its convolutions (`model.fuse()`): save it before that';
  }
  return '';
}
