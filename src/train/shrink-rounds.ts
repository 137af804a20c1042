import { ArgumentError } from '../core/errors.ts';
import type { Tensor } from '../core/tensor.ts';
import { concatBytes } from '../io/index.ts';
import { cloneGraph, Graph } from '../ir/index.ts';
import { fromGraph, type GraphModule } from '../nn/index.ts';
import {
  analyzeChannels,
  applyPlan,
  costOf,
  groupChannels,
  type ModelCost,
  medianLatency,
  onnxBytes,
  type Plan,
  parsePlan,
  removedBy,
  type ShrinkOptions,
  type Shrunk,
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
import { checkSettings, type FinetuneOptions } from './iterate-options.ts';
import { distillationLoss, type Regularizer } from './objective.ts';
import { groupLasso, l1Scales } from './regularizers.ts';
import { isUnderFloor, judge, trainRound } from './round.ts';
import {
  askedOf,
  budgetOf,
  checkShrinkRounds,
  type Measured,
  type ShrinkHistory,
  type ShrinkRoundRecord,
  type ShrinkRoundsOptions,
  shrinkSettings,
} from './shrink-rounds-options.ts';

/** What is remembered between rounds, as plain data. */
interface Position {
  dense: Record<string, number>;
  denseCost: ModelCost;
  /** Of what is budgeted: the dense model's, for shares of it. */
  whole: number;
  sparse: EpochRecord[] | null;
  rounds: ShrinkRoundRecord[];
  /** All cuts so far, that of the round under way included. */
  plans: Plan[];
  /** Of the round under way: epochs of growing regularization, and what was found once it was cut. */
  growing: number;
  /** What is going to be cut while the penalty on it grows. */
  chosen: Plan | null;
  cut: Pick<ShrinkRoundRecord, 'before' | 'cost' | 'verified' | 'whyNot'> | null;
  seconds: number;
  ended: ShrinkHistory['ended'] | null;
}

/** How the names of the kept model's tensors begin in checkpoints, and those of the trainer's own. */
const KEPT = 'kept/';
const ROUND = 'round/';

/** Batches of the training data for what looks at data while it cuts, where nothing else is said. */
const CALIBRATION_BATCHES = 16;

/**
 * Makes a model smaller in rounds: ranks and cuts channels, computes the statistics of batch norm anew, fine-tunes, and again, until the target is met or a round falls under the floor: then it is the model of the round before.
 * Where asked, sparse training comes first, and the dense model teaches. A run that was killed goes on from its checkpoint to the same weights, bit for bit.
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
 * Throws ArgumentError for options that cannot be and for a checkpoint of another run, the reason of `signal`, and what cutting and training throw.
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
  #teacher: GraphModule | null = null;
  #position: Position;
  /** The last model that is not under the floor, and how many of the plans led to it. */
  #kept: { plans: number; tensors: ReadonlyMap<string, Tensor> } = { plans: 0, tensors: new Map() };
  /** The trainer's own checkpoint of the training under way. */
  #inner: Uint8Array | null = null;
  #mark = performance.now();

  constructor(options: ShrinkRoundsOptions) {
    this.#options = options;
    this.#original = options.model instanceof Graph ? options.model : options.model.graph;
    this.#rounds = options.rounds ?? 3;
    this.#budget = budgetOf(options.target);
    this.#model = this.#fresh();
    this.#position = {
      dense: {},
      denseCost: { parameters: 0, macs: 0, weightBytes: 0 },
      whole: 0,
      sparse: null,
      rounds: [],
      plans: [],
      growing: 0,
      chosen: null,
      cut: null,
      seconds: 0,
      ended: null,
    };
  }

  async run(): Promise<{ readonly model: GraphModule; readonly history: ShrinkHistory }> {
    await this.#begin();
    const position = this.#position;
    if (position.ended === null && position.sparse === null) await this.#sparse(position);
    while (position.ended === null) await this.#round(position);
    this.#inner = null;
    await this.#save();
    const best = position.rounds.findLast(({ kept }) => kept)?.round ?? 0;
    return {
      model: this.#model,
      history: {
        dense: position.dense,
        denseCost: position.denseCost,
        sparse: position.sparse ?? [],
        rounds: position.rounds,
        plans: position.plans,
        ended: position.ended ?? 'target',
        best,
      },
    };
  }

  /** A copy of the model that went in. */
  #fresh(): GraphModule {
    return fromGraph(cloneGraph(this.#original, { tensors: 'copy' }).graph);
  }

  async #begin(): Promise<void> {
    const { checkpoint, resume = true, distill } = this.#options;
    if (distill) this.#teacher = this.#fresh();
    const bytes = checkpoint && resume ? await checkpoint.read() : null;
    if (bytes) {
      await this.#restore(parseCheckpoint(bytes));
      return;
    }
    const position = this.#position;
    position.dense = await this.#judge();
    position.denseCost = this.#cost();
    position.whole = this.#budget ? await this.#measure(this.#budget.of) : 0;
    this.#keep();
    if (this.#isUnderFloor(position.dense))
      throw new ArgumentError('shrinkInRounds: the model is under the floor before anything is cut');
  }

  async #sparse(position: Position): Promise<void> {
    const { sparse } = this.#options;
    if (sparse && sparse.method !== 'growing') {
      const penalty: Regularizer =
        sparse.method === 'slimming' ? l1Scales(sparse.lambda) : groupLasso(sparse.lambda);
      position.sparse = [...(await this.#train(0, sparse.epochs, [penalty], 'sparse'))];
    } else position.sparse = [];
    this.#inner = null;
    this.#keep();
    await this.#save();
  }

  async #round(position: Position): Promise<void> {
    const round = position.rounds.length + 1;
    this.#options.signal?.throwIfAborted();
    if (position.cut === null) {
      if (this.#options.sparse?.method === 'growing') await this.#grow(position, round);
      if (!(await this.#cut(position, round))) {
        position.ended = 'nothing to cut';
        return;
      }
    }
    const epochs = await this.#train(round, this.#options.finetune.epochs, [], 'fine-tune');
    const after = await this.#judge();
    const kept = !this.#isUnderFloor(after);
    this.#lap();
    const record: ShrinkRoundRecord = {
      round,
      ...position.cut!,
      after,
      epochs,
      kept,
      seconds: position.seconds,
    };
    position.rounds.push(record);
    position.cut = null;
    position.chosen = null;
    position.growing = 0;
    position.seconds = 0;
    this.#inner = null;
    if (!kept) {
      await this.#goBack();
      position.ended = 'floor';
    } else {
      this.#keep();
      if (round >= this.#rounds) position.ended = 'target';
    }
    this.#options.onRound?.(record);
    await this.#save();
  }

  /** Cuts for a round and judges what is left. False where nothing could be cut. */
  async #cut(position: Position, round: number): Promise<boolean> {
    const { chosen } = position;
    const cut = chosen
      ? await applyPlan(this.#model, chosen, this.#cutting())
      : await shrink(this.#model, { ...(await this.#asked(round)), ...this.#cutting() });
    if (!cut.removed.includes(1)) return false;
    this.#model = fromGraph(cut.graph);
    position.plans.push(cut.plan);
    position.cut = {
      cost: cut.after,
      before: await this.#judge(),
      verified: cut.verification?.checked ?? null,
      whyNot: cut.whyNot,
    };
    if (cut.verification && !cut.verification.equal)
      throw new ArgumentError(
        `shrinkInRounds: the cut of round ${round} is not proven: ${cut.verification.checked}`,
      );
    await this.#save();
    return true;
  }

  /** Chooses what will be cut, and lets a penalty on it grow, an epoch each. */
  async #grow(position: Position, round: number): Promise<void> {
    const { epochs, lambda } = this.#options.sparse!;
    if (position.chosen === null) {
      const planned = await this.#planned(round);
      position.chosen = planned.plan;
      await this.#save();
    }
    const { chosen } = position;
    while (position.growing < epochs) {
      const groups = groupChannels(analyzeChannels(this.#model.graph, this.#analysis()), {
        heads: this.#options.shrink?.heads ?? 'width',
      });
      const removed = removedBy(chosen!, groups);
      const share = (position.growing + 1) / epochs;
      const penalty = penalizeChannels(groups, removed, lambda * share);
      await this.#train(1000 * round + position.growing, 1, [penalty], 'sparse');
      position.growing++;
      this.#inner = null;
      await this.#save();
    }
  }

  async #planned(round: number): Promise<Shrunk> {
    return shrink(this.#model, {
      ...(await this.#asked(round)),
      ...this.#cutting(),
      verify: false,
      recalibrate: false,
      repair: false,
    });
  }

  /** How much goes in a round. */
  async #asked(round: number): Promise<ShrinkOptions> {
    const { target } = this.#options;
    const left = this.#rounds - round + 1;
    if (!this.#budget) return askedOf(target, left, this.#rounds, 0, 0);
    const { of, amount } = this.#budget;
    const final = 'share' in amount ? amount.share * this.#position.whole : amount.value;
    const now = of === 'latency' || of === 'fileSize' ? await this.#measure(of) : this.#cost()[of];
    return askedOf(target, left, this.#rounds, now, Math.min(final, now));
  }

  #analysis(): Pick<ShrinkOptions, 'shapes'> {
    const shapes = this.#options.shrink?.shapes;
    return shapes ? { shapes } : {};
  }

  /** How everything is cut here. */
  #cutting(): Omit<ShrinkOptions, 'ratio' | Measured> {
    const { shrink: own = {}, data, finetune, signal } = this.#options;
    return {
      maxBatches: CALIBRATION_BATCHES,
      ...(finetune.threads === undefined ? {} : { threads: finetune.threads }),
      ...own,
      data: data.train,
      ...(signal ? { signal } : {}),
    };
  }

  async #measure(of: Measured): Promise<number> {
    const { shrink: own = {}, finetune, signal } = this.#options;
    const { graph } = this.#model;
    if (of === 'fileSize') return (own.measureFile ?? onnxBytes)(graph);
    if (of === 'latency')
      return own.measureLatency
        ? own.measureLatency(graph)
        : medianLatency(graph, { threads: own.threads ?? finetune.threads, signal });
    return this.#cost()[of];
  }

  #cost(): ModelCost {
    const groups = groupChannels(analyzeChannels(this.#model.graph, this.#analysis()));
    return costOf(groups, new Uint8Array(groups.unitCount));
  }

  /** Fine-tuning as it is asked for, with the teacher where there is one. */
  #finetune(): Omit<FinetuneOptions, 'rewind'> {
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

  #train(
    round: number,
    epochs: number,
    regularizers: readonly Regularizer[],
    stage: 'sparse' | 'fine-tune',
  ): Promise<readonly EpochRecord[]> {
    const { data, signal, checkpoint, checkpointEvery, onProgress } = this.#options;
    // The trainer's checkpoint is a part of this run's.
    const store: CheckpointStore = {
      read: async () => this.#inner,
      write: async (chunks) => {
        this.#inner = concatBytes(chunks);
        await this.#save();
      },
    };
    return trainRound({
      model: this.#model,
      finetune: this.#finetune(),
      data,
      round,
      epochs,
      regularizers,
      checkpoint: checkpoint ? store : null,
      checkpointEvery,
      signal,
      onProgress:
        onProgress && ((progress) => onProgress({ ...progress, round, rounds: this.#rounds, stage })),
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
    const position = meta.shrink as unknown as Position;
    this.#position = {
      ...position,
      plans: position.plans.map((plan) => parsePlan(plan)),
      chosen: position.chosen && parsePlan(position.chosen),
    };
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
