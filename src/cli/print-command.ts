import type { Graph, Value } from '../ir/index.ts';
import type { AnyModule } from '../nn/index.ts';
import { annotateTypes, inferShapes } from '../ops/index.ts';
import type { ReportTable } from '../profile/index.ts';
import type { PrintCommandOptions } from './commands.ts';
import { loadModel } from './load.ts';
import { printCsv, printJson } from './output.ts';

/** `secateur print MODEL`: the graph as text, or the tree of modules; both as JSON or CSV too. */
export async function printCommand(source: string, options: PrintCommandOptions): Promise<void> {
  const { module, graph, shapes } = loadModel(source, options);
  if (options.inferred || shapes) annotateTypes(graph, inferShapes(graph, shapes ? { shapes } : {}));
  if (options.json) printJson(options.tree ? treeOf(module) : graphOf(graph));
  else if (options.csv) printCsv(options.tree ? treeTable(module) : nodeTable(graph));
  else process.stdout.write(`${options.tree ? module : graph.print()}\n`);
}

/** Every module with its path, class and parameters. */
const treeOf = (root: AnyModule) =>
  Array.from(root.namedModules(), ([path, module]) => ({
    path,
    type: module.typeName,
    parameters: Object.fromEntries(
      Array.from(module.namedParameters('', { recurse: false }), ([name, { shape }]) => [name, shape]),
    ),
  }));

const treeTable = (root: AnyModule): Pick<ReportTable, 'columns' | 'rows'> => ({
  columns: [
    { key: 'path', title: 'path', kind: 'text' },
    { key: 'type', title: 'type', kind: 'text' },
    { key: 'parameters', title: 'parameters', kind: 'text' },
  ],
  rows: treeOf(root).map(({ path, type, parameters }) => [
    path,
    type,
    Object.entries(parameters)
      .map(([name, shape]) => `${name} ${shape.join('x')}`)
      .join(' '),
  ]),
});

const describe = (value: Value) => ({
  name: value.name,
  dtype: value.type?.kind === 'tensor' ? value.type.dtype : null,
  shape: value.type?.kind === 'tensor' ? value.type.shape : null,
});

/** Inputs, outputs, constants and nodes of a graph. */
const graphOf = (graph: Graph) => ({
  name: graph.name,
  opsets: Object.fromEntries(graph.opsetImports),
  inputs: graph.feeds.map(describe),
  outputs: graph.outputs.map(describe),
  initializers: graph.initializers.map(describe),
  nodes: graph.nodes.map((node) => ({
    name: node.name,
    op: node.opType,
    domain: node.domain,
    inputs: node.inputs.map((input) => input?.name ?? null),
    outputs: node.outputs.map((output) => output && describe(output)),
  })),
});

const nodeTable = (graph: Graph): Pick<ReportTable, 'columns' | 'rows'> => ({
  columns: [
    { key: 'name', title: 'name', kind: 'text' },
    { key: 'op', title: 'operator', kind: 'text' },
    { key: 'inputs', title: 'inputs', kind: 'text' },
    { key: 'outputs', title: 'outputs', kind: 'text' },
  ],
  rows: graphOf(graph).nodes.map(({ name, op, inputs, outputs }) => [
    name,
    op,
    inputs.map((input) => input ?? '').join(' '),
    outputs.map((output) => output?.name ?? '').join(' '),
  ]),
});
