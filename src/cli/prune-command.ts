import { statSync } from 'node:fs';
import { extname } from 'node:path';
import { ArgumentError } from '../core/errors.ts';
import { manualSeed } from '../core/random.ts';
import { Tensor } from '../core/tensor.ts';
import { serializeOnnx } from '../io/index.ts';
import { nodeCompressors, PYTORCH_EXTENSIONS, writeModel, writeTensors } from '../node/index.ts';
import { graphParameters } from '../ops/index.ts';
import {
  type FileSizes,
  fileSizes,
  type ReportTable,
  type SparsityReport,
  sparsityReport,
} from '../profile/index.ts';
import * as prune from '../prune/index.ts';
import type { PruneCommandOptions } from './commands.ts';
import { inputsFrom } from './inputs.ts';
import { type LoadedModel, loadModel } from './load.ts';
import { checkOutput, printCsv, printJson, tableOf, uninterrupted } from './output.ts';
import { withProgress } from './progress.ts';
import { bytes, percent, withCommas } from './table.ts';
import { UsageError } from './usage-error.ts';

/** Methods that rank units of a granularity; the others are PyTorch's. */
const RANKINGS = ['l1', 'l2', 'random', 'apoz', 'mean-activation'] as const;
type Ranking = (typeof RANKINGS)[number];

const isActivation = (ranking: Ranking): ranking is prune.ActivationMeasure =>
  ranking === 'apoz' || ranking === 'mean-activation';

/** `secateur prune MODEL -o OUT`: masks weights, writes the model, and says what that bought. */
export async function pruneCommand(source: string, options: PruneCommandOptions): Promise<void> {
  checkOutput(options, ['.onnx', '.safetensors', ...PYTORCH_EXTENSIONS]);
  checkTogether(options);
  const model = loadModel(source, options);
  const granularity =
    options.granularity === undefined ? undefined : prune.parseGranularity(options.granularity);
  const selected = select(source, model, options, granularity);
  const targets = options.operator ? ofOperators(model, selected, options.operator) : selected;
  const isGraph = extname(options.output).toLowerCase() === '.onnx';
  const before = sparsityReport(model.module);
  const sizesBefore = isGraph ? await sizesOf(model) : null;
  const places = placesOf(model);
  manualSeed(options.seed ?? 0);
  await apply(model, targets, options);
  // A state dict keeps the masks, as a pruned module of PyTorch does; in a graph they become zeros.
  if (isGraph) {
    for (const [module, name] of targets) {
      if (module.getParameter(name).pruning) prune.remove(module, name);
    }
  }
  const after = sparsityReport(model.module);
  const sizesAfter = isGraph ? await sizesOf(model) : null;
  const write = { force: options.force ?? false };
  uninterrupted(() => {
    if (isGraph) writeModel(model.graph, options.output, write);
    else writeTensors(model.module.stateDict(), options.output, write);
  });
  report(source, options, { before, after, sizesBefore, sizesAfter, places, selected: targets.length });
}

function select(
  source: string,
  { module }: LoadedModel,
  { parameter, include, exclude, types }: PruneCommandOptions,
  granularity: prune.Granularity | undefined,
): readonly prune.PruningTarget[] {
  try {
    return prune.selectParameters(module, { parameter, include, exclude, types, granularity });
  } catch (error) {
    if (!(error instanceof ArgumentError)) throw error;
    const hint = `'secateur print ${source} --tree' shows the names that --include and --exclude take`;
    throw new UsageError(`${error.message}; ${hint}`, { cause: error });
  }
}

/**
 * Paths of parameters, such as `Conv_0.weight`, by the names of their initializers, such as `onnx::Conv_760`: what a report calls a
 * layer is what `--include` takes.
 */
function placesOf({ module, graph }: LoadedModel): ReadonlyMap<string, string> {
  const names = new Map(graphParameters(graph).map(({ tensor, value }) => [tensor, value.name]));
  const places = new Map<string, string>();
  for (const { path, name, parameter } of module.parameterPlaces()) {
    const initializer = names.get(parameter.data);
    if (initializer !== undefined) places.set(initializer, path === '' ? name : `${path}.${name}`);
  }
  return places;
}

/** The targets that nodes of these operators compute with. Throws UsageError where there are none. */
function ofOperators(
  { graph }: LoadedModel,
  targets: readonly prune.PruningTarget[],
  operators: readonly string[],
): readonly prune.PruningTarget[] {
  const wanted = new Set(operators.map((name) => name.toLowerCase()));
  const found = new Map(graphParameters(graph).map(({ tensor, node }) => [tensor, node.opType]));
  const operatorOf = ([module, name]: prune.PruningTarget): string =>
    found.get(module.getParameter(name).data) ?? '';
  const matching = targets.filter((target) => wanted.has(operatorOf(target).toLowerCase()));
  if (matching.length > 0) return matching;
  const there = [...new Set(targets.map(operatorOf))].join(', ');
  throw new UsageError(
    `--operator: no layer is ${operators.join(' or ')}; the layers to choose from are ${there}`,
  );
}

