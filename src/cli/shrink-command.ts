import { ArgumentError, StructuralError } from '../core/errors.ts';
import { nearest } from '../core/nearest.ts';
import {
  chooseBlocks,
  findBlocks,
  IMPORTANCE_METHODS,
  type ImportanceMethodInfo,
  layerPattern,
  type RankedBlock,
  rankBlocks,
  type ShrinkOptions,
  type Shrunk,
  shrink,
} from '../structural/index.ts';
import { type OpenedCalibration, openCalibration } from './calibration-data.ts';
import { type LoadedModel, loadModel, requireShapes } from './load.ts';
import { withProgress, withStages } from './progress.ts';
import type { ShrinkCommandOptions } from './shrink-options.ts';
import { checkCut, checkPlanOutput, cuttingOf, outcomeOf, recalibrates, settle } from './shrink-outcome.ts';
import { UsageError } from './usage-error.ts';

/** `secateur shrink MODEL -o OUT`: removes channels, proves the result and writes it. */
export async function shrinkCommand(source: string, options: ShrinkCommandOptions): Promise<void> {
  const method = methodOf(options);
  const amount = amountOf(options);
  checkTogether(options, method);
  checkCut(options, ['.onnx']);
  checkPlanOutput(options);
  const model = loadModel(source, options);
  requireShapes(model);
  const calibration = await openCalibration(options, model);
  if (method.needs === 'targets' && calibration && !calibration.hasTargets) {
    throw new UsageError(
      `--importance ${method.name} compares outputs with labels, and ${options.data} holds inputs alone; give a data set`,
    );
  }
  const blocks = await blocksToRemove(model, options, calibration);
  const shrunk = await withStages((onProgress) =>
    byOptions(source, () =>
      shrink(model.graph, {
        ...amount,
        blocks,
        ...choiceOf(options, method),
        ...cuttingOf(options, model, calibration),
        onProgress,
      }),
    ),
  );
  if (!options.dryRun && blocks.length === 0) refuseNothing(shrunk, options);
  await settle(model, outcomeOf(shrunk), options, settingsOf(source, options, calibration));
}

/** Options by what the library calls them. */
const OPTIONS: Readonly<Record<string, string>> = { ignore: '--ignore', ratios: '--ratio-for' };

/** How the library's message names an option. */
const FALLBACK = "fallback: 'l2'";

/** Names the option in errors on patterns that match no layer, and says where the names are. */
async function byOptions<T>(source: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ArgumentError && error.message.includes(FALLBACK)) {
      throw new UsageError(error.message.replace(FALLBACK, '--fallback l2'), { cause: error });
    }
    const [, name, rest] =
      (error instanceof ArgumentError && /^decide: (\w+): (.*)$/.exec(error.message)) || [];
    const option = OPTIONS[name ?? ''];
    if (option === undefined) throw error;
    throw new UsageError(`${option}: ${rest}; 'secateur groups ${source}' lists them`, { cause: error });
  }
}

/** The amount that was asked for; nothing where only blocks go. Throws UsageError where there is none, or several. */
function amountOf(options: ShrinkCommandOptions): ShrinkOptions {
  const { ratio, macs, params, size, latency, ratioFor, removeBlocks: blocks } = options;
  const given = Object.entries({ ratio, macs, params, size, latency }).filter(
    ([, value]) => value !== undefined,
  );
  if (given.length > 1) {
    throw new UsageError(
      `${given.map(([name]) => `--${name}`).join(' and ')} both say how much goes; give one of them`,
    );
  }
  if (given.length === 0 && ratioFor === undefined) {
    if (blocks !== undefined) return {};
    throw new UsageError(
      'shrink must be told how much: --ratio 0.5, --macs 50%, --params 3M, --size 60% or --latency 20ms, or --remove-blocks 2',
    );
  }
  if (macs) return { macs };
  if (params) return { parameters: params };
  if (size) return { fileSize: size };
  if (latency) return { latency };
  return ratio === undefined ? {} : { ratio };
}

/** The method that was asked for. Throws UsageError, with the name that was probably meant, where there is none of that name. */
function methodOf({ importance }: ShrinkCommandOptions): ImportanceMethodInfo {
  const found = IMPORTANCE_METHODS.find(({ name }) => name === importance);
  if (found) return found;
  const names = IMPORTANCE_METHODS.map(({ name }) => name);
  const guess = nearest(importance.toLowerCase(), names);
  throw new UsageError(
    `--importance: there is no '${importance}'${guess === null ? '' : `; did you mean ${guess}?`} (${names.join(', ')})`,
  );
}

/** Throws UsageError for options that do not fit each other. */
function checkTogether(options: ShrinkCommandOptions, method: ImportanceMethodInfo): void {
  const { data, roundTo, rounding, removeBlocks: blocks, recalibrate, repair } = options;
  if (data === undefined && method.needs !== 'nothing') {
    const what = method.needs === 'targets' ? 'samples with labels' : 'inputs';
    throw new UsageError(`--importance ${method.name} runs ${what}: give them with --data PATH`);
  }
  if (data !== undefined && method.needs === 'nothing' && recalibrate === false && !repair && !blocks) {
    throw new UsageError(
      `--data has no part here: --importance ${method.name} looks at weights, and --no-recalibrate leaves statistics as they are`,
    );
  }
  if (rounding !== undefined && roundTo === undefined)
    throw new UsageError('--rounding has no part here: there is no --round-to N');
}

