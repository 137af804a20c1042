import { type DType, dtypeInfo } from '../core/dtype.ts';
import { StructuralError } from '../core/errors.ts';
import { fromFloat32 } from '../core/float16.ts';
import { Tensor } from '../core/tensor.ts';
import {
  type Attribute,
  cloneGraph,
  type Graph,
  type Node,
  staticShape,
  tensorType,
  type Value,
} from '../ir/index.ts';
import { type CutContext, Inference, inferNode, inferredOf } from '../ops/index.ts';
import { removeUnused } from '../passes/index.ts';
import type { Coupling } from './coupling.ts';
import { gatherAxes, gatherParts } from './gather.ts';
import type { ChannelGroups } from './groups.ts';
import { KeptShapes, keptParts } from './kept-sizes.ts';

/** A graph without some of its channels. */
export interface Cut {
  readonly graph: Graph;
  /** What was done beside gathering weights, for the report. */
  readonly notes: readonly string[];
}

/**
 * Removes units (1 in `removed`) from a copy of the graph that was analysed: what stays is gathered from every constant, what nodes say of sizes is counted anew, and shapes are inferred once more, which must agree with the
 * counts. The coupling's graph stays as it was.
 *
 * Throws StructuralError where the units cannot go together, or where shapes do not agree afterwards.
 */
export function cutChannels(groups: ChannelGroups, removed: Uint8Array): Cut {
  const { coupling } = groups;
  if (removed.length !== groups.unitCount)
    throw new StructuralError(
      `cutChannels: expects a flag for each of ${groups.unitCount} units, got ${removed.length}`,
    );
  const [problem, ...others] = groups.problems(removed);
  if (problem !== undefined)
    throw new StructuralError(
      `These channels cannot go together: ${problem}${others.length > 0 ? ` (and ${others.length} more)` : ''}`,
    );
  const kept = groups.keptLabels(removed);
  const shapes = new KeptShapes(coupling, kept);
  const { graph, values, nodes } = cloneGraph(coupling.graph);
  gatherConstants(coupling, kept, values);
  shareAgain(coupling, kept, values);
  const run = new CutRun(coupling, kept, shapes, values);
  for (const [before, node] of nodes) if (before.graph === coupling.graph) run.visit(before, node);
  retype(coupling, shapes, values);
  removeUnused(graph);
  return { graph, notes: run.notes };
}

function gatherConstants(coupling: Coupling, kept: Uint8Array, values: ReadonlyMap<Value, Value>): void {
  const parted = new Map(coupling.partedAxes.map((axis) => [axis.value, axis] as const));
  for (const value of coupling.graph.initializers) {
    const copy = values.get(value);
    if (!copy || !value.initializer) continue;
    let tensor = value.initializer;
    const parts = parted.get(value);
    if (parts?.labels.some((label) => kept[label] === 0)) {
      tensor = gatherParts(tensor, parts.axis, parts.along, keptParts(parts, kept));
    }
    const picks = coupling.channels(value).flatMap(({ axes, labels }) => {
      const indices = indicesKept(labels, kept);
      return indices.length < labels.length ? [{ axis: axes[0]!, indices }] : [];
    });
    if (picks.length > 0) tensor = gatherAxes(tensor, picks);
    copy.initializer = tensor;
  }
}

/** Vectors that were one before the analysis, and of which the same stays, are one again. */
function shareAgain(coupling: Coupling, kept: Uint8Array, values: ReadonlyMap<Value, Value>): void {
  const keys = new Map<string, Value>();
  const key = (value: Value, original: Value): string => {
    const labels = coupling.channels(value)[0]?.labels ?? new Int32Array();
    return `${original.name} ${indicesKept(labels, kept).join(' ')}`;
  };
  for (const original of new Set(coupling.copies.values()))
    keys.set(key(original, original), values.get(original)!);
  for (const [copy, original] of coupling.copies) {
    const own = key(copy, original);
    const alike = keys.get(own);
    if (alike) values.get(copy)!.replaceAllUsesWith(alike);
    else keys.set(own, values.get(copy)!);
  }
}

function indicesKept(labels: Int32Array, kept: Uint8Array): number[] {
  const stay: number[] = [];
  labels.forEach((label, index) => {
    if (kept[label] === 1) stay.push(index);
  });
  return stay;
}

/** First opset that has Where. */
const WHERE_OPSET = 9;

/** A tensor of int32 where that is asked for, else of int64; a vector if nothing else is said. */
const wholeNumbers = (
  values: readonly number[],
  dtype: DType | undefined,
  shape: readonly number[] = [values.length],
): Tensor =>
  dtype === 'int32'
    ? new Tensor('int32', shape, Int32Array.from(values))
    : new Tensor('int64', shape, BigInt64Array.from(values, BigInt));

/** Walks the nodes of the copy in order, writing sizes anew and checking them. */
class CutRun {
  readonly notes: string[] = [];
  readonly #coupling: Coupling;
  readonly #kept: Uint8Array;
  readonly #shapes: KeptShapes;
  readonly #inference: Inference;

