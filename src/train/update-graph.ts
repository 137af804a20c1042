import type { Tensor } from '../core/tensor.ts';
import { Graph, type Shape, type Value } from '../ir/index.ts';
import { Expressions, GRADIENT_OPSET, GraphBuilder } from '../ops/index.ts';
import type { Optimizer } from './optimizers/index.ts';
import type { Slot } from './slots.ts';

/** Limits on gradients. */
export interface Clipping {
  /** Largest norm of all gradients together (`clip_grad_norm_`). */
  readonly norm?: number;
  /** Largest absolute value of each entry (`clip_grad_value_`). */
  readonly value?: number;
}

/** How parameters are updated. */
export interface UpdatePlan {
  readonly optimizer: Optimizer;
  readonly clipping: Clipping;
  /** Keeps an exponential moving average of parameters and buffers. */
  readonly ema: boolean;
}

/** A hyperparameter of a group, in the order of the vector fed as `hyper`. */
export interface HyperPlace {
  readonly group: number;
  readonly name: string;
}

/** A buffer of the model: its graph input, and its value after the step. */
export interface BufferValue {
  readonly input: string;
  readonly value: Value;
}

/** An update by gradients that were added up before, as a graph of its own. */
export interface UpdateGraph {
  readonly graph: Graph;
  readonly hyper: readonly HyperPlace[];
}

/** Graph input of the hyperparameters. */
export const HYPER = 'hyper';
/** Graph input of EMA's decay. */
export const EMA_DECAY = 'ema_decay';

/** State of a slot in which gradients are added up. */
export const ACCUMULATED = 'accumulated';

/** Names of the state of a slot. */
export const stateName = (slot: Slot, state: string): string => `${slot.name}/${state}`;
/** Name under which the next value of a state comes out. */
export const nextName = (name: string): string => `${name}/next`;

/** Makes a value an output under a name; one that is an output, an input or a constant goes through an Identity. */
export function give(make: Expressions, builder: GraphBuilder, value: Value, name: string): string {
  const fresh = value.producer === null || value.isOutput ? make.op('Identity', [value]) : value;
  builder.output(fresh, name);
  return name;
}

/** Writes clipping, update and averages: the part of a step behind its gradients. Gives the hyperparameters that it reads. */
export function writeUpdate(
  builder: GraphBuilder,
  plan: UpdatePlan,
  params: ReadonlyMap<Slot, Value>,
  gradients: ReadonlyMap<Slot, Value>,
  buffers: readonly BufferValue[],
): readonly HyperPlace[] {
  return new UpdateWriter(builder, plan).write(params, gradients, buffers);
}

/**
 * The update alone, by the gradients that steps have added up in the state `accumulated` of these slots, which begins anew from zeros; averages are of all slots and of the buffers. It depends on no batch: one such graph serves batches of all
 * sizes.
 */
export function buildUpdate(
  plan: UpdatePlan,
  {
    slots,
    trained,
    buffers,
  }: {
    readonly slots: readonly Slot[];
    /** Slots that have gradients. */
    readonly trained: readonly Slot[];
    readonly buffers: readonly { readonly input: string; readonly buffer: Tensor }[];
  },
): UpdateGraph {
  const builder = new GraphBuilder(new Graph({ opset: GRADIENT_OPSET }));
  const make = new Expressions(builder);
  // What nothing reads is no input.
  const read = plan.ema ? slots : trained;
  const params = new Map(read.map((slot) => [slot, builder.input(slot.name, 'float32', slot.shape)]));
  const gradients = new Map(
    trained.map((slot) => [slot, builder.input(stateName(slot, ACCUMULATED), 'float32', slot.shape)]),
  );
  const averaged = plan.ema ? buffers.filter(({ buffer }) => buffer.dtype === 'float32') : [];
  const values = averaged.map(({ input, buffer }) => ({
    input,
    value: builder.input(input, 'float32', buffer.shape),
  }));
  const hyper = writeUpdate(builder, plan, params, gradients, values);
  for (const slot of trained)
    give(make, builder, make.full(0, 'float32', slot.shape), nextName(stateName(slot, ACCUMULATED)));
  return { graph: builder.graph, hyper };
}