const scopeOf = ({ global, isomorphic }: ShrinkCommandOptions): 'layer' | 'global' | 'isomorphic' =>
  global ? 'global' : isomorphic ? 'isomorphic' : 'layer';

/** Which channels go. */
function choiceOf(options: ShrinkCommandOptions, { name }: ImportanceMethodInfo): ShrinkOptions {
  const { aggregate, normalize, members, fallback, ratioFor, ignore } = options;
  const { keepAtLeast, maxRatio, roundTo, rounding, heads } = options;
  return {
    importance: {
      method: name,
      ...(aggregate ? { aggregate } : {}),
      ...(normalize ? { normalize } : {}),
      ...(members ? { members } : {}),
      ...(fallback ? { fallback } : {}),
    },
    scope: scopeOf(options),
    heads,
    ...(ratioFor ? { ratios: ratioFor } : {}),
    ...(ignore ? { ignore } : {}),
    ...(keepAtLeast === undefined ? {} : { keepAtLeast }),
    ...(maxRatio === undefined ? {} : { maxRatio }),
    ...(roundTo === undefined ? {} : { roundTo }),
    ...(rounding ? { rounding } : {}),
  };
}

/** The least important blocks, as many as are to go. Throws UsageError where there are none, or not so many. */
async function blocksToRemove(
  model: LoadedModel,
  options: ShrinkCommandOptions,
  calibration: OpenedCalibration | null,
): Promise<readonly RankedBlock[]> {
  const { removeBlocks: asked, seed, threads } = options;
  if (asked === undefined) return [];
  const shapes = model.profileShapes ? { shapes: model.profileShapes } : {};
  const ranked = await withProgress('ranking blocks', (onProgress) =>
    rankBlocks(model.graph, findBlocks(model.graph, shapes), {
      ...shapes,
      ...(calibration ? { data: calibration.data } : {}),
      ...(seed === undefined ? {} : { seed }),
      ...(threads === undefined ? {} : { threads }),
      onProgress,
    }),
  );
  const ignored = (options.ignore ?? []).map(layerPattern);
  const free = ranked.filter(({ block }) => !block.layers.some((layer) => ignored.some((is) => is(layer))));
  const blocks = chooseBlocks(free, 'count' in asked ? asked : { ratio: asked.share });
  if (blocks.length === 0 || ('count' in asked && blocks.length < asked.count)) {
    const wanted = 'count' in asked ? `${asked.count}` : `${asked.share * 100} %`;
    throw new UsageError(
      `--remove-blocks: ${wanted} of the blocks were asked for; '${model.source}' has ${chooseBlocks(free, { ratio: 1 }).length} that can be left out whole, side by side`,
    );
  }
  return ranked.filter(({ block }) => blocks.includes(block));
}

/** Throws StructuralError where channels were to go and none can. */
function refuseNothing({ removed, reached, whyNot }: Shrunk, { output }: ShrinkCommandOptions): void {
  if (removed.includes(1)) return;
  if (reached?.why)
    throw new StructuralError(`nothing was cut, and ${output} was not written: ${reached.why}`);
  const reasons = whyNot.slice(0, 3).map(({ layer, why }) => `${layer}: ${why}`);
  throw new StructuralError(
    `nothing was cut, and ${output} was not written; ${reasons.join('; ') || 'the model has no layers whose channels could go'}${whyNot.length > 3 ? '; … (--dry-run lists all)' : ''}`,
  );
}

/** All that the result follows from, for JSON and reports. */
function settingsOf(source: string, options: ShrinkCommandOptions, calibration: OpenedCalibration | null) {
  const { ratio, macs, params, size, latency, removeBlocks: blocks } = options;
  const { importance, aggregate, normalize, members, fallback, ratioFor, ignore } = options;
  const { keepAtLeast, maxRatio, roundTo, rounding, heads, repair, seed = 0 } = options;
  return {
    model: source,
    ratio: ratio ?? null,
    macs: macs ?? null,
    parameters: params ?? null,
    fileSize: size ?? null,
    latency: latency ?? null,
    removeBlocks: blocks ?? null,
    importance,
    aggregate: aggregate ?? null,
    normalize: normalize ?? null,
    members: members ?? null,
    fallback: fallback ?? null,
    scope: scopeOf(options),
    ratios: (ratioFor ?? []).map(({ pattern, ratio: own }) => `${pattern}=${own}`),
    ignore: ignore ?? [],
    keepAtLeast: keepAtLeast ?? null,
    maxRatio: maxRatio ?? null,
    roundTo: roundTo ?? null,
    rounding: rounding ?? null,
    heads,
    calibration: calibration?.text ?? null,
    recalibrate: recalibrates(options, calibration),
    repair: repair ?? false,
    seed,
  };
}
