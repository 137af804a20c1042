import type { ChannelGroup, ChannelGroups } from '../groups.ts';
import { firstChannels } from '../report/layer-cuts.ts';
import { groupClass, type Looks } from './looks.ts';
import { escapeXml, fitted, wrapped } from './text.ts';

/** The explanation of the colours. */
export interface Legend {
  readonly svg: string;
  readonly width: number;
  readonly height: number;
}

const WIDTH = 300;
const LINE = 19;
const REASON_LINE = 13;
/** Lines that a reason may take. */
const REASON_LINES = 3;
const NAME_WIDTH = WIDTH - 50;

/** A line for each group: colour, number, name, channels and layers; those that cannot be cut come last, with the reason. */
export function drawLegend(groups: ChannelGroups, looks: Looks): Legend {
  if (groups.groups.length === 0) {
    return {
      svg: '<text class="faint" font-size="11.5" y="12">No layer makes channels that could be cut.</text>',
      width: WIDTH,
      height: LINE,
    };
  }
  const order = [...groups.groups].sort(
    (a, b) => Number(looks.frozen(a.id) !== null) - Number(looks.frozen(b.id) !== null) || a.id - b.id,
  );
  let y = 0;
  const lines: string[] = [];
  for (const group of order) {
    const reason = looks.frozen(group.id);
    const why = reason === null ? [] : wrapped(reason, 10, NAME_WIDTH, REASON_LINES);
    lines.push(key(group, groups, why, looks, y));
    y += 2 * LINE - 4 + why.length * REASON_LINE;
  }
  return { svg: lines.join('\n'), width: WIDTH, height: y };
}

function key(
  group: ChannelGroup,
  groups: ChannelGroups,
  why: readonly string[],
  looks: Looks,
  y: number,
): string {
  const { id, name, layers } = group;
  const channels = firstChannels(group);
  const free = channels.filter((unit) => groups.whyNot[unit] === null).length;
  const title = groupTitle(groups, group);
  const counts = [
    `${channels.length} ${channels.length === 1 ? 'channel' : 'channels'}`,
    ...(layers.length > 1 ? [`${layers.length} layers`] : []),
    ...(free > 0 && free < channels.length ? [`${free} can be cut`] : []),
  ].join(' · ');
  const reasonLines = why.map(
    (line, index) =>
      `\n<text class="faint" x="40" y="${26 + REASON_LINE * (index + 1)}" font-size="10">${escapeXml(line)}</text>`,
  );
  return `<g class="key ${groupClass(id)}" transform="translate(0 ${y})"><title>${escapeXml(title)}</title>
<rect class="t${looks.color(id)}" x="0" y="2" width="12" height="12" rx="2"/><rect class="f${looks.color(id)}" x="0" y="11" width="12" height="3"/>
<text class="b" x="18" y="12" font-size="11">${id}</text><text x="40" y="12" font-size="11.5">${escapeXml(fitted(name, 11.5, NAME_WIDTH))}</text>
<text class="faint" x="40" y="26" font-size="10">${escapeXml(counts)}</text>${reasonLines.join('')}</g>`;
}

/** What the pointer is told of a group. */
export function groupTitle(groups: ChannelGroups, { id, layers, units }: ChannelGroup): string {
  const stay = units.filter((unit) => groups.whyNot[unit] !== null);
  const made = `group ${id}, made by ${layers.join(', ')}`;
  if (stay.length === 0) return made;
  return `${made}\n${stay.length} of ${units.length} cannot be cut: ${groups.whyNot[stay[0]!]}`;
}
