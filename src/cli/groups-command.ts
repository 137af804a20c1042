import { statSync } from 'node:fs';
import { basename } from 'node:path';
import { writeFileAtomic } from '../node/index.ts';
import type { Cell, ReportTable } from '../profile/index.ts';
import {
  analyzeChannels,
  type ChannelGroup,
  type ChannelGroups,
  drawGroups,
  groupChannels,
  withoutComputedWeights,
} from '../structural/index.ts';
import { loadModel, requireShapes } from './load.ts';
import { checkOutput, printCsv, printJson, tableOf, uninterrupted } from './output.ts';
import { withProgress } from './progress.ts';
import type { GroupsCommandOptions } from './shrink-options.ts';
import { bytes, withCommas } from './table.ts';

/** `secateur groups MODEL`: the coupled groups as a table, and the graph as a drawing. */
export async function groupsCommand(source: string, options: GroupsCommandOptions): Promise<void> {
  const { svg, force = false } = options;
  if (svg !== undefined) checkOutput({ output: svg, force }, ['.svg'], '--svg');
  const model = loadModel(source, options);
  requireShapes(model);
  const { graph } = await withoutComputedWeights(model.graph);
  const coupling = analyzeChannels(graph, model.profileShapes ? { shapes: model.profileShapes } : {});
  const groups = groupChannels(coupling, { heads: options.heads });
  const steps = stepsOf(groups);
  const rows = groups.groups.map((group) => rowOf(groups, group, steps[group.id] ?? 1));
  if (svg !== undefined) {
    const drawing = await withProgress('drawing', () =>
      drawGroups(groups, { title: `${basename(source)}: coupled channels` }),
    );
    uninterrupted(() => writeFileAtomic(svg, [new TextEncoder().encode(drawing)], { force }));
  }
  if (options.json) {
    printJson({ model: source, heads: options.heads, ...facts(groups, rows), svg: svg ?? null });
    return;
  }
  if (options.csv) {
    printCsv(tableFor(rows, (layers) => layers.join(' ')));
    return;
  }
  const lines = [
    rows.length === 0 ? 'No layer makes channels that could be cut.' : tableOf(tableFor(rows, briefly)),
    '',
    ...summary(groups, rows),
    ...(svg === undefined ? [] : ['', `wrote ${svg} (${bytes(statSync(svg).size)})`]),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

/** What is told of a group. */
interface Row {
  readonly group: number;
  readonly name: string;
  readonly layers: readonly string[];
  /** What can only go together, counted. */
  readonly units: number;
  /** Channels of the first layer that makes them. */
  readonly channels: number;
  /** Parameters that go with all of them. */
  readonly parameters: number;
  /** Units that can go. */
  readonly free: number;
  /** How many go at least at a time: one from each head or group of a convolution. */
  readonly step: number;
  /** Why others cannot, the most frequent reason first. */
  readonly whyNot: readonly { readonly why: string; readonly units: number }[];
  readonly members: readonly { name: string; axis: number; role: string; indices: number }[];
}

function rowOf({ whyNot }: ChannelGroups, group: ChannelGroup, step: number): Row {
  const reasons = new Map<string, number>();
  for (const unit of group.units) {
    const why = whyNot[unit];
    if (why) reasons.set(why, (reasons.get(why) ?? 0) + 1);
  }
  const stay = [...reasons.values()].reduce((sum, count) => sum + count, 0);
  return {
    group: group.id,
    name: group.name,
    layers: group.layers,
    units: group.units.length,
    channels: group.members.find(({ role }) => role === 'out')?.indices.length ?? group.units.length,
    parameters: parametersOf(group),
    free: group.units.length - stay,
    step,
    whyNot: [...reasons].map(([why, units]) => ({ why, units })).sort((a, b) => b.units - a.units),
    members: group.members.map(({ name, axis, role, indices }) => ({
      name,
      axis,
      role,
      indices: indices.length,
    })),
  };
}

/** For each group, how many of its units go at least at a time. */
function stepsOf({ lanes, groupOf, groups }: ChannelGroups): number[] {
  const least = groups.map(() => Number.POSITIVE_INFINITY);
  for (const { cells, drop } of lanes) {
    const counts = new Map<number, number>();
    cells.forEach((cell, index) => {
      const group = groupOf[cell[0] ?? -1];
      if (group !== undefined) counts.set(group, (counts.get(group) ?? 0) + drop[index]!);
    });
    for (const [group, count] of counts) least[group] = Math.min(least[group]!, count);
  }
  return least.map((count) => (Number.isFinite(count) ? Math.max(1, count) : 1));
}

/** Entries of parameters and buffers that a group's channels are on. */
function parametersOf({ members }: ChannelGroup): number {
  let count = 0;
  for (const { value, axis, indices, parts } of members) {
    const tensor = value.initializer;
    if (tensor) count += (tensor.size / ((tensor.shape[axis] ?? 1) * (parts?.count ?? 1))) * indices.length;
  }
  return count;
}

const facts = ({ coupling, unitCount }: ChannelGroups, rows: readonly Row[]): object => ({
  inputs: coupling.shapes,
  units: unitCount,
  groups: rows,
  notFollowed: coupling.notFollowed.map(({ node, why }) => ({ node: node.label, why })),
  mixed: coupling.inexact.map(({ node, why }) => ({ node: node.label, why })),
});

const briefly = (layers: readonly string[]): string =>
  layers.length === 1 ? layers[0]! : `${layers[0]} +${layers.length - 1}`;

const tableFor = (rows: readonly Row[], named: (layers: readonly string[]) => string): ReportTable => ({
  columns: [
    { key: 'group', title: 'group', kind: 'count' },
    { key: 'layers', title: 'made by', kind: 'text' },
    { key: 'channels', title: 'channels', kind: 'count' },
    { key: 'parameters', title: 'parameters', kind: 'count' },
    { key: 'free', title: 'can be cut', kind: 'count' },
    { key: 'step', title: 'at a time', kind: 'count' },
    { key: 'whyNot', title: 'why not', kind: 'text' },
  ],
  rows: rows.map(({ group, layers, channels, parameters, free, units, step, whyNot }): Cell[] => [
    group,
    named(layers),
    channels,
    parameters,
    free === units ? channels : Math.round((free / units) * channels),
    free === 0 ? null : Math.max(1, Math.round((step / units) * channels)),
    whyNot.map(({ why }) => why).join('; '),
  ]),
  total: null,
});

function summary({ coupling, heads }: ChannelGroups, rows: readonly Row[]): string[] {
  const whole = rows.filter(({ free }) => free === 0).length;
  const lines = [
    `groups      ${rows.length}${rows.length === 0 ? '' : `, of which ${whole === 0 ? 'all' : withCommas(rows.length - whole)} can be cut`}`,
    `heads       ${heads === 'width' ? 'equal width from each' : 'taken as wholes'} (--heads)`,
  ];
  for (const { node, why } of coupling.notFollowed) lines.push(`not followed: ${node.label}: ${why}`);
  return lines;
}
