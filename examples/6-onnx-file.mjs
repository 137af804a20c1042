// A trained ONNX file from anywhere: measure, prune, write, run, compare. No PyTorch, no training code.
import { existsSync, mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { fromGraph } from 'secateur/nn';
import { readModel, writeModel } from 'secateur/node';
import { profile } from 'secateur/profile';
import * as prune from 'secateur/prune';
import { createSession, randomInputs } from 'secateur/runtime';

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const shared = path('../../shared/data/onnx/ultra_version-RFB-320.onnx');
const file = process.argv[2] ?? shared;
if (!existsSync(file))
  throw new Error(`usage: node examples/6-onnx-file.mjs MODEL.onnx ('${file}' does not exist)`);

const graph = readModel(file);
const model = fromGraph(graph);
const before = profile(model);
console.log(
  `${before.totals.parameters} parameters, ${before.totals.macs} MACs, ${before.totals.zeros} zeros`,
);

const [name] = graph.feeds.map((input) => input.name);
const inputs = randomInputs(graph, { seed: 1 });
const original = await run();

// Two of every four consecutive input channels, in every convolution that has that many.
const weights = prune.selectParameters(model);
prune.pruneGranular(weights, { granularity: { kind: 'nm', n: 2, m: 4 }, importance: 'l1' });
console.log(
  `${profile(model).totals.zeros} zeros after 2:4 pruning of ${weights.length} weights (input '${name}')`,
);

mkdirSync(path('../demo-output'), { recursive: true });
writeModel(graph, path('../demo-output/pruned-2-4.onnx'), { force: true });

const pruned = await run();
for (const [output, tensor] of original) {
  const other = pruned.get(output).float32;
  const worst = tensor.float32.reduce((most, x, i) => Math.max(most, Math.abs(x - other[i])), 0);
  console.log(`largest difference of '${output}': ${worst.toPrecision(3)}`);
}

async function run() {
  const session = await createSession(graph);
  const outputs = await session.run(inputs);
  await session.dispose();
  return outputs;
}
