// @ts-check
/**
 * `npm test`: everything that checks the project, from a fresh clone with nothing but Node and npm. Installs what is missing, then
 * runs the steps below; one that fails does not stop the others. Each step counts as one check, vitest's tests one by one. The last
 * line is `N passed, N failed`; the exit status is 1 where anything failed.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureInstall } from './ensure-install.mjs';
import { commandOf, ROOT, runNode } from './tools.mjs';

let passed = 0;
let failed = 0;
/** @type {import('./vitest-summary.mjs').Summary['skipped']} */
let skipped = [];

/** @param {number} since */
const seconds = (since) => `${((performance.now() - since) / 1000).toFixed(1)} s`;

/**
 * Runs one step as one check; its output is shown only where it fails.
 * @param {string} name
 * @param {() => readonly string[]} command What Node is given.
 * @param {NodeJS.ProcessEnv} [env]
 */
function step(name, command, env = {}) {
  const start = performance.now();
  /** @type {{ status: number, output: string }} */
  let result;
  try {
    result = runNode(command(), { env });
  } catch (error) {
    result = { status: 1, output: `${error}\n` };
  }
  if (result.status === 0) passed++;
  else {
    failed++;
    process.stdout.write(result.output);
  }
  console.log(`${result.status === 0 ? 'passed' : 'FAILED'}  ${name} (${seconds(start)})`);
  return result.status === 0;
}

/** @param {string} name @param {string} why */
function notRun(name, why) {
  failed++;
  console.log(`FAILED  ${name} (not run: ${why})`);
}

/** Runs vitest with its own output, and adds its tests one by one. */
function tests() {
  const folder = mkdtempSync(join(tmpdir(), 'secateur-test-'));
  const summary = join(folder, 'summary.json');
  try {
    const reporters = ['--reporter=default', `--reporter=${join(ROOT, 'scripts', 'vitest-summary.mjs')}`];
    const { status } = runNode([commandOf('vitest'), 'run', ...reporters], {
      show: true,
      // A test that hangs must not hold up the rest for ever; all of them take a fraction of this.
      timeout: 13 * 60_000,
      env: { TEST_SUMMARY: summary },
    });
    /** @type {import('./vitest-summary.mjs').Summary} */
    const counts = JSON.parse(readFileSync(summary, 'utf8'));
    passed += counts.passed;
    failed += counts.failed;
    skipped = counts.skipped;
    // A run that found nothing to count and still did not succeed must not go unnoticed.
    if (status !== 0 && counts.failed === 0) notRun('vitest', `it ended with status ${status}`);
  } catch (error) {
    notRun('vitest', `no summary: ${error}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function everything() {
  if (!ensureInstall()) {
    notRun('install', 'npm ci failed');
    return;
  }
  step('lint and format (biome)', () => [
    commandOf('@biomejs/biome', 'biome'),
    'ci',
    '--error-on-warnings',
    '--colors=off',
    '.',
  ]);
  step('import rules', () => ['scripts/check-imports.mjs']);
  step('types (tsc)', () => [commandOf('typescript', 'tsc'), '--noEmit', '-p', 'tsconfig.json']);
  const built = step('build', () => ['scripts/build.mjs']);
  tests();
  step('unused files, exports and dependencies (knip)', () => [commandOf('knip', 'knip'), '--no-progress']);
  if (built) {
    step('package.json (publint)', () => [commandOf('publint'), '--strict', '--pack=false']);
    // It packs the package itself; dist was built above.
    const env = { npm_config_ignore_scripts: 'true', npm_config_loglevel: 'error' };
    const attw = ['--pack', '.', '--profile', 'esm-only', '--no-definitely-typed', '--no-color'];
    step('types as others see them (attw)', () => [commandOf('@arethetypeswrong/cli'), ...attw], env);
  } else {
    notRun('package.json (publint)', 'the build failed');
    notRun('types as others see them (attw)', 'the build failed');
  }
}

everything();
if (skipped.length > 0) {
  console.log(`${skipped.length} skipped:`);
  for (const { name, reason } of skipped) console.log(`  ${name}${reason === null ? '' : `: ${reason}`}`);
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
