import { ArgumentError } from '../core/errors.ts';
import type { Tensor } from '../core/tensor.ts';
import type { DataLoader } from '../data/index.ts';
import type { AnyModule, Parameter } from '../nn/index.ts';
import {
  type Checkpoint,
  type CheckpointStore,
  type Json,
  loadModelTensors,
  modelTensors,
  parseCheckpoint,
  serializeCheckpoint,
} from './checkpoint.ts';
import { Evaluator, type Judge, judgeInEvaluation } from './evaluate.ts';
import type { EpochRecord, History, Progress } from './history.ts';
import { Averages, type Metric, type MetricSum, metricsOf } from './metrics.ts';
import { type MonitorSettings, monitoredOf, monitorSettings } from './monitor.ts';
import { type LossFunction, lossFunction, type Regularizer } from './objective.ts';
import type { Optimizer } from './optimizers/index.ts';
import { TrainStep } from './train-step.ts';

/** A learning-rate schedule: those of this room, or anything alike. */
export interface Scheduler {
  /** Sets the learning rates for the next step or epoch; plateau schedules look at the metric. */
  step(metric?: number): void;
  stateDict(): object;
  loadStateDict(state: never): void;
}

/** Something that takes part in training: a gradual pruning method, a log. What it remembers goes into checkpoints. */
export interface TrainingCallback {
  /** Name under which its state is kept. */
  readonly name: string;
  /** Before the first batch of a run, resumed or not. */
  onStart?(trainer: Trainer): void | Promise<void>;
  /** After each update. `gradients` holds the dense gradients asked for. */
  onStep?(trainer: Trainer, gradients: ReadonlyMap<Parameter, Tensor>): void | Promise<void>;
  /** After each epoch, its validation included. */
  onEpoch?(trainer: Trainer, record: EpochRecord): void | Promise<void>;
  /** Pruned parameters whose dense gradients it wants at every step. */
  readonly dense?: readonly Parameter[];
  /** Parameters whose movement it wants summed up. */
  readonly movement?: readonly Parameter[];
  stateDict?(): Json;
  loadStateDict?(state: Json): void;
}

/** How a model is trained. */
export interface TrainerOptions {
  readonly optimizer: Optimizer;
  /** A function, or a name such as `crossEntropy`, the default. */
  readonly loss?: LossFunction | string;
  /** Beside the loss and its parts; `accuracy` by default. */
  readonly metrics?: readonly string[] | Readonly<Record<string, Metric>>;
  readonly scheduler?: Scheduler | null;
  /** When the schedule moves on: after each `epoch`, the default, after each `step` that updated the weights, or each `batch`. */
  readonly schedulerInterval?: 'epoch' | 'step' | 'batch';
  /** A model to learn from; see `distillationLoss`. It is not trained. */
  readonly teacher?: AnyModule | null;
  readonly regularizers?: readonly Regularizer[];
  /** Batches for one update; 1 by default. A number takes the mean of their gradients; a function, of the number of batches seen before, their sum. */
  readonly accumulate?: number | ((batch: number) => number);
  /** Largest norm of all gradients together. */
  readonly clipGradNorm?: number;
  /** Largest absolute value of a gradient's entries. */
  readonly clipGradValue?: number;
  /** Decay of a moving average of the weights, by which validation then goes and with which the run ends: a number, or a function of the step. */
  readonly ema?: number | ((step: number) => number) | null;
  readonly callbacks?: readonly TrainingCallback[];
  /** Dropout follows from it. Order and transforms of the data follow from the loader's seed. Default 0. */
  readonly seed?: number;
  readonly threads?: number;
}