/** Throws UsageError for options that the chosen method would not look at. */
function checkTogether(options: PruneCommandOptions): void {
  const { method, amount, granularity, data, norm, dim } = options;
  const refuse = (option: string, reason: string): never => {
    throw new UsageError(`${option} has no part here: ${reason}`);
  };
  if (amount !== undefined && granularity !== undefined && prune.parseGranularity(granularity).kind === 'nm')
    refuse('--amount', `--granularity ${granularity} says by itself how much is pruned`);
  if (data && method !== 'apoz' && method !== 'mean-activation')
    refuse('--data', `${method} looks at weights only; apoz and mean-activation run inputs`);
  if (norm !== undefined && method !== 'ln-structured')
    refuse('--norm', 'it is the norm of --method ln-structured');
  if (dim !== undefined && !method.endsWith('-structured'))
    refuse('--dim', 'it is the axis of --method ln-structured and random-structured');
}

/** What `--amount` is where it is not given. */
const DEFAULT_AMOUNT = 0.3;

const amountOf = ({ amount = DEFAULT_AMOUNT }: PruneCommandOptions): prune.Amount => amount;

const sizesOf = ({ graph }: LoadedModel): Promise<FileSizes> =>
  withProgress('compressing', () => fileSizes(serializeOnnx(graph), { compressors: nodeCompressors }));

async function apply(
  model: LoadedModel,
  targets: readonly prune.PruningTarget[],
  options: PruneCommandOptions,
): Promise<void> {
  const { method, granularity } = options;
  const amount = amountOf(options);
  const ranking = RANKINGS.find((name) => name === method);
  if (granularity !== undefined || ranking) {
    await applyGranular(model, targets, options, rankingFor(method, ranking));
    return;
  }
  if (options.global) {
    if (method !== 'l1-unstructured' && method !== 'random-unstructured') {
      throw new UsageError(
        `--global: ${method} ranks within a layer; use --granularity filter --method l1 or l2`,
      );
    }
    const Method = method === 'l1-unstructured' ? prune.L1Unstructured : prune.RandomUnstructured;
    prune.globalUnstructured(targets, Method, { amount });
    return;
  }
  const dim = options.dim ?? 0;
  const n = normOf(options.norm);
  const paths = new Map(Array.from(model.module.namedModules(), ([path, module]) => [module, path]));
  for (const [module, name] of targets) {
    try {
      if (method === 'l1-unstructured') prune.l1Unstructured(module, name, amount);
      else if (method === 'random-unstructured') prune.randomUnstructured(module, name, amount);
      else if (method === 'ln-structured') prune.lnStructured(module, name, amount, { n, dim });
      else prune.randomStructured(module, name, amount, { dim });
    } catch (error) {
      if (!(error instanceof ArgumentError)) throw error;
      throw new ArgumentError(`${[paths.get(module), name].filter(Boolean).join('.')}: ${error.message}`, {
        cause: error,
      });
    }
  }
}

function rankingFor(method: string, ranking: Ranking | undefined): Ranking {
  if (ranking) return ranking;
  if (method === 'l1-unstructured') return 'l1';
  if (method === 'random-unstructured') return 'random';
  throw new UsageError(
    `--granularity is ranked by --method ${RANKINGS.join(', ')}; ${method} has a granularity of its own`,
  );
}

async function applyGranular(
  model: LoadedModel,
  targets: readonly prune.PruningTarget[],
  options: PruneCommandOptions,
  ranking: Ranking,
): Promise<void> {
  const granularity = prune.parseGranularity(
    options.granularity ?? (isActivation(ranking) ? 'filter' : 'weight'),
  );
  const scope = options.global ? 'global' : 'local';
  if (!isActivation(ranking)) {
    // N:M says by itself how much goes.
    const amount = granularity.kind === 'nm' ? {} : { amount: amountOf(options) };
    prune.pruneGranular(targets, { granularity, importance: ranking, ...amount, scope });
    return;
  }
  if (granularity.kind !== 'filter') {
    throw new UsageError(`--method ${ranking} ranks filters; use it with --granularity filter`);
  }
  if (!options.data) throw new UsageError(`--method ${ranking} needs inputs to run: --data FILE`);
  const inputs = options.data.flatMap((path) => calibrationInputs(path, model));
  const scores = await withProgress('running calibration inputs', (onProgress) =>
    prune.activationScores(model.module, targets, inputs, { measure: ranking, onProgress }),
  );
  prune.pruneGranular(targets, { granularity, importanceScores: scores, amount: amountOf(options), scope });
}

/** `2`, `inf`, `-inf`, `fro`, `nuc` */
function normOf(text: string | undefined): prune.NormOrder {
  if (text === 'fro' || text === 'nuc') return text;
  const named = { inf: Number.POSITIVE_INFINITY, '-inf': Number.NEGATIVE_INFINITY }[text ?? ''];
  const value = named ?? Number(text ?? 2);
  if (Number.isNaN(value) || text === '')
    throw new UsageError(`--norm: expected a number, inf, -inf, fro or nuc, got '${text}'`);
  return value;
}

