import { ArgumentError } from '../core/errors.ts';
import { toFloat32 } from '../core/float16.ts';
import { normalizeAxis, type Tensor } from '../core/tensor.ts';
import { type Drawn, fillSign, legendHtml } from './figure.ts';
import { escapeHtml } from './html-text.ts';
import type { MaskMap } from './report.ts';
import { formatValue } from './value-format.ts';

/** Most cells of a map, down and across. */
const [MOST_ROWS, MOST_COLUMNS] = [64, 96];

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const FULL = DIGITS.length - 1;

/** Options of `maskMap`. */
export interface MaskMapOptions {
  /** Default: `Mask`. */
  readonly title?: string;
  /** Axis of the filters (output channels), from the end where negative. Default: 0. */
  readonly axis?: number;
}

/** The digit of a cell: 0 and 63 only where nothing or everything is kept. */
function levelOf(kept: number, size: number): number {
  if (kept === 0) return 0;
  return kept === size ? FULL : Math.min(FULL - 1, Math.max(1, Math.round((FULL * kept) / size)));
}

/**
 * A map of which weights a mask keeps: a row for each filter, in it the filter's weights in order; a mask of one axis is a single row. Masks of more
 * than 64 filters or 96 weights in a filter are reduced: a cell then holds the share kept of its part. Takes masks of any dtype of numbers and any
 * rank; what is not 0 is kept. Linear in the mask's elements. Throws ArgumentError for an empty mask and for an axis that is not there.
 */
export function maskMap(mask: Tensor, options: MaskMapOptions = {}): MaskMap {
  const { title = 'Mask', axis = 0 } = options;
  const { shape, size } = mask;
  if (size === 0) throw new ArgumentError(`maskMap: expected a mask with elements, got ${mask}`);
  const isMatrix = shape.length >= 2;
  const filterAxis = shape.length === 0 ? 0 : normalizeAxis(axis, shape.length);
  const filters = isMatrix ? shape[filterAxis]! : 1;
  const weights = size / filters;
  // Elements lie as outer × filters × inner.
  const inner = isMatrix ? shape.slice(filterAxis + 1).reduce((product, dim) => product * dim, 1) : size;
  const rows = Math.min(filters, MOST_ROWS);
  const columns = Math.min(weights, MOST_COLUMNS);
  const keptIn = new Float64Array(rows * columns);
  const sizes = new Float64Array(rows * columns);
  const values = toFloat32(mask).float32;
  let kept = 0;
  for (let start = 0, index = 0; index < size; start += inner) {
    for (let filter = 0; filter < filters; filter++) {
      const row = Math.floor((filter * rows) / filters) * columns;
      for (let i = 0; i < inner; i++, index++) {
        const cell = row + Math.floor(((start + i) * columns) / weights);
        sizes[cell]!++;
        if (values[index] === 0) continue;
        keptIn[cell]!++;
        kept++;
      }
    }
  }
  const cells = Array.from(keptIn, (count, cell) => DIGITS[levelOf(count, sizes[cell]!)]!).join('');
  return { kind: 'mask', title, shape: [...shape], kept, rows, columns, cells };
}

/** Steps of the shade: none, seven of some, all. */
const SHADES = 8;

/** The shade of a digit, 0 to 8; 0 and 8 only where nothing or everything is kept. */
function shadeOf(digit: string): number {
  const level = DIGITS.indexOf(digit);
  if (level === 0 || level === FULL) return level === 0 ? 0 : SHADES;
  return Math.min(SHADES - 1, Math.max(1, Math.round((SHADES * level) / FULL)));
}

/** One path per shade: cells of it that stand side by side are one stroke, a unit thick. */
function pathsOf({ rows, columns, cells }: MaskMap): string {
  const paths = Array.from({ length: SHADES + 1 }, () => '');
  for (let row = 0; row < rows; row++) {
    for (let start = 0; start < columns; ) {
      const shade = shadeOf(cells[row * columns + start]!);
      let end = start + 1;
      while (end < columns && shadeOf(cells[row * columns + end]!) === shade) end++;
      paths[shade] += `M${start} ${row}h${end - start}`;
      start = end;
    }
  }
  return paths
    .flatMap((path, shade) => (shade === 0 || path === '' ? [] : [`<path class="k${shade}" d="${path}"/>`]))
    .join('');
}

/** Draws a mask map: a cell is a square of whole pixels, so that its edges are crisp. */
export function drawMaskMap(map: MaskMap): Drawn {
  const { title, shape, kept, rows, columns, width = 'half' } = map;
  const [across, down] = width === 'full' ? [768, 384] : [400, 256];
  const scale = Math.min(14, Math.max(1, Math.floor(Math.min(across / columns, down / rows))));
  const size = shape.reduce((product, dim) => product * dim, 1);
  const share = size === 0 ? 0 : kept / size;
  const filters = `${rows} × ${columns} cells`;
  const notes = [
    `${formatValue(kept, 'integer')} of ${formatValue(size, 'integer')} weights are kept (${formatValue(share, 'percent')}).`,
    ...(rows * columns < size
      ? [`Shape ${shape.join(' × ')}, reduced to ${filters}, shaded by the share kept.`]
      : [`Shape ${shape.length === 0 ? 'of a scalar' : shape.join(' × ')}.`]),
  ];
  const label = `Mask map: ${title}. ${filters}, filters downward. ${notes.join(' ')}`;
  const box = `width="${columns * scale + 2}" height="${rows * scale + 2}"`;
  const view = `viewBox="${-1 / scale} ${-1 / scale} ${columns + 2 / scale} ${rows + 2 / scale}"`;
  const body =
    `<svg class="mask" role="img" aria-label="${escapeHtml(label)}" ${box} ${view}>` +
    `<rect width="${columns}" height="${rows}"/><g transform="translate(0 .5)">${pathsOf(map)}</g></svg>`;
  const isReduced = [...map.cells].some((digit) => digit !== DIGITS[0] && digit !== DIGITS[FULL]);
  const legend = legendHtml([
    { sign: fillSign('class="k0"'), label: 'pruned' },
    ...(isReduced ? [{ sign: shadesSign(), label: 'in part' }] : []),
    { sign: fillSign(`class="k${SHADES}"`), label: 'kept' },
  ]);
  return { body, legend, notes, width };
}

/** The shades between, side by side. */
function shadesSign(): string {
  const step = 24 / (SHADES - 1);
  return Array.from({ length: SHADES - 1 }, (_, index) => {
    const x = Math.round((1 + index * step) * 100) / 100;
    return `<rect class="k${index + 1}" x="${x}" y="1.5" width="${Math.round(step * 100) / 100}" height="9"/>`;
  }).join('');
}
