import { ArgumentError } from '../core/errors.ts';
import type { Tensor } from '../core/tensor.ts';
import { Graph, staticShape } from '../ir/index.ts';
import { type AnyModule, GraphModule, type ParameterPlace, trace } from '../nn/index.ts';
import {
  type LayerProfile,
  measure,
  type Profile,
  type ProfileOptions,
  type ProfileWithoutZeros,
} from './profile.ts';
import { countZeros } from './zeros.ts';

/** A network to be measured: a graph, or a Module, which is traced in evaluation mode. */
export type Model = Graph | AnyModule;

/** Shapes of inputs by name; a bare shape where there is one input. */
export type InputShapes = readonly number[] | Readonly<Record<string, readonly number[]>>;

/** How a model is profiled. */
export interface ModelProfileOptions extends Pick<ProfileOptions, 'convention' | 'sparsity'> {
  /** Shapes of the inputs. A Module that was written in TypeScript needs them; a graph is counted for one sample without. */
  readonly shapes?: InputShapes;
  /** Sizes of symbolic dimensions by name, such as `{ height: 640 }`, of inputs that `shapes` says nothing of. */
  readonly symbols?: Readonly<Record<string, number>>;
}

const isBareShape = (shapes: InputShapes): shapes is readonly number[] => Array.isArray(shapes);

/**
 * Profiles a model without running it: parameters, zeros, operations in the chosen convention (`macs` by default) and memory of activations, per
 * layer and in total. The result is a plain object, fit for JSON, and states the input shapes it is for.
 *
 * Without `shapes` one sample is counted: a symbolic batch is taken as 1, and a batch that was fixed in the file is changed to 1 where that can be done
 * (a note says which). A Module is profiled in evaluation mode and stays in the mode it is in; its parameters are those of
 * `namedParameters()`, each once, at the layer that uses it first. Of a graph they are what `graphParameters` finds.
 *
 * `zeros: false` leaves zeros out, and with them the only step that reads the weights: for a large model the profile is ready in about half of
 * the time.
 *
 * Throws ArgumentError where a shape is missing or names no input, or where `sparsity` is asked for without zeros; ShapeError where shapes do
 * not fit the operators.
 */
export function profile(
  model: Model,
  options: ModelProfileOptions & { readonly zeros: false },
): ProfileWithoutZeros;
export function profile(model: Model, options?: ModelProfileOptions & { readonly zeros?: true }): Profile;
export function profile(
  model: Model,
  options: ModelProfileOptions & { readonly zeros?: boolean } = {},
): Profile | ProfileWithoutZeros {
  const { zeros, ...rest } = options;
  if (zeros !== false) return measureModel(model, rest, countZeros);
  if (rest.sparsity) throw new ArgumentError('profile: `sparsity` counts zeros; leave out `zeros: false`');
  const { totals, layers, ...others } = measureModel(model, rest, () => 0);
  const { zeros: _, sparsity: __, ...counted } = totals;
  return { ...others, totals: counted, layers: layers.map(({ zeros: ___, ...layer }) => layer) };
}

function measureModel(
  model: Model,
  options: ModelProfileOptions,
  zerosOf: (tensor: Tensor) => number,
): Profile {
  const { shapes, symbols, ...rest } = options;
  if (model instanceof Graph || model instanceof GraphModule) {
    const graph = model instanceof Graph ? model : model.graph;
    const resolved = shapesOf(graph, shapes, symbols);
    return measure(graph, { ...rest, ...(resolved ? { shapes: resolved } : {}) }, zerosOf).profile;
  }
  if (symbols) throw new ArgumentError('profile: a Module has no symbolic dimensions; give `shapes`');
  const graph = graphOf(model, shapes);
  const places = [...model.parameterPlaces()];
  const tensors = new Set<Tensor>(places.map(({ parameter }) => parameter.data));
  const resolved = Object.fromEntries(
    graph.feeds.map(({ name, type }) => [name, (type?.kind === 'tensor' && staticShape(type.shape)) || []]),
  );
  const isParameter = (tensor: Tensor): boolean => tensors.has(tensor);
  const measured = measure(graph, { ...rest, shapes: resolved, isParameter }, zerosOf);
  const found = new Set(measured.found.map(({ tensor }) => tensor));
  return withParameters(
    measured.profile,
    places.filter(({ parameter }) => !found.has(parameter.data)),
    zerosOf,
  );
}

