import type { ReportItem, ReportSection } from '../../report/index.ts';
import type { Latency } from '../../runtime/index.ts';
import type { LayerCut, Repair, Verification } from '../../structural/index.ts';

/** What a report says of a model that was made smaller. */
export interface ShrinkSummary {
  /** Channels of each group of layers; see `layerCuts`. */
  readonly cuts: readonly LayerCut[];
  /** Layers that were not cut, or less than asked, and why. */
  readonly whyNot: readonly { readonly layer: string; readonly why: string }[];
  /** Null where nothing was proven. */
  readonly verification: Verification | null;
  /** What else is to be known, a sentence each. */
  readonly notes?: readonly string[];
  /** Layers whose weights were fitted anew; null where none were. */
  readonly repair?: Repair | null;
  /** Measured in one run, in turns; null where it was not. */
  readonly latency?: { readonly before: Latency; readonly after: Latency } | null;
}

/** Groups in a chart at most, those that lost most; the table has all. */
const MOST_DRAWN = 40;

/** Sections on a model that was made smaller: channels before and after, latency, what was not cut and why, and the proof. Sections without content are left out. */
export function shrinkSections(summary: ShrinkSummary): ReportSection[] {
  const { cuts, whyNot, verification, notes = [], repair = null, latency = null } = summary;
  const sections: ReportSection[] = [];
  if (cuts.length > 0) sections.push(channelSection(cuts));
  if (latency) sections.push(latencySection(latency.before, latency.after));
  if (whyNot.length > 0) {
    sections.push({
      title: 'Not cut, or less than asked',
      items: [
        {
          kind: 'table',
          title: 'Reasons',
          columns: [{ label: 'layer' }, { label: 'why' }],
          rows: whyNot.map(({ layer, why }) => [layer, why]),
        },
      ],
    });
  }
  if (verification) sections.push(proofSection(verification));
  if (repair && repair.layers.length > 0) sections.push(repairSection(repair));
  if (notes.length > 0) sections.push({ title: 'Notes', text: notes.join('\n\n'), items: [] });
  return sections;
}

function channelSection(cuts: readonly LayerCut[]): ReportSection {
  const lost = ({ before, after }: LayerCut): number => before - after;
  const cut = cuts.filter((each) => lost(each) > 0);
  const largest = new Set([...cut].sort((a, b) => lost(b) - lost(a)).slice(0, MOST_DRAWN));
  const drawn = cut.filter((each) => largest.has(each));
  const chart: ReportItem[] =
    drawn.length === 0
      ? []
      : [
          {
            kind: 'bars',
            title: 'Channels before and after',
            caption: `Layers whose channels can only go together are one group, named after its first layer.${
              drawn.length < cut.length
                ? ` The ${drawn.length} of ${cut.length} that lost most are drawn.`
                : ''
            }`,
            value: { title: 'channels', format: 'integer' },
            categories: drawn.map(({ group, name }) => `${name} (${group})`),
            series: [
              { name: 'before', values: drawn.map(({ before }) => before) },
              { name: 'after', values: drawn.map(({ after }) => after) },
            ],
          },
        ];
  return {
    title: 'Channels',
    ...(cut.length === 0 ? { text: 'No channel was cut.' } : {}),
    items: [
      ...chart,
      {
        kind: 'table',
        title: 'Groups of layers',
        columns: [
          { label: 'group', format: 'text' },
          { label: 'layers' },
          { label: 'before', format: 'integer' },
          { label: 'after', format: 'integer' },
          { label: 'removed', format: 'percent' },
        ],
        rows: cuts.map((each) => [
          String(each.group),
          each.layers.join(', '),
          each.before,
          each.after,
          each.before === 0 ? 0 : lost(each) / each.before,
        ]),
      },
    ],
  };
}

const latencySection = (before: Latency, after: Latency): ReportSection => ({
  title: 'Latency',
  text: `Measured in ${before.engine} on random inputs, in turns, with ${before.threads} ${before.threads === 1 ? 'thread' : 'threads'}: ${before.runs} runs of each.`,
  items: [
    {
      kind: 'table',
      title: 'Milliseconds of a run',
      columns: [
        { label: 'quantity' },
        { label: 'before', unit: 'ms', format: 'number' },
        { label: 'after', unit: 'ms', format: 'number' },
        { label: 'after / before', format: 'ratio' },
      ],
      rows: (['median', 'min', 'p10', 'p90'] as const).map((key) => [
        { median: 'median', min: 'least', p10: '10th percentile', p90: '90th percentile' }[key],
        before[key],
        after[key],
        after[key] / before[key],
      ]),
    },
  ],
});

function proofSection({ checked, equal, outputs, notEqual }: Verification): ReportSection {
  const opening = equal
    ? 'The cut model was run beside the original with the same channels silenced, and computes the same to float rounding'
    : 'The cut model does not compute what the original does with these channels silenced';
  return {
    title: 'Proof',
    text: [`${opening}: ${checked}.`, ...notEqual.map((sentence) => `${sentence}.`)].join('\n\n'),
    items:
      outputs.length === 0
        ? []
        : [
            {
              kind: 'table',
              title: 'Outputs',
              columns: [
                { label: 'output' },
                { label: 'largest difference', format: 'number' },
                { label: 'relative', format: 'number' },
                { label: 'allowed', format: 'number' },
              ],
              rows: outputs.map(({ name, maxError, relativeError, tolerance }) => [
                name,
                maxError,
                relativeError,
                tolerance,
              ]),
            },
          ],
  };
}

const repairSection = ({ layers, samples }: Repair): ReportSection => ({
  title: 'Repair',
  text: `Weights that read cut channels were fitted by least squares to what the layers gave before, on ${samples} samples. Distances are of a layer's output from that of the original, relative to it, on samples that were not fitted.`,
  items: [
    {
      kind: 'table',
      title: 'Repaired layers',
      columns: [
        { label: 'layer' },
        { label: 'distance before', format: 'percent' },
        { label: 'after', format: 'percent' },
        { label: 'weights' },
      ],
      rows: layers.map(({ layer, before, after, repaired }) => [
        layer,
        before,
        after,
        repaired ? 'new' : 'as they were',
      ]),
    },
  ],
});
