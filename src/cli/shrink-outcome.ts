import { statSync } from 'node:fs';
import type { Graph } from '../ir/index.ts';
import { writeFileAtomic } from '../node/index.ts';
import {
  assertVerified,
  type CutOptions as Cutting,
  type LayerCut,
  layerCuts,
  type Plan,
  planText,
  type Reached,
  type Recalibration,
  type Repair,
  type Shrunk,
  type Verification,
} from '../structural/index.ts';
import { modelSection, shrinkSections, stateOf } from '../train/index.ts';
import type { OpenedCalibration } from './calibration-data.ts';
import type { LoadedModel } from './load.ts';
import { checkOutput, printCsv, printJson, tableOf, uninterrupted } from './output.ts';
import type { CutOptions } from './shrink-options.ts';
import {
  afterwardsLines,
  changeTable,
  cutTable,
  latencyText,
  noteLines,
  reachedLines,
  verifiedLines,
  whyNotLines,
} from './shrink-text.ts';
import { latencies, type MeasuredModel, measured, writeChecked } from './shrunk-model.ts';
import { bytes } from './table.ts';
import { checkReport, engineVersion, factsOf, writeReport } from './training-report.ts';
import { UsageError } from './usage-error.ts';
import { VERSION } from './version.ts';

/** What became of a model that was made smaller. */
export interface Outcome {
  readonly graph: Graph;
  readonly plan: Plan;
  readonly cuts: readonly LayerCut[];
  readonly whyNot: readonly { readonly layer: string; readonly why: string }[];
  /** Null where nothing was proven. */
  readonly verification: Verification | null;
  readonly reached: Reached | null;
  readonly recalibration: Recalibration | null;
  readonly repair: Repair | null;
  readonly notes: readonly string[];
  /** Blocks that were removed whole. */
  readonly blocks: readonly {
    readonly name: string;
    readonly kind: string;
    readonly layers: readonly string[];
    /** How far the outputs are off without it alone; null where they were no numbers then. */
    readonly change: number | null;
    readonly saves: { readonly parameters: number; readonly macs: number };
  }[];
}

/** What is told of a model that was cut. */
export function outcomeOf(shrunk: Shrunk): Outcome {
  const { graph, plan, groups, removed, whyNot, verification, reached, recalibration, repair, notes } =
    shrunk;
  const blocks = (plan.blocks ?? []).map(({ name, kind, layers, why }) => ({ name, kind, layers, ...why }));
  return {
    ...{ graph, plan, whyNot, verification, reached, recalibration, repair, blocks },
    cuts: layerCuts(groups, removed),
    notes: [
      ...blocks.map(
        ({ name, layers, change }) =>
          `block ${name} was removed whole (${layers.join(', ')}); alone it changes the output ${change === null ? 'to what is no number' : `by ${percent(change)}`}`,
      ),
      ...notes,
    ],
  };
}

/** A share to two digits. */
const percent = (share: number): string => `${Number((share * 100).toPrecision(2))} %`;

/** Refuses before any work what would be refused after it: outputs that are there, options that have no part. Throws UsageError and FileError. */
export function checkCut(options: CutOptions, kinds: readonly string[]): void {
  const { output, dryRun, data, recalibrate, repair } = options;
  if (output === undefined && !dryRun)
    throw new UsageError('give the file to write, -o OUT, or --dry-run to write none');
  if (output !== undefined && !dryRun) checkOutput({ output, force: options.force ?? false }, kinds);
  checkReport(options);
  if (data === undefined && (recalibrate || repair)) {
    throw new UsageError(
      `--${recalibrate ? 'recalibrate' : 'repair'} runs the model: give it inputs with --data PATH`,
    );
  }
}

/** Refuses a plan that could not be written. Throws as `checkOutput`. */
export function checkPlanOutput({
  plan,
  force = false,
}: {
  readonly plan?: string;
  readonly force?: boolean;
}): void {
  if (plan !== undefined) checkOutput({ output: plan, force }, ['.json'], '--plan');
}

/** What the options say of cutting, for `shrink` and `applyPlan`. */
export function cuttingOf(
  options: CutOptions,
  { profileShapes }: LoadedModel,
  calibration: OpenedCalibration | null,
): Cutting {
  const { repair, verify, seed, threads } = options;
  return {
    ...(profileShapes ? { shapes: profileShapes } : {}),
    ...(calibration ? { data: calibration.data } : {}),
    recalibrate: recalibrates(options, calibration),
    ...(repair === undefined ? {} : { repair }),
    verify,
    ...(seed === undefined ? {} : { seed }),
    ...(threads === undefined ? {} : { threads }),
  };
}

