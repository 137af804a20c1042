import type { Node, Value } from '../ir/index.ts';
import type { Coupling, Rectangle } from './coupling.ts';
import type { ChannelGroup, ChannelGroups, GroupOptions, Member, Role } from './groups.ts';
import { findLanes } from './lanes.ts';
import { Sets } from './sets.ts';

/**
 * Puts the labels of a graph together into units that can only go together, units into groups, and finds in what steps they can go so that every matrix of labels stays a rectangle. Linear in labels.
 */
export function groupChannels(coupling: Coupling, options: GroupOptions = {}): ChannelGroups {
  const heads = options.heads ?? 'width';
  const roots = new Int32Array(coupling.labelCount);
  for (let label = 0; label < roots.length; label++) roots[label] = coupling.find(label);
  const sets = new Sets(roots);
  const reasons = new Map<number, string>();
  for (let label = 0; label < roots.length; label++) {
    const why = roots[label] === label ? coupling.frozen(label) : null;
    if (why !== null) reasons.set(label, why);
  }
  const { matrices, filled } = tieRectangles(coupling, heads, sets, reasons);

  const frozen = new Map<number, string>();
  for (const [label, why] of reasons) {
    const root = sets.find(label);
    if (!frozen.has(root)) frozen.set(root, why);
  }
  const unitOf = new Map<number, number>();
  const groupSets = new Sets(coupling.sources.length);
  const firstSource: number[] = [];
  coupling.sources.forEach(({ labels }, source) => {
    for (const label of labels) {
      const root = sets.find(label);
      const known = unitOf.get(root);
      if (known === undefined) {
        unitOf.set(root, firstSource.length);
        firstSource.push(source);
      } else groupSets.union(firstSource[known]!, source);
    }
  });
  const unitCount = firstSource.length;
  const unitOfLabel = new Int32Array(roots.length);
  for (let label = 0; label < roots.length; label++) unitOfLabel[label] = unitOf.get(sets.find(label)) ?? -1;
  const unitAt = (label: number): number => unitOfLabel[label]!;
  const whyNot: (string | null)[] = new Array<string | null>(unitCount).fill(null);
  for (const [root, why] of frozen) {
    const unit = unitOf.get(root);
    if (unit !== undefined) whyNot[unit] = why;
  }
  const groupIds = new Map<number, number>();
  const groupOf = Int32Array.from(firstSource, (source) => {
    const root = groupSets.find(source);
    const known = groupIds.get(root);
    if (known !== undefined) return known;
    groupIds.set(root, groupIds.size);
    return groupIds.size - 1;
  });
  const unitsOf = (labels: Int32Array): Int32Array => {
    const units = new Int32Array(labels.length);
    for (let at = 0; at < units.length; at++) units[at] = unitOfLabel[labels[at]!]!;
    return units;
  };

  const vectors = distinctVectors(coupling, filled);
  const needed = neededUnits(vectors, unitsOf, whyNot);
  for (const units of needed) {
    if (units.length === 1) whyNot[units[0]!] ??= 'something that reads it would be left with no channel';
  }
  const { lanes, stuck } = findLanes({
    unitCount,
    groupOf,
    whyNot,
    kindOf: kindsOf(coupling, unitOfLabel, unitCount),
    matrices: matrices.map(({ rows, elements, where }) => ({ rows, units: unitsOf(elements), where })),
  });
  for (const [unit, why] of stuck) whyNot[unit] ??= why;

  const groups = buildGroups(coupling, unitAt, groupOf, groupIds, groupSets);
  const keptLabels = (removed: Uint8Array): Uint8Array => {
    const kept = new Uint8Array(coupling.labelCount);
    for (let label = 0; label < kept.length; label++) {
      const unit = unitOfLabel[label]!;
      kept[label] = unit >= 0 && removed[unit] === 1 ? 0 : 1;
    }
    return kept;
  };
  const all: ChannelGroups = {
    coupling,
    heads,
    unitCount,
    groupOf,
    groups,
    lanes,
    needed,
    whyNot,
    unitOfLabel,
    keptLabels,
    problems: (removed) => problems(all, matrices, unitsOf, removed),
  };
  return all;
}

/** A number for each unit, the same for those that the same layers make. */
function kindsOf(coupling: Coupling, unitOfLabel: Int32Array, unitCount: number): Int32Array {
  const kinds = new Int32Array(unitCount);
  const seen = new Int32Array(unitCount);
  let known = 1;
  coupling.sources.forEach(({ labels }, source) => {
    /** What becomes of a kind with this layer. */
    const next = new Map<number, number>();
    for (const label of labels) {
      const unit = unitOfLabel[label]!;
      if (unit < 0 || seen[unit] === source + 1) continue;
      seen[unit] = source + 1;
      const kind = kinds[unit]!;
      let own = next.get(kind);
      if (own === undefined) {
        own = known++;
        next.set(kind, own);
      }
      kinds[unit] = own;
    }
  });
  return kinds;
}

/** A matrix of labels of which each row must lose equally many. */
interface LabelMatrix {
  readonly rows: number;
  readonly elements: Int32Array;
  /** For messages. */
  readonly where: string;
}

