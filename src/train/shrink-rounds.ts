import { ArgumentError } from '../core/errors.ts';
import type { Tensor } from '../core/tensor.ts';
import { concatBytes } from '../io/index.ts';
import { cloneGraph, Graph } from '../ir/index.ts';
import { fromGraph, type GraphModule } from '../nn/index.ts';
import {
  analyzeChannels,
  applyPlan,
  assertVerified,
  type ChannelGroups,
  type CutOptions,
  costOf,
  groupChannels,
  layerCuts,
  medianLatency,
  onnxBytes,
  type Plan,
  removedBy,
  type ShrinkOptions,
  shrink,
} from '../structural/index.ts';
import {
  type Checkpoint,
  type CheckpointStore,
  type Json,
  loadModelTensors,
  modelTensors,
  parseCheckpoint,
  serializeCheckpoint,
} from './checkpoint.ts';
import { penalizeChannels } from './growing.ts';
import type { EpochRecord } from './history.ts';
import { checkSettings } from './iterate-options.ts';
import { distillationLoss, type Regularizer } from './objective.ts';
import { groupLasso, l1Scales } from './regularizers.ts';
import { isOver, isUnderFloor, judge, trainRound } from './round.ts';
import { askedOf, groupSizes } from './shrink-rounds-amount.ts';
import {
  budgetOf,
  checkShrinkRounds,
  type Measured,
  type RoundFinetuneOptions,
  type ShrinkHistory,
  type ShrinkRoundRecord,
  type ShrinkRoundsOptions,
  shrinkSettings,
} from './shrink-rounds-options.ts';
import { newPosition, type Position, restoredPosition } from './shrink-rounds-position.ts';

/** How the names of the kept model's tensors begin in checkpoints, and those of the trainer's own. */
const KEPT = 'kept/';
const ROUND = 'round/';

/** Batches of the training data for what looks at data while it cuts, where nothing else is said. */
const CALIBRATION_BATCHES = 16;

/** How far above its target a budget counts as met, as a share of it. */
const NEAR = 0.02;

/** Between the seeds of rounds, as in `iterate`, and those of the epochs of growing regularization within one. */
const [ROUND_SEED, GROWING_SEED] = [7919, 104_729];

/**
 * Makes a model smaller in rounds: ranks and cuts channels, computes the statistics of batch norm anew, fine-tunes, and again, until the target is met or a round falls under the floor: then it is the model of the round before.
 * Where asked, sparse training comes first, and the dense model teaches. A run that was killed goes on from its checkpoint to the same weights, bit for bit (with a target of latency, from the last cut that was made).
 *
 * ```ts
 * const { model, history } = await shrinkInRounds({
 *   model: readModel('resnet20.onnx'),
 *   data: { train, validation },
 *   target: { macs: { share: 0.5 } },
 *   finetune: { epochs: 5, optimizer: (net) => new SGD(net.parameters(), { lr: 0.01, momentum: 0.9 }) },
 * });
 * ```
 *
 * Throws ArgumentError for options that cannot be and for a checkpoint of another run, StructuralError where a cut cannot be made or is not proven, the reason of `signal`, and what training throws. The model given is not changed.
 */
export async function shrinkInRounds(
  options: ShrinkRoundsOptions,
): Promise<{ readonly model: GraphModule; readonly history: ShrinkHistory }> {
  checkShrinkRounds(options);
  return new ShrinkRun(options).run();
}

class ShrinkRun {
  readonly #options: ShrinkRoundsOptions;
  readonly #original: Graph;
  readonly #rounds: number;
  readonly #budget: ReturnType<typeof budgetOf>;
  #model: GraphModule;
  readonly #teacher: GraphModule | null;
  #position = newPosition();
  /** The last model that is not under the floor, and how many of the plans led to it. */
  #kept: { plans: number; tensors: ReadonlyMap<string, Tensor> } = { plans: 0, tensors: new Map() };
  /** The trainer's own checkpoint of the training under way. */
  #inner: Uint8Array | null = null;
  /** Since when time was not added up. */
  #mark = performance.now();

  constructor(options: ShrinkRoundsOptions) {
    this.#options = options;
    this.#original = options.model instanceof Graph ? options.model : options.model.graph;
    this.#rounds = options.rounds ?? 3;
    this.#budget = budgetOf(options.target);
    this.#model = this.#fresh();
    this.#teacher = options.distill ? this.#fresh() : null;
  }