/** Are statistics measured anew? Where nothing is said: on data, unless that repairs weights, which keeps what they fit. */
export const recalibrates = (
  { recalibrate, repair }: Pick<CutOptions, 'recalibrate' | 'repair'>,
  calibration: OpenedCalibration | null,
): boolean => recalibrate ?? (calibration !== null && !repair);

/** Options that say what is done with an outcome. */
type SettleOptions = CutOptions & { readonly latency?: unknown };

/**
 * Measures, writes, reads again, reports and prints what came of a cut. Throws StructuralError, with nothing written, where the cut model does not compute what it must.
 */
export async function settle(
  model: LoadedModel,
  outcome: Outcome,
  options: SettleOptions,
  settings: Readonly<Record<string, unknown>>,
): Promise<void> {
  const { output, dryRun = false, force = false, plan } = options;
  if (outcome.verification) assertVerified(outcome.verification);
  const [before, after] = await beforeAndAfter(model, outcome.graph, options);
  const notes = allNotes(outcome);
  const isWritten = output !== undefined && !dryRun;
  const file = isWritten ? await writeChecked(model, outcome.graph, output, { ...options, force }) : null;
  if (plan !== undefined) {
    const text = new TextEncoder().encode(planText(outcome.plan));
    uninterrupted(() => writeFileAtomic(plan, [text], { force }));
  }
  const reports = await reportOf(outcome, before, after, options, settings);
  if (options.json) {
    printJson({
      model: model.source,
      output: isWritten ? output : null,
      command: options.line,
      settings,
      before,
      after,
      reached: outcome.reached,
      layers: outcome.cuts,
      blocks: outcome.blocks,
      whyNot: outcome.whyNot,
      verification: outcome.verification,
      recalibration: outcome.recalibration,
      repair: outcome.repair,
      file,
      notes,
      ...(dryRun ? { plan: outcome.plan } : {}),
      planFile: plan ?? null,
      reports,
    });
    return;
  }
  const table = cutTable(outcome.cuts);
  if (options.csv) {
    printCsv(table);
    return;
  }
  const lines = [
    changeTable(before, after),
    '',
    ...(table.rows.length > 0 ? [tableOf(table), ''] : []),
    ...(table.rows.length === 0 && outcome.blocks.length === 0 ? ['nothing was cut', ''] : []),
    ...spaced(whyNotLines(outcome.whyNot)),
    ...reachedLines(outcome.reached),
    ...verifiedLines(outcome.verification, outcome.cuts),
    ...afterwardsLines(outcome.recalibration, outcome.repair),
    ...(after.latency ? [latencyText(after.latency)] : []),
    ...noteLines(notes),
    ...written(plan, 'plan'),
    ...(isWritten ? [...written(output), 'checked     read back and run in onnxruntime'] : []),
    ...(dryRun ? ['no model was written (--dry-run)'] : []),
    ...reports.map((path) => `report      ${path}`),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

/** Of the cut and of what was done on data then. */
const allNotes = ({ notes, repair, recalibration }: Outcome): string[] => [
  ...notes,
  ...(repair?.notes ?? []),
  ...(recalibration?.notes ?? []),
];

const spaced = (lines: readonly string[]): string[] => (lines.length === 0 ? [] : [...lines, '']);

const written = (path: string | undefined, what = 'wrote'): string[] =>
  path === undefined ? [] : [`${what.padEnd(11)} ${path} (${bytes(statSync(path).size)})`];

/** Both models, counted and measured: latency in one run, in turns, where it was asked for. */
async function beforeAndAfter(
  model: LoadedModel,
  graph: Graph,
  options: SettleOptions,
): Promise<readonly [MeasuredModel, MeasuredModel]> {
  const asked = options.measure || options.latency !== undefined;
  const [was, is] = asked ? await latencies(model, model.graph, graph, options) : [null, null];
  return [await measured(model, model.graph, was), await measured(model, graph, is)];
}

async function reportOf(
  outcome: Outcome,
  before: MeasuredModel,
  after: MeasuredModel,
  options: SettleOptions,
  settings: Readonly<Record<string, unknown>>,
): Promise<string[]> {
  const { report, line, seed = 0, force = false } = options;
  if (report === undefined) return [];
  const state = (model: MeasuredModel) => stateOf(model, { macs: model.macs, sizes: model.sizes });
  return writeReport(
    report,
    {
      title: `${String(settings.model)}: made smaller`,
      command: line,
      seed,
      versions: { secateur: VERSION, node: process.versions.node, ...engineVersion() },
      facts: factsOf(settings),
    },
    [
      modelSection(state(before), state(after)),
      ...shrinkSections({
        ...outcome,
        notes: allNotes(outcome),
        latency: before.latency && after.latency ? { before: before.latency, after: after.latency } : null,
      }),
    ],
    force,
  );
}
