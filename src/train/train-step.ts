import { NonFiniteError } from '../core/errors.ts';
import { Generator } from '../core/random.ts';
import { sizeOf, Tensor } from '../core/tensor.ts';
import type { AnyModule, InputSpec, Parameter } from '../nn/index.ts';
import { createSession, type Session, SessionCache, StateBuffers, type StateSlot } from '../runtime/index.ts';
import { loadModelTensors, modelTensors } from './checkpoint.ts';
import { firstNonFinite } from './non-finite.ts';
import { Objective } from './objective.ts';
import type { Optimizer } from './optimizers/index.ts';
import { joinParts, layOut, type Slot, splitParts } from './slots.ts';
import { buildStep, type StepGraph, type StepKind } from './step-graph.ts';
import type { StepResult, TrainStepOptions } from './train-step-options.ts';
import {
  ACCUMULATED,
  buildUpdate,
  EMA_DECAY,
  HYPER,
  type HyperPlace,
  nextName,
  stateName,
  type UpdateGraph,
  type UpdatePlan,
} from './update-graph.ts';

interface Compiled {
  readonly step: StepGraph;
  readonly session: Session;
}

interface CompiledUpdate {
  readonly update: UpdateGraph;
  readonly session: Session;
}

/** Graphs of a step kept compiled: each holds the memory of its whole forward and backward pass. */
const MOST_KEPT = 4;

/**
 * Training step by step: forward pass, loss, gradients and update are one graph and one run of the engine. Parameters, buffers and the optimizer's state live in memory that is used again from step to
 * step; `sync` copies them into the model. A graph is compiled once for each batch size; the four used last are kept. Where gradients of several batches are added up, the update is a small graph of its own.
 *
 * It holds native memory: call `dispose` when done.
 */
export class TrainStep {
  readonly model: AnyModule;
  readonly optimizer: Optimizer;
  readonly #options: TrainStepOptions;
  readonly #objective: Objective;
  readonly #slots: readonly Slot[];
  readonly #compiled = new SessionCache<Compiled>(MOST_KEPT);
  readonly #update = new SessionCache<CompiledUpdate>(1);
  #state: StateBuffers | null = null;
  /** Buffers of the model by state input, known once a graph is built. */
  #buffers: StepGraph['buffers'] = [];
  /** State that came from a checkpoint before the buffers were made. */
  readonly #loaded = new Map<string, Tensor>();
  /** Batches since the last update. */
  #pending = 0;
  /** Batches seen, which dropout's randomness follows. */
  batches = 0;

