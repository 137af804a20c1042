/** Colours that people who see fewer colours tell apart, too (Okabe and Ito 2008, without yellow and black, which one of the two backgrounds swallows). */
const COLORS = ['#0072b2', '#e69f00', '#009e73', '#d55e00', '#56b4e9', '#cc79a7'] as const;

/** Number of colours; how they are handed out is up to `colored`. */
export const COLOR_COUNT = COLORS.length;

interface Scheme {
  readonly paper: string;
  readonly ink: string;
  readonly faint: string;
  readonly grey: string;
  readonly greyFill: string;
  /** Share of its colour in what fills a box. */
  readonly tint: number;
}

const LIGHT: Scheme = {
  paper: '#fdfdfb',
  ink: '#1f2326',
  faint: '#5d656b',
  grey: '#a3a9ac',
  greyFill: '#f0f1ef',
  tint: 0.14,
};
const DARK: Scheme = {
  paper: '#16191b',
  ink: '#e3e4df',
  faint: '#9da5a9',
  grey: '#666e73',
  greyFill: '#22272a',
  tint: 0.24,
};

const channelsOf = (color: string): number[] =>
  [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16));

/** `share` of one colour on the other. */
function mixed(color: string, on: string, share: number): string {
  const under = channelsOf(on);
  return `#${channelsOf(color)
    .map((value, index) => Math.round(value * share + under[index]! * (1 - share)))
    .map((value) => value.toString(16).padStart(2, '0'))
    .join('')}`;
}

const rules = ({ paper, ink, faint, grey, greyFill, tint }: Scheme): string =>
  [
    `.paper{fill:${paper}}text{fill:${ink}}.faint{fill:${faint}}`,
    `.t{fill:${paper};stroke:${faint}}.fx{fill:${grey}}.sx{stroke:${grey}}.tx{fill:${greyFill};stroke:${grey}}`,
    ...COLORS.map(
      (color, index) =>
        `.f${index}{fill:${color}}.s${index}{stroke:${color}}.t${index}{fill:${mixed(color, paper, tint)};stroke:${color}}`,
    ),
  ].join('\n');

/**
 * Style rules for light and dark: `.f0` fills with colour 0, `.s0` draws lines of it, `.t0` is a box of it; `x` in place of the number is grey, for what cannot be cut. Plain colours rather than
 * variables, which not every program that shows SVG knows.
 */
export const COLOR_RULES = `${rules(LIGHT)}\n@media (prefers-color-scheme:dark){\n${rules(DARK)}\n}`;

/**
 * A colour for each of `count` things, other than those of its neighbours as far as there are enough; of those that are left the one that is used least. `order` says who chooses first.
 */
export function colored(
  count: number,
  neighbors: readonly ReadonlySet<number>[],
  order: readonly number[],
): Int32Array {
  const chosen = new Int32Array(count).fill(-1);
  const used = new Int32Array(COLOR_COUNT);
  for (const thing of order) {
    const near = new Int32Array(COLOR_COUNT);
    for (const other of neighbors[thing] ?? []) if (chosen[other]! >= 0) near[chosen[other]!]!++;
    let best = 0;
    for (let color = 1; color < COLOR_COUNT; color++) {
      const closer = near[color]! - near[best]!;
      if (closer < 0 || (closer === 0 && used[color]! < used[best]!)) best = color;
    }
    chosen[thing] = best;
    used[best]!++;
  }
  return chosen;
}
