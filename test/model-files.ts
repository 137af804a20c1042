/** What tests of whole models share: where the files are, one run of a graph, and bytes compared. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Tensor } from '../src/core/tensor.ts';
import {
  concatBytes,
  parseOnnx,
  parseSafetensors,
  serializeOnnx,
  serializeSafetensors,
} from '../src/io/index.ts';
import type { Graph } from '../src/ir/index.ts';
import { fromGraph, type GraphModule } from '../src/nn/index.ts';
import { readModel, writeModel } from '../src/node/index.ts';
import { createSession } from '../src/runtime/index.ts';

/** A folder of `shared` beside the checkout; null where it is absent. */
export function sharedFolder(path: string): string | null {
  const folder = fileURLToPath(new URL(`../../shared/${path}/`, import.meta.url));
  return existsSync(folder) ? folder : null;
}

/** Bytes of their own each time: the tensors of a graph are views of what it was read from. */
export const readGraph = (path: string): Graph => parseOnnx(readFileSync(path));

/** The graph as it comes back from the bytes it is written as. */
export const rewritten = (graph: Graph): Graph => parseOnnx(concatBytes(serializeOnnx(graph)));

/** Calls `use` with the graph as it comes back from a file, all its tensors in a file of external data. */
export async function throughExternalData(graph: Graph, use: (again: Graph) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'secateur-models-'));
  try {
    const path = join(folder, 'model.onnx');
    writeModel(graph, path, { externalData: { threshold: 0 } });
    await use(readModel(path));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Outputs by name. On one thread, so that sums are in the same order each time. */
export async function runGraph(
  graph: Graph,
  feeds: Readonly<Record<string, Tensor>>,
): Promise<ReadonlyMap<string, Tensor>> {
  const session = await createSession(graph, { threads: 1 });
  try {
    return await session.run(feeds);
  } finally {
    await session.dispose();
  }
}

export const sameBytes = (a: Tensor, b: Tensor): boolean =>
  a.dtype === b.dtype &&
  a.shape.join() === b.shape.join() &&
  Buffer.from(a.bytes).equals(Buffer.from(b.bytes));

/** Names of the outputs that are not the same to the byte. */
export const differing = (a: ReadonlyMap<string, Tensor>, b: ReadonlyMap<string, Tensor>): string[] =>
  [...new Set([...a.keys(), ...b.keys()])].filter((name) => {
    const [one, other] = [a.get(name), b.get(name)];
    return !one || !other || !sameBytes(one, other);
  });

/** A view of the file whose parameters and buffers were set to 0 and then loaded from `state`, written as safetensors and read again. */
export function loadedView(path: string, state: ReadonlyMap<string, Tensor>): GraphModule {
  const { tensors } = parseSafetensors(concatBytes(serializeSafetensors(state)));
  const view = fromGraph(readGraph(path));
  for (const tensor of view.stateDict().values())
    tensor.setData(Tensor.zeros(tensor.dtype, tensor.shape).data);
  view.loadStateDict(tensors, { strict: true });
  return view;
}
