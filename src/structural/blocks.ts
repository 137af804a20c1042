import type { Graph, Node, Value } from '../ir/index.ts';
import { findOperator, type Inference, inferShapes, layerOf } from '../ops/index.ts';
import { DataFlow, type Region } from './data-flow.ts';
import { modulePaths } from './module-paths.ts';

/**
 * How a block was found. `residual`: one operand of a sum, computed from the other one (or from what the other is computed from). `module`: the nodes of one module, by their names. `chain`: a layer, or
 * a few beside each other in a module, with the norms and activations behind.
 */
export type BlockKind = 'residual' | 'module' | 'chain';

/** A part of a graph that can be left out: its output then is its input, which has the same dtype and shape. */
export interface Block {
  /** The module its layers are in, such as `layer1.0`; with a number behind (`layer1.0:2`) where another block has that name. */
  readonly name: string;
  readonly kind: BlockKind;
  readonly input: Value;
  readonly output: Value;
  /** What goes with it, in the order it runs. Constants that only these read go too. */
  readonly nodes: readonly Node[];
  /** Names of its layers with weights that take channels to others. */
  readonly layers: readonly string[];
}

/** Which blocks are looked for. */
export interface FindBlocksOptions {
  /** Shapes of the inputs by name; by default as declared, where symbols stand for the same size wherever they stand. */
  readonly shapes?: Readonly<Record<string, readonly number[]>>;
  /** Kinds of blocks; all by default. */
  readonly kinds?: readonly BlockKind[];
}

/** Most layers, and most nodes, that are taken for one chain: what agrees only beyond so many is no layer with what belongs to it. */
const LONGEST_CHAIN = { layers: 8, links: 64 };

/** A block before it has a name. */
type Found = Omit<Block, 'name' | 'layers'>;

/**
 * Finds what can be removed whole from a graph: residual branches, modules, and chains of layers, whose one output has the dtype and shape of their one input and that serve nothing else. Blocks hold at least one
 * layer with weights, and not all of the graph's; of those with the same layers one is listed: the residual branch if there is one, else the one of most nodes (a convolution with its batch norm and activation). They may lie
 * within each other. In the order they end; the graph is not changed. Linear in nodes and edges, times the depth to which modules and branches are nested.
 *
 * Throws ShapeError where shapes do not fit the operators.
 */
export function findBlocks(graph: Graph, options: FindBlocksOptions = {}): Block[] {
  const kinds = options.kinds ?? ['residual', 'module', 'chain'];
  const inference = inferShapes(graph, options.shapes ? { shapes: options.shapes } : {});
  const flow = new DataFlow(graph);
  const paths = modulePaths(graph);
  const places = new Map([...flow.nodes].filter(isLayer).map((node, place) => [node, place]));
  const finders: Readonly<Record<BlockKind, () => Iterable<Found>>> = {
    residual: () => residualBranches(flow, inference),
    module: () => modules(flow, inference, paths),
    chain: () => chains(flow, inference),
  };
  const byLayers = new Map<string, Found>();
  for (const kind of ['residual', 'module', 'chain'] as const) {
    if (!kinds.includes(kind)) continue;
    for (const found of finders[kind]()) {
      const layers = found.nodes.filter((node) => places.has(node));
      if (layers.length === 0 || layers.length === places.size) continue;
      const key = layers.map((node) => places.get(node)).join();
      const known = byLayers.get(key);
      if (kind === 'chain' && !isOfOneModule(layers, paths)) continue;
      if (!known || (known.kind !== 'residual' && found.nodes.length > known.nodes.length)) {
        byLayers.set(key, found);
      }
    }
  }
  const ends = new Map(graph.nodes.map((node, place) => [node, place]));
  const end = ({ output }: Found): number => (output.producer ? (ends.get(output.producer) ?? 0) : 0);
  const blocks = [...byLayers.values()].sort((a, b) => end(a) - end(b));
  return named(blocks, places, paths);
}

/** True where a node has weights that take channels to others: a convolution, a linear layer. */
const isLayer = (node: Node): boolean =>
  layerOf(node)?.parameters.some(({ layout }) => layout && layout.input !== null) ?? false;

/** True where layers stand beside each other in one module. */
function isOfOneModule(layers: readonly Node[], paths: ReadonlyMap<Node, string>): boolean {
  const modules = layers.map((node) => paths.get(node)?.split('.').slice(0, -1).join('.') ?? '');
  return modules.every((module) => module === modules[0]);
}

/** True where two values have the same dtype and shape, of sizes that are known or the same symbol. */
function agree(a: Value, b: Value, inference: Inference): boolean {
  const [one, two] = [inference.get(a), inference.get(b)];
  return (
    one !== null &&
    two !== null &&
    one.dtype === two.dtype &&
    one.shape.length === two.shape.length &&
    one.shape.every((dim, axis) => dim !== null && dim === two.shape[axis])
  );
}

