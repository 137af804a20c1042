// @ts-check
/**
 * `npm run golden -- FOLDER`: runs every case of a folder made by shared/golden/generate.py (cases.json, tensors.safetensors) against the built
 * library. Prints each failure, and last `N passed, N failed`. Exit status: 1 where a case fails, 2 where the
 * folder cannot be read or the library not built.
 */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from './build.mjs';
import { ensureInstall } from './ensure-install.mjs';
import { runGolden } from './golden/run-golden.mjs';
import { isMain, ROOT } from './tools.mjs';

/** @param {string} problem */
function misuse(problem) {
  console.error(
    `${problem}\nUsage: npm run golden -- FOLDER   (a folder made by generate.py: cases.json, tensors.safetensors)`,
  );
  return 2;
}

/** @param {readonly string[]} args @returns {Promise<number>} the exit status */
async function main(args) {
  const [folder, ...rest] = args;
  if (folder === undefined || rest.length > 0) {
    return misuse(`golden: expected one folder, got ${args.length === 0 ? 'none' : args.length}`);
  }
  for (const name of ['cases.json', 'tensors.safetensors']) {
    if (!existsSync(join(folder, name))) return misuse(`golden: there is no ${name} in ${resolve(folder)}`);
  }
  if (!ensureInstall() || build() !== 0) {
    console.error('golden: the library could not be built');
    return 2;
  }
  /** @type {import('./golden/run-golden.mjs').Library} */
  const library = await import(pathToFileURL(join(ROOT, 'dist', 'index.js')).href);
  const { passed, failures } = await runGolden(library, folder);
  for (const { kind, index, label, problem } of failures) {
    console.log(`FAILED  ${kind} (case ${index}${label === '' ? '' : `: ${label}`}): ${problem}`);
  }
  console.log(`${passed} passed, ${failures.length} failed`);
  return failures.length === 0 ? 0 : 1;
}

if (isMain(import.meta.url)) {
  try {
    process.exitCode = await main(process.argv.slice(2));
  } catch (error) {
    console.error(`golden: ${error instanceof Error ? error.message : error}`);
    process.exitCode = 2;
  }
}