  async run(): Promise<{ readonly model: GraphModule; readonly history: ShrinkHistory }> {
    const position = await this.#begin();
    if (position.ended === null && position.sparse === null) await this.#sparse(position);
    while (position.ended === null) await this.#round(position);
    await this.#save();
    return {
      model: this.#model,
      history: {
        dense: position.dense,
        denseCost: position.denseCost,
        sparse: position.sparse ?? [],
        rounds: position.rounds,
        plans: position.plans,
        ended: position.ended,
        best: position.rounds.findLast(({ kept }) => kept)?.round ?? 0,
      },
    };
  }

  /** A copy of the model that went in. */
  #fresh(): GraphModule {
    return fromGraph(cloneGraph(this.#original, { tensors: 'copy' }).graph);
  }

  async #begin(): Promise<Position> {
    const { checkpoint, resume = true } = this.#options;
    const bytes = checkpoint && resume ? await checkpoint.read() : null;
    if (bytes) {
      await this.#restore(parseCheckpoint(bytes));
      return this.#position;
    }
    const position = this.#position;
    const groups = this.#groups();
    position.dense = await this.#judge();
    position.denseCost = costOf(groups, new Uint8Array(groups.unitCount));
    position.sizes = groupSizes(groups);
    if (this.#budget) position.whole = await this.#measure(this.#budget.of, groups);
    this.#keep();
    if (this.#isUnderFloor(position.dense)) {
      const metric = this.#options.floor?.metric ?? 'accuracy';
      throw new ArgumentError(
        `shrinkInRounds: the model is under the floor before anything is cut (${metric} ${position.dense[metric]})`,
      );
    }
    if (this.#budget && position.whole <= this.#final()) position.ended = 'target';
    return position;
  }

  /** Trains with a penalty before the first cut, where that is asked for. */
  async #sparse(position: Position): Promise<void> {
    const { sparse } = this.#options;
    if (!sparse || sparse.method === 'growing') {
      position.sparse = [];
      return;
    }
    const penalty = sparse.method === 'slimming' ? l1Scales(sparse.lambda) : groupLasso(sparse.lambda);
    position.sparse = [
      ...(await this.#train({ round: 0, epochs: sparse.epochs, penalty, stage: 'sparse', seed: 0 })),
    ];
    this.#inner = null;
    // Under the floor the run may still get above it; if not, it ends with the model that went in.
    if (!this.#isUnderFloor(await this.#judge())) this.#keep();
    await this.#save();
  }

  async #round(position: Position): Promise<void> {
    const round = position.rounds.length + position.skipped + 1;
    this.#options.signal?.throwIfAborted();
    if (position.cut === null && !(await this.#cut(position, round))) {
      position.skipped++;
      position.chosen = null;
      if (round >= this.#rounds) position.ended = this.#endedWithoutCut(position);
      return;
    }
    const { epochs: count } = this.#options.finetune;
    const epochs = await this.#train({ round, epochs: count, stage: 'fine-tune', seed: ROUND_SEED * round });
    const after = await this.#judge();
    const kept = !this.#isUnderFloor(after);
    this.#lap();
    const record: ShrinkRoundRecord = {
      round,
      ...position.cut!,
      after,
      growing: position.growing,
      epochs,
      kept,
      seconds: position.seconds,
    };
    position.rounds.push(record);
    position.cut = null;
    position.chosen = null;
    position.growing = [];
    position.seconds = 0;
    this.#inner = null;
    if (!kept) {
      await this.#goBack();
      position.ended = 'floor';
    } else {
      this.#keep();
      position.ended = this.#endedAfter(record);
    }
    this.#options.onRound?.(record);
    await this.#save();
  }

  #endedAfter({ round, reached }: ShrinkRoundRecord): ShrinkHistory['ended'] | null {
    if (reached && reached.value <= this.#final() * (1 + NEAR)) return 'target';
    if (round < this.#rounds) return null;
    return reached ? 'rounds' : 'target';
  }

  #endedWithoutCut({ rounds }: Position): ShrinkHistory['ended'] {
    if (rounds.length === 0) return 'nothing to cut';
    return this.#budget ? 'rounds' : 'target';
  }

  /** Cuts for a round and judges what is left. False where nothing can be cut. */
  async #cut(position: Position, round: number): Promise<boolean> {
    if (this.#options.sparse?.method === 'growing' && !(await this.#grow(position, round))) return false;
    const { chosen } = position;
    const cut = chosen
      ? await applyPlan(this.#model, chosen.plan, this.#cutting())
      : await shrink(this.#model, { ...this.#cutting(), ...(await this.#asked(round)) });
    if (!cut.removed.includes(1)) return false;
    if (cut.verification) assertVerified(cut.verification);
    this.#model = fromGraph(cut.graph);
    position.plans.push(cut.plan);
    position.cut = {
      cost: cut.after,
      cuts: layerCuts(cut.groups, cut.removed),
      reached: chosen ? chosen.reached : cut.reached,
      before: await this.#judge(),
      verified: cut.verification?.checked ?? null,
      whyNot: cut.whyNot,
      notes: cut.notes,
    };
    await this.#save();
    return true;
  }

  /** Chooses what will be cut, and lets a penalty on it grow, an epoch each. False where nothing can be cut. */
  async #grow(position: Position, round: number): Promise<boolean> {
    const { epochs, lambda } = this.#options.sparse!;
    if (position.chosen === null) {
      const planned = await shrink(this.#model, {
        ...this.#cutting(),
        ...(await this.#asked(round)),
        verify: false,
        recalibrate: false,
        repair: false,
      });
      if (!planned.removed.includes(1)) return false;
      position.chosen = { plan: planned.plan, reached: planned.reached };
      await this.#save();
    }
    const groups = this.#groups(this.#options.shrink?.heads);
    const removed = removedBy(position.chosen.plan, groups);
    while (position.growing.length < epochs) {
      const grown = position.growing.length + 1;
      const [record] = await this.#train({
        round,
        epochs: 1,
        penalty: penalizeChannels(groups, removed, (lambda * grown) / epochs),
        stage: 'sparse',
        seed: ROUND_SEED * round + GROWING_SEED * grown,
        of: { epoch: grown, epochs },
      });
      position.growing.push({ ...record!, epoch: grown, step: record!.step * grown });
      this.#inner = null;
      await this.#save();
    }
    return true;
  }

  /** How much goes in a round. */
  async #asked(round: number): Promise<ShrinkOptions> {
    const { target, shrink: own = {} } = this.#options;
    const groups = this.#groups(own.heads);
    return askedOf(target, own, {
      round,
      rounds: this.#rounds,
      groups,
      dense: this.#position.sizes,
      now: this.#budget ? await this.#measure(this.#budget.of, groups) : 0,
      final: this.#final(),
    });
  }

  /** What is budgeted, as it should be in the end. */
  #final(): number {
    if (!this.#budget) return 0;
    const { amount } = this.#budget;
    return 'share' in amount ? amount.share * this.#position.whole : amount.value;
  }

  #analysis(): Pick<ShrinkOptions, 'shapes'> {
    const shapes = this.#options.shrink?.shapes;
    return shapes ? { shapes } : {};
  }

  /** The coupled channels of the model as it is. */
  #groups(heads: 'width' | 'whole' = 'width'): ChannelGroups {
    return groupChannels(analyzeChannels(this.#model.graph, this.#analysis()), { heads });
  }

  /** How everything is cut here. */
  #cutting(): CutOptions {
    const { shrink: own = {}, data, finetune, signal } = this.#options;
    return {
      maxBatches: CALIBRATION_BATCHES,
      ...(finetune.threads === undefined ? {} : { threads: finetune.threads }),
      ...own,
      data: data.calibration ?? data.train,
      ...(signal ? { signal } : {}),
    };
  }

  /** What is budgeted, of the model as it is. */
  async #measure(of: Measured, groups: ChannelGroups): Promise<number> {
    const { shrink: own = {}, finetune, signal } = this.#options;
    const { graph } = this.#model;
    if (of === 'fileSize') return (own.measureFile ?? onnxBytes)(graph);
    if (of === 'latency')
      return own.measureLatency
        ? own.measureLatency(graph)
        : medianLatency(graph, { threads: own.threads ?? finetune.threads, signal });
    return costOf(groups, new Uint8Array(groups.unitCount))[of];
  }

