/** Groups of channels made by hand, for tests of what is decided about them. */
import { Tensor } from '../src/core/tensor.ts';
import { Graph } from '../src/ir/index.ts';
import type { ChannelGroup, ChannelGroups, Coupling, Lane, Member } from '../src/structural/index.ts';

/** A layer's channels. */
export interface MadeLayer {
  readonly name: string;
  readonly units: number;
  /** How many channels a unit is. Default 1. */
  readonly each?: number;
  /** True where it has a bias. */
  readonly bias?: boolean;
  /** Reasons of its first units; units beyond can go. */
  readonly frozen?: readonly string[];
}

/** A lane by layer names: numbers are those of a layer's units, counted from 0. */
export interface MadeLane {
  readonly cells: readonly { readonly layer: string; readonly units: readonly number[] }[];
  readonly drop: readonly number[];
  readonly maxSteps: number;
}

/** A group for each layer. Without `lanes` the free units of a layer go one at a time, and one of all stays. */
export function madeGroups(layers: readonly MadeLayer[], lanes?: readonly MadeLane[]): ChannelGroups {
  const graph = new Graph({ name: 'made' });
  const groupOf: number[] = [];
  const whyNot: (string | null)[] = [];
  const groups: ChannelGroup[] = layers.map((layer, id) => {
    const { name, units: count, frozen = [] } = layer;
    const first = groupOf.length;
    const units = Int32Array.from({ length: count }, (_, index) => first + index);
    units.forEach((_, index) => {
      groupOf.push(id);
      whyNot.push(frozen[index] ?? null);
    });
    return { id, name, layers: [name], units, members: madeMembers(graph, layer, units) };
  });
  const unit = (layer: string, index: number): number =>
    groups.find(({ name }) => name === layer)!.units[index]!;
  const made: Lane[] = lanes
    ? lanes.map(({ cells, ...rest }) => ({
        ...rest,
        cells: cells.map(({ layer, units }) => Int32Array.from(units, (index) => unit(layer, index))),
      }))
    : groups.flatMap(({ units }) => {
        const free = units.filter((own) => whyNot[own] === null);
        const maxSteps = free.length < units.length ? free.length : free.length - 1;
        return maxSteps < 1 ? [] : [{ cells: [free], drop: [1], maxSteps }];
      });
  return {
    // What is decided needs the names of layers alone.
    coupling: {
      graph,
      sources: groups.map(({ name, members }) => ({ name, value: members[0]!.value, axis: 0 })),
    } as unknown as Coupling,
    heads: 'width',
    unitCount: groupOf.length,
    groupOf: Int32Array.from(groupOf),
    groups,
    lanes: made,
    needed: groups.map(({ units }) => units),
    whyNot,
    unitOfLabel: Int32Array.from(groupOf.keys()),
    keptLabels: (removed) => removed.map((gone) => 1 - gone),
    problems: () => [],
  };
}

/** The parameters of a 3x3 convolution whose filters make the channels. */
function madeMembers(graph: Graph, { name, each = 1, bias = false }: MadeLayer, units: Int32Array): Member[] {
  const size = units.length * each;
  const weight = graph.addInitializer(`${name}.weight`, Tensor.zeros('float32', [size, 3, 3, 3]));
  const biases = bias ? [graph.addInitializer(`${name}.bias`, Tensor.zeros('float32', [size]))] : [];
  const node = graph.addNode({
    opType: 'Conv',
    name: `/${name}/Conv`,
    inputs: [graph.addInput(`${name}.x`, null), weight, ...biases],
  });
  return [weight, ...biases].map((value, index) => ({
    value,
    name: value.name,
    axis: 0,
    role: index === 0 ? 'out' : 'side',
    node,
    indices: Int32Array.from({ length: size }, (_, at) => at),
    units: Int32Array.from({ length: size }, (_, at) => units[Math.floor(at / each)]!),
  }));
}
