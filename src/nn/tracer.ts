import { type DType, dtypeInfo } from '../core/dtype.ts';
import { ArgumentError } from '../core/errors.ts';
import { fromFloat32 } from '../core/float16.ts';
import { Tensor } from '../core/tensor.ts';
import type { Shape, Value } from '../ir/index.ts';
import { type Composition, Expressions, GraphBuilder, type OpOptions } from '../ops/index.ts';
import type { Operand } from './functional/operand.ts';
import type { AnyModule, ModuleOutput } from './module.ts';
import { Parameter, type ParameterPruning } from './parameter.ts';
import { Variable } from './variable.ts';

/** A buffer's new elements, computed by the graph: batch norm's running statistics in training mode. */
export interface BufferUpdate {
  readonly buffer: Tensor;
  readonly value: Value;
}

/** How a Tracer writes graphs. */
export interface TracerOptions {
  /**
   * `bake` (the default): a pruned parameter is one initializer, `parameter.data`. `graph`: original and mask are initializers of their own,
   * joined by a Mul, so that the gradient of the original is 0 where it is pruned.
   */
  readonly masks?: 'bake' | 'graph';
  /**
   * Where random numbers of dropout come from: `nodes` (the default) that draw them, or graph `inputs`, which whoever runs the graph feeds, so that a run can be
   * repeated from any step. They are listed in `Tracer.randomInputs`.
   */
  readonly random?: 'nodes' | 'inputs';
}

/**
 * Writes down what modules compute, as a graph. Parameters and buffers become initializers under their state-dict names, sharing the
 * modules' tensors; nodes are named after the modules that made them, as PyTorch's exporter does: `/model.0/conv/Conv`.
 */
export class Tracer {
  readonly builder: GraphBuilder;
  /** What each module gave, by path: a list of outputs for every call, in order. */
  readonly moduleOutputs: Map<string, Value[][]> = new Map();
  /** Inputs to be fed with uniform random numbers in [0, 1), where `random: 'inputs'`. */
  readonly randomInputs: Value[] = [];
  /** Nodes whose gradient is known as a whole. */
  readonly compositions: Composition[] = [];
  /** Short spellings for nodes, named after the module that is being called as those of `op` are. */
  readonly expressions: Expressions;
  readonly #masks: 'bake' | 'graph';
  readonly #random: 'nodes' | 'inputs';
  readonly #updates = new Map<Tensor, Variable>();
  readonly #names = new Map<Tensor, string>();
  readonly #paths = new Map<AnyModule, string>();
  readonly #initializers = new Map<Tensor, Variable>();
  /** Modules being called, outermost first, with their scope segments. */
  readonly #stack: { readonly path: string; readonly segment: string }[] = [];
  /** Names of nodes, with the number that the next one of that name is tried with. */
  readonly #nodeNames = new Map<string, number>();
  /** Constants that are no one's parameter, by their elements. */
  readonly #constants = new Map<string, Variable>();