/**
 * Ties what rectangles tie for the way heads are taken. Where rows go whole, a row's elements are tied to its own label; where columns have an identity, a column's elements to its. Else rows must
 * lose equally many: these are given back, and what must keep something in each of them.
 *
 * Rows go whole, too, where they are channels of another layer (a depthwise convolution with several outputs for each input).
 */
function tieRectangles(
  coupling: Coupling,
  heads: 'width' | 'whole',
  sets: Sets,
  reasons: Map<number, string>,
): { readonly matrices: readonly LabelMatrix[]; readonly filled: readonly Int32Array[] } {
  const { rectangles, sources } = coupling;
  const canGo = (label: number): boolean => coupling.frozen(label) === null;
  const whole = new Set<Rectangle>();
  /** By label: 1 where it stands in a row that goes whole. */
  const inWhole = new Uint8Array(coupling.labelCount);
  const takeWhole = (rectangle: Rectangle): void => {
    whole.add(rectangle);
    for (const label of rectangle.elements) inWhole[label] = 1;
    const { rows, elements } = rectangle;
    const length = elements.length / rows.length;
    for (let at = 0; at < elements.length; at++) sets.union(elements[at]!, rows[Math.floor(at / length)]!);
  };
  /** Rows that are tied to channels of a layer become such channels, and so may rows of rectangles around. */
  const isChannel = new Uint8Array(coupling.labelCount);
  const settle = (): void => {
    for (let changed = true; changed; ) {
      changed = false;
      isChannel.fill(0);
      for (const { labels } of sources) for (const label of labels) isChannel[sets.find(label)] = 1;
      for (const rectangle of rectangles) {
        if (whole.has(rectangle)) continue;
        const areChannels = rectangle.rows.some((row) => isChannel[sets.find(row)] === 1);
        // Heads that can only go whole do so where wholes are asked for, or where they do elsewhere (queries, keys and values as one matrix); what is no head (all pixels of a channel) in any case.
        const mayGo =
          heads === 'whole' ||
          !rectangle.rowsUsed ||
          rectangle.elements.every((label) => inWhole[label] === 1);
        if (!areChannels && !(mayGo && goRowByRow(rectangle, sets))) continue;
        takeWhole(rectangle);
        changed = true;
      }
    }
  };
  if (heads === 'whole') {
    for (const rectangle of rectangles)
      if (rectangle.rowsUsed && rectangle.rows.some(canGo)) takeWhole(rectangle);
  }
  settle();
  for (const rectangle of rectangles) {
    const { columns, elements } = rectangle;
    if (whole.has(rectangle) || !columns) continue;
    for (let at = 0; at < elements.length; at++) sets.union(elements[at]!, columns[at % columns.length]!);
  }
  settle();

  const matrices: LabelMatrix[] = [];
  const filled: Int32Array[] = [];
  for (const rectangle of rectangles) {
    const { rows, columns, elements } = rectangle;
    const length = elements.length / rows.length;
    filled.push(rows);
    if (columns) filled.push(columns);
    if (whole.has(rectangle)) {
      for (const column of columns ?? []) {
        if (!reasons.has(column)) reasons.set(column, 'whole rows are taken, not columns of them');
      }
    } else if (!columns) {
      for (let at = 0; at < elements.length; at += length) filled.push(elements.subarray(at, at + length));
      matrices.push({ rows: rows.length, elements, where: `${rows.length} rows of ${length}` });
    }
  }
  return { matrices, filled };
}

/** True where the elements of each row go together anyway. */
function goRowByRow({ rows, elements }: Rectangle, sets: Sets): boolean {
  const length = elements.length / rows.length;
  return elements.every((label, at) => sets.find(label) === sets.find(elements[at - (at % length)]!));
}

/** Every array of labels on one axis of a value, once, and others: each must keep something. */
function distinctVectors(coupling: Coupling, others: readonly Int32Array[]): readonly Int32Array[] {
  const vectors = new Set<Int32Array>(others);
  for (const value of coupling.graph.values) {
    for (const { axes, labels } of coupling.channels(value)) if (axes.length === 1) vectors.add(labels);
  }
  return [...vectors];
}

/** The sets of units of which one must stay, each once, without those that hold something that cannot go. */
function neededUnits(
  vectors: readonly Int32Array[],
  unitsOf: (labels: Int32Array) => Int32Array,
  whyNot: readonly (string | null)[],
): readonly Int32Array[] {
  const byHash = new Map<number, Int32Array[]>();
  const distinct: Int32Array[] = [];
  for (const labels of vectors) {
    const units = unitsOf(labels);
    if (!units.every((unit) => unit >= 0 && whyNot[unit] === null)) continue;
    let hash = units.length;
    for (const unit of units) hash = (Math.imul(hash, 31) + unit) | 0;
    const alike = byHash.get(hash);
    if (alike?.some((known) => isEqual(known, units))) continue;
    if (alike) alike.push(units);
    else byHash.set(hash, [units]);
    distinct.push(Int32Array.from(new Set(units)));
  }
  return distinct;
}

