import { existsSync } from 'node:fs';
import { extname } from 'node:path';
import { manualSeed } from '../core/random.ts';
import type { Graph, Shape } from '../ir/index.ts';
import { createModel, exampleInput, modelNames } from '../models/index.ts';
import { type AnyModule, fromGraph, trace } from '../nn/index.ts';
import { readModel, readTensors } from '../node/index.ts';
import type { ModelOptions } from './commands.ts';
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

const isModelName = (text: string): boolean => modelNames.includes(text.toLowerCase());

/**
 * Reads an ONNX file or builds an architecture by its name. Throws UsageError for what is neither, and for options that do not fit; the
 * errors of readers otherwise.
 */
export function loadModel(
  source: string,
  options: ModelOptions & { readonly decode?: boolean },
): LoadedModel {
  if (isModelName(source) && !existsSync(source)) return build(source.toLowerCase(), options);
  if (extname(source).toLowerCase() !== '.onnx') {
    const names = modelNames.join(', ');
    throw new UsageError(
      existsSync(source)
        ? `'${source}' is not an .onnx file; checkpoints of other formats cannot be read as models`
        : `'${source}' is neither an .onnx file nor a built-in architecture (${names})`,
    );
  }
  for (const option of ['classes', 'weights', 'decode'] as const) {
    if (options[option] !== undefined) {
      throw new UsageError(
        `--${option} belongs to built-in architectures; '${source}' is a file with its own`,
      );
    }
  }
  const module = fromGraph(readModel(source));
  const shapes = namedShapes(module.graph, options.shape);
  return { source, module, graph: module.graph, shapes, profileShapes: shapes };
}

function build(name: string, options: ModelOptions & { readonly decode?: boolean }): LoadedModel {
  manualSeed(options.seed ?? 0);
  const module = createModel(name, {
    ...(options.classes === undefined ? {} : { classes: options.classes }),
    ...(options.decode === undefined ? {} : { decode: options.decode }),
  });
  module.eval();
  if (options.weights !== undefined) module.loadStateDict(readTensors(options.weights));
  const example = exampleInput(name);
  const declared: Shape = ['batch', ...example.slice(1)];
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
