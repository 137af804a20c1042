import { addGradients } from '../autograd/index.ts';
import { ArgumentError, UnsupportedError } from '../core/errors.ts';
import type { Tensor } from '../core/tensor.ts';
import type { Graph, Shape, Value } from '../ir/index.ts';
import { type InputSpec, opsetFor, type Parameter, traceDetailed } from '../nn/index.ts';
import { Expressions, GRADIENT_OPSET, GraphBuilder, inferShapes } from '../ops/index.ts';
import { removeUnused } from '../passes/index.ts';
import type { Objective } from './objective.ts';
import type { Optimizer } from './optimizers/index.ts';
import type { Slot } from './slots.ts';

/** What a step does with the gradients: update the parameters, or only add them up for a later update. */
export type StepKind = 'update' | 'accumulate';

/** Limits on gradients. */
export interface Clipping {
  /** Largest norm of all gradients together (`clip_grad_norm_`). */
  readonly norm?: number;
  /** Largest absolute value of each entry (`clip_grad_value_`). */
  readonly value?: number;
}

/** What a step's graph is made from. */
export interface StepPlan {
  readonly objective: Objective;
  readonly optimizer: Optimizer;
  readonly slots: readonly Slot[];
  readonly kind: StepKind;
  /** Gradients of several batches are added up for one update. */
  readonly accumulates: boolean;
  /** What each batch's gradients count for in the sum. */
  readonly share: number;
  readonly clipping: Clipping;
  /** Keeps an exponential moving average of parameters and buffers. */
  readonly ema: boolean;
  /** Pruned parameters whose dense gradient is an output too, `dense/<name>`: that of the weights as they are used, pruned ones included. */
  readonly dense: readonly Parameter[];
  /** Parameters whose movement `Σ -w ∂L/∂w` is kept as state, `movement/<name>`. */
  readonly movement: readonly Parameter[];
  /** Shapes and dtypes of the inputs, then of the target. */
  readonly inputs: readonly InputSpec[];
}

/** A step's graph, and how it is fed. */
export interface StepGraph {
  readonly graph: Graph;
  /** Names of the graph inputs that take the batch, in order; the last is the target. */
  readonly batchInputs: readonly string[];
  /** Inputs fed with uniform random numbers, and their shapes. */
  readonly random: readonly { readonly name: string; readonly shape: readonly number[] }[];
  /** Inputs that take masks, and whose. */
  readonly masks: ReadonlyMap<string, Parameter>;
  /** Buffers that training updates. */
  readonly buffers: readonly { readonly input: string; readonly output: string; readonly buffer: Tensor }[];
  /** Hyperparameters in the order of the vector fed as `hyper`. */
  readonly hyper: readonly { readonly group: number; readonly name: string }[];
  /** Outputs that are no state: the loss, its parts by name, and the model's. */
  readonly loss: string;
  readonly parts: ReadonlyMap<string, string>;
  readonly outputs: readonly string[];
  /** Dense gradients by parameter. */
  readonly dense: ReadonlyMap<Parameter, string>;
}

/** Graph input of the hyperparameters. */
export const HYPER = 'hyper';
/** Graph input of EMA's decay. */
export const EMA_DECAY = 'ema_decay';

/** Names of the state of a slot. */
export const stateName = (slot: Slot, state: string): string => `${slot.name}/${state}`;
/** Name under which the next value of a state comes out. */
export const nextName = (name: string): string => `${name}/next`;

/** Writes forward pass, loss, gradients and update as one graph. Throws as `trace` and `addGradients`. */
export function buildStep(plan: StepPlan): StepGraph {
  return new StepWriter(plan).write();
}

class StepWriter {
  readonly #plan: StepPlan;
  readonly #graph: Graph;
  readonly #builder: GraphBuilder;
  readonly #make: Expressions;
  readonly #traced: ReturnType<typeof traceDetailed>;
  /** Values that hold the model's tensors, as the trace gives them. */
  readonly #initializers = new Map<Tensor, Value>();
  /** Elements of each parameter before masking, as the forward pass reads them. */
  readonly #originals = new Map<Parameter, Value>();
  readonly #masks = new Map<string, Parameter>();
  /** Masked elements of each pruned parameter. */
  readonly #effective = new Map<Parameter, Value>();

