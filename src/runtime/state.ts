import type { Engine } from '#ort';
import { ArgumentError } from '../core/errors.ts';
import type { Tensor } from '../core/tensor.ts';
import { type OrtTensor, toEngine } from './engine-tensor.ts';

/** A value that a graph hands on from run to run: a parameter, a momentum, running statistics. */
export interface StateSlot {
  /** Graph input that reads it. */
  readonly input: string;
  /** Graph output that gives its next value. */
  readonly output: string;
  /** Its value at the start; copied. */
  readonly initial: Tensor;
}

/** A slot with its two pieces of memory: `now` is read, `next` is written. */
interface Pair {
  readonly output: string;
  now: Tensor;
  next: Tensor;
  nowEngine: OrtTensor | null;
  nextEngine: OrtTensor | null;
}

/**
 * Memory for values that steps of a graph hand on to each other. Each has two pieces of memory: a step reads one and writes the other, as no kernel may write what
 * another still reads, and then they change places. Sessions of one state (other batch sizes, a step that only accumulates) share it.
 */
export class StateBuffers {
  readonly #pairs = new Map<string, Pair>();

  constructor(slots: readonly StateSlot[]) {
    for (const { input, output, initial } of slots) {
      this.#pairs.set(input, {
        output,
        now: initial.clone(),
        next: initial.clone(),
        nowEngine: null,
        nextEngine: null,
      });
    }
  }

  /** True where a graph input of that name is fed from here. */
  has(input: string): boolean {
    return this.#pairs.has(input);
  }

  /** Names of the inputs fed from here. */
  get names(): readonly string[] {
    return [...this.#pairs.keys()];
  }

  /** Bytes of both sets of buffers. */
  get byteLength(): number {
    let bytes = 0;
    for (const { now } of this.#pairs.values()) bytes += 2 * now.bytes.length;
    return bytes;
  }

  /** The present value of a slot, over the memory that the step after the next overwrites: copy what is to be kept. Throws ArgumentError for other names. */
  get(input: string): Tensor {
    return this.#pair(input).now;
  }

  /** Copies elements into a slot. Throws ArgumentError where dtype or size differ. */
  set(input: string, tensor: Tensor): void {
    const { now } = this.#pair(input);
    if (tensor.dtype !== now.dtype || tensor.size !== now.size) {
      throw new ArgumentError(`StateBuffers: '${input}' is ${now}, got ${tensor}`);
    }
    now.bytes.set(tensor.bytes);
  }

  #pair(input: string): Pair {
    const pair = this.#pairs.get(input);
    if (pair) return pair;
    throw new ArgumentError(
      `StateBuffers: nothing is kept for '${input}'; there are ${this.names.join(', ')}`,
    );
  }

  /** For `Session`: what is fed. @internal */
  _inputs(engine: Engine): Record<string, OrtTensor> {
    const inputs: Record<string, OrtTensor> = {};
    for (const [name, pair] of this.#pairs) {
      pair.nowEngine ??= toEngine(engine, name, pair.now);
      inputs[name] = pair.nowEngine;
    }
    return inputs;
  }

  /** For `Session`: where those of the outputs go that are kept here. @internal */
  _outputs(engine: Engine, outputs: readonly string[]): ReadonlyMap<string, OrtTensor> {
    const given = new Set(outputs);
    const memory = new Map<string, OrtTensor>();
    for (const [name, pair] of this.#pairs) {
      if (!given.has(pair.output)) continue;
      pair.nextEngine ??= toEngine(engine, name, pair.next);
      memory.set(pair.output, pair.nextEngine);
    }
    return memory;
  }

  /** For `Session`, after a run: what was written is now what is read. Slots that the graph does not give stay. @internal */
  _commit(results: Readonly<Record<string, OrtTensor>>, written: boolean): void {
    for (const pair of this.#pairs.values()) {
      const result = results[pair.output];
      if (!result) continue;
      if (!written) pair.next.setData(result.data as Tensor['data']);
      [pair.now, pair.next] = [pair.next, pair.now];
      [pair.nowEngine, pair.nextEngine] = written ? [pair.nextEngine, pair.nowEngine] : [null, null];
    }
  }
}
