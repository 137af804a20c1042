// @ts-check
/**
 * The names that each entry point of the package exports, out of the sources. `node scripts/public-exports.mjs` prints them, `--write`
 * (`npm run exports`) writes docs/public-exports.json, which a test compares with the sources: a change of the public interface shows
 * in a commit.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { isMain, ROOT } from './tools.mjs';

/** @typedef {{ values: string[], types: string[] }} Names `values` exist at run time (functions, classes, constants), `types` do not. */

/**
 * Entry points of package.json and their source files: `{ './nn': 'src/nn/index.ts' }`.
 * @param {string} [root]
 * @returns {Record<string, string>}
 */
export function entryPoints(root = ROOT) {
  /** @type {{ exports: Record<string, string | { default: string }> }} */
  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  /** @type {Record<string, string>} */
  const entries = {};
  for (const [entry, target] of Object.entries(exports)) {
    if (typeof target === 'string') continue;
    entries[entry] = target.default.replace(/^\.\/dist\//, 'src/').replace(/\.js$/, '.ts');
  }
  return entries;
}

/**
 * The names exported by each entry point, sorted.
 * @param {string} [root]
 * @returns {Record<string, Names>}
 */
export function publicExports(root = ROOT) {
  const entries = entryPoints(root);
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile);
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, root);
  const program = ts.createProgram(
    Object.values(entries).map((path) => join(root, path)),
    options,
  );
  const checker = program.getTypeChecker();
  /** @type {Record<string, Names>} */
  const result = {};
  for (const [entry, path] of Object.entries(entries)) {
    const source = program.getSourceFile(join(root, path));
    const module = source && checker.getSymbolAtLocation(source);
    if (module === undefined) throw new Error(`entry point ${entry}: ${path} is missing or exports nothing`);
    /** @type {Names} */
    const names = { values: [], types: [] };
    for (const symbol of checker.getExportsOfModule(module)) {
      const isAlias = (symbol.flags & ts.SymbolFlags.Alias) !== 0;
      const target = isAlias ? checker.getAliasedSymbol(symbol) : symbol;
      // `export type { SomeClass }` exports a class as a type only.
      const typeOnly =
        symbol.declarations?.some((declaration) => ts.isTypeOnlyExportDeclaration(declaration)) ?? false;
      const isValue = (target.flags & ts.SymbolFlags.Value) !== 0 && !typeOnly;
      names[isValue ? 'values' : 'types'].push(symbol.name);
    }
    names.values.sort();
    names.types.sort();
    result[entry] = names;
  }
  return result;
}

if (isMain(import.meta.url)) {
  const text = `${JSON.stringify(publicExports(), null, 2)}\n`;
  if (process.argv.includes('--write')) writeFileSync(join(ROOT, 'docs', 'public-exports.json'), text);
  else process.stdout.write(text);
}
