// @ts-check
/**
 * `node scripts/kill-resume.mjs [--runs 20] [--data FOLDER] [--command train|iterate] [--seed N]`: kills a training or a pruning run with SIGKILL at random moments and resumes it, again and again until it ends; the file it
 * then writes must be, byte for byte, the one that a run left alone writes. Without `--data` it makes digits up. Exit status 1 where one differs.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from './build.mjs';
import { ensureInstall } from './ensure-install.mjs';
import { ROOT } from './tools.mjs';

const { values: flags } = parseArgs({
  options: {
    runs: { type: 'string', default: '20' },
    data: { type: 'string' },
    command: { type: 'string', default: 'train,iterate' },
    seed: { type: 'string', default: '1' },
  },
});

/** An idx file of bytes. @param {readonly number[]} dims @param {Uint8Array} bytes */
function idx(dims, bytes) {
  const header = Buffer.alloc(4 + 4 * dims.length);
  header.writeUInt32BE(0x0800 | dims.length, 0);
  dims.forEach((dim, index) => {
    header.writeUInt32BE(dim, 4 + 4 * index);
  });
  return Buffer.concat([header, bytes]);
}

/** Blobs of ten classes as MNIST's four files. @param {string} folder @param {any} random */
function makeDigits(folder, random) {
  mkdirSync(folder, { recursive: true });
  for (const [name, count] of /** @type {const} */ ([
    ['train', 1600],
    ['t10k', 200],
  ])) {
    const pixels = new Uint8Array(count * 784);
    const labels = new Uint8Array(count);
    const noise = random.rand(count * 784);
    for (let index = 0; index < count; index++) {
      const label = index % 10;
      labels[index] = label;
      for (let place = 0; place < 784; place++) pixels[index * 784 + place] = 60 * noise[index * 784 + place];
      const corner = 28 * (2 + 5 * (label % 5)) + (label < 5 ? 4 : 16);
      for (let row = 0; row < 5; row++)
        pixels.fill(220, index * 784 + corner + 28 * row, index * 784 + corner + 28 * row + 7);
    }
    writeFileSync(join(folder, `${name}-images-idx3-ubyte`), idx([count, 28, 28], pixels));
    writeFileSync(join(folder, `${name}-labels-idx1-ubyte`), idx([count], labels));
  }
}

/**
 * Runs the command; kills it after some milliseconds where asked. Gives its exit status, null where it was killed.
 * @param {readonly string[]} args
 * @param {number | null} killAfter
 * @returns {Promise<number | null>}
 */
function run(args, killAfter) {
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, [join(ROOT, 'dist', 'cli', 'main.js'), ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let errors = '';
    child.stderr.on('data', (text) => {
      errors += text;
    });
    const timer = killAfter === null ? null : setTimeout(() => child.kill('SIGKILL'), killAfter);
    child.on('error', fail);
    child.on('close', (status, signal) => {
      if (timer) clearTimeout(timer);
      if (signal === null && status !== 0)
        fail(new Error(`secateur ${args.join(' ')} ended with status ${status}: ${errors}`));
      else done(signal === null ? status : null);
    });
  });
}

/** @param {string} command @param {string} data @param {string} folder @param {any} random */
async function check(command, data, folder, random) {
  /** @param {string} name */
  const args = (name) => {
    const common = [
      '--data',
      data,
      '--seed',
      '3',
      '--threads',
      '2',
      '--batch-size',
      '32',
      '--checkpoint-every',
      '7',
    ];
    const files = [
      '-o',
      join(folder, `${name}.onnx`),
      '--checkpoint',
      join(folder, `${name}.checkpoint`),
      '--resume',
      '--force',
    ];
    return command === 'train'
      ? ['train', 'lenet5', '--epochs', '12', '--ema', '0.99', ...common, ...files]
      : [
          'iterate',
          join(folder, 'dense.onnx'),
          '--target-sparsity',
          '0.9',
          '--rounds',
          '3',
          '--finetune-epochs',
          '2',
          ...common,
          ...files,
        ];
  };
  if (command !== 'train') {
    await run(
      ['train', 'lenet5', '--data', data, '--epochs', '2', '-o', join(folder, 'dense.onnx'), '--force'],
      null,
    );
  }
  const begin = performance.now();
  await run(args('alone'), null);
  const whole = performance.now() - begin;
  const expected = readFileSync(join(folder, 'alone.onnx'));
  let failed = 0;
  let kills = 0;
  for (let index = 0; index < Number(flags.runs); index++) {
    const name = `${command}-${index}`;
    const at = [];
    // The first moment lies anywhere in the run; later ones anywhere in what a resumed run may take.
    while ((await run(args(name), at.length < 2 ? 0.95 * whole * random.rand(1)[0] : null)) === null) {
      kills++;
      at.push(existsSync(join(folder, `${name}.checkpoint`)) ? 'resumed' : 'began again');
    }
    const same = readFileSync(join(folder, `${name}.onnx`)).equals(expected);
    if (!same) failed++;
    console.log(
      `${command} run ${index + 1}: killed ${at.length} times (${at.join(', ') || 'too late'}): ${same ? 'the same bytes' : 'DIFFERENT'}`,
    );
  }
  console.log(
    `${command}: ${kills} kills, ${Number(flags.runs) - failed} of ${flags.runs} runs ended with the same bytes`,
  );
  return failed;
}

async function main() {
  if (!ensureInstall() || build() !== 0) return 1;
  const { Generator } = await import(pathToFileURL(join(ROOT, 'dist', 'index.js')).href);
  const random = new Generator(Number(flags.seed));
  const folder = mkdtempSync(join(tmpdir(), 'secateur-kill-'));
  try {
    const data = flags.data === undefined ? join(folder, 'digits') : resolve(flags.data);
    if (flags.data === undefined) makeDigits(data, random);
    let failed = 0;
    for (const command of flags.command.split(',')) failed += await check(command, data, folder, random);
    return failed === 0 ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
