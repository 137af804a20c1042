import { annotateTypes, inferShapes } from '../ops/index.ts';
import type { PrintCommandOptions } from './commands.ts';
import { loadModel } from './load.ts';

/** `secateur print MODEL`: the graph as text, or the tree of modules. */
export async function printCommand(source: string, options: PrintCommandOptions): Promise<void> {
  const { module, graph, shapes } = loadModel(source, options);
  if (options.tree) {
    process.stdout.write(`${module}\n`);
    return;
  }
  if (options.inferred || shapes) annotateTypes(graph, inferShapes(graph, shapes ? { shapes } : {}));
  process.stdout.write(`${graph.print()}\n`);
}