const isEqual = (a: Int32Array, b: Int32Array): boolean =>
  a.length === b.length && a.every((unit, at) => unit === b[at]);

function buildGroups(
  coupling: Coupling,
  unitAt: (label: number) => number,
  groupOf: Int32Array,
  groupIds: ReadonlyMap<number, number>,
  groupSets: Sets,
): readonly ChannelGroup[] {
  const layers: string[][] = Array.from({ length: groupIds.size }, () => []);
  coupling.sources.forEach(({ name }, source) => {
    const own = layers[groupIds.get(groupSets.find(source)) ?? -1];
    if (own && !own.includes(name)) own.push(name);
  });
  const units: number[][] = layers.map(() => []);
  groupOf.forEach((group, unit) => {
    units[group]!.push(unit);
  });
  const members: Member[][] = layers.map(() => []);
  for (const member of membersOf(coupling, unitAt, groupOf)) members[member.group]!.push(member);
  return layers.map((names, id) => ({
    id,
    name: names[0] ?? `group ${id}`,
    layers: names,
    units: Int32Array.from(units[id]!),
    members: members[id]!,
  }));
}

function* membersOf(
  coupling: Coupling,
  unitAt: (label: number) => number,
  groupOf: Int32Array,
): Generator<Member & { readonly group: number }> {
  const out = axisKeys(coupling.sources);
  const reads = axisKeys(coupling.consumers);
  const parted = new Map(coupling.partedAxes.map((parts) => [parts.value, parts] as const));
  for (const value of coupling.graph.initializers) {
    const node = value.consumers[0];
    if (!node) continue;
    const name = coupling.nameOf(value);
    for (const { axes, labels } of coupling.channels(value)) {
      const axis = axes[0]!;
      const role: Role = out.get(value)?.has(axis) ? 'out' : reads.get(value)?.has(axis) ? 'in' : 'side';
      for (const [group, indices, units] of byGroup(labels, unitAt, groupOf)) {
        yield { group, value, name, axis, role, node, indices, units };
      }
    }
    const parts = parted.get(value);
    if (!parts) continue;
    for (const [group, indices, units] of byGroup(parts.labels, unitAt, groupOf)) {
      const { axis, along } = parts;
      yield {
        group,
        value,
        name,
        axis,
        role: 'in',
        node,
        indices,
        units,
        parts: { along, count: parts.parts },
      };
    }
  }
}

function axisKeys(
  uses: readonly { readonly node: Node; readonly value: Value; readonly axis: number }[],
): ReadonlyMap<Value, ReadonlySet<number>> {
  const keys = new Map<Value, Set<number>>();
  for (const { value, axis } of uses) {
    const known = keys.get(value);
    if (known) known.add(axis);
    else keys.set(value, new Set([axis]));
  }
  return keys;
}

/** The places of each group's units among labels. */
function byGroup(
  labels: Int32Array,
  unitAt: (label: number) => number,
  groupOf: Int32Array,
): readonly (readonly [group: number, indices: Int32Array, units: Int32Array])[] {
  const found = new Map<number, { indices: number[]; units: number[] }>();
  labels.forEach((label, index) => {
    const unit = unitAt(label);
    if (unit < 0) return;
    const group = groupOf[unit]!;
    let own = found.get(group);
    if (!own) {
      own = { indices: [], units: [] };
      found.set(group, own);
    }
    own.indices.push(index);
    own.units.push(unit);
  });
  return [...found].map(
    ([group, { indices, units }]) => [group, Int32Array.from(indices), Int32Array.from(units)] as const,
  );
}

function problems(
  groups: ChannelGroups,
  matrices: readonly LabelMatrix[],
  unitsOf: (labels: Int32Array) => Int32Array,
  removed: Uint8Array,
): readonly string[] {
  const found: string[] = [];
  const layer = (unit: number): string => groups.groups[groups.groupOf[unit]!]!.name;
  removed.forEach((gone, unit) => {
    const why = groups.whyNot[unit];
    if (gone === 1 && why) found.push(`${layer(unit)}: channel unit ${unit} cannot go: ${why}`);
  });
  for (const units of groups.needed) {
    if (units.every((unit) => removed[unit] === 1))
      found.push(`${layer(units[0]!)}: all of ${units.length} channels that something needs would go`);
  }
  for (const { rows, elements, where } of matrices) {
    const units = unitsOf(elements);
    const length = units.length / rows;
    const stay = Array.from({ length: rows }, (_, row) =>
      units
        .subarray(row * length, (row + 1) * length)
        .reduce((sum, unit) => sum + (unit >= 0 && removed[unit] === 1 ? 0 : 1), 0),
    );
    if (stay.some((count) => count !== stay[0])) {
      const unit = units.find((own) => own >= 0 && removed[own] === 1);
      found.push(
        `${unit === undefined ? 'a layer' : layer(unit)}: of ${where} different numbers would stay (${stay.slice(0, 8).join(', ')}${rows > 8 ? ', …' : ''})`,
      );
    }
  }
  return found;
}