class UpdateWriter {
  readonly #builder: GraphBuilder;
  readonly #plan: UpdatePlan;
  readonly #make: Expressions;
  readonly #hyper: HyperPlace[] = [];

  constructor(builder: GraphBuilder, plan: UpdatePlan) {
    this.#builder = builder;
    this.#plan = plan;
    this.#make = new Expressions(builder);
  }

  write(
    params: ReadonlyMap<Slot, Value>,
    gradients: ReadonlyMap<Slot, Value>,
    buffers: readonly BufferValue[],
  ): readonly HyperPlace[] {
    const { optimizer } = this.#plan;
    const clipped = this.#clip(gradients);
    const scalars = this.#hyperparameters();
    const updated = new Map(params);
    for (const [slot, grad] of clipped) {
      const state = Object.fromEntries(
        optimizer
          .stateNames(slot.group)
          .map((name) => [name, this.#builder.input(stateName(slot, name), 'float32', slot.shape)]),
      );
      const update = optimizer.update(slot.group, {
        make: this.#make,
        param: params.get(slot)!,
        grad,
        state,
        hyper: scalars(slot.groupIndex, slot.shape.length),
      });
      updated.set(slot, this.#give(update.param, nextName(slot.name)));
      for (const [name, value] of Object.entries(update.state))
        this.#give(value, nextName(stateName(slot, name)));
    }
    if (this.#plan.ema) this.#average(updated, buffers);
    return this.#hyper;
  }

  #give(value: Value, name: string): Value {
    give(this.#make, this.#builder, value, name);
    return this.#builder.graph.find(name)!;
  }

  /** PyTorch's order: the norm is over all gradients, and the factor `min(1, max / (norm + 1e-6))`. */
  #clip(gradients: ReadonlyMap<Slot, Value>): ReadonlyMap<Slot, Value> {
    const { norm, value } = this.#plan.clipping;
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
  #hyperparameters(): (group: number, rank: number) => Record<string, Value> {
    const { optimizer } = this.#plan;
    const hyper = this.#hyper;
    optimizer.paramGroups.forEach((group, index) => {
      for (const name of Object.keys(optimizer.hyperparameters(group))) hyper.push({ group: index, name });
    });
    const vector = this.#builder.input(HYPER, 'float32', [hyper.length]);
    const make = this.#make;
    const sizes = make.ints(hyper.map(() => 1));
    const scalars =
      hyper.length === 1 ? [vector] : make.ops('Split', [vector, sizes], { outputs: hyper.length });
    const made = new Map<string, Value>();
    const ofRank = (index: number, rank: number): Value => {
      const key = `${index} ${rank}`;
      const value = made.get(key) ?? make.reshape(scalars[index]!, new Array<number>(rank).fill(1));
      made.set(key, value);
      return value;
    };
    return (group, rank) =>
      Object.fromEntries(
        hyper.flatMap((each, index) => (each.group === group ? [[each.name, ofRank(index, rank)]] : [])),
      );
  }

  /** Exponential moving averages: `ema += (1 - decay) (now - ema)`, of parameters as they are after the update and of buffers. */
  #average(params: ReadonlyMap<Slot, Value>, buffers: readonly BufferValue[]): void {
    const make = this.#make;
    const rest = make.sub(1, this.#builder.input(EMA_DECAY, 'float32', []));
    const average = (name: string, shape: Shape, now: Value): void => {
      const before = this.#builder.input(name, 'float32', shape);
      const share = make.reshape(rest, new Array<number>(shape.length).fill(1));
      this.#give(make.add(before, make.mul(make.sub(now, before), share)), nextName(name));
    };
    for (const [slot, now] of params) average(stateName(slot, 'ema'), slot.shape, now);
    for (const { input, value } of buffers) {
      if (make.dtype(value) === 'float32') average(`${input}/ema`, make.shape(value), value);
    }
  }
}
