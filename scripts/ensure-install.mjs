// @ts-check
import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { isMain, ROOT } from './tools.mjs';

/** @param {string} path */
const modified = (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs;

/**
 * True where node_modules is missing or older than package-lock.json.
 * @param {string} [root]
 */
export function needsInstall(root = ROOT) {
  const wanted = modified(join(root, 'package-lock.json'));
  // npm writes this file at the end of an installation, so a broken-off one counts as missing.
  const installed = modified(join(root, 'node_modules', '.package-lock.json'));
  return installed === undefined || (wanted !== undefined && wanted > installed);
}

/**
 * Installs what package-lock.json names, where that is not done yet. Prints one line when it does, nothing otherwise; npm prints
 * errors only. Gives false where the installation failed.
 * @param {string} [root]
 */
export function ensureInstall(root = ROOT) {
  if (!needsInstall(root)) return true;
  console.log('Installing dependencies (npm ci) ...');
  const args = ['ci', '--no-audit', '--no-fund', '--loglevel=error'];
  const npm = process.env.npm_execpath;
  const [command, ...rest] = npm?.endsWith('.js') ? [process.execPath, npm, ...args] : ['npm', ...args];
  const { status, error } = spawnSync(command ?? 'npm', rest, {
    cwd: root,
    // npm's list of what it did goes to stderr; only trouble is of interest.
    stdio: ['ignore', 'ignore', 'inherit'],
    // onnxruntime-node's install script downloads CUDA files; the CPU engine is in the package.
    env: { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip' },
    shell: process.platform === 'win32' && command === 'npm',
  });
  if (error !== undefined) console.error(`npm could not be started: ${error.message}`);
  return status === 0;
}

if (isMain(import.meta.url) && !ensureInstall()) process.exitCode = 1;