  /** Training as it is asked for, with the teacher where there is one. */
  #finetune(): RoundFinetuneOptions & { readonly teacher?: GraphModule } {
    const { finetune } = this.#options;
    if (!this.#teacher) return finetune;
    return { ...finetune, teacher: this.#teacher, loss: finetune.loss ?? distillationLoss() };
  }

  #judge(): Promise<Record<string, number>> {
    return judge(this.#model, this.#options.data.validation, this.#finetune(), this.#options.signal);
  }

  #isUnderFloor(scores: Readonly<Record<string, number>>): boolean {
    return isUnderFloor(this.#options.floor, this.#position.dense, scores, 'shrinkInRounds');
  }

  #train(training: Training): Promise<readonly EpochRecord[]> {
    const { round, epochs, penalty, stage, seed, of } = training;
    const { data, signal, checkpoint, checkpointEvery, onProgress, onEpoch } = this.#options;
    const finetune = { ...this.#finetune(), epochs };
    if (stage === 'sparse') {
      // The best epoch by accuracy would be that in which the penalty has done least.
      delete finetune.restoreBest;
      delete finetune.earlyStopping;
    }
    // A schedule over a single epoch would bring its rate to nothing each time.
    if (of) delete finetune.scheduler;
    // The trainer's checkpoint is a part of this run's.
    const store: CheckpointStore = {
      read: async () => this.#inner,
      write: async (chunks) => {
        const bytes = concatBytes(chunks);
        // Averages are known to a trainer once it has made a step: going on from its very end, it would end without them.
        if (finetune.ema && isOver(parseCheckpoint(bytes), finetune)) return;
        this.#inner = bytes;
        await this.#save();
      },
    };
    return trainRound({
      model: this.#model,
      finetune,
      data,
      round,
      seedOffset: seed,
      ...(penalty ? { regularizers: [penalty] } : {}),
      checkpoint: checkpoint ? store : null,
      checkpointEvery,
      signal,
      onProgress:
        onProgress && ((progress) => onProgress({ ...progress, ...of, round, rounds: this.#rounds, stage })),
      onEpoch:
        onEpoch && ((record) => onEpoch({ ...record, ...(of ? { epoch: of.epoch } : {}) }, { round, stage })),
    });
  }

  #keep(): void {
    this.#kept = { plans: this.#position.plans.length, tensors: modelTensors(this.#model, KEPT) };
  }

  /** Takes the model of the last round that was not under the floor. */
  async #goBack(): Promise<void> {
    this.#position.plans = this.#position.plans.slice(0, this.#kept.plans);
    this.#model = await this.#rebuilt(this.#position.plans);
    loadModelTensors(this.#model, this.#kept.tensors, KEPT);
  }

  /** The architecture that plans lead to; its weights are those that went in. */
  async #rebuilt(plans: readonly Plan[]): Promise<GraphModule> {
    let model = this.#fresh();
    for (const plan of plans) {
      const { graph } = await applyPlan(model, plan, { ...this.#analysis(), verify: false });
      model = fromGraph(graph);
    }
    return model;
  }

  /** Adds up wall time. */
  #lap(): void {
    const now = performance.now();
    this.#position.seconds += (now - this.#mark) / 1000;
    this.#mark = now;
  }

  async #save(): Promise<void> {
    const { checkpoint } = this.#options;
    if (!checkpoint) return;
    this.#lap();
    const tensors = new Map(this.#kept.tensors);
    const inner = this.#inner ? parseCheckpoint(this.#inner) : null;
    if (!inner) for (const [name, tensor] of modelTensors(this.#model)) tensors.set(name, tensor);
    else for (const [name, tensor] of inner.tensors) tensors.set(`${ROUND}${name}`, tensor);
    const meta: Record<string, Json> = {
      shrink: this.#position as unknown as Json,
      kept: this.#kept.plans,
      options: shrinkSettings(this.#options),
      trainer: inner?.meta ?? null,
    };
    await checkpoint.write(serializeCheckpoint({ tensors, meta }));
  }

  async #restore({ tensors, meta }: Checkpoint): Promise<void> {
    if (!meta.shrink)
      throw new ArgumentError('shrinkInRounds: the checkpoint is none of a structural run; use another file');
    checkSettings(meta.options, shrinkSettings(this.#options), 'shrinkInRounds');
    this.#position = restoredPosition(meta.shrink);
    this.#model = await this.#rebuilt(this.#position.plans);
    const own = new Map(
      [...tensors].flatMap(([name, tensor]) =>
        name.startsWith(ROUND) ? [[name.slice(ROUND.length), tensor] as const] : [],
      ),
    );
    if (meta.trainer) {
      const trainer = meta.trainer as Checkpoint['meta'];
      this.#inner = concatBytes(serializeCheckpoint({ tensors: own, meta: trainer }));
    }
    loadModelTensors(this.#model, meta.trainer ? own : tensors);
    this.#kept = {
      plans: Number(meta.kept),
      tensors: new Map([...tensors].filter(([name]) => name.startsWith(KEPT))),
    };
  }
}

/** One training within a run. */
interface Training {
  readonly round: number;
  readonly epochs: number;
  readonly penalty?: Regularizer;
  readonly stage: 'sparse' | 'fine-tune';
  /** Added to the seed. */
  readonly seed: number;
  /** Where it is an epoch of several that are trained one by one: which, of how many. */
  readonly of?: { readonly epoch: number; readonly epochs: number };
}
