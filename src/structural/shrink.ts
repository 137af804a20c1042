import { ArgumentError } from '../core/errors.ts';
import { serializeOnnx } from '../io/index.ts';
import type { Graph } from '../ir/index.ts';
import type { AnyModule, TraceInputs } from '../nn/index.ts';
import { type AnalyzeOptions, analyzeChannels } from './analyze.ts';
import { removedBy, renewPlan } from './apply-plan.ts';
import type { Block } from './blocks.ts';
import { type Budget, type BudgetAmount, fitBudget, type Reached } from './budget.ts';
import type { CalibrationData } from './calibration.ts';
import { costOf, type ModelCost } from './cost.ts';
import { cutChannels } from './cut.ts';
import { type Decision, decide } from './decide.ts';
import type { DecideOptions } from './decide-options.ts';
import { withoutComputedWeights } from './fold-computed-weights.ts';
import { groupChannels } from './group-channels.ts';
import type { ChannelGroups, GroupOptions } from './groups.ts';
import { type ImportanceMethod, type ImportanceOptions, importance } from './importance/index.ts';
import { LatencyMeter } from './latency-meter.ts';
import { makePlan, type Plan } from './plan.ts';
import { blocksOfPlan, planBlocks } from './plan-blocks.ts';
import type { RankedBlock } from './rank-blocks.ts';
import { type Recalibration, recalibrate } from './recalibrate.ts';
import { withoutBlocks } from './remove-blocks.ts';
import { type Repair, repairConsumers } from './repair.ts';
import { graphOfSubject } from './subject.ts';
import { type Verification, verify } from './verify.ts';

/** What is made smaller: a graph, or a module (one that is written in TypeScript is traced, and needs `inputs`). */
export type ShrinkSubject = Graph | AnyModule;

/** What a cut can be made to reach, beside a ratio of channels. */
const BUDGETS = ['parameters', 'macs', 'fileSize', 'latency'] as const;

/** What `shrink` and `applyPlan` do beside cutting. */
export interface CutOptions extends AnalyzeOptions, GroupOptions {
  /** Inputs a module that is written in TypeScript is traced with. */
  readonly inputs?: TraceInputs;
  /** Batches for importance methods that need them, recalibration and repair. It is gone through more than once: a `DataLoader` or a list, no generator. */
  readonly data?: CalibrationData;
  /** Most batches that are taken of `data`. */
  readonly maxBatches?: number;
  /** Computes the statistics of batch norm anew on `data`. Default true where there is data and nothing is repaired: after a repair it does harm. */
  readonly recalibrate?: boolean;
  /** Repairs the weights that read cut channels by least squares on `data`. Default false. */
  readonly repair?: boolean;
  /** Proves the cut: see `verify`. Default true. */
  readonly verify?: boolean;
  readonly seed?: number;
  readonly threads?: number;
  readonly signal?: AbortSignal;
  /** Called as the work goes on: what is done at the time, and the share of it. */
  readonly onProgress?: (stage: string, done: number) => void;
}

/** How a model is made smaller. One of `ratio`, `parameters`, `macs`, `fileSize` (bytes) and `latency` (milliseconds) says how much, of the model as it is given; none where blocks go alone. */
export interface ShrinkOptions extends CutOptions, Partial<DecideOptions> {
  readonly parameters?: BudgetAmount;
  readonly macs?: BudgetAmount;
  readonly fileSize?: BudgetAmount;
  readonly latency?: BudgetAmount;
  /** Blocks that go whole before channels do, of those that `rankBlocks` gave for the graph. */
  readonly blocks?: readonly RankedBlock[];
  /** How channels are ranked. Default `{ method: 'l2' }`. */
  readonly importance?: Partial<Omit<ImportanceOptions, 'data' | 'signal' | 'onProgress'>>;
  /** Bytes of the file of a graph, as it counts for `fileSize`; by default of the ONNX file as it is. */
  readonly measureFile?: (graph: Graph) => Promise<number>;
  /** Milliseconds of a run, as they count for `latency`; by default medians over half a second of runs on random inputs, beside the whole model in turns. */
  readonly measureLatency?: (graph: Graph) => Promise<number>;
}