  constructor(plan: StepPlan) {
    this.#plan = plan;
    this.#traced = plan.objective.inMode(true, () =>
      traceDetailed(plan.objective, plan.inputs, {
        masks: 'graph',
        random: 'inputs',
        opset: opsetFor(plan.objective, GRADIENT_OPSET),
      }),
    );
    this.#graph = this.#traced.graph;
    this.#builder = new GraphBuilder(this.#graph, inferShapes(this.#graph));
    this.#make = new Expressions(this.#builder);
    for (const value of this.#graph.initializers) {
      if (value.initializer) this.#initializers.set(value.initializer, value);
    }
  }

  write(): StepGraph {
    const { plan, graph, make } = { plan: this.#plan, graph: this.#graph, make: this.#make };
    const batchInputs = graph.feeds
      .filter((feed) => !this.#traced.randomInputs.includes(feed))
      .map(({ name }) => name);
    const outputs = [...graph.outputs];
    const [loss, ...others] = outputs;
    if (!loss || make.shape(loss).some((size) => size !== 1)) {
      throw new ArgumentError(
        `training: the loss must be one number, got shape [${loss ? make.shape(loss).join(', ') : ''}]; reduce it with mean() or sum()`,
      );
    }
    const parts = plan.objective.partNames.map((name, index) => {
      const part = others[index]!;
      if (make.shape(part).every((size) => size === 1)) return [name, part.name] as const;
      throw new ArgumentError(
        `training: '${name}', a part of the loss, must be one number, got shape [${make.shape(part).join(', ')}]; reduce it with mean() or sum()`,
      );
    });
    const updates = this.#traced.updates.map(({ buffer, value }) => ({ buffer, value }));
    const params = new Map(plan.slots.map((slot) => [slot, this.#slotInput(slot)]));
    const buffers = this.#bufferState(updates);
    graph.sort();
    const gradients = this.#gradients(loss);
    const dense = this.#denseOutputs(gradients.effective);
    this.#movement(gradients.effective);
    const hyper: { group: number; name: string }[] = [];
    this.#update(params, this.#joined(gradients.original), hyper);
    this.#average(params, buffers);
    for (const { value, output } of buffers) this.#give(value, output);
    removeUnused(graph);
    return {
      graph,
      batchInputs,
      random: this.#traced.randomInputs.map((value) => ({ name: value.name, shape: make.shape(value) })),
      masks: this.#masks,
      buffers: buffers.map(({ input, output, buffer }) => ({ input, output, buffer })),
      hyper,
      loss: loss.name,
      parts: new Map(parts),
      outputs: others.slice(parts.length).map(({ name }) => name),
      dense,
    };
  }

  /** Makes a graph input of a slot, and lets the forward pass read the parameters from it. */
  #slotInput(slot: Slot): Value {
    const input = this.#builder.input(slot.name, 'float32', slot.shape);
    const views =
      slot.parts.length === 1 && slot.shape.length === slot.parts[0]!.parameter.shape.length
        ? [input]
        : this.#split(
            input,
            slot.parts.map(({ parameter }) => parameter.size),
          );
    slot.parts.forEach(({ parameter, name }, index) => {
      const view = this.#make.reshape(views[index]!, parameter.shape);
      this.#originals.set(parameter, view);
      const read = this.#initializerOf(parameter.orig);
      // A parameter that the forward pass does not use has no gradient and stays as it is.
      if (!read) return;
      read.replaceAllUsesWith(view);
      this.#graph.removeValue(read);
      const { pruning } = parameter;
      if (!pruning) return;
      const mask = this.#initializerOf(pruning.mask);
      const product = mask?.consumers[0]?.output(0);
      if (!mask || !product) return;
      mask.initializer = null;
      this.#graph.rename(mask, `mask/${name}`);
      if (!mask.isInput) this.#graph.markInput(mask);
      this.#masks.set(mask.name, parameter);
      this.#effective.set(parameter, product);
    });
    return input;
  }

  #split(vector: Value, sizes: readonly number[]): readonly Value[] {
    if (sizes.length === 1) return [vector];
    return this.#make.ops('Split', [vector, this.#make.ints(sizes)], { outputs: sizes.length });
  }

  #initializerOf(tensor: Tensor): Value | undefined {
    return this.#initializers.get(tensor);
  }

  /** Buffers with a new value become inputs, their new value an output. */
  #bufferState(
    updates: readonly { readonly buffer: Tensor; readonly value: Value }[],
  ): { input: string; output: string; buffer: Tensor; value: Value; now: Value }[] {
    return updates.flatMap(({ buffer, value }, index) => {
      const now = this.#initializerOf(buffer);
      if (!now) return [];
      const input = `buffer/${index}`;
      now.initializer = null;
      this.#graph.rename(now, input);
      if (!now.isInput) this.#graph.markInput(now);
      return [{ input, output: nextName(input), buffer, value, now }];
    });
  }

  #gradients(loss: Value): { original: Map<Parameter, Value>; effective: Map<Parameter, Value> } {
    const { slots, dense, movement } = this.#plan;
    const trained = slots.flatMap(({ parts }) => parts.map(({ parameter }) => parameter));
    const watched = [...new Set([...dense, ...movement])];
    const effective = watched.map(
      (parameter) => this.#effective.get(parameter) ?? this.#originals.get(parameter),
    );
    const missing = effective.indexOf(undefined);
    if (missing >= 0)
      throw new ArgumentError('training: a parameter whose dense gradient is asked for is not trained');
    const values = [
      ...trained.map((parameter) => this.#originals.get(parameter)!),
      ...(effective as Value[]),
    ];
    const { compositions } = this.#traced;
    const gradients = addGradients(this.#builder, { of: loss, withRespectTo: values, compositions });
    if (gradients.every((gradient) => gradient === null)) {
      throw new ArgumentError(
        'training: the loss depends on none of the parameters; is it computed from the model output?',
      );
    }
    const original = new Map<Parameter, Value>();
    trained.forEach((parameter, index) => {
      const gradient = gradients[index];
      if (gradient) original.set(parameter, gradient);
    });
    const ofEffective = new Map<Parameter, Value>();
    watched.forEach((parameter, index) => {
      const gradient = gradients[trained.length + index];
      if (gradient) ofEffective.set(parameter, gradient);
    });
    return { original, effective: ofEffective };
  }

  #denseOutputs(gradients: ReadonlyMap<Parameter, Value>): Map<Parameter, string> {
    const names = new Map<Parameter, string>();
    this.#plan.dense.forEach((parameter, index) => {
      const gradient = gradients.get(parameter);
      if (!gradient)
        throw new UnsupportedError('training: a parameter whose dense gradient is asked for is not used');
      names.set(parameter, this.#give(gradient, `dense/${index}`));
    });
    return names;
  }

  /** Movement of a weight (Sanh et al. 2020): `-w ∂L/∂w`, summed up over the steps; the derivative after the weight as it is used, as if nothing were masked. */
  #movement(gradients: ReadonlyMap<Parameter, Value>): void {
    this.#plan.movement.forEach((parameter, index) => {
      const gradient = gradients.get(parameter);
      const weight = this.#originals.get(parameter);
      if (!gradient || !weight) return;
      const name = `movement/${index}`;
      const before = this.#builder.input(name, 'float32', parameter.shape);
      this.#give(this.#make.sub(before, this.#make.mul(weight, gradient)), nextName(name));
    });
  }

  /** Gradients slot by slot; of slots none of whose parameters has one, nothing. */
  #joined(gradients: ReadonlyMap<Parameter, Value>): Map<Slot, Value> {
    const joined = new Map<Slot, Value>();
    for (const slot of this.#plan.slots) {
      if (!slot.parts.some(({ parameter }) => gradients.has(parameter))) continue;
      const flat = slot.parts.map(({ parameter }) => {
        const gradient = gradients.get(parameter) ?? this.#builder.zeros(this.#originals.get(parameter)!);
        return slot.parts.length === 1 ? gradient : this.#make.reshape(gradient, [parameter.size]);
      });
      joined.set(slot, this.#make.reshape(this.#make.concat(flat, 0), slot.shape));
    }
    return joined;
  }

  #update(
    params: ReadonlyMap<Slot, Value>,
    gradients: Map<Slot, Value>,
    hyper: { group: number; name: string }[],
  ): void {
    const { accumulates, share, kind, optimizer, clipping } = this.#plan;
    const make = this.#make;
    if (accumulates) {
      for (const [slot, gradient] of gradients) {
        const name = stateName(slot, 'accumulated');
        const before = this.#builder.input(name, 'float32', slot.shape);
        const sum = make.add(before, share === 1 ? gradient : make.mul(gradient, share));
        if (kind === 'accumulate') this.#give(sum, nextName(name));
        else this.#give(make.full(0, 'float32', slot.shape), nextName(name));
        gradients.set(slot, sum);
      }
    }
    if (kind === 'accumulate') return;
    const clipped = this.#clip(gradients, clipping);
    const scalars = this.#hyperparameters(hyper);
    for (const [slot, grad] of clipped) {
      const state = Object.fromEntries(
        optimizer
          .stateNames(slot.group)
          .map((name) => [name, this.#builder.input(stateName(slot, name), 'float32', slot.shape)]),
      );
      const update = optimizer.update(slot.group, {
        make,
        param: params.get(slot)!,
        grad,
        state,
        hyper: scalars(slot.groupIndex, slot.shape.length),
      });
      this.#give(update.param, nextName(slot.name));
      for (const [name, value] of Object.entries(update.state))
        this.#give(value, nextName(stateName(slot, name)));
    }
  }

  /** PyTorch's order: the norm is over all gradients, and the factor `min(1, max / (norm + 1e-6))`. */
  #clip(gradients: ReadonlyMap<Slot, Value>, { norm, value }: Clipping): ReadonlyMap<Slot, Value> {
    const make = this.#make;
    const clipped = new Map(gradients);
    if (norm !== undefined) {
      const squares = [...clipped.values()].map((gradient) =>
        make.reduceSum(make.mul(gradient, gradient), undefined, false),
      );
      const total = make.sqrt(make.sum(squares));
      const factor = make.op('Min', [make.div(norm, make.add(total, 1e-6)), make.full(1)]);
      for (const [slot, gradient] of clipped) {
        const ones = new Array<number>(slot.shape.length).fill(1);
        clipped.set(slot, make.mul(gradient, make.reshape(factor, ones)));
      }
    }
    if (value !== undefined) {
      for (const [slot, gradient] of clipped) {
        clipped.set(slot, make.op('Clip', [gradient, make.full(-value), make.full(value)]));
      }
    }
    return clipped;
  }

  /** One input vector holds the hyperparameters of all groups. Gives those of a group, as tensors of one element and of a rank: see `Expressions.term`. */
  #hyperparameters(
    hyper: { group: number; name: string }[],
  ): (group: number, rank: number) => Record<string, Value> {
    const { optimizer } = this.#plan;
    optimizer.paramGroups.forEach((group, index) => {
      for (const name of Object.keys(optimizer.hyperparameters(group))) hyper.push({ group: index, name });
    });
    const vector = this.#builder.input(HYPER, 'float32', [hyper.length]);
    const scalars = this.#split(
      vector,
      hyper.map(() => 1),
    );
    const made = new Map<string, Value>();
    const ofRank = (index: number, rank: number): Value => {
      const key = `${index} ${rank}`;
      const value = made.get(key) ?? this.#make.reshape(scalars[index]!, new Array<number>(rank).fill(1));
      made.set(key, value);
      return value;
    };
    return (group, rank) =>
      Object.fromEntries(
        hyper.flatMap((each, index) => (each.group === group ? [[each.name, ofRank(index, rank)]] : [])),
      );
  }

  /** Exponential moving averages: `ema += (1 - decay) (now - ema)`, of parameters as they are after the update and of buffers. */
  #average(
    params: ReadonlyMap<Slot, Value>,
    buffers: readonly { readonly input: string; readonly value: Value }[],
  ): void {
    if (!this.#plan.ema || this.#plan.kind === 'accumulate') return;
    const make = this.#make;
    const rest = make.sub(1, this.#builder.input(EMA_DECAY, 'float32', []));
    const average = (name: string, shape: Shape, now: Value): void => {
      const before = this.#builder.input(name, 'float32', shape);
      const share = make.reshape(rest, new Array<number>(shape.length).fill(1));
      this.#give(make.add(before, make.mul(make.sub(now, before), share)), nextName(name));
    };
    for (const slot of params.keys()) {
      const now = this.#graph.find(nextName(slot.name)) ?? params.get(slot)!;
      average(stateName(slot, 'ema'), slot.shape, now);
    }
    for (const { input, value } of buffers) {
      if (make.dtype(value) === 'float32') average(`${input}/ema`, make.shape(value), value);
    }
  }

  /** Makes a value an output under a name; one that is an output, an input or a constant goes through an Identity. */
  #give(value: Value, name: string): string {
    const fresh = value.producer === null || value.isOutput ? this.#make.op('Identity', [value]) : value;
    this.#builder.output(fresh, name);
    return name;
  }
}