/** How long a model is trained, and what is done on the way. */
export interface FitOptions {
  readonly epochs: number;
  /** Data to judge the model on after each epoch, or a function that judges it; the model holds the averages then, where `ema`. */
  readonly validation?: DataLoader | Judge | null;
  /** Number by which epochs are compared: a metric of the validation, or `loss`. By default the first metric, or the first number that the function gives. */
  readonly monitor?: string;
  /** Whether more or less of it is better; `min` for `loss`, else `max`. */
  readonly mode?: 'min' | 'max';
  /** Ends the run after `patience` epochs without an improvement by more than `minDelta`. */
  readonly earlyStopping?: { readonly patience: number; readonly minDelta?: number } | null;
  /** Ends with the weights of the best epoch; default false. */
  readonly restoreBest?: boolean;
  /** Where checkpoints go: after each epoch, and every `checkpointEvery` batches. */
  readonly checkpoint?: CheckpointStore | null;
  readonly checkpointEvery?: number;
  /** Goes on from the checkpoint, if there is one; default true. */
  readonly resume?: boolean;
  /** Stops after the batch under way, writes a checkpoint, and throws the signal's reason. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
  readonly onEpoch?: (record: EpochRecord) => void;
}

/** What a run remembers between batches. */
interface Run {
  epoch: number;
  batch: number;
  /** Learning rate at the beginning of the epoch. */
  lr: number;
  averages: Averages;
  epochs: EpochRecord[];
  losses: [number, number][];
  /** Loss since the last point of the curve. */
  since: { sum: number; count: number };
  best: { epoch: number; value: number } | null;
  bestTensors: ReadonlyMap<string, Tensor> | null;
  /** Epochs without an improvement. */
  stale: number;
}

/** Points of the loss curve at most. */
const MOST_POINTS = 1000;

/**
 * Trains a model: epochs, validation, schedule, checkpoints, early stopping. A run is a function of the model's tensors, the data and the seeds; one that was killed and resumed from its checkpoint ends with the
 * same weights, bit for bit, as one that was not. What is pruned stays exactly zero.
 *
 * ```ts
 * const model = new LeNet5();
 * const trainer = new Trainer(model, { optimizer: new SGD(model.parameters(), { lr: 0.05, momentum: 0.9 }) });
 * const history = await trainer.fit(new DataLoader(train, { batchSize: 64, shuffle: true }), { epochs: 5, validation });
 * await trainer.dispose();
 * ```
 */
export class Trainer {
  readonly model: AnyModule;
  readonly optimizer: Optimizer;
  /** The steps themselves, for callbacks. */
  readonly step: TrainStep;
  readonly #options: TrainerOptions;
  readonly #metrics: Readonly<Record<string, Metric>>;
  readonly #callbacks: readonly TrainingCallback[];
  readonly #evaluator: Evaluator;