/** A model made smaller, and all that is to be said of it. */
export interface Shrunk {
  readonly graph: Graph;
  readonly plan: Plan;
  /** Of the model without blocks that went whole. */
  readonly groups: ChannelGroups;
  /** For each unit 1 where it went. */
  readonly removed: Uint8Array;
  readonly before: ModelCost;
  readonly after: ModelCost;
  /** How near a budget was come to; null where a ratio was asked for. */
  readonly reached: Reached | null;
  /** Null where it was not asked for, or no channel went. */
  readonly verification: Verification | null;
  readonly recalibration: Recalibration | null;
  readonly repair: Repair | null;
  /** Layers that were not cut, or less than asked, and why. */
  readonly whyNot: readonly { readonly layer: string; readonly why: string }[];
  /** What else is to be known, a sentence each. */
  readonly notes: readonly string[];
}

/**
 * Makes a model smaller: finds its coupled channels, ranks them, decides which go, cuts them, proves the cut, and, with data, computes the statistics of batch norm anew and repairs the layers that read them. The model given is
 * not changed.
 *
 * Throws ArgumentError where options do not fit each other or the model; StructuralError where a cut cannot be made.
 */
export async function shrink(subject: ShrinkSubject, options: ShrinkOptions): Promise<Shrunk> {
  const budget = budgetOf(options);
  const given = graphOfSubject('shrink', subject, options.inputs);
  const { blocks = [] } = options;
  const shorter = lacking(
    given,
    blocks.map(({ block }) => block),
  );
  const { groups, before, notes } = await analysed(given, shorter, options);
  const method = options.importance?.method ?? 'l2';
  const deciding = decidingOf(options);
  const isOfBlocksAlone = budget === null && options.ratio === undefined && deciding.ratios === undefined;
  const scores = isOfBlocksAlone ? null : await scoresOf(groups, method, options);
  let decision: Decision & { readonly reached?: Reached };
  if (scores === null) decision = { removed: new Uint8Array(groups.unitCount), groups: [], uneven: [] };
  else if (budget === null) decision = decide(groups, scores, { ...deciding, ratio: options.ratio ?? 0 });
  else decision = await fitted(groups, scores, budget, { given, before }, options);
  const plan = makePlan(groups, decision, {
    method,
    ...(scores ? { scores } : {}),
    ...(shorter === given ? {} : { blocks: planBlocks(given, blocks), whole: before }),
    options: {
      ...deciding,
      ...(options.ratio === undefined ? {} : { ratio: options.ratio }),
      ...named(budget),
    },
  });
  const reached = decision.reached ?? null;
  return finish(groups, decision.removed, plan, { before, reached, notes }, options);
}

/**
 * Cuts what a plan says, from the model it was made for or another copy of it, and does what `shrink` does then. Throws ArgumentError where plan and model do not fit; StructuralError where an edited plan cannot be cut.
 */
export async function applyPlan(
  subject: ShrinkSubject,
  plan: Plan,
  options: CutOptions = {},
): Promise<Shrunk> {
  const given = graphOfSubject('applyPlan', subject, options.inputs);
  const own = { ...options, heads: options.heads ?? plan.heads };
  const shapes = options.shapes ? { shapes: options.shapes } : {};
  const shorter = lacking(given, blocksOfPlan(plan.blocks ?? [], given, shapes));
  const { groups, before, notes } = await analysed(given, shorter, own);
  const removed = removedBy(plan, groups);
  return finish(groups, removed, renewPlan(plan, groups), { before, reached: null, notes }, options);
}

/** A graph without some blocks; itself where there are none. */
const lacking = (graph: Graph, blocks: readonly Block[]): Graph =>
  blocks.length === 0 ? graph : withoutBlocks(graph, blocks).graph;