/** `a + f(a)`, and of `g(x) + f(x)` either. The sum goes with the branch. */
function* residualBranches(flow: DataFlow, inference: Inference): Generator<Found> {
  for (const node of flow.nodes) {
    const output = flow.output(node);
    if (!output || !findOperator(node.domain, node.opType)?.sum || node.inputs.length !== 2) continue;
    const operands = flow.reads(node);
    if (operands.length !== 2 || operands.some((operand) => !agree(operand, output, inference))) continue;
    const branches = operands.map(({ producer }) =>
      producer && flow.endsIn(node, producer) ? flow.servants(producer) : null,
    );
    for (const [at, branch] of branches.entries()) {
      const input = operands[1 - at]!;
      const other = branches[1 - at];
      const isResidual =
        branch?.entries.includes(input) ||
        (other?.entries.length === 1 && branch?.entries.includes(other.entries[0]!));
      if (branch && isResidual)
        yield { kind: 'residual', input, output, nodes: flow.inOrder([...branch.nodes, node]) };
    }
  }
}

/** Modules that read one value and give one. */
function* modules(flow: DataFlow, inference: Inference, paths: ReadonlyMap<Node, string>): Generator<Found> {
  const members = new Map<string, Node[]>();
  for (const node of flow.nodes) {
    const segments = paths.get(node)?.split('.') ?? [];
    for (let length = 1; length <= segments.length; length++) {
      const path = segments.slice(0, length).join('.');
      const list = members.get(path);
      if (list) list.push(node);
      else members.set(path, [node]);
    }
  }
  for (const nodes of members.values()) {
    const inside = new Set(nodes);
    const made = new Set(nodes.flatMap((node) => node.outputs));
    const entries = new Set(nodes.flatMap((node) => flow.reads(node).filter((value) => !made.has(value))));
    const exits = [...made].filter(
      (value) => value && (value.isOutput || flow.readers(value).some((reader) => !inside.has(reader))),
    );
    const [input] = entries;
    const [output] = exits;
    if (!input || !output || entries.size > 1 || exits.length > 1) continue;
    if (agree(input, output, inference)) yield { kind: 'module', input, output, nodes };
  }
}

/** Parts of a line of nodes, each of which alone reads what the one before makes: from the last value of the same type to each. */
function* chains(flow: DataFlow, inference: Inference): Generator<Found> {
  const links = new Map<Value, Region>();
  for (const node of flow.nodes) {
    const output = flow.output(node);
    const link = output && linkOf(flow, inference, node, output);
    if (!output || !link) continue;
    links.set(output, link);
    const found = chainTo(output, links, flow, inference);
    if (found) yield found;
  }
}

/** What makes a value of one value: a node that reads no more, or a block of which this is the end. */
function linkOf(flow: DataFlow, inference: Inference, node: Node, output: Value): Region | null {
  const reads = flow.reads(node);
  if (reads.length === 1) return { nodes: [node], entries: reads };
  const region = flow.smallest(node);
  return region && agree(region.entries[0]!, output, inference) ? region : null;
}

function chainTo(
  output: Value,
  links: ReadonlyMap<Value, Region>,
  flow: DataFlow,
  inference: Inference,
): Found | null {
  const nodes: Node[] = [];
  let layers = 0;
  let at: Value = output;
  for (let count = 0; count < LONGEST_CHAIN.links && layers <= LONGEST_CHAIN.layers; count++) {
    const link = links.get(at);
    if (!link) return null;
    nodes.push(...link.nodes);
    layers += link.nodes.filter(isLayer).length;
    at = link.entries[0]!;
    if (layers > 0 && agree(at, output, inference)) {
      return { kind: 'chain', input: at, output, nodes: flow.inOrder(nodes) };
    }
    const { producer } = at;
    if (!producer || !flow.endsIn(output.producer!, producer)) return null;
  }
  return null;
}

/** Names blocks after the module all their layers are in; what has no module after its last node. */
function named(
  found: readonly Found[],
  layers: ReadonlyMap<Node, number>,
  paths: ReadonlyMap<Node, string>,
): Block[] {
  const nameOf = (node: Node): string => paths.get(node) ?? '';
  const taken = new Map<string, number>();
  return found.map((block) => {
    const names = block.nodes.filter((node) => layers.has(node)).map(nameOf);
    const base = commonPath(names) || (block.output.producer?.label ?? block.output.name);
    const count = (taken.get(base) ?? 0) + 1;
    taken.set(base, count);
    return {
      ...block,
      name: count === 1 ? base : `${base}:${count}`,
      layers: names.filter((name) => name !== ''),
    };
  });
}

/** The longest path that all of these are in or are. */
function commonPath(paths: readonly string[]): string {
  const [first = '', ...others] = paths.map((path) => path.split('.'));
  const segments = first === '' ? [] : first;
  let length = segments.length;
  for (const other of others) {
    let same = 0;
    while (same < length && other[same] === segments[same]) same++;
    length = same;
  }
  return segments.slice(0, length).join('.');
}
