// Global pruning: the smallest weights of the whole model go, wherever they are.
import { LeNet5 } from 'secateur/models';
import { manualSeed } from 'secateur/nn';
import * as prune from 'secateur/prune';

manualSeed(0);
const model = new LeNet5();

const parameters = [
  [model.conv1, 'weight'],
  [model.conv2, 'weight'],
  [model.fc1, 'weight'],
  [model.fc2, 'weight'],
  [model.fc3, 'weight'],
];
prune.globalUnstructured(parameters, prune.L1Unstructured, { amount: 0.2 });

let zeros = 0;
let all = 0;
for (const name of ['conv1', 'conv2', 'fc1', 'fc2', 'fc3']) {
  const { weight } = model[name];
  const own = weight.data.float32.reduce((count, w) => count + (w === 0 ? 1 : 0), 0);
  console.log(`sparsity in ${name}.weight: ${((100 * own) / weight.size).toFixed(2)} %`);
  zeros += own;
  all += weight.size;
}
console.log(`global sparsity: ${((100 * zeros) / all).toFixed(2)} %`);
