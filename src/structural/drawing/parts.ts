import type { Value } from '../../ir/index.ts';
import type { Coupling } from '../coupling.ts';
import type { Box, BoxGraph } from './boxes.ts';
import type { GroupMap } from './group-map.ts';
import { fitted, textWidth } from './text.ts';
import { type BoxWords, wordsFor } from './words.ts';

/** Sizes of text, in pixels. */
export const TEXT = { name: 12, what: 11, rest: 10, tag: 10 } as const;

/** Widest text in a part. */
const WIDEST = 270;
/** Space beside the text. */
export const PADDING = 10;
/** Most groups that are shown by number. */
const MOST_TAGS = 6;

/** Something that is placed: a box, or an input or output of the graph. */
export interface Part {
  readonly of: Box | Value;
  readonly words: BoxWords;
  /** Groups of the channels that it makes or hands on, or that reach an output. */
  readonly groups: readonly number[];
  /** Those shown by their numbers. */
  readonly tags: readonly number[];
  readonly width: number;
  readonly height: number;
}

/** A line between two parts, by their places in the list. */
export interface Line {
  readonly from: number;
  readonly to: number;
  readonly values: readonly Value[];
  readonly groups: readonly number[];
}

export const isBox = (of: Box | Value): of is Box => 'kind' in of;

/** A square of a group's colour and the gaps beside it. */
export const TAG = { square: 7, gap: 3, before: 8 } as const;

/** How much wider bold text is. */
const BOLD = 1.1;

/** Width of the numbers of groups, each behind a square of its colour. */
const tagsWidth = (tags: readonly number[]): number =>
  tags.reduce(
    (sum, group) => sum + TAG.before + TAG.square + TAG.gap + textWidth(String(group), TEXT.tag),
    0,
  );

/** All that is placed, with its words and its size. */
export function partsOf(graph: BoxGraph, coupling: Coupling, map: GroupMap): Part[] {
  const words = wordsFor(coupling, map);
  const part = (of: Box | Value, full: BoxWords, groups: readonly number[]): Part => {
    const short: BoxWords = {
      name: fitted(full.name, TEXT.name * BOLD, WIDEST),
      what: fitted(full.what, TEXT.what, WIDEST),
      rest: fitted(full.rest, TEXT.rest, WIDEST),
    };
    const tags = groups.length > MOST_TAGS ? [] : groups;
    const name = textWidth(short.name, TEXT.name * BOLD);
    const what = textWidth(short.what, TEXT.what);
    const lines = [short.name, short.what, short.rest].filter((line) => line !== '').length;
    const first = (short.name === '' ? what : name) + tagsWidth(tags);
    const width = Math.max(first, what, textWidth(short.rest, TEXT.rest));
    return {
      of,
      words: short,
      groups,
      tags,
      width: Math.ceil(width + 2 * PADDING),
      height: lines === 1 ? 22 : 12 + 15 * lines,
    };
  };
  const typed = (value: Value, word: string): BoxWords => ({
    name: '',
    what: `${value.name === word ? word : `${word} ${value.name}`} · ${coupling.inference.get(value)?.shape.join('×') ?? '?'}`,
    rest: '',
  });
  return [
    ...graph.inputs.map((input) => part(input, typed(input, 'input'), [])),
    ...graph.boxes.map((box) => part(box, words(box), groupsShown(box, map))),
    // An output may be an input, too: it is then placed once.
    ...graph.outputs
      .filter((output) => !graph.inputs.includes(output))
      .map((output) => part(output, typed(output, 'output'), map.carriedBy(output).groups)),
  ];
}

/** Groups of what a layer makes, before anything in its box changes that; of what leaves operators. */
function groupsShown({ kind, nodes }: Box, map: GroupMap): readonly number[] {
  const made = kind === 'operators' ? [] : map.madeBy(nodes[0]);
  if (made.length > 0) return made;
  const node = kind === 'operators' ? nodes.at(-1)! : nodes[0];
  return [...new Set(node.outputs.flatMap((output) => (output ? map.carriedBy(output).groups : [])))];
}

/** Lines between parts, one for each pair. */
export function linesOf(graph: BoxGraph, parts: readonly Part[], map: GroupMap): Line[] {
  const places = new Map(parts.map(({ of }, index) => [of, index]));
  const lines = new Map<string, Line>();
  for (const { from, to, value } of graph.wires) {
    const [start, end] = [places.get(from), places.get(to)];
    if (start === undefined || end === undefined || start === end) continue;
    const key = `${start} ${end}`;
    const before = lines.get(key);
    lines.set(key, {
      from: start,
      to: end,
      values: [...(before?.values ?? []), value],
      groups: [...new Set([...(before?.groups ?? []), ...map.carriedBy(value).groups])],
    });
  }
  return [...lines.values()];
}

/** Groups that meet at a part, on its way in or out. */
export function meetingsOf(parts: readonly Part[], lines: readonly Line[]): number[][] {
  const meetings = parts.map(({ groups }) => new Set(groups));
  for (const { from, to, groups } of lines) {
    for (const group of groups) {
      meetings[from]!.add(group);
      meetings[to]!.add(group);
    }
  }
  return meetings.map((groups) => [...groups]);
}
