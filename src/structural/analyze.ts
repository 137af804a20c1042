import { ArgumentError, StructuralError } from '../core/errors.ts';
import {
  cloneGraph,
  type Graph,
  type Node,
  readBy,
  type Shape,
  staticShape,
  type Value,
} from '../ir/index.ts';
import {
  type Bundle,
  bundleSizes,
  type Channels,
  type CutContext,
  findOperator,
  inferShapes,
  isUnsupported,
  reordered,
} from '../ops/index.ts';
import { leaveOutExpands, leaveOutZeros, liftConstants } from '../passes/index.ts';
import { type Findings, NodeChannels } from './channels-context.ts';
import type { Coupling, Rectangle } from './coupling.ts';
import { Labels } from './labels.ts';
import { parameterNames } from './parameter-names.ts';
import { reshapeConstants } from './reshape-constants.ts';
import { unshareVectors } from './unshare.ts';

/** How a graph is analysed. */
export interface AnalyzeOptions {
  /** Shapes of the inputs by name; by default as declared, a symbolic first axis taken as 1. */
  readonly shapes?: Readonly<Record<string, readonly number[]>>;
}

/** Most labels on one value; more are not followed. */
const MOST_LABELS = 1 << 23;

/**
 * Finds what must be cut together: gives every index of every axis of every constant a label, and lets each operator's channel rule tie labels and hand them on. What reaches an output of the
 * graph or an operator without a rule stays, with the reason. The graph given is not changed. Near linear in labels and edges.
 *
 * Throws ArgumentError where an input's shape is not known and not given, or a shape is given for no input; ShapeError where shapes do not fit the operators; StructuralError where a channel rule contradicts itself.
 */
export function analyzeChannels(original: Graph, options: AnalyzeOptions = {}): Coupling {
  const { graph } = cloneGraph(original);
  liftConstants(graph);
  leaveOutZeros(graph);
  leaveOutExpands(graph);
  reshapeConstants(graph);
  const copies = unshareVectors(graph);
  const shapes = shapesOf(graph, options.shapes ?? {});
  const inference = inferShapes(graph, { shapes });
  const labels = new Labels();
  const found: Findings = {
    labels,
    inference,
    channels: new Map(),
    sources: [],
    consumers: [],
    partedAxes: [],
    inexact: [],
  };
  for (const value of graph.initializers) {
    if (value.initializer) found.channels.set(value, axesLabelled(value.initializer.shape, labels));
  }
  const notFollowed: { node: Node; why: string }[] = [];
  const cutRules = new Map<Node, (ctx: CutContext) => void>();
  const checked = new WeakMap<Int32Array, Bundle[]>();
  for (const node of graph.nodes) {
    const why = whyNotFollowed(node, found);
    if (why !== null) {
      notFollowed.push({ node, why });
      // Values that subgraphs read from outside count as read by the node.
      for (const value of readBy(node)) freezeAll(found, value, `${node.label}: ${why}`);
      continue;
    }
    const rule = findOperator(node.domain, node.opType)?.channels;
    if (!rule || isUnsupported(rule)) continue;
    const { outputs, cut } = rule(new NodeChannels(node, found));
    if (cut) cutRules.set(node, cut);
    node.outputs.forEach((output, index) => {
      if (!output) return;
      const shape = staticShape(inference.get(output)?.shape) ?? [];
      const channels = normalized(node, outputs[index] ?? [], shape, labels, checked);
      if (channels.length > 0) found.channels.set(output, channels);
    });
  }
  graph.outputs.forEach((output) => {
    freezeAll(found, output, `reaches the output '${output.name}'`);
  });
  const nameOf = parameterNames(graph);
  const sources = found.sources.map((source) => ({
    ...source,
    name: layerName(nameOf(source.value), source.node),
  }));
  const canGo = cuttable(labels);
  for (const [value, channels] of found.channels) {
    if (value.isInitializer) continue;
    const left = channels.filter((bundle) => canGo(bundle.labels));
    if (left.length === 0) found.channels.delete(value);
    else if (left.length < channels.length) found.channels.set(value, left);
  }
  const rectangles: readonly Rectangle[] = labels.rectangles.filter(({ elements }) => canGo(elements));
  return {
    graph,
    inference,
    shapes,
    labelCount: labels.count,
    sources,
    consumers: found.consumers,
    partedAxes: found.partedAxes,
    copies,
    rectangles,
    inexact: found.inexact,
    notFollowed,
    nameOf,
    channels: (value) => found.channels.get(value) ?? [],
    find: (label) => labels.find(label),
    frozen: (label) => labels.frozen(label),
    cutRule: (node) => cutRules.get(node),
  };
}

/** Shapes of the feeds: those given, else the declared ones with 1 for an open first axis. */
function shapesOf(
  graph: Graph,
  given: Readonly<Record<string, readonly number[]>>,
): Record<string, readonly number[]> {
  const names = graph.feeds.map(({ name }) => `'${name}'`).join(', ');
  for (const name of Object.keys(given)) {
    if (!graph.feeds.some((input) => input.name === name)) {
      throw new ArgumentError(`analyzeChannels: no input is named '${name}'; the inputs are ${names}`);
    }
  }
  const shapes: Record<string, readonly number[]> = {};
  for (const { name, type } of graph.feeds) {
    const declared: Shape | null = type?.kind === 'tensor' ? type.shape : null;
    const shape =
      given[name] ??
      staticShape(declared?.map((dim, axis) => (axis === 0 && typeof dim !== 'number' ? 1 : dim)));
    if (!shape) {
      const known = declared ? `[${declared.map((dim) => dim ?? '?').join(', ')}]` : 'unknown';
      throw new ArgumentError(`analyzeChannels: the shape of input '${name}' is ${known}; give its shape`);
    }
    shapes[name] = shape;
  }
  return shapes;
}

