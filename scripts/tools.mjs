// @ts-check
/** What the scripts share: where the checkout is and how a tool of node_modules is started. Imports only Node's own modules. */
import { spawnSync } from 'node:child_process';
import { readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout's folder, without a slash at its end. */
export const ROOT = fileURLToPath(new URL('..', import.meta.url)).replace(/[\\/]$/, '');

/**
 * The script behind a command of an installed package, to be run by `node`: unlike node_modules/.bin it is the same on every platform.
 * @param {string} packageName
 * @param {string} [command] Default: the package's only command.
 */
export function commandOf(packageName, command) {
  const folder = join(ROOT, 'node_modules', packageName);
  const { bin } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const path = typeof bin === 'string' ? bin : bin[command ?? Object.keys(bin)[0] ?? ''];
  if (path === undefined) throw new Error(`package ${packageName} has no command ${command}`);
  return join(folder, path);
}

/**
 * Runs Node with these arguments in the checkout, waits, and gives the exit status (1 where a signal ended it) and the output.
 * @param {readonly string[]} args
 * @param {{ show?: boolean, env?: NodeJS.ProcessEnv, timeout?: number, cwd?: string }} [options]
 *   `show` passes the output on as it comes instead of collecting it; `timeout` in milliseconds.
 */
export function runNode(args, { show = false, env = {}, timeout, cwd = ROOT } = {}) {
  const { status, stdout, stderr, error } = spawnSync(process.execPath, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: show ? 'inherit' : ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    ...(timeout === undefined ? {} : { timeout }),
  });
  const output = `${stdout ?? ''}${stderr ?? ''}${error === undefined ? '' : `${error.message}\n`}`;
  return { status: status ?? 1, output };
}

/**
 * True where `url` (a module's `import.meta.url`) is the script that Node was started with.
 * @param {string} url
 */
export const isMain = (url) =>
  process.argv[1] !== undefined && fileURLToPath(url) === realpathSync(process.argv[1]);
