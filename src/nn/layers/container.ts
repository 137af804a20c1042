import { ArgumentError } from '../../core/errors.ts';
import { type AnyModule, Module, type ModuleOutput } from '../module.ts';
import type { Variable } from '../variable.ts';

/** Modules applied one after the other; names are `0`, `1`, … or those given. */
export class Sequential extends Module {
  /** Takes modules, or one record of named modules. Throws ArgumentError for names that cannot be. */
  constructor(...modules: readonly [Readonly<Record<string, Module>>] | readonly Module[]) {
    super();
    const [first] = modules;
    const named: [string, Module][] =
      first !== undefined && !(first instanceof Module)
        ? Object.entries(first)
        : (modules as readonly Module[]).map((module, index) => [String(index), module]);
    for (const [name, module] of named) this.registerModule(name, module);
  }

  /** Number of modules. */
  get length(): number {
    return [...this.children()].length;
  }

  /** Module `index`, counted from the end where negative. Throws ArgumentError where there is none. */
  at(index: number): AnyModule {
    return childAt(this, index);
  }

  /** Adds a module behind the others. */
  append(module: Module): this {
    this.registerModule(String(this.length), module);
    return this;
  }

  [Symbol.iterator](): Iterator<AnyModule> {
    return this.children();
  }

  override forward(x: Variable): Variable {
    let result = x;
    for (const module of this.children()) {
      const output = module.call(result);
      if (isList(output)) {
        throw new ArgumentError(
          `Sequential: ${module.typeName} gives several outputs; the next module takes one`,
        );
      }
      result = output;
    }
    return result;
  }
}

const isList = (output: ModuleOutput): output is readonly Variable[] => Array.isArray(output);

function childAt(module: AnyModule, index: number): AnyModule {
  const children = [...module.children()];
  const child = children.at(index);
  if (child) return child;
  throw new ArgumentError(`${module.typeName}: has no module ${index}; it has ${children.length}`);
}

/** Modules in a list, to be called by the module around. */
export class ModuleList<T extends AnyModule = Module> extends Module<never> {
  constructor(modules: Iterable<T> = []) {
    super();
    for (const module of modules) this.append(module);
  }

  /** Number of modules. */
  get length(): number {
    return [...this.children()].length;
  }

  /** Module `index`, counted from the end where negative. Throws ArgumentError where there is none. */
  at(index: number): T {
    return childAt(this, index) as T;
  }

  /** Adds a module behind the others. */
  append(module: T): this {
    this.registerModule(String(this.length), module);
    return this;
  }

  *[Symbol.iterator](): Generator<T> {
    for (const child of this.children()) yield child as T;
  }

  /** As PyTorch prints lists: equal neighbours once, `(0-2): 3 x Linear(…)`. */
  override toString(): string {
    const printed = [...this].map(String);
    if (printed.length === 0) return 'ModuleList()';
    const lines = printed.flatMap((text, first) => {
      if (printed[first - 1] === text) return [];
      let last = first;
      while (printed[last + 1] === text) last++;
      const block = text.replaceAll('\n', '\n  ');
      return first === last
        ? `  (${first}): ${block}`
        : `  (${first}-${last}): ${last - first + 1} x ${block}`;
    });
    return ['ModuleList(', ...lines, ')'].join('\n');
  }

  /** Lists compute nothing. Throws ArgumentError. */
  override forward(): never {
    throw new ArgumentError('ModuleList: has no forward; call its modules');
  }
}

/** Modules under names, to be called by the module around. */
export class ModuleDict<T extends AnyModule = Module> extends Module<never> {
  constructor(modules: Readonly<Record<string, T>> = {}) {
    super();
    for (const [name, module] of Object.entries(modules)) this.set(name, module);
  }

  /** Number of modules. */
  get length(): number {
    return [...this.children()].length;
  }

  /** Module of that name. Throws ArgumentError where there is none. */
  get(name: string): T {
    return this.getSubmodule(name) as T;
  }

  /** Puts a module under a name. */
  set(name: string, module: T): this {
    this.registerModule(name, module);
    return this;
  }

  /** Names in order. */
  *keys(): Generator<string> {
    for (const [name] of this.namedChildren()) yield name;
  }

  /** Dictionaries compute nothing. Throws ArgumentError. */
  override forward(): never {
    throw new ArgumentError('ModuleDict: has no forward; call its modules');
  }
}
