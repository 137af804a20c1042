import { statSync } from 'node:fs';
import { extname } from 'node:path';
import { FileError, SecateurError } from '../core/errors.ts';
import type { Tensor } from '../core/tensor.ts';
import { PYTORCH_EXTENSIONS, readBytes, writeTensors } from '../node/index.ts';
import type { Cell, ReportTable } from '../profile/index.ts';
import { applyPlan, applyPlanToTensors, type Plan, parsePlan, untouchedBy } from '../structural/index.ts';
import { openCalibration } from './calibration-data.ts';
import { tensorsOf } from './inputs.ts';
import { loadModel, requireShapes } from './load.ts';
import { checkOutput, printCsv, printJson, tableOf, uninterrupted } from './output.ts';
import { withStages } from './progress.ts';
import type { ApplyCommandOptions } from './shrink-options.ts';
import { checkCut, checkPlanOutput, cuttingOf, outcomeOf, recalibrates, settle } from './shrink-outcome.ts';
import { noteLines } from './shrink-text.ts';
import { bytes, withCommas } from './table.ts';
import { UsageError } from './usage-error.ts';

/** `secateur apply PLAN MODEL -o OUT`: cuts a model, or the tensors of a state dict, as a plan says. */
export async function applyCommand(
  planPath: string,
  source: string,
  options: ApplyCommandOptions,
): Promise<void> {
  const kind = extname(source).toLowerCase();
  const isTensors = TENSORS.includes(kind);
  if (isTensors) checkTensors(options);
  else checkCut(options, ['.onnx']);
  const plan = await readPlan(planPath);
  if (isTensors) {
    await applyToTensors(plan, planPath, source, options);
    return;
  }
  checkPlanOutput(options);
  const model = loadModel(source, options);
  requireShapes(model);
  const calibration = await openCalibration(options, model);
  const applied = await withStages((onProgress) =>
    named(planPath, () =>
      applyPlan(model.graph, plan, { ...cuttingOf(options, model, calibration), onProgress }),
    ),
  );
  await settle(model, outcomeOf(applied), options, {
    model: source,
    plan: planPath,
    calibration: calibration?.text ?? null,
    recalibrate: recalibrates(options, calibration),
    repair: options.repair ?? false,
  });
}

/** Names the plan's file in errors that are the plan's. */
async function named<T>(path: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof SecateurError) || !error.message.startsWith(PLAN)) throw error;
    throw new FileError(path, error.message.slice(PLAN.length), { cause: error });
  }
}

/** What messages on plans begin with. */
const PLAN = 'plan: ';

/** Reads a plan. Throws FileError where the file cannot be read or holds none. */
const readPlan = (path: string): Promise<Plan> =>
  named(path, () => parsePlan(new TextDecoder().decode(readBytes(path))));

/** Files that hold the tensors of a state dict. */
const TENSORS: readonly string[] = ['.safetensors', ...PYTORCH_EXTENSIONS];

/** Options that have no part where tensors are cut one by one. */
const OF_GRAPHS = [
  'data',
  'recalibrate',
  'repair',
  'measure',
  'report',
  'shape',
  'classes',
  'weights',
  'threads',
  'plan',
] as const;

function checkTensors(options: ApplyCommandOptions): void {
  const { output, dryRun, force = false } = options;
  for (const option of OF_GRAPHS) {
    if (options[option] !== undefined && options[option] !== false)
      throw new UsageError(`--${option} has no part here: a state dict is no model that could be run`);
  }
  if (dryRun) return;
  if (output === undefined)
    throw new UsageError('give the file to write, -o OUT, or --dry-run to write none');
  checkOutput({ output, force }, TENSORS);
}

async function applyToTensors(
  plan: Plan,
  planPath: string,
  source: string,
  options: ApplyCommandOptions,
): Promise<void> {
  const before = tensorsOf('MODEL', source, { keepHalf: true });
  const after = await named(planPath, () => applyPlanToTensors(plan, before));
  const untouched = untouchedBy(plan, before);
  const { output, dryRun = false, force = false } = options;
  const isWritten = output !== undefined && !dryRun;
  if (isWritten) uninterrupted(() => writeTensors(after, output, { force }));
  const changed = [...after].flatMap(([name, tensor]) => {
    const was = before.get(name);
    return was && was.shape.join() !== tensor.shape.join() ? [{ name, was, is: tensor }] : [];
  });
  const elements = (tensors: Iterable<Tensor>): number =>
    [...tensors].reduce((sum, { size }) => sum + size, 0);
  const [total, left] = [elements(before.values()), elements(after.values())];
  if (options.json) {
    printJson({
      plan: planPath,
      model: source,
      output: isWritten ? output : null,
      before: { tensors: before.size, elements: total },
      after: { tensors: after.size, elements: left },
      changed: changed.map(({ name, was, is }) => ({ name, before: was.shape, after: is.shape })),
      untouched,
    });
    return;
  }
  const table: ReportTable = {
    columns: [
      { key: 'name', title: 'tensor', kind: 'text' },
      { key: 'before', title: 'before', kind: 'shape' },
      { key: 'after', title: 'after', kind: 'shape' },
    ],
    rows: changed.map(({ name, was, is }): Cell[] => [name, was.shape, is.shape]),
    total: null,
  };
  if (options.csv) {
    printCsv(table);
    return;
  }
  const lines = [
    ...(changed.length === 0 ? ['no tensor was cut'] : [tableOf(table)]),
    '',
    `elements    ${withCommas(total)} -> ${withCommas(left)} (${total === 0 ? '1' : (left / total).toFixed(3)})`,
    ...noteLines(
      untouched.map(
        (name) =>
          `'${name}' has a size that the plan cuts elsewhere, and is not in it: look whether it belongs to what was cut`,
      ),
    ),
    ...(isWritten
      ? [`wrote       ${output} (${bytes(statSync(output).size)})`]
      : ['nothing was written (--dry-run)']),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}
