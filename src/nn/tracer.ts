import type { DType } from '../core/dtype.ts';
import { ArgumentError } from '../core/errors.ts';
import type { Tensor } from '../core/tensor.ts';
import type { Shape, Value } from '../ir/index.ts';
import { GraphBuilder, type OpOptions } from '../ops/index.ts';
import type { AnyModule } from './module.ts';
import { Parameter } from './parameter.ts';
import { Variable } from './variable.ts';

/** A buffer's new elements, computed by the graph: batch norm's running statistics in training mode. */
export interface BufferUpdate {
  readonly buffer: Tensor;
  readonly value: Value;
}

/**
 * Writes down what modules compute, as a graph. Parameters and buffers become initializers under their state-dict names, sharing the
 * modules' tensors; nodes are named after the modules that made them, as PyTorch's exporter does: `/model.0/conv/Conv`.
 */
export class Tracer {
  readonly builder: GraphBuilder;
  /** New values of buffers, to be written back after a run. */
  readonly updates: BufferUpdate[] = [];
  readonly #names = new Map<Tensor, string>();
  readonly #paths = new Map<AnyModule, string>();
  readonly #initializers = new Map<Tensor, Variable>();
  /** Modules being called, outermost first, with their scope segments. */
  readonly #stack: { readonly path: string; readonly segment: string }[] = [];
  readonly #nodeNames = new Map<string, number>();

  constructor(root: AnyModule, builder: GraphBuilder = new GraphBuilder()) {
    this.builder = builder;
    for (const [path, module] of root.namedModules()) this.#paths.set(module, path);
    for (const { path, name, parameter } of root.parameterPlaces()) {
      this.#names.set(parameter.data, path === '' ? name : `${path}.${name}`);
    }
    for (const [name, buffer] of root.namedBuffers()) this.#names.set(buffer, name);
  }

  /** Adds a graph input. */
  input(name: string, dtype: DType, shape: Shape): Variable {
    return new Variable(this, this.builder.input(name, dtype, shape));
  }

  /** Runs a module's forward with its scope around. */
  scoped<T>(module: AnyModule, body: () => T): T {
    const path = this.#paths.get(module);
    if (path === undefined) {
      throw new ArgumentError(
        `${module.typeName}: is called in a forward but is no submodule of the module being traced; make it a property`,
      );
    }
    this.#stack.push({ path, segment: this.#segment(path) });
    try {
      return body();
    } finally {
      this.#stack.pop();
    }
  }

  /** A parameter or buffer as a value of the graph; the same value each time. Other tensors become anonymous constants. */
  tensor(source: Parameter | Tensor): Variable {
    const tensor = source instanceof Parameter ? source.data : source;
    const known = this.#initializers.get(tensor);
    if (known) return known;
    const variable = new Variable(this, this.builder.constant(tensor, this.#names.get(tensor) ?? 'constant'));
    this.#initializers.set(tensor, variable);
    return variable;
  }

  /** Adds a node with one output. */
  op(opType: string, inputs: readonly (Variable | null)[], options: OpOptions = {}): Variable {
    const [output] = this.ops(opType, inputs, options);
    if (!output) throw new ArgumentError(`${opType}: has no output`);
    return output;
  }

  /** Adds a node and gives its outputs. Throws ShapeError where the inputs do not fit. */
  ops(opType: string, inputs: readonly (Variable | null)[], options: OpOptions = {}): Variable[] {
    const values = inputs.map((input) => input?.value ?? null);
    const outputs = this.builder.ops(opType, values, {
      ...options,
      name: options.name ?? this.#nodeName(opType),
    });
    return outputs.map((value) => new Variable(this, value));
  }

  /** Path relative to the module called around it; a child of a Sequential is named with it, `features.0`. */
  #segment(path: string): string {
    const around = this.#stack.at(-1);
    if (!around || around.path === '') return path;
    if (!path.startsWith(`${around.path}.`)) return path;
    const relative = path.slice(around.path.length + 1);
    return /^\d/.test(relative) ? `${around.segment}.${relative}` : relative;
  }

  #nodeName(opType: string): string {
    const segments = this.#stack.map(({ segment }) => segment).filter((segment) => segment !== '');
    const base = `/${[...segments, opType].join('/')}`;
    const count = this.#nodeNames.get(base) ?? 0;
    this.#nodeNames.set(base, count + 1);
    return count === 0 ? base : `${base}_${count}`;
  }
}
