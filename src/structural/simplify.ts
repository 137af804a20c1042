import { dtypeInfo } from '../core/dtype.ts';
import { cloneGraph, type Graph, type Value } from '../ir/index.ts';
import type { AnyModule, TraceInputs } from '../nn/index.ts';
import { removeUnused } from '../passes/index.ts';
import { type AnalyzeOptions, analyzeChannels } from './analyze.ts';
import { ChannelView } from './channel-view.ts';
import { Choice } from './choice.ts';
import { compareOutputs } from './compare-outputs.ts';
import { ConstantChannels } from './constant-channels.ts';
import { constantOperands, replaceConstantOperands } from './constant-operands.ts';
import { costOf, type ModelCost } from './cost.ts';
import type { Coupling } from './coupling.ts';
import { cutChannels } from './cut.ts';
import { DeadUnits } from './dead-units.ts';
import { foldComputedWeights } from './fold-computed-weights.ts';
import {
  addToOutput,
  type Contribution,
  contributionsOf,
  FOLDED_DTYPES,
  type Merge,
  mergedWeight,
} from './fold-constants.ts';
import { groupChannels } from './group-channels.ts';
import type { ChannelGroups, Lane } from './groups.ts';
import { axisSums, realsOf } from './importance/axis-sums.ts';
import { type MergeFacts, planMerges } from './merge-constants.ts';
import { NeededChannels } from './needed-channels.ts';
import { ObservedChannels } from './observed-channels.ts';
import { graphOfSubject } from './subject.ts';
import type { WeightedSum } from './weighted-sum.ts';

/** How a graph is simplified. */
export interface SimplifyOptions extends AnalyzeOptions {
  /** Inputs a module that is written in TypeScript is traced with. */
  readonly inputs?: TraceInputs;
  /** Largest difference of an output from the original's, per unit of the output's largest magnitude where that is above 1. Default 1e-5 (float16: 1e-2). */
  readonly tolerance?: number;
  /** Threads inside an operator; by default as many as the machine has. */
  readonly threads?: number;
  /** Stops between two rounds. */
  readonly signal?: AbortSignal;
}

/** A layer's output channels. */
export interface SimplifiedLayer {
  /** Name of the layer, as PyTorch's. */
  readonly name: string;
  readonly before: number;
  readonly after: number;
}

/** Filters of zeros that stay. */
export interface StayingFilters {
  readonly layer: string;
  readonly filters: number;
  readonly why: string;
}

/** A graph without what masks had zeroed. */
export interface Simplified {
  readonly graph: Graph;
  /** Layers that lost output channels, or went. */
  readonly layers: readonly SimplifiedLayer[];
  /** What constants stand in place of now: weights that were computed, branches that gave the same whatever the input. A sentence each. */
  readonly replaced: readonly string[];
  readonly whyNot: readonly StayingFilters[];
  readonly before: ModelCost;
  readonly after: ModelCost;
  /** Rounds in which something went. */
  readonly rounds: number;
  /** Largest difference of an output from the original's on random inputs. */
  readonly maxError: number;
}

/** Why the last channel of a layer stays. */
const ONE_STAYS = 'one channel must stay';

/** Opset from which on constants are broadcast as they are here. */
const BROADCAST_OPSET = 7;

/**
 * Removes what masks have zeroed, exactly: a filter of zeros makes a channel that is constant, and so does all that is computed of it alone; what it adds to the layers that read it goes into their biases. Where a layer pads what it
 * reads, no bias can stand for a constant other than 0: one channel of the kind stays for all of them, and the layer's weights for it are summed. A channel that is only multiplied with zeros goes, too, as does an operand of a
 * sum that is zero or constant as a whole, with all that made it. Weights that are computed of constants (`Mul(weight, mask)`) are computed once and for all first. This is repeated until nothing goes any more. Of a layer at least one channel stays.
 *
 * `lnStructured` followed by this gives a smaller model with the same outputs. The graph given is not changed.
 *
 * Both are run on random inputs, and must agree within the tolerance: else it throws StructuralError. Throws ArgumentError where an input's shape is not known and not given, EngineError where onnxruntime refuses the model.
 */
export async function simplify(
  subject: Graph | AnyModule,
  options: SimplifyOptions = {},
): Promise<Simplified> {
  const original = graphOfSubject('simplify', subject, options.inputs);
  let { graph } = cloneGraph(original);
  const replaced = await foldComputedWeights(graph);
  removeUnused(graph);
  let first: ChannelGroups | null = null;
  for (let rounds = 0; ; rounds++) {
    options.signal?.throwIfAborted();
    const round = new Round(graph, options);
    first ??= round.groups;
    const next = await round.run();
    replaced.push(...round.replaced);
    if (next) {
      graph = next;
      continue;
    }
    graph.check();
    return {
      graph,
      layers: lostChannels(first.coupling, round.groups.coupling),
      replaced,
      whyNot: round.whyNot(),
      before: costOf(first, new Uint8Array(first.unitCount)),
      after: costOf(round.groups, new Uint8Array(round.groups.unitCount)),
      rounds,
      maxError: await compareOutputs(original, graph, round.groups.coupling.shapes, options),
    };
  }
}

