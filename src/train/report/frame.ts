import type { ReportSection, RunReport } from '../../report/index.ts';

/** What a report says of a run beside its results. */
export interface ReportFrame {
  /** Such as `LeNet-5: trained on MNIST`. */
  readonly title: string;
  /** How to make it again. */
  readonly command?: string;
  /** ISO time in UTC; now by default. */
  readonly created?: string;
  readonly seed?: number;
  /** Versions of what made it, by name; none by default. */
  readonly versions?: Readonly<Record<string, string>>;
  /** What was done: data, method, threads; none by default. */
  readonly facts?: RunReport['facts'];
}

/** A report of a run out of sections, such as those of `historySection` and `weightSection`. Sections without items and text are left out. */
export function runReport(frame: ReportFrame, sections: readonly ReportSection[]): RunReport {
  const { title, command, created = new Date().toISOString(), seed, versions = {}, facts = [] } = frame;
  return {
    format: 'secateur-report/1',
    title,
    ...(command === undefined ? {} : { command }),
    created,
    ...(seed === undefined ? {} : { seed }),
    versions,
    facts,
    sections: sections.filter(({ items, text }) => items.length > 0 || text !== undefined),
  };
}

/** What people call the numbers of detectors. */
const TITLES: ReadonlyMap<string, string> = new Map([
  ['map50', 'mAP50'],
  ['map', 'mAP50-95'],
  ['box', 'box loss'],
  ['obj', 'objectness loss'],
  ['cls', 'class loss'],
]);

/** A metric's name as people say it: `loss`, `accuracy`, `top-5 accuracy`, `mAP50`. */
export const metricTitle = (name: string): string => {
  const top = /^top(\d+)$/.exec(name);
  return top ? `top-${top[1]} accuracy` : (TITLES.get(name) ?? name);
};

/** Is it a share, which is shown in percent? Losses and what callers define are not. */
const isShare = (metric: string): boolean => metric === 'accuracy' || /^top\d+$/.test(metric);

/** How a metric's values are written in tables and on axes. */
export const metricFormat = (metric: string): 'percent' | 'number' =>
  isShare(metric) ? 'percent' : 'number';
