import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commandOf, ROOT, runNode } from '../scripts/tools.mjs';
import { VERSION } from '../src/cli/version.ts';

let folder = '';
let main = '';
const at = (name: string): string => join(folder, name);

/** Builds a package of its own: a test neither needs the checkout's dist nor disturbs it. */
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'secateur-process-'));
  copyFileSync(join(ROOT, 'package.json'), at('package.json'));
  symlinkSync(join(ROOT, 'node_modules'), at('node_modules'), 'junction');
  const tsc = commandOf('typescript', 'tsc');
  const built = runNode([tsc, '-p', 'tsconfig.build.json', '--declaration', 'false', '--outDir', at('dist')]);
  if (built.status !== 0) throw new Error(built.output);
  main = at(join('dist', 'cli', 'main.js'));
}, 180_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const secateur = (args: readonly string[], env: NodeJS.ProcessEnv = {}) =>
  spawnSync(process.execPath, [main, ...args], {
    cwd: folder,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    env: { ...process.env, ...env },
  });

/** Root may write anywhere. */
const isRoot = process.getuid?.() === 0;

describe('the command as a process', () => {
  it('ends with 0, 1 and 2', () => {
    expect(secateur(['--version'])).toMatchObject({ status: 0, stdout: `${VERSION}\n`, stderr: '' });
    expect(secateur(['profile', 'missing.onnx'])).toMatchObject({
      status: 1,
      stdout: '',
      stderr: 'secateur: missing.onnx: cannot be read: there is no such file or folder\n',
    });
    expect(secateur(['profile', 'lenet6'])).toMatchObject({ status: 2, stdout: '' });
    const bare = secateur([]);
    expect(bare).toMatchObject({ status: 2, stdout: '' });
    expect(bare.stderr).toContain('Usage: secateur');
  });

  it('goes from an architecture to a pruned file and its comparison', () => {
    const pruned = secateur(['prune', 'lenet5', '-o', 'pruned 画.onnx', '--amount', '30%']);
    expect(pruned).toMatchObject({ status: 0, stderr: '' });
    const compared = secateur(['compare', 'lenet5', 'pruned 画.onnx', '--runs', '3', '--json']);
    expect(compared).toMatchObject({ status: 0, stderr: '' });
    expect(JSON.parse(compared.stdout).b.totals.zeros).toBe(24287);
  });

  it('prints neither colours nor bars where output is no terminal', () => {
    const { stdout, stderr } = secateur(['profile', 'lenet5', '--sizes', '--latency'], { FORCE_COLOR: '1' });
    expect(stdout + stderr).not.toContain('\u001b');
    expect(stderr).toBe('');
  });

  it('ends quietly when its reader has seen enough', async () => {
    const child = spawn(process.execPath, [main, 'print', 'yolov5n'], { stdio: ['ignore', 'pipe', 'pipe'] });
    let err = '';
    child.stderr.on('data', (text) => {
      err += String(text);
    });
    await once(child.stdout, 'data');
    child.stdout.destroy();
    expect(await once(child, 'close')).toEqual([0, null]);
    expect(err).toBe('');
  });

  it('leaves nothing behind when it is interrupted', async () => {
    mkdirSync(at('out'));
    const child = spawn(process.execPath, [main, 'prune', 'yolov5s', '-o', at('out/x.onnx')], {
      stdio: 'ignore',
    });
    await once(child, 'spawn');
    setTimeout(() => child.kill('SIGINT'), 500);
    await once(child, 'close');
    expect(readdirSync(at('out')).filter((name) => name !== 'x.onnx')).toEqual([]);
  });

  it.skipIf(isRoot || process.platform === 'win32')('says that a folder is read-only', () => {
    mkdirSync(at('read-only'));
    chmodSync(at('read-only'), 0o555);
    const { status, stderr } = secateur(['convert', 'lenet5', '-o', 'read-only/x.onnx']);
    expect(status).toBe(1);
    expect(stderr).toContain('cannot be written: permission is denied');
    expect(existsSync(at('read-only/x.onnx'))).toBe(false);
  });
});