const wholeCost = (groups: ChannelGroups): ModelCost => costOf(groups, new Uint8Array(groups.unitCount));

/** The groups of a model without its blocks, what it costs with them, and what was done to it to find them. */
async function analysed(
  given: Graph,
  shorter: Graph,
  options: CutOptions,
): Promise<{ readonly groups: ChannelGroups } & Pick<Shrunk, 'before' | 'notes'>> {
  // A weight that is computed of others is no layer's.
  const { graph, notes } = await withoutComputedWeights(shorter);
  const groups = grouped(graph, options);
  const whole = shorter === given ? groups : grouped((await withoutComputedWeights(given)).graph, options);
  return { groups, before: wholeCost(whole), notes };
}

function grouped(graph: Graph, options: CutOptions): ChannelGroups {
  options.signal?.throwIfAborted();
  options.onProgress?.('analysing', 0);
  const coupling = analyzeChannels(graph, options.shapes ? { shapes: options.shapes } : {});
  return groupChannels(coupling, options.heads ? { heads: options.heads } : {});
}

function scoresOf(
  groups: ChannelGroups,
  method: ImportanceMethod,
  { importance: how, data, maxBatches, seed, threads, signal, onProgress }: ShrinkOptions,
): Promise<Float64Array> {
  return importance(groups, {
    ...how,
    method,
    ...(data ? { data } : {}),
    ...(maxBatches === undefined ? {} : { maxBatches }),
    ...(seed === undefined ? {} : { seed }),
    ...(threads === undefined ? {} : { threads }),
    ...(signal ? { signal } : {}),
    ...(onProgress ? { onProgress: (done) => onProgress('ranking', done) } : {}),
  });
}

/** The model as it is given, with blocks that go, and what it costs. */
interface Whole {
  readonly given: Graph;
  readonly before: ModelCost;
}

/** Decides by a budget. A share is of the whole model, also where blocks are gone already. */
async function fitted(
  groups: ChannelGroups,
  scores: Float64Array,
  budget: AskedBudget,
  { given, before }: Whole,
  options: ShrinkOptions,
): Promise<Decision & { readonly reached: Reached }> {
  const { threads, signal, onProgress } = options;
  const { graph, shapes } = groups.coupling;
  const isWhole = (options.blocks?.length ?? 0) === 0;
  const meter = new LatencyMeter(isWhole ? graph : given, { shapes, threads, signal });
  try {
    const { of, amount } = budget;
    const sizes = measures(options, meter);
    const size = isWhole ? null : of === 'parameters' || of === 'macs' ? before[of] : await sizes[of](given);
    const asked =
      size !== null && 'share' in amount ? { of, amount: { value: amount.share * size } } : budget;
    const decision = await fitBudget(groups, scores, measured(asked, groups, sizes), {
      ...decidingOf(options),
      ...(signal ? { signal } : {}),
      ...(onProgress ? { onProgress: (done, most) => onProgress('measuring', done / most) } : {}),
    });
    const { reached } = decision;
    return size === null ? decision : { ...decision, reached: { ...reached, before: size } };
  } finally {
    await meter.dispose();
  }
}

