import { ArgumentError } from '../core/errors.ts';
import type { Tensor } from '../core/tensor.ts';
import { addHook, type ForwardHook, type ForwardPreHook, type HookHandle } from './hooks.ts';
import { type MaskMethod, Parameter } from './parameter.ts';
import { loadInto, type StateDict } from './state-dict.ts';
import type { Variable } from './variable.ts';

/** What a forward gives: one variable or several. */
export type ModuleOutput = Variable | readonly Variable[];

/** A module of any output. */
export type AnyModule = Module<ModuleOutput>;

interface Buffer {
  readonly tensor: Tensor;
  readonly persistent: boolean;
}

/** A parameter where it stands: its module, the module's path, and its name there. */
export interface ParameterPlace {
  readonly module: AnyModule;
  /** Path of the module from the root, such as `model.0.conv`; `''` for the root itself. */
  readonly path: string;
  /** Name in the module, such as `weight`; also for pruned parameters. */
  readonly name: string;
  readonly parameter: Parameter;
}

const join = (prefix: string, name: string): string => (prefix === '' ? name : `${prefix}.${name}`);

/**
 * A layer or network, as `torch.nn.Module`: parameters, buffers and submodules under names, and a `forward` that says what it
 * computes. Parameters and submodules are found among the object's own properties, so that a network is written as in PyTorch:
 *
 * ```ts
 * class LeNet extends Module {
 *   conv1 = new Conv2d(1, 6, 3);
 *   fc = new Linear(6 * 30 * 30, 10);
 *   override forward(x: Variable) {
 *     return this.fc.call(F.flatten(F.relu(this.conv1.call(x)), 1));
 *   }
 * }
 * ```
 *
 * `forward` works on Variables, which stand for values of the graph being traced: `trace` gives the graph, `run` runs it. Names that
 * are no properties (`running_mean`) are registered with `registerParameter`, `registerBuffer`, `registerModule`.
 */
export abstract class Module<Out extends ModuleOutput = Variable> {
  /** True in training mode, as new modules are in PyTorch. Set by `train()` and `eval()`. */
  training = true;
  readonly #parameters = new Map<string, Parameter | null>();
  readonly #buffers = new Map<string, Buffer | null>();
  readonly #modules = new Map<string, AnyModule>();
  /** Names that came from properties, and vanish with them. */
  readonly #fromProperties = new Set<string>();
  readonly #preHooks = new Set<{ readonly hook: ForwardPreHook }>();
  readonly #hooks = new Set<{ readonly hook: ForwardHook }>();

  /** What the module computes. Call modules by `call`, which runs hooks and names scopes; never `forward` itself. */
  abstract forward(...inputs: Variable[]): Out;

  /** PyTorch's class name, for tables and messages. */
  get typeName(): string {
    return this.constructor.name;
  }

  /** What `print` shows between the brackets, such as `3, 16, kernel_size=(3, 3)`. */
  extraRepr(): string {
    return '';
  }

