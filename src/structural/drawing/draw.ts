import type { ChannelGroups } from '../groups.ts';
import { boxesOf } from './boxes.ts';
import { groupMap } from './group-map.ts';
import { type Point, placeInLayers } from './layout.ts';
import { drawLegend, groupTitle } from './legend.ts';
import { groupClass, type Looks, looksOf } from './looks.ts';
import { COLOR_RULES } from './palette.ts';
import { isBox, type Line, linesOf, meetingsOf, PADDING, type Part, partsOf, TAG, TEXT } from './parts.ts';
import { escapeXml, textWidth } from './text.ts';

/** How groups are drawn. */
export interface DrawGroupsOptions {
  /** Heading. Default: `Coupled channels`. */
  readonly title?: string;
}

/** Space around the drawing, in pixels. */
const MARGIN = 24;
/** Between drawing and legend. */
const GAP = 40;
const HEADING = 62;
/** Least width: that of the heading. */
const NARROWEST = 720;
/** Nodes that are listed where the pointer rests on a box. */
const MOST_LISTED = 24;
/** Groups whose colours a line shows, in stripes. */
const MOST_STRIPES = 6;
const STRIPE = 7;

const STYLE = `
text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue','Noto Sans','Liberation Sans',Arial,sans-serif}
.b{font-weight:600}
.w path{fill:none;stroke-width:2.4}.w .sx{stroke-width:1.3}
.box rect,.key rect{stroke-width:1.2}
`;

/**
 * Draws the graph of a model as SVG, from the top down, with a colour for each group of coupled channels: a box for each layer, a round one for operators without weights. What cannot be cut is grey and
 * tells the reason where the pointer rests. Operators that run after one another are drawn as one. The file needs nothing else and suits light and dark backgrounds; the same groups always give
 * the same bytes. The library that places the boxes is loaded on the first call.
 */
