import { existsSync, statSync } from 'node:fs';
import { extname } from 'node:path';
import { FileError, StateDictError } from '../core/errors.ts';
import { nearest } from '../core/nearest.ts';
import { manualSeed } from '../core/random.ts';
import type { Graph } from '../ir/index.ts';
import { createModel, modelNames } from '../models/index.ts';
import { type AnyModule, fromGraph, trace } from '../nn/index.ts';
import { isWeightsPath, readModel, WEIGHTS_EXTENSIONS } from '../node/index.ts';
import type { ModelOptions } from './commands.ts';
import { ofFile, tensorsOf } from './inputs.ts';
import { declaredShape, loadCheckpoint } from './load-checkpoint.ts';
import type { NamedShape } from './parse.ts';
import { UsageError } from './usage-error.ts';

/** A model of the command line, as module and as graph; the two share their weights. */
export interface LoadedModel {
  /** As it was named. */
  readonly source: string;
  readonly module: AnyModule;
  readonly graph: Graph;
  /** Shapes given by `--shape`, by input name; undefined where none was given. */
  readonly shapes: Readonly<Record<string, readonly number[]>> | undefined;
  /** Shapes to profile with: the given ones, or for an architecture its usual input; undefined where the file says enough. */
  readonly profileShapes: Readonly<Record<string, readonly number[]>> | undefined;
}

/** Is the source the name of an architecture, not a file? */
export const isArchitecture = (source: string): boolean => isModelName(source) && !existsSync(source);

const isModelName = (text: string): boolean => modelNames.includes(text.toLowerCase());

/** How a model is loaded. */
export interface LoadOptions extends ModelOptions {
  /** YOLOv5: whether boxes are decoded. Default for checkpoints, not for architectures. */
  readonly decode?: boolean;
  /** [height, width] of the images of an architecture or a checkpoint. */
  readonly imageSize?: readonly [height: number, width: number];
  /** Images at once of an architecture or a checkpoint; any number by default. */
  readonly batch?: number;
}

/**
 * Reads an ONNX file or a checkpoint of a built-in architecture, or builds an architecture by its name. Throws UsageError for what is none of them, and for options that do not fit; the
 * errors of readers otherwise.
 */
export function loadModel(source: string, options: LoadOptions): LoadedModel {
  if (isArchitecture(source)) return build(source.toLowerCase(), options);
  if (isWeightsPath(source)) return ofCheckpoint(source, options);
  if (extname(source).toLowerCase() !== '.onnx') {
    throw new UsageError(unknownModel(source));
  }
  refuse(source, options, ['classes', 'weights', 'decode', 'imageSize', 'batch']);
  const module = ofFile(source, () => fromGraph(readModel(source)));
  const shapes = namedShapes(module.graph, options.shape);
  return { source, module, graph: module.graph, shapes, profileShapes: shapes };
}

/** Throws UsageError for options that a file has no use for. */
function refuse(source: string, options: LoadOptions, names: readonly (keyof LoadOptions)[]): void {
  for (const option of names) {
    if (options[option] === undefined) continue;
    const [typed, owners] =
      option === 'classes' || option === 'weights'
        ? [option, 'built-in architectures']
        : [option === 'imageSize' ? 'size' : option, 'built-in architectures and checkpoints'];
    throw new UsageError(`--${typed} belongs to ${owners}; '${source}' is a file with its own`);
  }
}

function ofCheckpoint(source: string, options: LoadOptions): LoadedModel {
  refuse(source, options, ['classes', 'weights']);
  const { shape, ...others } = options;
  const { module, graph, example } = loadCheckpoint(source, {
    ...others,
    ...(shape === undefined ? {} : { shape: shape.at(-1)!.shape }),
  });
  const shapes = namedShapes(graph, shape);
  return { source, module, graph, shapes, profileShapes: shapes ?? { [graph.feeds[0]!.name]: example } };
}