  /** Applies the module inside another's `forward`: pre-hooks, forward, hooks. Throws ArgumentError without an input. */
  call(...inputs: Variable[]): Out {
    const tracer = inputs[0]?.tracer;
    if (!tracer) throw new ArgumentError(`${this.typeName}: call expects at least one Variable`);
    return tracer.scoped(this, () => {
      let given: readonly Variable[] = inputs;
      for (const { hook } of this.#preHooks) given = hook(this, given) ?? given;
      let output: ModuleOutput = this.forward(...given);
      for (const { hook } of this.#hooks) output = hook(this, given, output) ?? output;
      return output as Out;
    });
  }

  /**
   * Runs `hook(module, inputs)` before every forward. Hooks see Variables: they run when the module is traced, and what they add becomes part
   * of the graph. `activations` gives the numbers.
   */
  registerForwardPreHook(hook: ForwardPreHook): HookHandle {
    return addHook(this.#preHooks, hook);
  }

  /** Runs `hook(module, inputs, output)` after every forward; see `registerForwardPreHook`. */
  registerForwardHook(hook: ForwardHook): HookHandle {
    return addHook(this.#hooks, hook);
  }

  /** Adds a parameter under a name; null keeps the place empty (a layer without bias). Throws ArgumentError for a name that cannot be. */
  registerParameter(name: string, parameter: Parameter | null): void {
    this.#checkName(name, this.#parameters);
    this.#parameters.set(name, parameter);
  }

  /** Adds a buffer: state that is saved but not trained. Throws ArgumentError for a name that cannot be. */
  registerBuffer(name: string, tensor: Tensor | null, options: { persistent?: boolean } = {}): void {
    this.#checkName(name, this.#buffers);
    this.#buffers.set(name, tensor && { tensor, persistent: options.persistent ?? true });
  }

  /** Adds a submodule under a name. Throws ArgumentError for a name that cannot be. */
  registerModule(name: string, module: AnyModule): void {
    this.#checkName(name, this.#modules);
    this.#modules.set(name, module);
  }

  /** Direct submodules by name, in order. */
  *namedChildren(): Generator<[string, AnyModule]> {
    this.#findProperties();
    yield* this.#modules;
  }

  *children(): Generator<AnyModule> {
    for (const [, module] of this.namedChildren()) yield module;
  }

  /** This module and all below it with their paths, each once, parents first. */
  *namedModules(prefix = '', seen: Set<AnyModule> = new Set()): Generator<[string, AnyModule]> {
    yield* this.#collectModules(prefix, seen, []);
  }

  *modules(): Generator<AnyModule> {
    for (const [, module] of this.namedModules()) yield module;
  }

  /** Parameters with their names, each once, in PyTorch's order; a pruned `weight` is `weight_orig` and stands where pruning put it. */
  *namedParameters(prefix = '', options: { recurse?: boolean } = {}): Generator<[string, Parameter]> {
    for (const { path, name, parameter } of this.parameterPlaces(options)) {
      yield [join(prefix, join(path, parameter.pruning ? `${name}_orig` : name)), parameter];
    }
  }

  *parameters(options: { recurse?: boolean } = {}): Generator<Parameter> {
    for (const { parameter } of this.parameterPlaces(options)) yield parameter;
  }

  /** Parameters where they stand, each once, in PyTorch's order. */
  *parameterPlaces(options: { recurse?: boolean } = {}): Generator<ParameterPlace> {
    const seen = new Set<Parameter>();
    for (const [path, module] of this.#walk(options.recurse ?? true)) {
      module.#findProperties();
      for (const [name, parameter] of module.#parameters) {
        if (!parameter || seen.has(parameter)) continue;
        seen.add(parameter);
        yield { module, path, name, parameter };
      }
    }
  }

  /** Buffers with their names, each once; masks of pruned parameters (`weight_mask`) are among them. */
  *namedBuffers(prefix = '', options: { recurse?: boolean } = {}): Generator<[string, Tensor]> {
    const seen = new Set<Tensor>();
    for (const [path, module] of this.#walk(options.recurse ?? true)) {
      module.#findProperties();
      for (const [name, buffer] of module.#buffers) {
        if (!buffer || seen.has(buffer.tensor)) continue;
        seen.add(buffer.tensor);
        yield [join(prefix, join(path, name)), buffer.tensor];
      }
    }
  }

  *buffers(options: { recurse?: boolean } = {}): Generator<Tensor> {
    for (const [, tensor] of this.namedBuffers('', options)) yield tensor;
  }

  /** The submodule at a path such as `model.0.conv`; `''` is the module itself. Throws ArgumentError where there is none. */
  getSubmodule(path: string): AnyModule {
    let module: AnyModule = this;
    if (path === '') return module;
    for (const name of path.split('.')) {
      module.#findProperties();
      const child: AnyModule | undefined = module.#modules.get(name);
      if (!child)
        throw new ArgumentError(`${this.typeName}: has no submodule '${path}' ('${name}' is missing)`);
      module = child;
    }
    return module;
  }

  /** The parameter of that name in this module, or at a path (`conv1.weight`). Throws ArgumentError where there is none. */
  getParameter(path: string): Parameter {
    const dot = path.lastIndexOf('.');
    const module = this.getSubmodule(dot < 0 ? '' : path.slice(0, dot));
    module.#findProperties();
    const parameter = module.#parameters.get(path.slice(dot + 1));
    if (parameter) return parameter;
    const names = [...module.#parameters].filter(([, p]) => p !== null).map(([name]) => `'${name}'`);
    throw new ArgumentError(
      `${module.typeName}: has no parameter '${path}'; ${names.length > 0 ? `it has ${names.join(', ')}` : 'it has none'}`,
    );
  }

  /** The buffer of that name in this module, or at a path (`bn1.running_mean`). Throws ArgumentError where there is none. */
  getBuffer(path: string): Tensor {
    const dot = path.lastIndexOf('.');
    const module = this.getSubmodule(dot < 0 ? '' : path.slice(0, dot));
    const buffer = module.#buffers.get(path.slice(dot + 1));
    if (buffer) return buffer.tensor;
    throw new ArgumentError(`${module.typeName}: has no buffer '${path}'`);
  }

  /** True where this module itself (not one below) has a parameter of that name. */
  hasParameter(name: string): boolean {
    this.#findProperties();
    return this.#parameters.get(name) instanceof Parameter;
  }

  /**
   * Masks a parameter of this module. As in PyTorch the first mask moves the name to the end, as `weight_orig`, and adds the buffer
   * `weight_mask`. `secateur/prune` is the way to call it. Throws ArgumentError; nothing has changed then.
   */
  setPruning(name: string, method: MaskMethod, mask: Tensor): void {
    const parameter = this.#own(name);
    const first = parameter.pruning === null;
    parameter.setPruning(method, mask);
    if (first) this.#moveToEnd(name, parameter);
    this.#buffers.set(`${name}_mask`, { tensor: mask, persistent: true });
  }

  /** Makes the pruning of a parameter permanent: the mask goes, zeros stay, and the name moves to the end, as in PyTorch. */
  removePruning(name: string): void {
    const parameter = this.#own(name);
    parameter.makePermanent();
    this.#buffers.delete(`${name}_mask`);
    this.#moveToEnd(name, parameter);
  }

  /** Parameters and persistent buffers by PyTorch's names, in PyTorch's order. The tensors are the module's own, not copies. */
  stateDict(prefix = ''): Map<string, Tensor> {
    const dict = new Map<string, Tensor>();
    this.#saveInto(dict, prefix);
    return dict;
  }

  /**
   * Copies a state dict into the module. `strict` (the default) wants the very same names. float16 and other real tensors are converted to
   * the module's dtype. Throws StateDictError that lists missing and unexpected names and every shape that differs; nothing has changed
   * then. Returns the names that did not match.
   */
  loadStateDict(
    dict: StateDict,
    options: { strict?: boolean } = {},
  ): { missingKeys: readonly string[]; unexpectedKeys: readonly string[] } {
    const result = loadInto(this.typeName, this.stateDict(), dict, options.strict ?? true);
    for (const parameter of this.parameters()) parameter.refresh();
    return result;
  }

  /** Sets training mode here and below. */
  train(mode = true): this {
    for (const module of this.modules()) module.training = mode;
    return this;
  }

  /** Sets evaluation mode here and below: batch norm uses running statistics, dropout does nothing. */
  eval(): this {
    return this.train(false);
  }

  /** Calls `fn` for this module and all below it, children first. */
  apply(fn: (module: AnyModule) => void): this {
    for (const child of this.children()) child.apply(fn);
    fn(this);
    return this;
  }

  /** Sets `requiresGrad` of all parameters. */
  requiresGrad_(value = true): this {
    for (const parameter of this.parameters()) parameter.requiresGrad = value;
    return this;
  }

  /** The module as PyTorch prints it, a line a submodule. */
  toString(): string {
    const children = [...this.namedChildren()].map(
      ([name, child]) => `  (${name}): ${child.toString().replaceAll('\n', '\n  ')}`,
    );
    const extra = this.extraRepr();
    if (children.length === 0) return `${this.typeName}(${extra})`;
    return [`${this.typeName}(`, ...(extra ? [`  ${extra}`] : []), ...children, ')'].join('\n');
  }

  /** A list, not a generator in a generator in a generator: every step of those goes through all the levels. */
  #collectModules(
    prefix: string,
    seen: Set<AnyModule>,
    found: [string, AnyModule][],
  ): readonly [string, AnyModule][] {
    if (seen.has(this)) return found;
    seen.add(this);
    found.push([prefix, this]);
    this.#findProperties();
    for (const [name, child] of this.#modules) child.#collectModules(join(prefix, name), seen, found);
    return found;
  }

  *#walk(recurse: boolean): Generator<[string, AnyModule]> {
    if (recurse) yield* this.namedModules();
    else yield ['', this];
  }

  #saveInto(dict: Map<string, Tensor>, prefix: string): void {
    this.#findProperties();
    for (const [name, parameter] of this.#parameters) {
      if (parameter) dict.set(join(prefix, parameter.pruning ? `${name}_orig` : name), parameter.orig);
    }
    for (const [name, buffer] of this.#buffers) {
      if (buffer?.persistent) dict.set(join(prefix, name), buffer.tensor);
    }
    for (const [name, child] of this.#modules) child.#saveInto(dict, join(prefix, name));
  }

  #own(name: string): Parameter {
    this.#findProperties();
    const parameter = this.#parameters.get(name);
    if (parameter) return parameter;
    throw new ArgumentError(`${this.typeName}: has no parameter '${name}' of its own`);
  }

  #moveToEnd(name: string, parameter: Parameter): void {
    this.#parameters.delete(name);
    this.#parameters.set(name, parameter);
  }

  /** Takes over parameters and submodules from the object's own properties: new ones at the end, replaced ones in their place. */
  #findProperties(): void {
    // Called at every step of every walk: it must cost little where nothing has changed.
    for (const name of Object.keys(this)) {
      const value: unknown = Reflect.get(this, name);
      if (value instanceof Parameter) {
        if (this.#parameters.get(name) !== value) {
          this.#dropMask(name);
          this.#parameters.set(name, value);
        }
      } else if (value instanceof Module) {
        if (this.#modules.get(name) !== value) this.#modules.set(name, value);
      } else {
        if (this.#fromProperties.has(name)) this.#forget(name, value === null);
        continue;
      }
      if (!this.#fromProperties.has(name)) this.#fromProperties.add(name);
    }
    for (const name of this.#fromProperties) {
      if (!Object.prototype.propertyIsEnumerable.call(this, name)) this.#forget(name, false);
    }
  }

  /** The mask of a parameter that is about to leave its place. */
  #dropMask(name: string): void {
    if (this.#parameters.get(name)?.pruning) this.#buffers.delete(`${name}_mask`);
  }

  #forget(name: string, keepPlace: boolean): void {
    this.#dropMask(name);
    if (keepPlace && this.#parameters.has(name)) {
      this.#parameters.set(name, null);
      return;
    }
    this.#parameters.delete(name);
    this.#modules.delete(name);
    this.#fromProperties.delete(name);
  }

  #checkName(name: string, own: ReadonlyMap<string, unknown>): void {
    if (name === '' || name.includes('.')) {
      throw new ArgumentError(
        `${this.typeName}: the name '${name}' ${name === '' ? 'is empty' : "contains '.'"}`,
      );
    }
    this.#findProperties();
    const taken = [this.#parameters, this.#buffers, this.#modules].some(
      (map) => map !== own && map.has(name),
    );
    if (taken) throw new ArgumentError(`${this.typeName}: the name '${name}' is taken`);
  }
}
