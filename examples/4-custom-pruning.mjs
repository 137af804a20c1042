// A pruning method of your own: extend BasePruningMethod, say what kind it is and how it makes a mask.
import { LeNet5 } from 'secateur/models';
import { manualSeed } from 'secateur/nn';
import * as prune from 'secateur/prune';

/** Prunes every other entry of a tensor. */
class FooBarPruning extends prune.BasePruningMethod {
  pruningType = 'unstructured';

  computeMask(_tensor, defaultMask) {
    const mask = defaultMask.clone();
    for (let i = 0; i < mask.size; i += 2) mask.float32[i] = 0;
    return mask;
  }
}

/** The function that goes with it, as PyTorch's own methods have one. */
const foobarUnstructured = (module, name) => FooBarPruning.apply(module, name);

manualSeed(0);
const model = new LeNet5();
foobarUnstructured(model.fc3, 'bias');
console.log([...model.fc3.getBuffer('bias_mask').float32].join(' '));
console.log([...model.fc3.bias.data.float32].map((b) => b.toFixed(4)).join(' '));
