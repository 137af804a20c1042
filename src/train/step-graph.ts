import { addGradients } from '../autograd/index.ts';
import { ArgumentError, UnsupportedError } from '../core/errors.ts';
import type { Tensor } from '../core/tensor.ts';
import type { Graph, Value } from '../ir/index.ts';
import { type InputSpec, opsetFor, type Parameter, traceDetailed } from '../nn/index.ts';
import { Expressions, GRADIENT_OPSET, GraphBuilder, inferShapes } from '../ops/index.ts';
import { removeUnused } from '../passes/index.ts';
import type { Objective } from './objective.ts';
import type { Slot } from './slots.ts';
import {
  ACCUMULATED,
  give,
  type HyperPlace,
  nextName,
  stateName,
  type UpdatePlan,
  writeUpdate,
} from './update-graph.ts';

/** What a step does with the gradients: update the parameters, or only add them up for a later update (`buildUpdate`). */
export type StepKind = 'update' | 'accumulate';

/** What a step's graph is made from. */
export interface StepPlan extends UpdatePlan {
  readonly objective: Objective;
  readonly slots: readonly Slot[];
  readonly kind: StepKind;
  /** What each batch's gradients count for in the sum, where they are added up. */
  readonly share: number;
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
  /** None where gradients are only added up. */
  readonly hyper: readonly HyperPlace[];
  /** Slots that have gradients. */
  readonly trained: readonly Slot[];
  /** Outputs that are no state: the loss, its parts by name, and the model's. */
  readonly loss: string;
  readonly parts: ReadonlyMap<string, string>;
  readonly outputs: readonly string[];
  /** Dense gradients by parameter. */
  readonly dense: ReadonlyMap<Parameter, string>;
}

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
    const joined = this.#joined(gradients.original);
    let hyper: StepGraph['hyper'] = [];
    if (plan.kind === 'accumulate') this.#accumulate(joined);
    else hyper = writeUpdate(this.#builder, plan, params, joined, buffers);
    for (const { value, output } of buffers) give(make, this.#builder, value, output);
    removeUnused(graph);
    return {
      graph,
      batchInputs,
      random: this.#traced.randomInputs.map((value) => ({ name: value.name, shape: make.shape(value) })),
      masks: this.#masks,
      buffers: buffers.map(({ input, output, buffer }) => ({ input, output, buffer })),
      hyper,
      trained: [...joined.keys()],
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
      names.set(parameter, give(this.#make, this.#builder, gradient, `dense/${index}`));
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
      give(
        this.#make,
        this.#builder,
        this.#make.sub(before, this.#make.mul(weight, gradient)),
        nextName(name),
      );
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

  /** Adds gradients to those of the batches before. */
  #accumulate(gradients: ReadonlyMap<Slot, Value>): void {
    const make = this.#make;
    for (const [slot, gradient] of gradients) {
      const name = stateName(slot, ACCUMULATED);
      const before = this.#builder.input(name, 'float32', slot.shape);
      const { share } = this.#plan;
      const sum = make.add(before, share === 1 ? gradient : make.mul(gradient, share));
      give(this.#make, this.#builder, sum, nextName(name));
    }
  }
}