function build(name: string, options: LoadOptions): LoadedModel {
  manualSeed(options.seed ?? 0);
  const module = createModel(name, {
    ...(options.classes === undefined ? {} : { classes: options.classes }),
    ...(options.decode === undefined ? {} : { decode: options.decode }),
  });
  module.eval();
  if (options.weights !== undefined) loadWeights(name, module, options.weights);
  const declared = declaredShape(name, options);
  const example = declared.map((dim, axis) => (typeof dim === 'number' && axis > 0 ? dim : 1));
  const graph = trace(module, [options.shape?.at(-1)?.shape ?? declared]);
  const shapes = namedShapes(graph, options.shape);
  const [input] = graph.feeds;
  return {
    source: name,
    module,
    graph,
    shapes,
    profileShapes: shapes ?? (input ? { [input.name]: example } : {}),
  };
}

function unknownModel(source: string): string {
  if (!existsSync(source)) {
    const guess = nearest(source.toLowerCase(), modelNames);
    const meant = guess === null ? '' : `; did you mean ${guess}?`;
    return `'${source}' is neither an .onnx file nor a built-in architecture (${modelNames.join(', ')})${meant}`;
  }
  return statSync(source).isDirectory()
    ? `'${source}' is a folder; expected an .onnx file or a checkpoint`
    : `'${source}' is not read as a model; expected an .onnx file, or weights of a built-in architecture (${WEIGHTS_EXTENSIONS.join(', ')})`;
}

/** Lines of a message about weights that do not fit which are shown: PyTorch names every parameter. */
const LINES = 6;
const LINE_LENGTH = 240;

function loadWeights(name: string, module: AnyModule, path: string): void {
  const tensors = tensorsOf('--weights', path);
  try {
    module.loadStateDict(tensors);
  } catch (error) {
    if (!(error instanceof StateDictError)) throw error;
    const [, ...lines] = error.message.split('\n');
    const shown = lines
      .slice(0, LINES)
      .map((line) => `  ${line.trim().slice(0, LINE_LENGTH)}${line.trim().length > LINE_LENGTH ? ' …' : ''}`);
    if (lines.length > LINES) shown.push(`  … and ${lines.length - LINES} lines more`);
    throw new FileError(
      path,
      `the weights do not fit ${name}; is it another size, or another number of --classes?\n${shown.join('\n')}`,
      { cause: error },
    );
  }
}

/**
 * Throws UsageError, with what to type, where a file leaves sizes of its inputs open that no `--shape` gives. The first axis is the
 * batch: it may stay open.
 */
export function requireShapes({ source, graph, profileShapes }: LoadedModel): void {
  const open = graph.feeds.flatMap(({ name, type }) => {
    if (profileShapes?.[name]) return [];
    const shape = type?.kind === 'tensor' ? type.shape : null;
    if (shape?.every((dim, axis) => axis === 0 || typeof dim === 'number')) return [];
    return [{ name, shape }];
  });
  if (open.length === 0) return;
  const declared = open.map(({ name, shape }) =>
    shape ? `'${name}' [${shape.map((dim) => dim ?? '?').join(', ')}]` : `'${name}' (shape unknown)`,
  );
  const typed = open.map(({ name, shape }) => {
    const size = shape?.length === 4 ? 224 : 128;
    const dims = (shape ?? [null]).map((dim, axis) =>
      typeof dim === 'number' ? dim : axis === 0 ? 1 : size,
    );
    return `--shape ${/^[\w./:-]+$/.test(name) ? name : `'${name}'`}=${dims.join(',')}`;
  });
  throw new UsageError(
    `'${source}' leaves sizes of its inputs open: ${declared.join(', ')}; give the ones you run it at, such as ${typed.join(' ')}`,
  );
}

/** Shapes by input name; one without a name belongs to the first input. Throws UsageError for names the model does not have. */
function namedShapes(
  graph: Graph,
  shapes: readonly NamedShape[] | undefined,
): Record<string, readonly number[]> | undefined {
  if (!shapes || shapes.length === 0) return undefined;
  const names = graph.feeds.map(({ name }) => name);
  const named: Record<string, readonly number[]> = {};
  for (const { input, shape } of shapes) {
    const name = input ?? names[0];
    if (name === undefined || !names.includes(name)) {
      throw new UsageError(
        `--shape: the model has no input '${name ?? ''}'; its inputs are ${names.join(', ')}`,
      );
    }
    named[name] = shape;
  }
  return named;
}
