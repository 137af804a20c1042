import { describe, expect, it } from 'vitest';
import { RandomNet } from '../../test/cut-at-random.ts';
import { attr } from '../ir/index.ts';
import { analyzeChannels } from './analyze.ts';
import { groupChannels } from './group-channels.ts';

/** A stem and a residual block: stem and `second` share channels, `first` has its own. */
function residual(): RandomNet {
  const net = new RandomNet();
  const stem = net.op('Relu', [net.pointwise('stem', net.input('x', [1, 3, 4, 4]), 3, 6)]);
  const hidden = net.op('Relu', [net.pointwise('first', stem, 6, 5)]);
  const sum = net.op('Add', [stem, net.pointwise('second', hidden, 5, 6)]);
  net.builder.output(net.pointwise('head', sum, 6, 2), 'y');
  return net;
}

const grouped = (): RandomNet => {
  const net = new RandomNet();
  const map = net.pointwise('stem', net.input('x', [1, 3, 4, 4]), 3, 8);
  const conv = net.op('Conv', [map, net.weight('grouped.weight', [4, 4, 1, 1])], { group: attr.int(2) });
  net.builder.output(net.pointwise('head', conv, 4, 2), 'y');
  return net;
};

describe('groupChannels', () => {
  it('puts layers that share channels into a group, with all that hangs on them', () => {
    const { groups, unitCount, groupOf, whyNot } = groupChannels(analyzeChannels(residual().graph));
    expect(groups.map(({ name, layers, units }) => [name, layers, units.length])).toEqual([
      ['stem', ['stem', 'second'], 6],
      ['first', ['first'], 5],
      ['head', ['head'], 2],
    ]);
    expect(unitCount).toBe(13);
    expect([...groupOf]).toEqual([...'0000001111122'].map(Number));
    expect(groups[0]!.members.map(({ name, axis, role }) => `${name} ${axis} ${role}`).sort()).toEqual([
      'first.weight 1 in',
      'head.weight 1 in',
      'second.bias 0 side',
      'second.weight 0 out',
      'stem.bias 0 side',
      'stem.weight 0 out',
    ]);
    expect(whyNot.slice(-2)).toEqual(["reaches the output 'y'", "reaches the output 'y'"]);
  });

  it('has a lane for each group that can go, and asks for one channel to stay', () => {
    const { lanes, needed } = groupChannels(analyzeChannels(residual().graph));
    expect(
      lanes.map(({ cells, drop, maxSteps }) => [cells.map((cell) => cell.length), drop, maxSteps]),
    ).toEqual([
      [[6], [1], 5],
      [[5], [1], 4],
    ]);
    expect(needed.map((units) => units.length).sort()).toEqual([5, 6]);
  });

  it('takes groups of a convolution by equal widths, or whole', () => {
    const coupling = analyzeChannels(grouped().graph);
    const cells = (heads: 'width' | 'whole') =>
      groupChannels(coupling, { heads }).lanes.map((lane) => lane.cells.map((cell) => cell.length));
    expect(cells('width')).toEqual([
      [4, 4],
      [2, 2],
    ]);
    expect(cells('whole')).toEqual([[2]]);
    const parts = groupChannels(coupling)
      .groups.flatMap(({ members }) => members)
      .find((member) => member.parts);
    expect(parts).toMatchObject({
      name: 'grouped.weight',
      axis: 1,
      role: 'in',
      parts: { along: 0, count: 2 },
    });
  });

  it('says what follows for labels, and why units cannot go together', () => {
    const groups = groupChannels(analyzeChannels(grouped().graph));
    const [stem] = groups.groups;
    const removed = new Uint8Array(groups.unitCount);
    removed[stem!.units[0]!] = 1;
    expect(groups.problems(removed)).toEqual(['stem: of 2 rows of 4 different numbers would stay (3, 4)']);
    removed[stem!.units[4]!] = 1;
    expect(groups.problems(removed)).toEqual([]);
    const kept = groups.keptLabels(removed);
    const { sources } = groups.coupling;
    expect([...sources[0]!.labels].map((label) => kept[label])).toEqual([0, 1, 1, 1, 0, 1, 1, 1]);
    for (const unit of stem!.units) removed[unit] = 1;
    expect(groups.problems(removed)).toContain('stem: all of 4 channels that something needs would go');
    const head = groups.groups.at(-1)!.units[0]!;
    const other = new Uint8Array(groups.unitCount);
    other[head] = 1;
    expect(groups.problems(other)).toEqual([`head: channel unit ${head} cannot go: reaches the output 'y'`]);
  });
});