  constructor(root: AnyModule, builder: GraphBuilder = new GraphBuilder(), options: TracerOptions = {}) {
    this.builder = builder;
    this.#masks = options.masks ?? 'bake';
    this.#random = options.random ?? 'nodes';
    this.expressions = new Expressions({
      graph: builder.graph,
      op: (opType, inputs, given) => builder.op(opType, inputs, { name: this.#nodeName(opType), ...given }),
      ops: (opType, inputs, given) => builder.ops(opType, inputs, { name: this.#nodeName(opType), ...given }),
      constant: (tensor) => builder.constant(tensor, this.#constantName()),
      inferred: (value) => builder.inferred(value),
    });
    for (const [path, module] of root.namedModules()) this.#paths.set(module, path);
    for (const { path, name, parameter } of root.parameterPlaces()) {
      const full = path === '' ? name : `${path}.${name}`;
      this.#names.set(parameter.data, full);
      if (parameter.pruning) this.#names.set(parameter.pruning.orig, `${full}_orig`);
    }
    for (const [name, buffer] of root.namedBuffers()) this.#names.set(buffer, name);
  }

  /** Adds a graph input. */
  input(name: string, dtype: DType, shape: Shape): Variable {
    return new Variable(this, this.builder.input(name, dtype, shape));
  }

  /**
   * Uniform random numbers in [0, 1) of that shape as a new graph input, float32; null where random numbers are to be drawn by nodes.
   */
  uniform(shape: readonly number[]): Variable | null {
    if (this.#random === 'nodes') return null;
    const input = this.input(this.builder.graph.freshName('uniform'), 'float32', shape);
    this.randomInputs.push(input.value);
    return input;
  }

  /** A value of the graph as a variable. */
  variable(value: Value): Variable {
    return new Variable(this, value);
  }

  /** Runs a module's forward with its scope around, and notes its outputs. */
  scoped<T extends ModuleOutput>(module: AnyModule, body: () => T): T {
    const path = this.#paths.get(module);
    if (path === undefined) {
      throw new ArgumentError(
        `${module.typeName}: is called in a forward but is no submodule of the module being traced; make it a property`,
      );
    }
    this.#stack.push({ path, segment: this.#segment(path) });
    try {
      const output = body();
      const variables: readonly Variable[] = output instanceof Variable ? [output] : output;
      const values = variables.map(({ value }) => value);
      this.moduleOutputs.set(path, [...(this.moduleOutputs.get(path) ?? []), values]);
      return output;
    } finally {
      this.#stack.pop();
    }
  }

  /** A parameter or buffer as a value of the graph; the same value each time. Other tensors become constants without a state-dict name. */
  tensor(source: Parameter | Tensor): Variable {
    if (source instanceof Parameter) {
      const { pruning } = source;
      return pruning && this.#masks === 'graph'
        ? this.#masked(source, pruning)
        : this.#initializer(source.data);
    }
    return this.#initializer(source);
  }

  /** A buffer as it is at this point of the forward: its newest value. */
  state(buffer: Tensor): Variable {
    return this.#updates.get(buffer) ?? this.#initializer(buffer);
  }

  /** Notes a buffer's new value, which a run writes back. */
  update(buffer: Tensor, value: Variable): void {
    this.#updates.set(buffer, value);
  }

  /** New values of buffers, one a buffer, to be written back after a run. */
  get updates(): readonly BufferUpdate[] {
    return [...this.#updates].map(([buffer, { value }]) => ({ buffer, value }));
  }

  /** The name, or where a node has it already, the name with a number: the engine wants each once. Nodes without a name stay so. */
  freshNodeName(name: string): string {
    if (name === '') return name;
    let count = this.#nodeNames.get(name) ?? 0;
    let fresh = count === 0 ? name : `${name}_${count}`;
    while (count > 0 && this.#nodeNames.has(fresh)) fresh = `${name}_${++count}`;
    this.#nodeNames.set(name, count + 1);
    if (fresh !== name) this.#nodeNames.set(fresh, 1);
    return fresh;
  }

  /** A constant that is no one's parameter: a shape, a list of axes, a scalar. Equal ones are shared. */
  constant(tensor: Tensor): Variable {
    const key = `${tensor} ${tensor.bytes.join(' ')}`;
    const known = this.#constants.get(key);
    if (known) return known;
    const variable = new Variable(this, this.builder.constant(tensor, this.#constantName()));
    this.#constants.set(key, variable);
    return variable;
  }

  /** A number as a constant of that dtype, without axes. Throws ArgumentError where the dtype cannot hold it. */
  scalar(value: number, dtype: DType = 'float32'): Variable {
    const { kind } = dtypeInfo(dtype);
    const whole = kind === 'int' || kind === 'uint';
    if (kind !== 'float' && !(whole && Number.isInteger(value))) {
      throw new ArgumentError(`${dtype} cannot hold ${value}; convert the variable first: x.to('float32')`);
    }
    if (dtype === 'float64') return this.constant(new Tensor(dtype, [], Float64Array.of(value)));
    return this.constant(
      dtype === 'int64' ? Tensor.int64(value) : fromFloat32(Tensor.full([], value), dtype),
    );
  }

  /** What arithmetic takes beside a variable, as a variable; numbers get the dtype given. */
  operand(operand: Operand, dtype: DType): Variable {
    if (operand instanceof Variable) return operand;
    return typeof operand === 'number' ? this.scalar(operand, dtype) : this.tensor(operand);
  }

  /** A constant int64 tensor, as ONNX wants shapes and axes; a bare number gives one without axes. */
  int64(values: number | readonly number[]): Variable {
    return this.constant(Tensor.int64(values));
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

  #initializer(tensor: Tensor): Variable {
    const known = this.#initializers.get(tensor);
    if (known) return known;
    const name = this.#names.get(tensor) ?? this.#constantName();
    const variable = new Variable(this, this.builder.constant(tensor, name));
    this.#initializers.set(tensor, variable);
    return variable;
  }

  #masked(parameter: Parameter, pruning: ParameterPruning): Variable {
    const known = this.#initializers.get(parameter.data);
    if (known) return known;
    const factors = [this.#initializer(pruning.orig), this.#initializer(pruning.mask)];
    const masked = this.op('Mul', factors);
    this.#initializers.set(parameter.data, masked);
    return masked;
  }

  #constantName(): string {
    return `${this.#scope()}Constant`;
  }

  #scope(): string {
    const segments = this.#stack.map(({ segment }) => segment).filter((segment) => segment !== '');
    return segments.length === 0 ? '/' : `/${segments.join('/')}/`;
  }

  #nodeName(opType: string): string {
    return this.freshNodeName(`${this.#scope()}${opType}`);
  }
}