/** One look at a graph, and what goes of it by that. */
class Round {
  readonly groups: ChannelGroups;
  readonly replaced: string[] = [];
  readonly #options: SimplifyOptions;
  readonly #view: ChannelView;
  readonly #units: Int32Array;
  readonly #observed: ObservedChannels;
  /** Why each unit stays. */
  #whyNot: readonly (string | null)[] = [];

  constructor(graph: Graph, options: SimplifyOptions) {
    this.#options = options;
    const coupling = analyzeChannels(graph, options.shapes ? { shapes: options.shapes } : {});
    this.groups = groupChannels(coupling);
    this.#view = new ChannelView(coupling);
    this.#units = this.groups.unitOfLabel;
    this.#observed = new ObservedChannels(this.#view, options.threads);
  }

  /** The graph without what goes; null where nothing does. */
  async run(): Promise<Graph | null> {
    const constants = await this.#constants();
    const { graph } = this.#view.coupling;
    const operands = constantOperands(this.#view, constants);
    await this.#observed.observe(operands.map(({ value }) => value));
    this.replaced.push(...replaceConstantOperands(this.#view, operands, this.#observed));
    if (this.replaced.length > 0) {
      removeUnused(graph);
      return graph;
    }
    const needed = new NeededChannels(this.#view, (label) => this.#units[label]!);
    const dead = new DeadUnits(this.#view, this.groups, this.#units, constants, needed);
    await this.#observed.observe(dead.values());
    dead.settle(this.#observed);
    const fold = await this.#decide(dead, constants);
    return fold.removed.includes(1) ? this.#cut(fold) : null;
  }

  /** Filters of zeros, and why they stay. */
  whyNot(): StayingFilters[] {
    const found = new Map<string, StayingFilters>();
    for (const { value, axis, labels, name } of this.#view.coupling.sources) {
      const tensor = value.initializer;
      if (!tensor || dtypeInfo(tensor.dtype).kind !== 'float') continue;
      const [sums] = axisSums(tensor, [{ axis }], 1);
      labels.forEach((label, index) => {
        if (sums![index] !== 0) return;
        const unit = this.#units[label]!;
        const why = (unit < 0 ? this.#view.coupling.frozen(label) : this.#whyNot[unit]) ?? 'it cannot be cut';
        const key = `${name} ${why}`;
        found.set(key, { layer: name, filters: (found.get(key)?.filters ?? 0) + 1, why });
      });
    }
    // An axis of one channel carries no labels.
    for (const { weight, outputs } of this.#view.sums.values()) {
      if (outputs > 1 || !realsOf(weight.initializer!).every((number) => number === 0)) continue;
      const layer = this.#view.coupling.nameOf(weight).replace(/\.[^.]*$/, '');
      found.set(layer, { layer, filters: 1, why: ONE_STAYS });
    }
    return [...found.values()];
  }

  async #constants(): Promise<ConstantChannels> {
    const observed = this.#observed;
    const isZero = (value: Value, root: number): boolean => observed.content(value, root)?.kind === 'zero';
    let constants = new ConstantChannels(this.#view);
    for (;;) {
      const open = [...constants.openProducts()];
      await observed.observe(open.map(([factor]) => factor));
      if (!open.some(([factor, roots]) => [...roots].some((root) => isZero(factor, root)))) return constants;
      constants = new ConstantChannels(this.#view, isZero);
    }
  }

  /** Which units go, and how what they add is kept. */
  async #decide(dead: DeadUnits, constants: ConstantChannels): Promise<Fold> {
    for (;;) {
      const choice = select(this.groups, dead.whyNot);
      this.#whyNot = choice.whyNot;
      const { removed } = choice;
      const foldings = dead.foldings(removed, this.#observed);
      const stays = (inputs: readonly number[], sum: WeightedSum, why: string): void => {
        for (const input of inputs) dead.stays(this.#units[sum.reads![input]!]!, why);
      };
      const impossible = [...foldings].filter(([sum]) => !this.#canFold(sum));
      for (const [sum, inputs] of impossible)
        stays(inputs, sum, `it is constant, and ${sum.node.label} has no bias of float32 that could take it`);
      if (impossible.length > 0) continue;
      const contributions =
        foldings.size === 0
          ? new Map<WeightedSum, Contribution>()
          : await contributionsOf(this.#view, foldings, this.#options.threads);
      const facts: MergeFacts = {
        view: this.#view,
        constants,
        observed: this.#observed,
        units: this.#units,
        removed,
      };
      const merges = new Map<WeightedSum, readonly Merge[]>();
      let isFinal = true;
      for (const [sum, inputs] of foldings) {
        const { isUniform } = contributions.get(sum)!;
        if (keptOutputs(sum, this.#units, removed).every((output) => isUniform[output] === 1)) continue;
        contributions.delete(sum);
        const plan = planMerges(sum, inputs, facts);
        if ('merges' in plan) merges.set(sum, plan.merges);
        else {
          isFinal = false;
          for (const { unit, why } of plan.stay) {
            dead.stays(unit, why);
            // Sums that come later may merge into it.
            removed[unit] = 0;
          }
        }
      }
      if (isFinal) return { removed, contributions, merges };
    }
  }

  #canFold({ input, weight }: WeightedSum): boolean {
    const { graph, inference } = this.#view.coupling;
    const dtypes = [inference.get(input)?.dtype, weight.initializer?.dtype];
    return graph.opset() >= BROADCAST_OPSET && dtypes.every((dtype) => FOLDED_DTYPES.has(dtype ?? ''));
  }

  #cut({ removed, contributions, merges }: Fold): Graph {
    // The coupling's graph is a copy of its own.
    for (const [sum, own] of merges) sum.weight.initializer = mergedWeight(sum, own);
    const { graph } = cutChannels(this.groups, removed);
    for (const [sum, { axis, values }] of contributions) {
      const kept = keptOutputs(sum, this.#units, removed);
      const numbers = Float64Array.from(kept, (output) => values[output]!);
      const output = graph.find(sum.output.name);
      if (!output?.producer || numbers.every((number) => number === 0)) continue;
      const { dtype, shape } = this.#view.coupling.inference.get(sum.output)!;
      addToOutput({
        ...{ output, dtype, numbers, axis },
        rank: shape.length,
        slot: sum.bias,
        weightName: sum.weight.name,
      });
    }
    return graph;
  }
}

/** Units that go (1), and how what they add to weighted sums is kept. */
interface Fold {
  readonly removed: Uint8Array;
  readonly contributions: ReadonlyMap<WeightedSum, Contribution>;
  readonly merges: ReadonlyMap<WeightedSum, readonly Merge[]>;
}

/** The output channels of a sum that stay. */
function keptOutputs(sum: WeightedSum, units: Int32Array, removed: Uint8Array): number[] {
  return Array.from({ length: sum.outputs }, (_, output) => output).filter((output) => {
    const unit = sum.makes ? units[sum.makes[output]!]! : -1;
    return unit < 0 || removed[unit] === 0;
  });
}

/** Of the units that may go, as many as can go together. */
function select(
  groups: ChannelGroups,
  mayNot: readonly (string | null)[],
): { readonly removed: Uint8Array; readonly whyNot: readonly (string | null)[] } {
  const choice = new Choice(groups);
  const whyNot = [...mayNot];
  const most = Int32Array.from(groups.groups, ({ units }) => units.length);
  groups.lanes.forEach((lane, index) => {
    const free = lane.cells.map((units) => units.filter((unit) => mayNot[unit] === null));
    for (let number = 0; number < stepsOf(lane, free); number++) {
      const units = free.flatMap((cell, at) => [
        ...cell.subarray(number * lane.drop[at]!, (number + 1) * lane.drop[at]!),
      ]);
      const step = { lane: index, number, score: 0, units: Int32Array.from(units) };
      if (choice.refusal(step, most)) break;
      choice.take(step);
    }
    for (const unit of free.flatMap((units) => [...units])) {
      if (choice.removed[unit] === 0)
        whyNot[unit] = lane.cells.length > 1 ? 'equally many must go of all groups or heads' : ONE_STAYS;
    }
  });
  return { removed: choice.removed, whyNot };
}

/** How many steps a lane can make with these units. */
function stepsOf({ drop, maxSteps }: Lane, free: readonly Int32Array[]): number {
  return Math.min(maxSteps, ...free.map((units, at) => Math.floor(units.length / drop[at]!)));
}

/** Layers that have fewer output channels than before, or are gone. */
function lostChannels(before: Coupling, after: Coupling): SimplifiedLayer[] {
  const key = ({ value, axis }: Coupling['sources'][number]): string => `${axis} ${value.name}`;
  const left = new Map(after.sources.map((source) => [key(source), source.labels.length]));
  return before.sources
    .map((source) => ({
      name: source.name,
      before: source.labels.length,
      after: left.get(key(source)) ?? 0,
    }))
    .filter((layer) => layer.after < layer.before);
}
