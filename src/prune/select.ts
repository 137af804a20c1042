import { ArgumentError } from '../core/errors.ts';
import { namePattern } from '../core/name-pattern.ts';
import type { AnyModule, Parameter } from '../nn/index.ts';
import type { PruningTarget } from './global.ts';
import { type Granularity, granularityProblem } from './granularity.ts';

/**
 * A pattern over module paths or types: a RegExp, or text in which `*` stands for any characters and `?` for one. Text must match the whole path
 * (`model.24.*`), a RegExp anywhere in it.
 */
export type Pattern = string | RegExp;

/** Which parameters are meant. A parameter is selected where all that is given agrees. */
export interface SelectOptions {
  /** Paths of modules, such as `model.*.conv`; any if left out. */
  readonly include?: Pattern | readonly Pattern[] | undefined;
  /** Paths of modules that are left out; a path below a module that is left out is so too. */
  readonly exclude?: Pattern | readonly Pattern[] | undefined;
  /** Types of modules, such as `Conv2d` or `Conv*`; if left out, those with convolution or linear weights. */
  readonly types?: Pattern | readonly Pattern[] | undefined;
  /** Names of parameters in their modules; `weight` if left out. */
  readonly parameter?: string | readonly string[] | undefined;
  /** Only parameters that have groups of this granularity: kernels leave linear layers out. */
  readonly granularity?: Granularity | undefined;
}

const list = <T extends string | RegExp>(given: T | readonly T[]): readonly T[] =>
  typeof given === 'string' || given instanceof RegExp ? [given] : (given as readonly T[]);

type Matcher = (text: string) => boolean;

function matcherOf(patterns: Pattern | readonly Pattern[]): Matcher {
  const expressions = list(patterns).map((pattern) => {
    if (typeof pattern === 'string') return namePattern(pattern);
    // A global expression remembers where its last match ended.
    return new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, ''));
  });
  return (text) => expressions.some((expression) => expression.test(text));
}

/** Does a pattern match the path of the module, or of one it stands in? */
const matchesAbove = (matches: Matcher, path: string): boolean => {
  const segments = path.split('.');
  return segments.some((_, index) => matches(segments.slice(0, index + 1).join('.')));
};

/**
 * The weights of a model that pruning is about, in the model's order, each once: by default those of convolutions and linear layers. Works on layers
 * written here and on Module views of ONNX files. Throws ArgumentError where nothing is selected,
 * naming what the model has.
 *
 * ```ts
 * selectParameters(model, { exclude: 'model.24.*', types: 'Conv2d' });
 * ```
 */
export function selectParameters(model: AnyModule, options: SelectOptions = {}): PruningTarget[] {
  const include = options.include === undefined ? null : matcherOf(options.include);
  const exclude = options.exclude === undefined ? null : matcherOf(options.exclude);
  const types = options.types === undefined ? null : matcherOf(options.types);
  const names = list(options.parameter ?? 'weight');
  const selected: PruningTarget[] = [];
  const found = new Set<string>();
  for (const { path, module, name, parameter } of model.parameterPlaces()) {
    found.add(`${module.typeName}.${name}`);
    if (!names.includes(name)) continue;
    if (types ? !types(module.typeName) : !isDefaultTarget(module, parameter)) continue;
    if (include && !matchesAbove(include, path)) continue;
    if (exclude && matchesAbove(exclude, path)) continue;
    const { granularity } = options;
    if (granularity && granularityProblem(granularity, parameter.shape, parameter.layout) !== null) continue;
    selected.push([module, name]);
  }
  if (selected.length > 0) return selected;
  throw new ArgumentError(
    `selectParameters: no parameter of ${model.typeName} is selected; it has ${[...found].join(', ') || 'none'}`,
  );
}

/**
 * Is it the parameter of a module that has weights with input and output channels? Its other parameters (a bias, asked for by name) then are
 * targets too.
 */
function isDefaultTarget(module: AnyModule, parameter: Parameter): boolean {
  if (isContraction(parameter)) return true;
  for (const other of module.parameters({ recurse: false })) if (isContraction(other)) return true;
  return false;
}

const isContraction = ({ layout }: Parameter): boolean => layout !== null && layout.input !== null;
