// @ts-check
/**
 * `npm run build`: compiles src to dist. Compiles beside and renames, so that dist is the old build or the new one, never half of
 * one, and stays as it was where compiling fails.
 */
import { chmodSync, existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ensureInstall } from './ensure-install.mjs';
import { commandOf, isMain, ROOT, runNode } from './tools.mjs';

/** Gives the exit status: 0, or the compiler's after printing its errors. */
export function build() {
  const fresh = join(ROOT, 'node_modules', `.secateur-build-${process.pid}`);
  const dist = join(ROOT, 'dist');
  const { status, output } = runNode([
    commandOf('typescript', 'tsc'),
    '-p',
    'tsconfig.build.json',
    '--outDir',
    fresh,
  ]);
  if (status !== 0) {
    process.stderr.write(output);
    rmSync(fresh, { recursive: true, force: true });
    return status;
  }
  rmSync(dist, { recursive: true, force: true });
  renameSync(fresh, dist);
  const cli = join(dist, 'cli', 'main.js');
  if (existsSync(cli)) chmodSync(cli, 0o755);
  return 0;
}

if (isMain(import.meta.url)) process.exitCode = ensureInstall() ? build() : 1;
