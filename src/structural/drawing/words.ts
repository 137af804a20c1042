import type { Node, Value } from '../../ir/index.ts';
import { layerOf } from '../../ops/index.ts';
import type { Coupling } from '../coupling.ts';
import type { Box } from './boxes.ts';
import type { GroupMap } from './group-map.ts';

/** What stands in a box. */
export interface BoxWords {
  /** Name of the layer; empty for operators without weights. */
  readonly name: string;
  /** `Conv2d 3×3 · 32 → 64` */
  readonly what: string;
  /** Operators that come after in the same box; empty where there are none. */
  readonly rest: string;
}

/** Operators that are named in a box; more are counted. */
const MOST_NAMED = 3;

/** Gives what stands in a box. */
export function wordsFor(coupling: Coupling, map: GroupMap): (box: Box) => BoxWords {
  const names = new Map<Node, string>();
  for (const { node, name } of coupling.sources) if (!names.has(node)) names.set(node, name);
  return ({ nodes }) => {
    const [first, ...rest] = nodes;
    const layer = layerOf(first);
    if (!layer) return { name: '', what: `${operators(nodes)}${channelText(nodes.at(-1)!, map)}`, rest: '' };
    const name = names.get(first) ?? parameterPath(first, coupling);
    const after = rest.length === 0 ? '' : `then ${operators(rest)}`;
    return { name, what: `${layer.type}${sizes(first, coupling)}`, rest: after };
  };
}

/** `Add · Relu`, `Reshape · Transpose · Reshape and 4 more` */
function operators(nodes: readonly Node[]): string {
  const names = nodes.map(({ opType }) => opType);
  const named = names.slice(0, names.length === MOST_NAMED + 1 ? MOST_NAMED + 1 : MOST_NAMED);
  const more = names.length - named.length;
  return `${named.join(' · ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/** The name of a node's first parameter without its last part: `bn1` of `bn1.weight`. */
function parameterPath(node: Node, coupling: Coupling): string {
  const own = node.inputs.find((value) => value?.isInitializer);
  const name = own ? coupling.nameOf(own) : '';
  const dot = name.lastIndexOf('.');
  return dot > 0 ? name.slice(0, dot) : node.name || name;
}

const sizesOf = (value: Value | null | undefined, coupling: Coupling): readonly (number | null)[] =>
  (value && coupling.inference.get(value)?.shape.map((size) => (typeof size === 'number' ? size : null))) ??
  [];

/** ` 3×3 · 32 → 64`, ` · 64` */
function sizes(node: Node, coupling: Coupling): string {
  const weight = layerOf(node)?.parameters.find(({ layout }) => layout);
  if (!weight?.layout) return '';
  const { input, output, kernel, groups } = weight.layout;
  const shape = sizesOf(node.inputs[weight.input], coupling);
  // Of convolutions it is the second axis that is counted per group.
  const channels = (axis: number): number => (shape[axis] ?? 0) * (axis === 1 ? groups : 1);
  const window = kernel.length === 0 ? '' : ` ${kernel.map((axis) => shape[axis] ?? '?').join('×')}`;
  const ways = input === null ? `${shape[output] ?? '?'}` : `${channels(input)} → ${channels(output)}`;
  return `${window} · ${ways}${groups > 1 ? ` · ${groups} groups` : ''}`;
}

/** ` · 128`: the channels that come out, where they are followed. */
function channelText({ outputs }: Node, map: GroupMap): string {
  const [output] = outputs;
  const channels = output ? map.carriedBy(output).channels : 0;
  return channels > 0 ? ` · ${channels}` : '';
}
