import { GraphError, UnsupportedError } from '../core/errors.ts';
import type { Graph, Node, Value } from '../ir/index.ts';
import { type GraphParameter, graphParameters } from '../ops/index.ts';
import { liftConstants } from '../passes/index.ts';
import { inlineGraph } from './inline-graph.ts';
import { type AnyModule, Module } from './module.ts';
import { Parameter } from './parameter.ts';
import { cleaned, ownName, scopeOf, stateDictName } from './scopes.ts';
import type { Variable } from './variable.ts';

/** A part of a graph seen as a module: the nodes of one exported scope, with their parameters. */
export class GraphLayer extends Module<readonly Variable[]> {
  /** PyTorch's class of the layer, such as `Conv2d`; `Module` where the scope is a container. */
  type = 'Module';
  /** Nodes of exactly this scope, in the order they run. */
  readonly nodes: Node[] = [];

  override get typeName(): string {
    return this.type;
  }

  /** What the layer computes: the first output of its last node; null for a container. */
  get output(): Value | null {
    return this.nodes.at(-1)?.outputs[0] ?? null;
  }

  override extraRepr(): string {
    return [...this.namedParameters('', { recurse: false })]
      .map(([name, p]) => `${name}: ${p.data}`)
      .join(', ');
  }

  /** Parts of a graph do not run by themselves. Throws UnsupportedError. */
  override forward(): readonly Variable[] {
    throw new UnsupportedError(`${this.type}: is a part of a graph that was read; run the whole GraphModule`);
  }
}

/**
 * A graph that was read from a file, as a Module: a tree named after the exported scopes, whose layers carry their `weight` and `bias`, so that
 * masks, profiles and state dicts work on files from others as on layers written here.
 *
 * Parameters and initializers are the same tensors: what changes in the module changes in `graph`, and writing `graph` writes the module.
 */
export class GraphModule extends Module<readonly Variable[]> {
  readonly graph: Graph;
  readonly #layers: ReadonlyMap<string, GraphLayer>;

  /** Use `fromGraph`. */
  constructor(graph: Graph, parts: (root: GraphModule) => ReadonlyMap<string, GraphLayer>) {
    super();
    this.graph = graph;
    this.training = false;
    this.#layers = parts(this);
  }

  /** What the layer at a path computes. Throws GraphError where no layer is there. */
  outputOf(path: string): Value {
    const output = this.#layers.get(path)?.output;
    if (output) return output;
    throw new GraphError(`GraphModule: no layer computes something at '${path}'`);
  }

  /**
   * Writes the graph's nodes into the graph being traced, brought to its operator versions and to the batch size of the inputs. In training mode operators do what they do in
   * training: batch norm takes the batch's statistics, dropout drops. Throws ArgumentError where the number of inputs differs or the batch size is built in,
   * UnsupportedError where a node cannot be inlined.
   */
  override forward(...inputs: Variable[]): readonly Variable[] {
    return inlineGraph(this, this.graph, inputs);
  }
}

/**
 * The Module view of a graph. Where a parameter stands follows from the initializer's name where that is a state dict's (`model.0.conv.weight`), and
 * else from the scope in the name of the node that reads it (`/model.0/conv/Conv` gives `model.0.conv`); a node without either gives a module of
 * its own name (`Conv_12`). Constants written as nodes become initializers (`liftConstants`); nothing else of the graph changes.
 */
export function fromGraph(graph: Graph): GraphModule {
  liftConstants(graph);
  const module = new GraphModule(graph, (root) => buildTree(root, graph));
  return module;
}

/** Makes and finds the modules of the tree. */
class Tree {
  readonly layers = new Map<string, GraphLayer>();
  readonly #root: GraphModule;
  readonly #taken = new Set<string>();

  constructor(root: GraphModule) {
    this.#root = root;
  }

  at(path: string): AnyModule {
    if (path === '') return this.#root;
    const known = this.layers.get(path);
    if (known) return known;
    const dot = path.lastIndexOf('.');
    const parent = this.at(dot < 0 ? '' : path.slice(0, dot));
    const layer = new GraphLayer();
    this.layers.set(path, layer);
    parent.registerModule(path.slice(dot + 1), layer);
    return layer;
  }

  /** True where neither a parameter nor, for a parameter's name, a module stands there. */
  isFree(path: string, name: string): boolean {
    const full = path === '' ? name : `${path}.${name}`;
    return !this.#taken.has(full) && !this.layers.has(full) && !this.crossesParameter(path);
  }

  add(path: string, name: string, { kind, value, layout }: GraphParameter): void {
    const module = this.at(path);
    this.#taken.add(path === '' ? name : `${path}.${name}`);
    if (!value.initializer)
      throw new GraphError(`Value '${value.name}': is no initializer; lift constants first`);
    if (kind === 'buffer') module.registerBuffer(name, value.initializer);
    else module.registerParameter(name, new Parameter(value.initializer, { layout }));
  }

  /** True where a parameter stands at the path or on the way to it: no module can be there. */
  crossesParameter(path: string): boolean {
    const segments = path.split('.');
    return segments.some((_, index) => this.#taken.has(segments.slice(0, index + 1).join('.')));
  }
}

function buildTree(root: GraphModule, graph: Graph): ReadonlyMap<string, GraphLayer> {
  const tree = new Tree(root);
  /** Where the layer of a node stands, once one of its parameters said so. */
  const homes = new Map<Node, string>();
  for (const parameter of graphParameters(graph)) {
    const { path, name } = placeOf(parameter, homes, tree);
    tree.add(path, name, parameter);
    if (!parameter.layer || name !== parameter.name) continue;
    if (!homes.has(parameter.node)) homes.set(parameter.node, path);
    const module = tree.at(path);
    if (module instanceof GraphLayer) module.type = parameter.layer.type;
  }
  for (const node of graph.nodes) {
    const path = homes.get(node) ?? scopeOf(node.name);
    const module = path === '' || !canHold(tree, path) ? null : tree.at(path);
    if (module instanceof GraphLayer) module.nodes.push(node);
  }
  return tree.layers;
}

/** A scope can be a module unless a parameter has its name. */
function canHold(tree: Tree, path: string): boolean {
  return tree.layers.has(path) || tree.isFree(path, '');
}

function placeOf(
  parameter: GraphParameter,
  homes: ReadonlyMap<Node, string>,
  tree: Tree,
): { path: string; name: string } {
  const { layer, node, value } = parameter;
  const named = stateDictName(value.name);
  const candidates: { path: string; name: string }[] = [];
  if (named && (named.path !== '' || !layer)) {
    // `conv2d_0.w_0` has its place right, but not the name its layer knows it by.
    const speaks = parameter.name === null || named.name.endsWith(parameter.name);
    candidates.push({ path: named.path, name: speaks ? named.name : (parameter.name ?? named.name) });
  }
  const home = homes.get(node);
  const scope = scopeOf(node.name);
  const name = parameter.name ?? cleaned(value.name).replaceAll('.', '_');
  const own = ownName(node);
  if (home !== undefined) candidates.push({ path: home, name });
  if (!layer || scope !== '') candidates.push({ path: scope, name });
  const inScope = scope === '' ? own : `${scope}.${own}`;
  candidates.push({ path: inScope, name });
  const free = candidates.find((candidate) => tree.isFree(candidate.path, candidate.name));
  if (free) return free;
  // No number behind a name helps where a parameter stands on the way to it.
  const base = tree.crossesParameter(scope) ? inScope.replaceAll('.', '_') : inScope;
  for (let count = 1; ; count++) {
    const path = `${base}_${count}`;
    if (tree.isFree(path, name)) return { path, name };
  }
}
