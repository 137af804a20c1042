// Pruning several parameters of a model, then some of them again: masks combine.
import { LeNet5 } from 'secateur/models';
import { Conv2d, Linear, manualSeed } from 'secateur/nn';
import * as prune from 'secateur/prune';

manualSeed(0);
const model = new LeNet5();

for (const [, module] of model.namedModules()) {
  // 20 % of connections in all convolutions, 40 % in all linear layers.
  if (module instanceof Conv2d) prune.l1Unstructured(module, 'weight', 0.2);
  else if (module instanceof Linear) prune.l1Unstructured(module, 'weight', 0.4);
}
console.log([...model.namedBuffers()].map(([name]) => name).join('\n'));
report('after the first round');

// A second round takes its share of what is left.
for (const module of [model.fc1, model.fc2]) prune.l1Unstructured(module, 'weight', 0.5);
report('after half of what was left in fc1 and fc2');

/** @param {string} title */
function report(title) {
  console.log(`\n${title}`);
  for (const [name, parameter] of model.namedParameters()) {
    const zeros = parameter.data.float32.reduce((count, w) => count + (w === 0 ? 1 : 0), 0);
    console.log(`  ${name.padEnd(20)} ${((100 * zeros) / parameter.size).toFixed(2).padStart(6)} % zero`);
  }
}
