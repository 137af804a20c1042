import type { LineChart, ReportSection, ReportTable } from '../../report/index.ts';
import type { DetectionResult } from '../detection-metrics.ts';

/** Classes beyond which charts show the mean alone, and no confusion is shown: nobody tells more colours apart. */
const MOST_CLASSES = 20;

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** What a report says of a detector: results by class, curves, confusion. */
export function detectionSections(result: DetectionResult, names: readonly string[]): ReportSection[] {
  const figures = (row: Pick<DetectionResult, 'precision' | 'recall' | 'f1' | 'map50' | 'map'>): number[] => [
    row.precision,
    row.recall,
    row.f1,
    row.map50,
    row.map,
  ];
  const table: ReportTable = {
    kind: 'table',
    title: 'Results by class',
    caption: `Precision, recall and F1 at a confidence of ${result.confidence.toFixed(3)}, where the mean F1 is best.`,
    columns: [
      { label: 'class' },
      { label: 'objects', format: 'integer' },
      { label: 'precision', format: 'number', digits: 3 },
      { label: 'recall', format: 'number', digits: 3 },
      { label: 'F1', format: 'number', digits: 3 },
      { label: 'mAP50', format: 'number', digits: 3 },
      { label: 'mAP50-95', format: 'number', digits: 3 },
    ],
    rows: result.classes.map((row) => [row.name, row.instances, ...figures(row)]),
    total: ['all', result.instances, ...figures(result)],
  };
  const confusion = names.length <= MOST_CLASSES ? [confusionTable(result, names)] : [];
  return [
    { title: 'Result', items: [table, ...confusion] },
    { title: 'Curves', items: result.classes.length === 0 ? [] : charts(result) },
  ];
}

function confusionTable({ confusion }: DetectionResult, names: readonly string[]): ReportTable {
  const all = [...names, 'background'];
  return {
    kind: 'table',
    title: 'Confusion',
    caption:
      'A row for what was found, a column for what is there; confidence above 0.25, overlap above 0.45.',
    columns: [{ label: 'found' }, ...all.map((label) => ({ label, format: 'integer' as const }))],
    rows: confusion.map((row, index) => [all[index]!, ...row]),
  };
}

function charts({ curves, classes, map50 }: DetectionResult): LineChart[] {
  const { steps } = curves;
  // A page needs no more points than pixels.
  const every = steps.flatMap((_, index) => (index % 5 === 0 || index === steps.length - 1 ? [index] : []));
  const line = (name: string, values: readonly number[]) => ({
    name,
    points: every.map((index) => [steps[index]!, values[index]!] as const),
  });
  const chart = (
    title: string,
    axes: { x: string; y: string },
    of: 'precisionAtRecall' | 'f1' | 'precision' | 'recall',
    all: string,
  ): LineChart => ({
    kind: 'line',
    title,
    width: 'half',
    x: { title: axes.x },
    y: { title: axes.y, zero: true },
    series: [
      line(
        all,
        steps.map((_, index) => mean(curves.classes.map((own) => own[of][index]!))),
      ),
      ...(curves.classes.length > 1 && curves.classes.length <= MOST_CLASSES
        ? curves.classes.map((own) => line(`${own.label}: ${own.name}`, own[of]))
        : []),
    ],
  });
  const all = classes.length === 1 ? classes[0]!.name : 'all classes';
  return [
    chart(
      'Precision and recall',
      { x: 'recall', y: 'precision' },
      'precisionAtRecall',
      `${all} (mAP50 ${map50.toFixed(3)})`,
    ),
    chart('F1', { x: 'confidence', y: 'F1' }, 'f1', all),
    chart('Precision', { x: 'confidence', y: 'precision' }, 'precision', all),
    chart('Recall', { x: 'confidence', y: 'recall' }, 'recall', all),
  ];
}