async function finish(
  groups: ChannelGroups,
  removed: Uint8Array,
  plan: Plan,
  { before, reached, notes: found }: Pick<Shrunk, 'before' | 'reached' | 'notes'>,
  options: CutOptions,
): Promise<Shrunk> {
  const { data, maxBatches, seed, threads, signal, onProgress } = options;
  const running = {
    ...(threads === undefined ? {} : { threads }),
    ...(signal ? { signal } : {}),
    ...(maxBatches === undefined ? {} : { maxBatches }),
  };
  signal?.throwIfAborted();
  onProgress?.('cutting', 0);
  const { graph, notes } = cutChannels(groups, removed);
  let verification: Verification | null = null;
  if ((options.verify ?? true) && removed.includes(1)) {
    onProgress?.('verifying', 0);
    verification = await verify(groups, removed, graph, {
      ...running,
      ...(seed === undefined ? {} : { seed }),
    });
  }
  let repair: Repair | null = null;
  if (options.repair) {
    if (!data) throw new ArgumentError('shrink: repair needs data; give a few batches of inputs');
    onProgress?.('repairing', 0);
    repair = await repairConsumers(groups, removed, graph, data, running);
  }
  let recalibration: Recalibration | null = null;
  if (data && (options.recalibrate ?? !options.repair)) {
    onProgress?.('recalibrating', 0);
    recalibration = await recalibrate(graph, data, running);
  } else if (options.recalibrate) {
    throw new ArgumentError('shrink: recalibrate needs data; give a few batches of inputs');
  }
  return {
    graph,
    plan,
    groups,
    removed,
    before,
    after: costOf(groups, removed),
    reached,
    verification,
    recalibration,
    repair,
    whyNot: plan.kept,
    notes: [
      ...found,
      ...groups.coupling.notFollowed.map(
        ({ node, why }) => `${node.label}: ${why}; what it reads is not cut`,
      ),
      ...notes,
    ],
  };
}

type AskedBudget = { readonly of: (typeof BUDGETS)[number]; readonly amount: BudgetAmount };

/** The one thing that says how much goes; null for a ratio. */
function budgetOf(options: ShrinkOptions): AskedBudget | null {
  const asked = BUDGETS.flatMap((of) => {
    const amount = options[of];
    return amount === undefined ? [] : [{ of, amount }];
  });
  const given = [...(options.ratio === undefined ? [] : ['ratio']), ...asked.map(({ of }) => of)];
  const ratios = (options.ratios?.length ?? 0) > 0;
  if (given.length > 1)
    throw new ArgumentError(`shrink: ${given.join(' and ')} both say how much is to go; give one of them`);
  if (given.length === 0 && !ratios && !options.blocks?.length)
    throw new ArgumentError(
      `shrink: give one of ratio, ${BUDGETS.join(', ')} or blocks to say how much is to go`,
    );
  return asked[0] ?? null;
}

const named = (budget: AskedBudget | null): Partial<Record<AskedBudget['of'], BudgetAmount>> =>
  budget ? { [budget.of]: budget.amount } : {};

function decidingOf(options: ShrinkOptions): Omit<DecideOptions, 'ratio'> {
  const { ratios, scope, ignore, keepAtLeast, maxRatio, roundTo, rounding } = options;
  return {
    ...(ratios ? { ratios } : {}),
    ...(scope ? { scope } : {}),
    ...(ignore ? { ignore } : {}),
    ...(keepAtLeast === undefined ? {} : { keepAtLeast }),
    ...(maxRatio === undefined ? {} : { maxRatio }),
    ...(roundTo === undefined ? {} : { roundTo }),
    ...(rounding ? { rounding } : {}),
  };
}

/** How sizes of whole graphs are measured. */
type Measures = Readonly<Record<'fileSize' | 'latency', (graph: Graph) => Promise<number>>>;

const measures = ({ measureFile, measureLatency }: ShrinkOptions, meter: LatencyMeter): Measures => ({
  fileSize: measureFile ?? onnxBytes,
  latency: measureLatency ?? ((graph) => meter.measure(graph)),
});

function measured({ of, amount }: AskedBudget, groups: ChannelGroups, sizes: Measures): Budget {
  const cutAnd = (measure: (graph: Graph) => Promise<number>) => (removed: Uint8Array) =>
    measure(cutChannels(groups, removed).graph);
  switch (of) {
    case 'parameters':
      return { parameters: amount };
    case 'macs':
      return { macs: amount };
    case 'fileSize':
      return { fileSize: amount, measure: cutAnd(sizes.fileSize) };
    case 'latency':
      return { latency: amount, measure: cutAnd(sizes.latency) };
  }
}

/** Bytes of the ONNX file of a graph, as it is. */
export const onnxBytes = async (graph: Graph): Promise<number> =>
  serializeOnnx(graph).reduce((sum, chunk) => sum + chunk.byteLength, 0);