  /** Throws ArgumentError where options contradict each other. */
  constructor(model: AnyModule, options: TrainerOptions) {
    const { ema = null, callbacks = [], accumulate = 1 } = options;
    if (typeof accumulate === 'number' && (!Number.isInteger(accumulate) || accumulate < 1)) {
      throw new ArgumentError(`Trainer: accumulate expects a whole number of at least 1, got ${accumulate}`);
    }
    if (typeof ema === 'number' && !(ema >= 0 && ema < 1)) {
      throw new ArgumentError(`Trainer: ema expects a decay in [0, 1), got ${ema}`);
    }
    this.model = model;
    this.optimizer = options.optimizer;
    this.#options = options;
    this.#metrics = metricsOf(options.metrics ?? ['accuracy']);
    this.#callbacks = callbacks;
    const loss = lossFunction(options.loss ?? 'crossEntropy');
    this.step = new TrainStep(model, {
      ...options,
      loss,
      emaDecay: typeof ema === 'number' ? () => ema : ema,
      dense: [...new Set(callbacks.flatMap(({ dense = [] }) => dense))],
      movement: [...new Set(callbacks.flatMap(({ movement = [] }) => movement))],
    });
    this.#evaluator = new Evaluator(model, {
      loss,
      metrics: this.#metrics,
      teacher: options.teacher ?? null,
      ...(options.threads === undefined ? {} : { threads: options.threads }),
    });
  }

  /**
   * Trains until the given number of epochs is reached, those of an earlier run that is resumed included. The model then holds the trained weights (averages where `ema`).
   *
   * Throws NonFiniteError where the loss is not finite, ArgumentError where options do not fit, the reason of `signal`, and what the data and the engine throw; the model is in sync with the last step then.
   */
  async fit(loader: DataLoader, options: FitOptions): Promise<History> {
    const settings = monitorSettings(options, this.#metrics);
    if (loader.length === 0) throw new ArgumentError('Trainer.fit: the data has no batch');
    const run = await this.#begin(options);
    const every = Math.max(1, Math.ceil((options.epochs * loader.length) / MOST_POINTS));
    let ended: History['ended'] = 'epochs';
    try {
      for (const callback of this.#callbacks) await callback.onStart?.(this);
      while (run.epoch < options.epochs) {
        if (options.earlyStopping && run.stale >= options.earlyStopping.patience) {
          ended = 'early-stopping';
          break;
        }
        await this.#epoch(loader, options, settings, run, every);
      }
    } finally {
      this.step.sync();
    }
    await this.#finish(options, run);
    return { epochs: run.epochs, losses: run.losses, best: run.best, ended };
  }

  /** Mean loss and metrics over a loader, or what a function says of the model; of the averages where `ema`. Throws as `Evaluator.evaluate`, and as the function. */
  async evaluate(validation: DataLoader | Judge): Promise<Record<string, number>> {
    return this.step.withAverages(() =>
      typeof validation === 'function'
        ? judgeInEvaluation(validation, this.model)
        : this.#evaluator.evaluate(validation),
    );
  }

  /** Frees the engine's memory. The model is in sync. */
  async dispose(): Promise<void> {
    await this.step.dispose();
    await this.#evaluator.dispose();
  }

  async #epoch(
    loader: DataLoader,
    options: FitOptions,
    settings: MonitorSettings,
    run: Run,
    every: number,
  ): Promise<void> {
    const begin = performance.now();
    if (run.batch === 0) run.lr = this.optimizer.paramGroups[0]!.lr;
    const progress = (phase: Progress['phase']): void => {
      options.onProgress?.({
        phase,
        epoch: run.epoch + 1,
        epochs: options.epochs,
        batch: run.batch,
        batches: loader.length,
        step: this.step.steps,
        means: run.averages.means,
        lr: this.optimizer.paramGroups[0]!.lr,
      });
    };
    for await (const { input, target } of loader.batches({ epoch: run.epoch, from: run.batch })) {
      if (options.signal?.aborted) {
        await this.#save(options, run);
        options.signal.throwIfAborted();
      }
      await this.#batch(input, target, run, every);
      run.batch++;
      progress('train');
      // The end of the epoch writes one anyway.
      const due = options.checkpointEvery !== undefined && run.batch % options.checkpointEvery === 0;
      if (due && run.batch < loader.length) await this.#save(options, run);
    }
    progress('validate');
    const validation = options.validation ? await this.evaluate(options.validation) : null;
    const { scheduler, schedulerInterval = 'epoch' } = this.#options;
    const monitored = monitoredOf(settings.monitor, validation, run.averages.means);
    if (schedulerInterval === 'epoch') scheduler?.step(monitored);
    const record: EpochRecord = {
      epoch: run.epoch + 1,
      step: this.step.steps,
      lr: run.lr,
      train: run.averages.means,
      validation,
      seconds: (performance.now() - begin) / 1000,
    };
    run.epochs.push(record);
    await this.#compare(options, settings, run, monitored);
    run.epoch++;
    run.batch = 0;
    run.averages = new Averages();
    for (const callback of this.#callbacks) await callback.onEpoch?.(this, record);
    options.onEpoch?.(record);
    await this.#save(options, run);
  }

  async #batch(input: Tensor, target: Tensor, run: Run, every: number): Promise<void> {
    const before = this.step.steps;
    const { loss, parts, outputs, dense } = await this.step.run([input], target);
    const count = input.shape[0] ?? 1;
    for (const [name, value] of Object.entries({ loss, ...parts }))
      run.averages.add(name, { sum: value * count, count });
    for (const [name, metric] of Object.entries(this.#metrics))
      run.averages.add(name, metric(outputs[0]!, target));
    run.since = { sum: run.since.sum + loss, count: run.since.count + 1 };
    if (run.since.count >= every) {
      run.losses.push([this.step.batches, run.since.sum / run.since.count]);
      run.since = { sum: 0, count: 0 };
    }
    if (this.#options.schedulerInterval === 'batch') this.#options.scheduler?.step();
    if (this.step.steps === before) return;
    if (this.#options.schedulerInterval === 'step') this.#options.scheduler?.step();
    for (const callback of this.#callbacks) await callback.onStep?.(this, dense);
  }

  async #compare(
    options: FitOptions,
    { mode, minDelta }: MonitorSettings,
    run: Run,
    value: number,
  ): Promise<void> {
    if (!options.validation) return;
    const { best } = run;
    const better =
      best === null || (mode === 'max' ? value > best.value + minDelta : value < best.value - minDelta);
    if (!better) {
      run.stale++;
      return;
    }
    run.stale = 0;
    run.best = { epoch: run.epoch + 1, value };
    // Those that were judged: averages, where there are some.
    if (options.restoreBest)
      run.bestTensors = await this.step.withAverages(async () => modelTensors(this.model, 'best/'));
  }

  async #begin(options: FitOptions): Promise<Run> {
    const fresh: Run = {
      epoch: 0,
      batch: 0,
      lr: 0,
      averages: new Averages(),
      epochs: [],
      losses: [],
      since: { sum: 0, count: 0 },
      best: null,
      bestTensors: null,
      stale: 0,
    };
    if (!options.checkpoint || options.resume === false) return fresh;
    const bytes = await options.checkpoint.read();
    return bytes === null ? fresh : this.#restore(parseCheckpoint(bytes));
  }

  #restore({ tensors, meta }: Checkpoint): Run {
    const saved = meta as unknown as SavedRun;
    if (saved.optimizerName !== this.optimizer.name) {
      throw new ArgumentError(
        `Trainer.fit: the checkpoint was written with ${saved.optimizerName}, this run has ${this.optimizer.name}; use another checkpoint file or resume: false`,
      );
    }
    loadModelTensors(this.model, tensors);
    this.optimizer.loadStateDict(saved.optimizer);
    if (saved.scheduler !== null) this.#options.scheduler?.loadStateDict(saved.scheduler as never);
    this.step.loadState(within(tensors, 'state/'), saved.counts);
    for (const callback of this.#callbacks) {
      const state = saved.callbacks[callback.name];
      if (state !== undefined) callback.loadStateDict?.(state);
    }
    const best = new Map([...tensors].filter(([name]) => name.startsWith('best/')));
    return {
      ...saved.run,
      epochs: [...saved.run.epochs],
      losses: [...saved.run.losses],
      averages: new Averages(saved.run.averages),
      bestTensors: best.size > 0 ? best : null,
    };
  }

  async #save(options: FitOptions, run: Run): Promise<void> {
    if (!options.checkpoint) return;
    this.step.sync();
    const tensors = modelTensors(this.model);
    for (const [name, tensor] of this.step.stateTensors()) tensors.set(`state/${name}`, tensor);
    for (const [name, tensor] of run.bestTensors ?? []) tensors.set(name, tensor);
    const { bestTensors: _, averages, ...rest } = run;
    const saved: SavedRun = {
      optimizerName: this.optimizer.name,
      optimizer: this.optimizer.stateDict(),
      scheduler: this.#options.scheduler?.stateDict() ?? null,
      counts: { batches: this.step.batches, pending: this.step.pending },
      callbacks: Object.fromEntries(
        this.#callbacks.flatMap((callback) =>
          callback.stateDict ? [[callback.name, callback.stateDict()]] : [],
        ),
      ),
      run: { ...rest, averages: averages.toJSON() },
    };
    await options.checkpoint.write(
      serializeCheckpoint({ tensors, meta: saved as unknown as Checkpoint['meta'] }),
    );
  }

  /** Averages and best weights go into the model, when all is done. */
  async #finish(options: FitOptions, run: Run): Promise<void> {
    if (options.restoreBest && run.bestTensors) {
      loadModelTensors(this.model, run.bestTensors, 'best/');
      this.step.reload({ averages: true });
    } else if (this.#options.ema) {
      const averages = await this.step.withAverages(async () => modelTensors(this.model));
      loadModelTensors(this.model, averages);
      this.step.reload();
    }
  }
}

/** The plain data of a checkpoint. */
interface SavedRun {
  readonly optimizerName: string;
  readonly optimizer: ReturnType<Optimizer['stateDict']>;
  readonly scheduler: object | null;
  readonly counts: { readonly batches: number; readonly pending: number };
  readonly callbacks: Readonly<Record<string, Json>>;
  readonly run: Omit<Run, 'averages' | 'bestTensors'> & { readonly averages: Record<string, MetricSum> };
}

/** Tensors whose names begin with a prefix, under the rest of their names. */
const within = (tensors: ReadonlyMap<string, Tensor>, prefix: string): Map<string, Tensor> =>
  new Map(
    [...tensors].flatMap(([name, tensor]) =>
      name.startsWith(prefix) ? [[name.slice(prefix.length), tensor]] : [],
    ),
  );