  constructor(coupling: Coupling, kept: Uint8Array, shapes: KeptShapes, values: ReadonlyMap<Value, Value>) {
    this.#coupling = coupling;
    this.#kept = kept;
    this.#shapes = shapes;
    this.#inference = startOf(coupling, values);
  }

  visit(before: Node, node: Node): void {
    const cut = this.#coupling.cutRule(before);
    const touched = [...before.inputs, ...before.outputs].some((value) => value && this.#changes(value));
    if (touched) {
      cut?.(this.#context(before, node));
      this.#infer(node);
    } else {
      // Sizes that are made of sizes follow the cut, as long as there are as many of them.
      const makesSizes = before.outputs.some(
        (output) => output && this.#coupling.inference.get(output)?.known,
      );
      if (!makesSizes) this.#keepSizes(before, node);
      this.#infer(node);
      const fits = before.outputs.every((output, index) => !output || this.#fits(output, node.output(index)));
      if (makesSizes && !fits) {
        this.#keepSizes(before, node);
        this.#infer(node);
      }
    }
    before.outputs.forEach((output, index) => {
      if (output) this.#check(before, output, node.output(index));
    });
  }

  #changes(value: Value): boolean {
    const [before, after] = [this.#shapes.before(value), this.#shapes.after(value)];
    return before !== null && (after?.some((size, axis) => size !== before[axis]) ?? false);
  }

  #infer(node: Node): void {
    try {
      inferNode(node, this.#inference);
    } catch (error) {
      throw new StructuralError(
        `${node.label}: does not fit after the cut: ${error instanceof Error ? error.message : error}`,
        { cause: error },
      );
    }
  }

  /** False where a value comes out in other sizes than were counted. */
  #fits(before: Value, after: Value): boolean {
    const counted = this.#shapes.after(before);
    const inferred = staticShape(this.#inference.get(after)?.shape);
    if (!counted || !inferred) return true;
    return counted.length === inferred.length && counted.every((size, axis) => size === inferred[axis]);
  }

  #check(node: Node, before: Value, after: Value): void {
    if (!this.#fits(before, after)) {
      const [counted, inferred] = [this.#shapes.after(before), this.#inference.get(after)?.shape];
      throw new StructuralError(
        `${node.label}: '${before.name}' should be [${counted?.join(', ')}] after the cut, and would be [${inferred?.join(', ')}]; its channel rule does not count this size anew`,
      );
    }
    this.#keepNumbers(node, before, after);
  }

  /** What a cut does not touch reads the sizes it read before, where they are computed from some that are cut: exporters take the width of one layer for that of another. */
  #keepSizes(before: Node, node: Node): void {
    const { inference } = this.#coupling;
    before.inputs.forEach((input, index) => {
      const was = numbersOf(inference, input);
      const now = numbersOf(this.#inference, node.inputs[index]);
      const type = input && inference.get(input);
      if (!was || !now || !type || dtypeInfo(type.dtype).kind !== 'int') return;
      if (was.every((size, at) => size === null || size === now[at])) return;
      const cut = this.#context(before, node);
      // None is asked for: what was known stands there again.
      if (type.shape.length === 1)
        cut.setNumbers(
          index,
          was.map(() => null),
        );
      else if (was.every((size) => size !== null))
        cut.setConstant(index, wholeNumbers(was, type.dtype, staticShape(type.shape) ?? []));
    });
  }

  /**
   * Numbers that were computed from sizes (attention divides by the square root of a head's width) stay what they were: the cut model must compute what the original did.
   */
  #keepNumbers(node: Node, before: Value, after: Value): void {
    const was = this.#coupling.inference.get(before);
    const now = this.#inference.get(after);
    if (!was?.known || !now?.known || dtypeInfo(was.dtype).kind !== 'float') return;
    if (this.#coupling.channels(before).length > 0 || was.known.length !== now.known.length) return;
    const numbers = was.known.filter((element) => typeof element === 'number');
    if (numbers.length !== was.known.length || was.known.every((element, at) => element === now.known?.[at]))
      return;
    const shape = staticShape(was.shape) ?? [];
    const tensor =
      was.dtype === 'float64'
        ? new Tensor('float64', shape, Float64Array.from(numbers))
        : fromFloat32(new Tensor('float32', shape, Float32Array.from(numbers)), was.dtype);
    const { graph } = after;
    const constant = graph.addInitializer(graph.freshName(`${after.name}_kept`), tensor);
    this.#inference.set(constant, { dtype: was.dtype, shape, known: numbers });
    after.replaceAllUsesWith(constant);
    this.notes.push(
      `${node.label}: is computed from a size that was cut; its value stays ${numbers.join(', ')}`,
    );
  }

  /** Puts some numbers in place of computed ones and leaves the others computed: they may hold the batch. */
  #choose(node: Node, index: number, computed: Value, values: readonly (number | null)[]): void {
    const { graph } = node;
    const constant = (tensor: Tensor, what: string): Value => {
      const value = graph.addInitializer(graph.freshName(`${computed.name}_${what}`), tensor);
      this.#inference.set(value, inferredOf(tensor));
      return value;
    };
    const flags = new Tensor(
      'bool',
      [values.length],
      Uint8Array.from(values, (value) => Number(value !== null)),
    );
    const numbers = wholeNumbers(
      values.map((value) => value ?? 0),
      this.#inference.get(computed)?.dtype,
    );
    const chosen = graph.addNode({
      opType: 'Where',
      name: graph.freshName(`${node.name || node.output().name}_sizes`),
      inputs: [constant(flags, 'cut'), constant(numbers, 'sizes'), computed],
      before: node,
    });
    inferNode(chosen, this.#inference);
    node.setInput(index, chosen.output());
  }

  #context(before: Node, node: Node): CutContext {
    const sizes = (shape: readonly number[] | null, what: string): readonly number[] => {
      if (shape) return shape;
      throw new StructuralError(`${before.label}: the sizes of its ${what} are not known`);
    };
    const put = (index: number, tensor: Tensor): void => {
      const { graph } = node;
      const base = node.inputs[index]?.name ?? `${node.name || node.output().name}_input_${index}`;
      const constant = graph.addInitializer(graph.freshName(`${base}_cut`), tensor);
      this.#inference.set(constant, inferredOf(tensor));
      node.setInput(index, constant);
    };
    return {
      node,
      opset: node.graph.opset(node.domain),
      shapeBefore: (index) => sizes(this.#shapes.before(before.input(index)), `input ${index}`),
      shape: (index) => sizes(this.#shapes.after(before.input(index)), `input ${index}`),
      outputShape: (index) => sizes(this.#shapes.after(before.output(index)), `output ${index}`),
      keeps: (labels) => Array.from(labels, (label) => this.#kept[label] === 1),
      kept: (labels) => labels.reduce((sum, label) => sum + this.#kept[label]!, 0),
      numbersBefore: (index) => {
        const known = numbersOf(this.#coupling.inference, before.inputs[index]);
        return known?.every((element) => element !== null) ? (known as readonly number[]) : undefined;
      },
      setAttribute: (name: string, attribute: Attribute) => {
        node.attributes.set(name, attribute);
      },
      setNumbers: (index, demanded) => {
        const was = numbersOf(this.#coupling.inference, before.inputs[index]);
        const now = numbersOf(this.#inference, node.inputs[index]);
        // What stands there must not have followed another cut.
        const values = demanded.map(
          (value, at) => value ?? (now?.[at] === was?.[at] ? null : (was?.[at] ?? null)),
        );
        if (now && values.every((value, at) => value === null || value === now[at])) return;
        const input = node.inputs[index];
        const open = values.some((value) => value === null);
        if (input && !input.isInitializer && open && node.graph.opset() >= WHERE_OPSET) {
          this.#choose(node, index, input, values);
          return;
        }
        const whole = values.map((value, at) => {
          const number = value ?? now?.[at];
          if (typeof number === 'number') return number;
          throw new StructuralError(
            `${before.label}: element ${at} of its input ${index} is computed and not known, and others must change; fold it into a constant first`,
          );
        });
        const tensor = wholeNumbers(whole, input ? this.#inference.get(input)?.dtype : 'int64');
        put(index, tensor);
      },
      setConstant: put,
      error: (message) => new StructuralError(`${before.label}: ${message}`),
    };
  }
}

/** Elements of a value; null where they are not known. */
const numbersOf = (
  inference: Inference,
  value: Value | null | undefined,
): readonly (number | null)[] | null =>
  (value && inference.get(value)?.known?.map((element) => (typeof element === 'number' ? element : null))) ??
  null;

/** What is known before the first node: feeds at the shapes analysed, constants as they were gathered. */
function startOf(coupling: Coupling, values: ReadonlyMap<Value, Value>): Inference {
  const inference = new Inference();
  for (const [before, value] of values) {
    if (before.graph !== coupling.graph) continue;
    if (value.initializer) inference.set(value, inferredOf(value.initializer));
    else if (!before.producer) inference.set(value, coupling.inference.get(before));
  }
  return inference;
}

/** Writes new sizes into declared types, and leaves what they say of other axes. */
function retype(coupling: Coupling, shapes: KeptShapes, values: ReadonlyMap<Value, Value>): void {
  for (const [before, value] of values) {
    if (before.graph !== coupling.graph) continue;
    if (value.initializer) {
      value.type = tensorType(value.initializer.dtype, value.initializer.shape);
      continue;
    }
    const { type } = value;
    const [was, now] = [shapes.before(before), shapes.after(before)];
    if (type?.kind !== 'tensor' || !type.shape || !was || !now) continue;
    const shape = type.shape.map((dim, axis) => (now[axis] === was[axis] ? dim : (now[axis] ?? dim)));
    value.type = { ...type, shape };
  }
}