  /** Throws ArgumentError where the optimizer's parameters are not the model's. */
  constructor(model: AnyModule, options: TrainStepOptions) {
    this.model = model;
    this.optimizer = options.optimizer;
    this.#options = options;
    this.#objective = new Objective(model, options.loss, {
      teacher: options.teacher ?? null,
      regularizers: options.regularizers ?? [],
    });
    this.#slots = layOut(model, options.optimizer);
  }

  /** Updates made so far. */
  get steps(): number {
    return this.optimizer.steps;
  }

  /** Batches whose gradients wait for the next update. */
  get pending(): number {
    return this.#pending;
  }

  /** Bytes of parameters, buffers and optimizer state, both copies of each; 0 before the first step. */
  get stateBytes(): number {
    return this.#state?.byteLength ?? 0;
  }

  /**
   * Trains on one batch. Throws NonFiniteError, which names the step and the first value that is not finite, where the loss is not; nothing has changed then. Throws as `trace` where shapes do not fit.
   */
  async run(inputs: readonly Tensor[], target: Tensor): Promise<StepResult> {
    const { accumulate = 1 } = this.#options;
    const needed = typeof accumulate === 'number' ? accumulate : accumulate(this.batches);
    const { step, session } = await this.#compile([...inputs, target]);
    const feeds = this.#feeds(step, [...inputs, target]);
    const state = this.#state!;
    let loss = Number.NaN;
    const results = await session.step(feeds, state, {
      accept: (outputs) => {
        loss = outputs.get(step.loss)!.toNumbers()[0]!;
        return Number.isFinite(loss);
      },
    });
    if (!Number.isFinite(loss)) {
      const found = await firstNonFinite(
        step.graph,
        { ...feeds, ...stateFeeds(state) },
        this.#options.threads,
      );
      throw new NonFiniteError(
        `training: the loss is ${loss} in step ${this.steps + 1}; ${found}. Lower the learning rate, clip gradients (clipGradNorm), or look at the data`,
        this.steps + 1,
      );
    }
    this.batches++;
    this.#pending++;
    if (this.#pending >= needed) {
      if (this.#accumulates) await this.#applyUpdate(step, state);
      this.optimizer.steps++;
      this.#pending = 0;
    }
    return {
      loss,
      parts: Object.fromEntries(
        [...step.parts].map(([name, output]) => [name, results.get(output)!.toNumbers()[0]!]),
      ),
      outputs: step.outputs.map((name) => results.get(name)!),
      dense: new Map([...step.dense].map(([parameter, name]) => [parameter, results.get(name)!])),
    };
  }

  /** Updates the parameters by the gradients that were added up. */
  async #applyUpdate(step: StepGraph, state: StateBuffers): Promise<void> {
    const { update, session } = await this.#update.get('', () => this.#compileUpdate(step));
    await session.step(this.#updateFeeds(update.hyper), state);
  }

  async #compileUpdate({ trained, buffers }: StepGraph): Promise<CompiledUpdate> {
    const update = buildUpdate(this.#updatePlan, { slots: this.#slots, trained, buffers });
    const { threads } = this.#options;
    return { update, session: await createSession(update.graph, threads === undefined ? {} : { threads }) };
  }

  /** The graph of a step on batches of these shapes, for those who want to look at it. */
  async graph(inputs: readonly InputSpec[]): Promise<StepGraph> {
    return this.#build(inputs);
  }

  /** Copies parameters and buffers into the model. */
  sync(): void {
    const state = this.#state;
    if (!state) return;
    for (const slot of this.#slots) this.#spread(slot, state.get(slot.name));
    for (const { input, buffer } of this.#buffers) buffer.setData(state.get(input).clone().data);
  }

  /** Copies the model's parameters, masks' effect included, and buffers into the state, after they were changed from outside; `averages` begin anew from them. */
  reload({ averages = false }: { readonly averages?: boolean } = {}): void {
    const state = this.#state;
    if (!state) return;
    const put = (name: string, tensor: Tensor): void => {
      state.set(name, tensor);
      if (averages && state.has(`${name}/ema`)) state.set(`${name}/ema`, tensor);
    };
    for (const slot of this.#slots) put(slot.name, elementsOf(slot));
    for (const { input, buffer } of this.#buffers) put(input, buffer);
  }

  /**
   * Runs `body` with the moving averages in the model, and puts the trained values back. Without averages it just runs. The model is in sync afterwards.
   */
  async withAverages<T>(body: () => Promise<T>): Promise<T> {
    this.sync();
    if (!this.#options.emaDecay) return body();
    // Before the first step of a resumed run the averages are where the checkpoint was read to.
    const averages = this.stateTensors();
    const trained = modelTensors(this.model);
    for (const { name, parameter } of this.#slots.flatMap(({ parts }) => parts)) {
      const average = averages.get(`${name}/ema`);
      if (!average) continue;
      parameter.orig.setData(average.clone().data);
      parameter.refresh();
    }
    for (const [name, buffer] of this.model.namedBuffers()) {
      const average = averages.get(bufferAverage(name));
      if (average) buffer.setData(average.clone().data);
    }
    try {
      return await body();
    } finally {
      loadModelTensors(this.model, trained);
    }
  }

  /** Movement of a parameter so far; null before the first step or where it is not watched. */
  movement(parameter: Parameter): Tensor | null {
    const index = this.#options.movement?.indexOf(parameter) ?? -1;
    const name = `movement/${index}`;
    return this.#state?.has(name) ? this.#state.get(name).clone() : null;
  }

  /** Sets the optimizer's state of single entries of a parameter to 0: entries that were pruned or grown anew. `keep` is 1 where it stays. */
  resetState(parameter: Parameter, keep: Tensor): void {
    for (const slot of this.#slots) {
      for (const name of this.optimizer.stateNames(slot.group)) {
        const tensor = this.#state?.get(stateName(slot, name));
        if (!tensor) continue;
        splitParts(slot, tensor, (part, elements) => {
          if (part.parameter !== parameter) return;
          const kept = keep.float32;
          for (let i = 0; i < elements.length; i++) if (kept[i] === 0) elements[i] = 0;
        });
      }
    }
  }

  /** Tensors beside the model's that going on needs, by name: state of the optimizer by parameter, averages, gradients that wait. Copies. */
  stateTensors(): Map<string, Tensor> {
    const tensors = new Map<string, Tensor>();
    const state = this.#state;
    if (!state) return new Map(this.#loaded);
    for (const slot of this.#slots) {
      for (const name of this.#statesOf(slot)) {
        if (!state.has(stateName(slot, name))) continue;
        splitParts(slot, state.get(stateName(slot, name)), (part, elements) => {
          tensors.set(`${part.name}/${name}`, new Tensor('float32', part.parameter.shape, elements.slice()));
        });
      }
    }
    for (const { input, buffer } of this.#buffers) {
      if (state.has(`${input}/ema`))
        tensors.set(bufferAverage(this.#nameOf(buffer)), state.get(`${input}/ema`).clone());
    }
    for (const name of state.names) {
      if (name.startsWith('movement/')) tensors.set(name, state.get(name).clone());
    }
    return tensors;
  }

  /** Takes back what `stateTensors` gave, and the numbers of batches; the model's tensors are to be loaded before. */
  loadState(
    tensors: ReadonlyMap<string, Tensor>,
    counts: { readonly batches: number; readonly pending: number },
  ): void {
    this.#loaded.clear();
    for (const [name, tensor] of tensors) this.#loaded.set(name, tensor);
    this.batches = counts.batches;
    this.#pending = counts.pending;
    if (this.#state) {
      this.reload();
      for (const { input, initial } of this.#stateSlots())
        if (!input.startsWith('buffer/') || input.endsWith('/ema')) this.#state.set(input, initial);
    }
  }

  /** Frees the engine's memory. The model is brought in sync before. */
  async dispose(): Promise<void> {
    this.sync();
    await this.#compiled.dispose();
    await this.#update.dispose();
  }

  #nameOf(buffer: Tensor): string {
    for (const [name, own] of this.model.namedBuffers()) if (own === buffer) return name;
    return '';
  }

  #spread(slot: Slot, tensor: Tensor): void {
    splitParts(slot, tensor, ({ parameter }, elements) => {
      parameter.orig.setData(elements.slice());
      parameter.refresh();
    });
  }

  #statesOf(slot: Slot): string[] {
    const { emaDecay } = this.#options;
    return [
      ...this.optimizer.stateNames(slot.group),
      ...(this.#accumulates ? [ACCUMULATED] : []),
      ...(emaDecay ? ['ema'] : []),
    ];
  }

  get #accumulates(): boolean {
    const { accumulate = 1 } = this.#options;
    return typeof accumulate === 'function' || accumulate > 1;
  }

  get #updatePlan(): UpdatePlan {
    const { clipGradNorm, clipGradValue, emaDecay } = this.#options;
    return {
      optimizer: this.optimizer,
      clipping: {
        ...(clipGradNorm === undefined ? {} : { norm: clipGradNorm }),
        ...(clipGradValue === undefined ? {} : { value: clipGradValue }),
      },
      ema: Boolean(emaDecay),
    };
  }

  #build(inputs: readonly InputSpec[]): StepGraph {
    const { accumulate = 1, dense = [], movement = [] } = this.#options;
    const kind: StepKind = this.#accumulates ? 'accumulate' : 'update';
    return buildStep({
      ...this.#updatePlan,
      objective: this.#objective,
      slots: this.#slots,
      kind,
      share: typeof accumulate === 'number' ? 1 / accumulate : 1,
      dense,
      movement,
      inputs,
    });
  }

  async #compile(inputs: readonly Tensor[]): Promise<Compiled> {
    // Which parameters are masked is built in; what the masks hold is fed.
    const masked = this.#slots.map(({ parts }) =>
      parts.map(({ parameter }) => (parameter.mask ? 1 : 0)).join(''),
    );
    const key = `${inputs.join(' ')} ${masked.join('')}`;
    return this.#compiled.get(key, () => this.#compileNow(inputs));
  }

  async #compileNow(inputs: readonly Tensor[]): Promise<Compiled> {
    const step = this.#build(inputs);
    const { threads } = this.#options;
    const session = await createSession(step.graph, {
      blocked: true,
      plannedMemory: false,
      ...(threads === undefined ? {} : { threads }),
    });
    if (!this.#state) {
      this.#buffers = step.buffers;
      this.#state = new StateBuffers(this.#stateSlots());
    }
    return { step, session };
  }

  /** Every value that steps hand on, with where it starts: the model's elements, what a checkpoint held, or zeros. */
  #stateSlots(): StateSlot[] {
    const slots: StateSlot[] = [];
    const add = (input: string, initial: Tensor): void => {
      slots.push({ input, output: nextName(input), initial });
    };
    for (const slot of this.#slots) {
      add(slot.name, elementsOf(slot));
      for (const name of this.#statesOf(slot)) {
        add(
          stateName(slot, name),
          joinParts(slot, (part) => {
            const loaded = this.#loaded.get(`${part.name}/${name}`);
            if (loaded) return loaded.float32;
            // Averages start from the parameters.
            return name === 'ema' ? part.parameter.orig.float32 : new Float32Array(part.parameter.size);
          }),
        );
      }
    }
    for (const { input, buffer } of this.#buffers) {
      add(input, buffer);
      const average = `${input}/ema`;
      if (this.#options.emaDecay && buffer.dtype === 'float32')
        add(average, this.#loaded.get(bufferAverage(this.#nameOf(buffer))) ?? buffer);
    }
    this.#options.movement?.forEach((parameter, index) => {
      const name = `movement/${index}`;
      add(name, this.#loaded.get(name) ?? Tensor.zeros('float32', parameter.shape));
    });
    return slots;
  }

  #feeds(step: StepGraph, batch: readonly Tensor[]): Record<string, Tensor> {
    const feeds: Record<string, Tensor> = {};
    step.batchInputs.forEach((name, index) => {
      feeds[name] = batch[index]!;
    });
    for (const [name, parameter] of step.masks) feeds[name] = parameter.mask!;
    if (step.random.length > 0) {
      const generator = new Generator(randomSeed(this.#options.seed ?? 0, this.batches));
      for (const { name, shape } of step.random) {
        feeds[name] = new Tensor('float32', shape, generator.rand(sizeOf(shape)));
      }
    }
    return this.#accumulates ? feeds : { ...feeds, ...this.#updateFeeds(step.hyper) };
  }

  /** What an update reads beside the state. */
  #updateFeeds(places: readonly HyperPlace[]): Record<string, Tensor> {
    const numbers = this.optimizer.paramGroups.map((group) => this.optimizer.hyperparameters(group));
    const hyper = Float32Array.from(places, ({ group, name }) => numbers[group]![name]!);
    const { emaDecay } = this.#options;
    return {
      [HYPER]: new Tensor('float32', [hyper.length], hyper),
      ...(emaDecay ? { [EMA_DECAY]: Tensor.full([], emaDecay(this.steps + 1)) } : {}),
    };
  }
}

/** The elements of a slot as the model has them, before masking. */
const elementsOf = (slot: Slot): Tensor => joinParts(slot, ({ parameter }) => parameter.orig.float32);

/** State as ordinary feeds. */
const stateFeeds = (state: StateBuffers): Record<string, Tensor> =>
  Object.fromEntries(state.names.map((name) => [name, state.get(name)]));

/** A seed of its own for each batch. */
const randomSeed = (seed: number, batch: number): bigint =>
  BigInt.asUintN(64, BigInt(seed) * 0x9e3779b97f4a7c15n + BigInt(batch));

/** Name under which the average of a buffer is kept. */
const bufferAverage = (buffer: string): string => `average/${buffer}`;
