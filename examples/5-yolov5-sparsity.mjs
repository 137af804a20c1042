// YOLOv5s before and after `prune(model, 0.3)`: sparsity moves, FLOPs and parameters do not.
import { createModel } from 'secateur/models';
import { manualSeed } from 'secateur/nn';
import { profile } from 'secateur/profile';
import * as prune from 'secateur/prune';

manualSeed(0);
const model = createModel('yolov5s', { classes: 3 });
model.eval();

function report(title) {
  const { totals } = profile(model, { shapes: [1, 3, 640, 640], convention: 'thop@0.0.31' });
  console.log(title);
  console.log(`  sparsity    ${prune.sparsity(model)}`);
  console.log(`  GFLOPs      ${totals.macs / 1e9} (as thop 0.0.31 counts them)`);
  console.log(`  parameters  ${totals.parameters / 1e6} M`);
}

report('before');
prune.prune(model, 0.3);
report('after prune(model, 0.3)');
console.log(
  '\nMasks made neither operations nor parameters fewer. What a mask does buy is a smaller compressed file;',
);
console.log('a smaller and faster network needs channels to be removed.');