export async function drawGroups(groups: ChannelGroups, options: DrawGroupsOptions = {}): Promise<string> {
  const { title = 'Coupled channels' } = options;
  const { coupling } = groups;
  const graph = boxesOf(coupling.graph, coupling.inference);
  const map = groupMap(groups);
  const parts = partsOf(graph, coupling, map);
  const lines = linesOf(graph, parts, map);
  const looks = looksOf(groups, meetingsOf(parts, lines));
  const placed = await placeInLayers(
    parts,
    lines.map(({ from, to }) => [from, to] as const),
  );
  const legend = drawLegend(groups, looks);
  const width = Math.max(NARROWEST, Math.ceil(2 * MARGIN + placed.width + GAP + legend.width));
  const height = Math.ceil(2 * MARGIN + HEADING + Math.max(placed.height, legend.height));
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeXml(title)}">
<style>${STYLE}${COLOR_RULES}
${looks.hoverRules}</style>
<rect class="paper" width="100%" height="100%"/>
<text class="b" x="${MARGIN}" y="${MARGIN + 14}" font-size="17">${escapeXml(title)}</text>
<text class="faint" x="${MARGIN}" y="${MARGIN + 34}" font-size="12">A colour is a group: channels that can only go together. Grey cannot be cut; the pointer tells the reason.</text>
<g transform="translate(${MARGIN} ${MARGIN + HEADING})">
${lines.map((line, index) => drawLine(line, placed.ways[index]!, looks)).join('\n')}
${parts.map((part, index) => drawPart(part, placed.middles[index]!, groups, looks)).join('\n')}
</g>
<g transform="translate(${round(MARGIN + placed.width + GAP)} ${MARGIN + HEADING})">
${legend.svg}
</g>
</svg>
`;
}

/** Tenths of a pixel are all that is seen. */
const round = (value: number): number => Math.round(value * 10) / 10;

const classesOf = (name: string, groups: readonly number[]): string =>
  [name, ...groups.map(groupClass)].join(' ');

/** A line through points, its corners rounded off. */
function pathOf(points: readonly Point[]): string {
  const at = ({ x, y }: Point): string => `${round(x)} ${round(y)}`;
  const [first, ...rest] = points;
  if (!first) return '';
  const parts = [`M${at(first)}`];
  for (const [index, point] of rest.entries()) {
    const next = rest[index + 1];
    if (!next) parts.push(`L${at(point)}`);
    else parts.push(`Q${at(point)} ${at({ x: (point.x + next.x) / 2, y: (point.y + next.y) / 2 })}`);
  }
  return parts.join('');
}

function drawLine({ values, groups }: Line, way: readonly Point[], looks: Looks): string {
  const path = pathOf(way);
  const told = [
    ...values.map(({ name }) => name),
    ...(groups.length > 0 ? [`${groups.length === 1 ? 'group' : 'groups'} ${groups.join(', ')}`] : []),
  ];
  const stripes = [...new Set(groups.map((group) => looks.color(group)))].slice(0, MOST_STRIPES);
  const drawn =
    stripes.length <= 1
      ? [`<path class="s${stripes[0] ?? 'x'}" d="${path}"/>`]
      : stripes.map(
          (color, index) =>
            `<path class="s${color}" stroke-dasharray="${STRIPE} ${STRIPE * (stripes.length - 1)}" stroke-dashoffset="${-STRIPE * index}" d="${path}"/>`,
        );
  return `<g class="${classesOf('w', groups)}"><title>${escapeXml(told.join('\n'))}</title>${drawn.join('')}</g>`;
}

function drawPart(part: Part, { x, y }: Point, groups: ChannelGroups, looks: Looks): string {
  const { of, words, width, height, tags } = part;
  const [left, top] = [round(x - width / 2), round(y - height / 2)];
  const isLayer = isBox(of) && of.kind !== 'operators';
  const radius = isLayer ? 3 : 11;
  const fill = fillOf(part, looks);
  const texts: string[] = [];
  let line = top + (isLayer ? 17 : 15);
  const first = words.name === '' ? words.what : words.name;
  const write = (text: string, size: number, style: string): void => {
    if (text === '') return;
    texts.push(
      `<text${style} x="${left + PADDING}" y="${round(line)}" font-size="${size}">${escapeXml(text)}</text>`,
    );
    line += 15;
  };
  texts.push(...drawTags(tags, round(left + width - PADDING), line, looks));
  if (words.name === '') write(first, TEXT.what, '');
  else {
    write(words.name, TEXT.name, ' class="b"');
    write(words.what, TEXT.what, '');
  }
  write(words.rest, TEXT.rest, ' class="faint"');
  const strip = isLayer && part.groups.length > 0 ? drawStrip(part, left, top, looks) : '';
  return `<g class="${classesOf('box', part.groups)}"><title>${escapeXml(tooltip(part, groups))}</title><rect class="t${fill}" x="${left}" y="${top}" width="${width}" height="${height}" rx="${radius}"/>${strip}${texts.join('')}</g>`;
}

/** One colour where one leaves; grey where nothing that leaves can be cut; none where several do, or where nothing is followed. */
function fillOf({ of, groups }: Part, looks: Looks): string {
  const colors = [...new Set(groups.map((group) => looks.color(group)))];
  if (colors.length === 1) return colors[0]!;
  return colors.length === 0 && isBox(of) && of.kind === 'layer' ? 'x' : '';
}

/** The colours of what leaves, along the lower edge. */
function drawStrip({ groups, width, height }: Part, left: number, top: number, looks: Looks): string {
  const each = (width - 6) / groups.length;
  return groups
    .map(
      (group, index) =>
        `<rect class="f${looks.color(group)}" stroke="none" x="${round(left + 3 + index * each)}" y="${round(top + height - 4)}" width="${round(each)}" height="3"/>`,
    )
    .join('');
}

/** Numbers of groups behind squares of their colours, up to the right edge. */
function drawTags(tags: readonly number[], right: number, line: number, looks: Looks): string[] {
  let end = right;
  return tags.toReversed().flatMap((group) => {
    const text = String(group);
    const start = round(end - textWidth(text, TEXT.tag));
    const square = round(start - TAG.gap - TAG.square);
    end = square - TAG.before;
    return [
      `<rect class="f${looks.color(group)}" stroke="none" x="${square}" y="${round(line - 8)}" width="${TAG.square}" height="${TAG.square}"/>`,
      `<text class="faint" x="${start}" y="${round(line)}" font-size="${TEXT.tag}">${text}</text>`,
    ];
  });
}

/** What is told where the pointer rests. */
function tooltip({ of, groups: made }: Part, groups: ChannelGroups): string {
  if (!isBox(of)) return of.name;
  const listed = of.nodes.slice(0, MOST_LISTED).map(({ label }) => label);
  const more = of.nodes.length - listed.length;
  const unfollowed = groups.coupling.notFollowed.filter(({ node }) => of.nodes.includes(node));
  return [
    ...listed,
    ...(more > 0 ? [`and ${more} nodes more`] : []),
    ...unfollowed.map(({ node, why }) => `${node.label}: ${why}`),
    ...made.map((group) => groupTitle(groups, groups.groups[group]!)),
  ].join('\n');
}
