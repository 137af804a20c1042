import type { Engine } from '#ort';
import { Tensor } from '../core/tensor.ts';
import { attr, Graph, type Node, tensorType, type Value } from '../ir/index.ts';
import {
  BLOCKED_DOMAIN,
  Expressions,
  findOperator,
  GraphBuilder,
  inferShapes,
  rewriteContext,
} from '../ops/index.ts';
import { engineModel } from './engine-model.ts';
import { toEngine } from './engine-tensor.ts';

/** Block sizes of onnxruntime's kernels: AVX-512, AVX and NEON, and what else may come. */
const CANDIDATES = [16, 8, 4] as const;

let found: Promise<number | null> | null = null;

/** The block size of this machine's engine; null where it has no blocked kernels. Found by trying, once. */
export function blockSize(engine: Engine): Promise<number | null> {
  found ??= tryAll(engine);
  return found;
}

async function tryAll(engine: Engine): Promise<number | null> {
  for (const block of CANDIDATES) if (await works(engine, block)) return block;
  return null;
}

/** True where blocked convolutions, dense and depthwise, give what plain ones give. */
async function works(engine: Engine, block: number): Promise<boolean> {
  const graph = new Graph({ opset: 18 });
  const image = graph.addInput('image', tensorType('float32', [1, 32, 5, 5]));
  const inputs: Record<string, Tensor> = { image: ramp([1, 32, 5, 5]) };
  for (const groups of [1, 32]) {
    const shape = [32, 32 / groups, 3, 3];
    const name = `weight${groups}`;
    inputs[name] = ramp(shape);
    const weight = graph.addInput(name, tensorType('float32', shape));
    const attributes = { group: attr.int(groups), pads: attr.ints([1, 1, 1, 1]) };
    for (const what of ['plain', 'blocked']) {
      graph.addNode({ opType: 'Conv', inputs: [image, weight], outputs: [`${what}${groups}`], attributes });
      graph.addOutput(graph.value(`${what}${groups}`));
    }
  }
  rewrite(graph, block, (node) => node.outputs[0]?.name.startsWith('blocked') ?? false);
  try {
    const session = await engine.InferenceSession.create(engineModel(graph).bytes, { logSeverityLevel: 4 });
    const feeds = Object.fromEntries(
      Object.entries(inputs).map(([name, tensor]) => [name, toEngine(engine, name, tensor)]),
    );
    const results = await session.run(feeds);
    await session.release();
    return [1, 32].every((groups) => {
      const plain = results[`plain${groups}`]!.data as Float32Array;
      const blocked = results[`blocked${groups}`]!.data as Float32Array;
      return plain.every((value, index) => Math.abs(value - blocked[index]!) < 1e-3);
    });
  } catch {
    // An engine that does not know the domain, or processors it has no kernels for: that is the answer.
    return false;
  }
}

/** Numbers without a pattern that a wrong layout could hide in. */
const ramp = (shape: readonly number[]): Tensor =>
  new Tensor(
    'float32',
    shape,
    Float32Array.from(
      { length: shape.reduce((size, dim) => size * dim, 1) },
      (_, i) => ((i * 7919) % 211) / 211 - 0.5,
    ),
  );

/** Rewrites convolutions of a graph whose weights are no constants to blocks of channels. The graph is changed; what it computes is not, but for rounding. */
export function useBlocks(graph: Graph, block: number): void {
  rewrite(graph, block, (node) => !node.inputs[1]?.isInitializer);
}

function rewrite(graph: Graph, block: number, isMeant: (node: Node) => boolean): void {
  const rules = graph.nodes.flatMap((node) => {
    const rule = findOperator(node.domain, node.opType)?.blocked;
    return rule && isMeant(node) ? [{ node, rule }] : [];
  });
  if (rules.length === 0) return;
  graph.opsetImports.set(BLOCKED_DOMAIN, 1);
  const make = new Expressions(new GraphBuilder(graph, inferShapes(graph)));
  const replaced: Node[] = [];
  for (const { node, rule } of rules) {
    const value = rule(rewriteContext(node, make), block);
    if (!value) continue;
    replaced.push(node);
    replace(graph, node.output(0), value);
  }
  graph.removeNodes(replaced);
  graph.sort();
}

/** Lets everything read another value; the names of the graph's outputs stay. */
function replace(graph: Graph, old: Value, value: Value): void {
  const { name, isOutput } = old;
  old.replaceAllUsesWith(value);
  if (!isOutput) return;
  graph.rename(old, graph.freshName(name));
  graph.rename(value, name);
}