/**
 * The graph of a model: the graph itself, or the trace of a Module in evaluation mode, which stays in the mode it is in.
 * Throws ArgumentError where a Module's input shapes are missing.
 */
export function graphOf(model: Model, shapes?: InputShapes): Graph {
  if (model instanceof Graph) return model;
  if (model instanceof GraphModule) return model.graph;
  if (!shapes) {
    throw new ArgumentError(
      `profile: give the shapes of the inputs of ${model.typeName}, such as [1, 3, 224, 224]`,
    );
  }
  const modes = [...model.modules()].map((module) => ({ module, training: module.training }));
  try {
    return trace(model.eval(), shapes);
  } finally {
    for (const { module, training } of modes) module.training = training;
  }
}

/** Shapes by input name; undefined where the graph's own are to be taken. */
function shapesOf(
  graph: Graph,
  shapes: InputShapes | undefined,
  symbols: ModelProfileOptions['symbols'],
): Record<string, readonly number[]> | undefined {
  const { feeds } = graph;
  if (!shapes && !symbols) return undefined;
  if (shapes && isBareShape(shapes)) {
    const [input] = feeds;
    if (!input || feeds.length > 1) {
      const names = feeds.map(({ name }) => `'${name}'`).join(', ');
      throw new ArgumentError(
        `profile: a shape without a name needs a model of one input; the inputs are ${names}`,
      );
    }
    return { [input.name]: shapes };
  }
  const result: Record<string, readonly number[]> = { ...shapes };
  const unknown = new Set(Object.keys(symbols ?? {}));
  for (const { name, type } of feeds) {
    const declared = type?.kind === 'tensor' ? type.shape : null;
    for (const dim of declared ?? []) if (typeof dim === 'string') unknown.delete(dim);
    const sizes = declared?.map((dim, axis) => {
      if (typeof dim === 'string' && symbols?.[dim] !== undefined) return symbols[dim];
      return axis === 0 && typeof dim !== 'number' ? 1 : dim;
    });
    const complete = staticShape(sizes);
    if (!(name in result) && complete) result[name] = complete;
  }
  for (const name of unknown) {
    throw new ArgumentError(`profile: no input has a dimension named '${name}'`);
  }
  return result;
}

/** Adds parameters that no node of the graph was charged with: those that are not used, and single numbers outside of layers. */
function withParameters(
  profiled: Profile,
  places: readonly ParameterPlace[],
  zerosOf: (tensor: Tensor) => number,
): Profile {
  if (places.length === 0) return profiled;
  const added = places.map(
    ({ module, path, name, parameter }): LayerProfile => ({
      name: path === '' ? name : `${path}.${name}`,
      op: module.typeName,
      outputShape: null,
      parameters: parameter.size,
      zeros: zerosOf(parameter.data),
      macs: 0,
      activationBytes: 0,
      share: 0,
    }),
  );
  const { totals } = profiled;
  const parameters = added.reduce((sum, row) => sum + row.parameters, totals.parameters);
  const zeros = added.reduce((sum, row) => sum + row.zeros, totals.zeros);
  return {
    ...profiled,
    totals: {
      ...totals,
      parameters,
      zeros,
      sparsity: zeros / parameters,
      weightBytes: places.reduce((sum, { parameter }) => sum + parameter.data.byteLength, totals.weightBytes),
    },
    layers: [...profiled.layers, ...added],
  };
}
