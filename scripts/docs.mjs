// @ts-check
/**
 * `npm run docs`: builds, writes docs/operators.md from the operator table and the API pages to docs/api (typedoc). With
 * `--operators`, only docs/operators.md.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from './build.mjs';
import { ensureInstall } from './ensure-install.mjs';
import { operatorTable } from './operator-table.mjs';
import { commandOf, ROOT, runNode } from './tools.mjs';

async function docs() {
  if (!ensureInstall()) return 1;
  const built = build();
  if (built !== 0) return built;
  const { OPERATORS } = await import(pathToFileURL(join(ROOT, 'dist', 'ops', 'index.js')).href);
  writeFileSync(join(ROOT, 'docs', 'operators.md'), operatorTable(OPERATORS));
  console.log('Wrote docs/operators.md');
  if (process.argv.includes('--operators')) return 0;
  return runNode([commandOf('typedoc')], { show: true }).status;
}

process.exitCode = await docs();