/**
 * The model's input from a file, a first axis longer than the model's batch taken apart. Throws UsageError where that leaves a rest, and for
 * models of several inputs.
 */
function calibrationInputs(path: string, { graph }: LoadedModel): Tensor[] {
  const [input, ...others] = graph.feeds;
  if (!input || others.length > 0) throw new UsageError('--data: calibration works for models of one input');
  const tensor = inputsFrom('--data', path, graph)[input.name]!;
  const batch = input.type?.kind === 'tensor' ? input.type.shape?.[0] : null;
  const [count = 1, ...rest] = tensor.shape;
  if (typeof batch !== 'number' || count === batch) return [tensor];
  if (count % batch !== 0) {
    throw new UsageError(
      `--data: '${path}' holds ${count} samples; the model takes ${batch} at a time, and that leaves a rest`,
    );
  }
  const part = tensor.bytes.byteLength / (count / batch);
  return Array.from(
    { length: count / batch },
    (_, index) =>
      new Tensor(tensor.dtype, [batch, ...rest], {
        bytes: tensor.bytes.slice(index * part, (index + 1) * part),
      }),
  );
}

interface Outcome {
  readonly before: SparsityReport;
  readonly after: SparsityReport;
  /** Of the ONNX file; null where a state dict is written. */
  readonly sizesBefore: FileSizes | null;
  readonly sizesAfter: FileSizes | null;
  /** Where parameters stand in the tree of modules, by the names of their initializers. */
  readonly places: ReadonlyMap<string, string>;
  /** Parameters that were chosen; a method may leave some of them as they are. */
  readonly selected: number;
}

function report(source: string, options: PruneCommandOptions, outcome: Outcome): void {
  const { before, after, sizesBefore, sizesAfter, places, selected } = outcome;
  const placeOf = (name: string): string => places.get(name) ?? name;
  const changed = after.layers
    .map((layer, index) => ({ layer, was: before.layers[index] }))
    .filter(({ layer, was }) => was && layer.zeros !== was.zeros);
  if (options.json) {
    printJson({
      model: source,
      output: options.output,
      method: options.method,
      amount: amountOf(options),
      ...(options.granularity === undefined ? {} : { granularity: options.granularity }),
      global: options.global ?? false,
      parametersSelected: selected,
      parametersPruned: changed.length,
      before: {
        parameters: before.parameters,
        zeros: before.zeros,
        sparsity: before.sparsity,
        ...(sizesBefore === null ? {} : { sizes: sizesBefore }),
      },
      after: {
        parameters: after.parameters,
        zeros: after.zeros,
        sparsity: after.sparsity,
        granularity: after.granularity,
        ...(sizesAfter === null ? {} : { sizes: sizesAfter }),
      },
      layers: changed.map(({ layer, was }) => ({
        ...layer,
        name: placeOf(layer.name),
        initializer: layer.name,
        zerosBefore: was?.zeros ?? 0,
      })),
    });
    return;
  }
  const table: ReportTable = {
    columns: [
      { key: 'name', title: 'parameter', kind: 'text' },
      { key: 'shape', title: 'shape', kind: 'shape' },
      { key: 'parameters', title: 'weights', kind: 'count' },
      { key: 'zerosBefore', title: 'zeros before', kind: 'count' },
      { key: 'zeros', title: 'zeros after', kind: 'count' },
      { key: 'sparsity', title: 'sparsity', kind: 'share' },
    ],
    rows: changed.map(({ layer, was }) => [
      placeOf(layer.name),
      layer.shape,
      layer.parameters,
      was?.zeros ?? 0,
      layer.zeros,
      layer.sparsity,
    ]),
    total: ['all parameters of the model', null, after.parameters, before.zeros, after.zeros, after.sparsity],
  };
  if (options.csv) {
    printCsv(table);
    return;
  }
  const untouched = selected - changed.length;
  const size = (title: string, from: number | null | undefined, to: number | null | undefined): string[] =>
    from == null || to == null
      ? []
      : [`${title.padEnd(20)}${bytes(from)} -> ${bytes(to)} (${percent(to / from)})`];
  const lines = [
    tableOf(table),
    '',
    `sparsity            ${percent(before.sparsity)} -> ${percent(after.sparsity)} (${withCommas(after.zeros - before.zeros)} zeros more)`,
    ...(untouched > 0
      ? [
          `unchanged           ${untouched} of ${selected} chosen parameters, too small for this or zero already`,
        ]
      : []),
    `parameters          ${withCommas(after.parameters)}, as before: masks remove nothing`,
    ...size('file', sizesBefore?.raw, sizesAfter?.raw),
    ...size('file, gzip', sizesBefore?.gzip, sizesAfter?.gzip),
    ...size('file, brotli', sizesBefore?.brotli, sizesAfter?.brotli),
    ...(sizesAfter === null
      ? ['masks               kept: weight_orig and weight_mask, as PyTorch names them']
      : []),
    '',
    `wrote ${options.output} (${bytes(statSync(options.output).size)})`,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}
