import type { Cell, ReportTable } from '../profile/index.ts';
import type { Latency } from '../runtime/index.ts';
import type { LayerCut, Reached, Recalibration, Repair, Verification } from '../structural/index.ts';
import type { MeasuredModel } from './shrunk-model.ts';
import { bytes, renderTable, withCommas, withUnit } from './table.ts';

/** Lines of a list on the terminal; `--json` has all. */
const MOST_LISTED = 12;

/** Parameters, operations, sizes and latency before and after, side by side. */
export function changeTable(before: MeasuredModel, after: MeasuredModel): string {
  type Quantity = readonly [
    title: string,
    value: (model: MeasuredModel) => number | null,
    shown: (value: number) => string,
  ];
  const quantities: readonly Quantity[] = [
    ['parameters', ({ parameters }) => parameters, withCommas],
    ['MACs', ({ macs }) => macs, withUnit],
    ['file', ({ sizes }) => sizes.raw, bytes],
    ['file, gzip', ({ sizes }) => sizes.gzip, bytes],
    ['latency', ({ latency }) => latency?.median ?? null, (time) => `${time.toFixed(2)} ms`],
  ];
  const rows = quantities.flatMap(([title, value, shown]) => {
    const [was, is] = [value(before), value(after)];
    return was === null || is === null
      ? []
      : [[title, shown(was), shown(is), was === 0 ? '' : (is / was).toFixed(3)]];
  });
  const right = (title: string) => ({ title, align: 'right' }) as const;
  return renderTable([{ title: '' }, right('before'), right('after'), right('after / before')], rows);
}

/** `measured    median of 81 runs each, in turns (2 threads, onnxruntime-node)` */
export const latencyText = ({ threads, engine, runs }: Latency): string =>
  `measured    median of ${runs} runs each, in turns (${threads} ${threads === 1 ? 'thread' : 'threads'}, ${engine})`;

/** The layers whose channels were cut, a row for each group. */
export const cutTable = (cuts: readonly LayerCut[]): ReportTable => ({
  columns: [
    { key: 'name', title: 'layer', kind: 'text' },
    { key: 'layers', title: 'layers', kind: 'count' },
    { key: 'before', title: 'channels before', kind: 'count' },
    { key: 'after', title: 'after', kind: 'count' },
    { key: 'removed', title: 'removed', kind: 'share' },
  ],
  rows: cuts
    .filter(({ before, after }) => after < before)
    .map(({ name, layers, before, after }): Cell[] => [
      name,
      layers.length,
      before,
      after,
      (before - after) / before,
    ]),
  total: null,
});

/** Why layers were not cut or less than asked: the same reason for several is told once. */
export function whyNotLines(
  whyNot: readonly { readonly layer: string; readonly why: string }[],
  title = 'not cut, or less than asked:',
): string[] {
  if (whyNot.length === 0) return [];
  const byReason = new Map<string, string[]>();
  for (const { layer, why } of whyNot) byReason.set(why, [...(byReason.get(why) ?? []), layer]);
  const lines = [...byReason].map(([why, layers]) => `  ${named(layers)}: ${why}`);
  return [title, ...shortened(lines)];
}

/** Layers that are named where they share a reason. */
const MOST_NAMED = 3;

const named = (layers: readonly string[]): string =>
  layers.length <= MOST_NAMED + 1
    ? layers.join(', ')
    : `${layers.slice(0, MOST_NAMED).join(', ')} and ${layers.length - MOST_NAMED} more`;

const shortened = (lines: readonly string[]): string[] =>
  lines.length <= MOST_LISTED
    ? [...lines]
    : [...lines.slice(0, MOST_LISTED), `  … and ${lines.length - MOST_LISTED} more; --json lists all`];

/** What was proven, and where equality does not hold by design. */
export function verifiedLines(verification: Verification | null, cuts: readonly LayerCut[]): string[] {
  if (verification === null) {
    return cuts.some(({ before, after }) => after < before) ? ['verified    no (--no-verify)'] : [];
  }
  return [
    'verified    the cut model computes what the original does with these channels silenced',
    `  ${verification.checked}`,
    ...notEqualLines(verification.notEqual),
  ];
}

/** Sentences that are told one by one where there are no more. */
const FEW = 2;

/** Where equality does not hold by design: many places are counted by operator, which a sentence begins with. */
function notEqualLines(sentences: readonly string[]): string[] {
  if (sentences.length <= FEW) return sentences.map((sentence) => `  ${sentence}`);
  const counts = new Map<string, number>();
  for (const sentence of sentences) {
    const operator = sentence.split(" '")[0]!;
    counts.set(operator, (counts.get(operator) ?? 0) + 1);
  }
  const operators = [...counts].map(([operator, count]) => `${count} ${operator}`).join(', ');
  return [
    `  equality with the silenced model does not hold, by design, at ${operators}; --json lists all, the first is`,
    `  ${sentences[0]}`,
  ];
}

const NAMES: Readonly<Record<Reached['of'], string>> = {
  parameters: 'parameters',
  macs: 'MACs',
  fileSize: 'file',
  latency: 'latency',
};

/** An amount of what a budget is of. */
function amountText(of: Reached['of'], value: number): string {
  if (of === 'fileSize') return bytes(value);
  if (of === 'latency') return `${value < 0.1 ? Number(value.toPrecision(2)) : value.toFixed(2)} ms`;
  return of === 'macs' ? withUnit(Math.round(value)) : withCommas(Math.round(value));
}

/** How near a budget was come to. */
export function reachedLines(reached: Reached | null): string[] {
  if (reached === null) return [];
  const { of, target, value, miss, within, why, ratio } = reached;
  const off = `${Math.abs(miss * 100).toFixed(1)} % ${miss < 0 ? 'less' : 'more'}`;
  const line = `${within ? 'reached' : 'missed '}     ${NAMES[of]} ${amountText(of, value)} where ${amountText(of, target)} was asked for (${off}), at a ratio of ${ratio.toFixed(3)}`;
  return why === null ? [line] : [line, `  ${why}`];
}

/** What was done on data after the cut. */
export function afterwardsLines(recalibration: Recalibration | null, repair: Repair | null): string[] {
  const lines: string[] = [];
  if (repair) {
    const { layers, samples } = repair;
    const done = layers.filter(({ repaired }) => repaired);
    const middle = (key: 'before' | 'after'): string => {
      const sorted = done.map((layer) => layer[key]).sort((a, b) => a - b);
      return `${((sorted[Math.floor(sorted.length / 2)] ?? 0) * 100).toFixed(1)} %`;
    };
    const how =
      done.length === 0
        ? ''
        : `; their outputs were off by ${middle('before')}, now ${middle('after')} (median)`;
    lines.push(
      `repaired    ${done.length} of ${layers.length} layers on ${withCommas(samples)} samples${how}`,
    );
  }
  if (recalibration && recalibration.layers.length > 0) {
    const { layers, samples } = recalibration;
    lines.push(
      `statistics  of ${layers.length} batch ${layers.length === 1 ? 'norm' : 'norms'} measured anew on ${withCommas(samples)} samples`,
    );
  }
  return lines;
}

/** Notes, a line each. */
export const noteLines = (notes: readonly string[]): string[] =>
  shortened(notes.map((note) => `note: ${note}`));
