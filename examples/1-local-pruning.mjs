// Local pruning: one parameter of one layer, as in PyTorch's tutorial.
import { LeNet5 } from 'secateur/models';
import { manualSeed } from 'secateur/nn';
import * as prune from 'secateur/prune';

manualSeed(0);
const model = new LeNet5();
const module = model.conv1;

console.log(
  'parameters:',
  [...module.namedParameters()].map(([name]) => name),
);
console.log(
  'buffers:   ',
  [...module.namedBuffers()].map(([name]) => name),
);

// 30 % of the connections in the weight of conv1, at random.
prune.randomUnstructured(module, 'weight', 0.3);

// The weight is now `weight_orig`, with a mask beside it; `module.weight` is their product.
console.log('\nafter randomUnstructured(conv1, weight, 0.3)');
console.log(
  'parameters:',
  [...module.namedParameters()].map(([name]) => name),
);
console.log(
  'buffers:   ',
  [...module.namedBuffers()].map(([name]) => name),
);
console.log('weight:    ', [...module.weight.data.float32.slice(0, 9)].map((w) => w.toFixed(4)).join(' '));

// The 3 smallest entries of the bias by magnitude: a count, not a share.
prune.l1Unstructured(module, 'bias', { count: 3 });
console.log('\nafter l1Unstructured(conv1, bias, { count: 3 })');
console.log('bias:      ', [...module.bias.data.float32].map((b) => b.toFixed(4)).join(' '));

// The weight again, by whole filters this time: half of those that are left, by L2 norm.
prune.lnStructured(module, 'weight', 0.5, { n: 2, dim: 0 });
console.log('\nafter lnStructured(conv1, weight, 0.5, { n: 2, dim: 0 })');
console.log(
  'history:   ',
  [...module.weight.pruning.method].map((method) => method.constructor.name).join(', '),
);
console.log('state dict:', [...model.stateDict().keys()].join(', '));

// Making it permanent: masks go, zeros stay.
prune.remove(module, 'weight');
console.log('\nafter remove(conv1, weight)');
console.log(
  'parameters:',
  [...module.namedParameters()].map(([name]) => name),
);
console.log('pruned:    ', prune.isPruned(model), '(the bias still is)');
