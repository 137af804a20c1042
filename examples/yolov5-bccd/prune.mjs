// YOLOv5n as it was trained on COCO becomes a smaller detector of blood cells: trained on 205 images, judged, pruned in rounds with training between, judged again, measured and shown.
// Stop it whenever you like: the same command goes on from its folder.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { pruneDetector } from 'secateur/node';

const shared = (path) => fileURLToPath(new URL(`../../../shared/data/${path}`, import.meta.url));
const { values } = parseArgs({
  options: {
    weights: { type: 'string', default: shared('weights/yolov5n.pt') },
    data: { type: 'string', default: shared('bccd/bccd.yaml') },
    folder: { type: 'string', default: 'bccd-half' },
    macs: { type: 'string', default: '0.5' },
    rounds: { type: 'string', default: '1' },
    epochs: { type: 'string', default: '30' },
    'finetune-epochs': { type: 'string', default: '60' },
    size: { type: 'string', default: '320' },
    limit: { type: 'string' },
    seed: { type: 'string', default: '0' },
  },
});
for (const file of [values.weights, values.data]) {
  if (!existsSync(file)) {
    throw new Error(
      `'${file}' does not exist; usage: node prune.mjs --weights yolov5n.pt --data bccd.yaml [--folder FOLDER] [--macs 0.5]`,
    );
  }
}

const figure = (value) => (value ?? Number.NaN).toFixed(3);
const result = await pruneDetector({
  model: values.weights,
  data: values.data,
  folder: values.folder,
  target: { macs: { share: Number(values.macs) } },
  rounds: Number(values.rounds),
  epochs: Number(values.epochs),
  finetuneEpochs: Number(values['finetune-epochs']),
  size: Number(values.size),
  seed: Number(values.seed),
  // Engines compute in eights.
  shrink: { roundTo: 8 },
  ...(values.limit === undefined ? {} : { limit: Number(values.limit) }),
  onEvent: (event) => {
    if (event.kind === 'stage') console.log(`${event.stage}${event.known ? ': done before' : ''}`);
    if (event.kind === 'note') console.log(`  ${event.text}`);
    if (event.kind === 'epoch') {
      const { epoch, train, validation, seconds } = event.record;
      console.log(
        `  round ${event.round}, epoch ${epoch}/${event.epochs}: loss ${figure(train.loss)}, mAP50 ${figure(validation?.map50)}, ${seconds.toFixed(1)} s`,
      );
    }
  },
});

const { dense, pruned, latency, files } = result;
console.log('\n                      dense       pruned');
const row = (name, was, is) => console.log(`${name.padEnd(16)}${was.padStart(12)} ${is.padStart(12)}`);
dense.judged.forEach(({ split, map50, map }, at) => {
  row(`mAP50, ${split}`, figure(map50), figure(pruned.judged[at].map50));
  row(`mAP50-95, ${split}`, figure(map), figure(pruned.judged[at].map));
});
row('parameters', String(dense.parameters), String(pruned.parameters));
row('MACs', String(dense.macs), String(pruned.macs));
row('bytes', String(dense.sizes.raw), String(pruned.sizes.raw));
for (const { dense: was, pruned: is } of latency) {
  row(`ms, threads: ${was.threads}`, was.median.toFixed(2), is.median.toFixed(2));
}
console.log(`\n${result.rounds.rounds.at(-1)?.verified ?? 'nothing was cut'}`);
console.log(`written: ${files.pruned}, ${files.report}`);