const axesLabelled = (shape: readonly number[], labels: Labels): Channels =>
  shape.flatMap((size, axis) => (size > 1 ? [{ axes: [axis], labels: labels.fresh(size) }] : []));

/** Whether any of an array's labels may go. What is followed through spatial axes to an output is long, and none of it may: it is asked for once, and forgotten then. */
function cuttable(labels: Labels): (array: Int32Array) => boolean {
  const known = new Map<Int32Array, boolean>();
  return (array) => {
    let some = known.get(array);
    if (some === undefined) {
      some = array.some((label) => labels.frozen(label) === null);
      known.set(array, some);
    }
    return some;
  };
}

/** Why a node's channels cannot be followed; null where they can. */
function whyNotFollowed(node: Node, { inference }: Findings): string | null {
  const operator = findOperator(node.domain, node.opType);
  if (!operator) return 'is not in the operator table; its channels stay';
  if (isUnsupported(operator.channels)) return operator.channels.unsupported;
  const open = [...node.inputs, ...node.outputs].find(
    (value) => value && !staticShape(inference.get(value)?.shape),
  );
  return open ? `the sizes of '${open.name}' are not known before it runs` : null;
}

function freezeAll({ channels, labels }: Findings, value: Value, why: string): void {
  for (const bundle of channels.get(value) ?? []) labels.freeze(bundle.labels, why);
}

/**
 * What a rule gave, brought to its usual form: axes of size 1 and axes along which labels do not vary carry none; a label that is alone on its axis stays; matrices are registered as rectangles. An array of labels
 * that is handed on keeps its identity.
 */
function normalized(
  node: Node,
  channels: Channels,
  shape: readonly number[],
  labels: Labels,
  seen: WeakMap<Int32Array, Bundle[]>,
): Channels {
  return channels.flatMap((bundle): Bundle[] => {
    const before = seen.get(bundle.labels)?.find((known) => sameAxes(known.axes, bundle.axes));
    if (before) return [before];
    const sizes = bundleSizes(bundle, shape);
    if (sizes.reduce((product, size) => product * size, 1) !== bundle.labels.length) {
      throw new StructuralError(
        `${node.label}: its channel rule gives ${bundle.labels.length} labels for axes [${bundle.axes.join(', ')}] of [${shape.join(', ')}]`,
      );
    }
    const varying = bundle.axes.flatMap((axis, place) =>
      variesAlong(bundle.labels, sizes, place) ? [axis] : [],
    );
    if (varying.length === 0) {
      labels.freeze(bundle.labels, `${node.label}: what it picks is needed`);
      return [];
    }
    if (bundle.labels.length > MOST_LABELS) {
      labels.freeze(bundle.labels, `${node.label}: makes an axis too long to follow`);
      return [];
    }
    const result = varying.length === bundle.axes.length ? bundle : withoutRepeats(bundle, varying, shape);
    const own = bundleSizes(result, shape);
    let elements = result.labels;
    for (let last = own.length - 1; last > 0; last--) elements = labels.rectangle(elements, own[last]!).rows;
    remember(seen, result);
    return [result];
  });
}

function remember(seen: WeakMap<Int32Array, Bundle[]>, bundle: Bundle): void {
  const known = seen.get(bundle.labels);
  if (known) known.push(bundle);
  else seen.set(bundle.labels, [bundle]);
}

const sameAxes = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((axis, place) => axis === b[place]);

/** True where labels differ along an axis, given by its place in the bundle. */
function variesAlong(labels: Int32Array, sizes: readonly number[], place: number): boolean {
  const size = sizes[place]!;
  if (size === 1) return false;
  const inner = sizes.slice(place + 1).reduce((product, next) => product * next, 1);
  for (let at = 0; at < labels.length; at++) {
    const index = Math.floor(at / inner) % size;
    if (index > 0 && labels[at] !== labels[at - inner]) return true;
  }
  return false;
}

/** The labels at index 0 of the axes that do not vary. */
function withoutRepeats(bundle: Bundle, varying: readonly number[], shape: readonly number[]): Bundle {
  const stay = bundle.axes.flatMap((axis, place) => (varying.includes(axis) ? [place] : []));
  const go = bundle.axes.flatMap((axis, place) => (varying.includes(axis) ? [] : [place]));
  const turned = reordered(bundle, [...stay, ...go], shape);
  const length = go.reduce((product, place) => product * shape[bundle.axes[place]!]!, 1);
  return {
    axes: stay.map((place) => bundle.axes[place]!),
    labels: Int32Array.from(
      { length: turned.labels.length / length },
      (_, row) => turned.labels[row * length]!,
    ),
  };
}

/** The layer's name: that of its weight without the last part, or the node's. */
export function layerName(parameter: string, node: Node): string {
  const dot = parameter.lastIndexOf('.');
  return dot > 0 ? parameter.slice(0, dot) : node.name || parameter;
}
