// @ts-check
/**
 * The import rules of the design, as part of `npm run lint` and `npm test`:
 *
 * 1. Rooms (the folders of src) import one way, along the edges of ROOMS.
 * 2. A room is entered through its index.ts; core, which has none, by any of its files.
 * 3. Node's own modules are imported, and `process` is used, only in src/cli, src/node and src/runtime/ort-node.ts: the rest runs in browsers.
 * 4. Only src/runtime imports onnxruntime. Other packages: see PACKAGES.
 * 5. Only src/cli writes to the console.
 *
 * Tests beside the sources (`*.test.ts`) may import and use anything.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join, posix, relative, sep } from 'node:path';
import ts from 'typescript';
import { isMain, ROOT } from './tools.mjs';

const BASE = ['core', 'ir', 'ops', 'passes'];
const LAYERS = [...BASE, 'runtime', 'autograd', 'nn'];
const TRAIN = [...LAYERS, 'data', 'prune', 'structural', 'profile', 'io'];
const DETECT = [...TRAIN, 'train', 'models'];
const ALL_BUT_CLI = [...DETECT, 'detect', 'report'];

/**
 * Which other rooms each room may import.
 * @type {Readonly<Record<string, readonly string[]>>}
 */
const ROOMS = {
  core: [],
  ir: ['core'],
  io: ['core', 'ir'],
  ops: ['core', 'ir'],
  passes: ['core', 'ir', 'ops'],
  autograd: ['core', 'ir', 'ops'],
  runtime: [...BASE, 'io'],
  // io: exporting a module gives the bytes of a file.
  nn: [...BASE, 'runtime', 'autograd', 'io'],
  models: ['core', 'ir', 'ops', 'nn'],
  prune: [...BASE, 'runtime', 'nn'],
  structural: [...LAYERS, 'data', 'io', 'profile'],
  profile: [...BASE, 'runtime', 'nn', 'io'],
  data: ['core', 'io'],
  train: [...TRAIN, 'report'],
  detect: [...DETECT, 'report'],
  report: ['core', 'ir', 'nn', 'prune', 'profile'],
  node: ALL_BUT_CLI,
  cli: [...ALL_BUT_CLI, 'node'],
};

/** src/index.ts, the package's main entry. */
const MAIN_ENTRY = ALL_BUT_CLI;

/**
 * Packages that may be imported, and in which rooms; null: in every room.
 * @type {Readonly<Record<string, readonly string[] | null>>}
 */
const PACKAGES = {
  fflate: null,
  'onnxruntime-node': ['runtime'],
  'onnxruntime-web': ['runtime'],
  'onnxruntime-common': ['runtime'],
  '#ort': ['runtime'],
  commander: ['cli'],
  'cli-progress': ['cli'],
  'cli-table3': ['cli'],
  sharp: ['node'],
  yaml: ['node'],
  saxes: ['detect'],
  // Loaded when a chart is drawn: their import takes a quarter of a second.
  vega: ['report'],
  'vega-lite': ['report'],
  // Loaded when a graph is drawn.
  '@dagrejs/dagre': ['structural'],
};

const NODE_ROOMS = ['cli', 'node'];
const NODE_FILES = ['src/runtime/ort-node.ts'];

const builtins = new Set(builtinModules);

/** @param {string} specifier */
const isBuiltin = (specifier) =>
  specifier.startsWith('node:') || builtins.has(specifier) || builtins.has(specifier.split('/')[0] ?? '');

/** The room of a path from the checkout; '' for the files directly in src, undefined outside of src. @param {string} path */
function roomOf(path) {
  const [src, room, ...rest] = path.split('/');
  if (src !== 'src' || room === undefined) return undefined;
  return rest.length === 0 ? '' : room;
}

/** `@scope/name` or `name` of a bare specifier. @param {string} specifier */
const packageOf = (specifier) =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');

/** The text of a string literal; undefined for anything else. @param {ts.Node | undefined} node */
const literal = (node) => (node !== undefined && ts.isStringLiteralLike(node) ? node.text : undefined);

/**
 * The module that a node imports, in whichever way it is written. Undefined where it imports none.
 * @param {ts.Node} node
 */
function importedBy(node) {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return literal(node.moduleSpecifier);
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) return literal(node.argument.literal);
  if (ts.isExternalModuleReference(node)) return literal(node.expression);
  if (ts.isCallExpression(node)) {
    const isRequire = ts.isIdentifier(node.expression) && node.expression.text === 'require';
    if (isRequire || node.expression.kind === ts.SyntaxKind.ImportKeyword) return literal(node.arguments[0]);
  }
  return undefined;
}

/**
 * True where an identifier stands for the global of its name: not a property, nor a name that is being given.
 * @param {ts.Identifier} node
 */
function isUse(node) {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  if (ts.isShorthandPropertyAssignment(parent)) return true;
  const named = /** @type {{ name?: ts.Node, propertyName?: ts.Node }} */ (/** @type {unknown} */ (parent));
  return named.name !== node && named.propertyName !== node && !ts.isTypeQueryNode(parent);
}

/**
 * What is wrong with importing `specifier` in the file at `path`; null where nothing is.
 * @param {string} path
 * @param {string} room
 * @param {string} specifier
 */
function importTrouble(path, room, specifier) {
  const here = room === '' ? 'src/index.ts' : `src/${room}`;
  if (isBuiltin(specifier)) {
    if (NODE_ROOMS.includes(room) || NODE_FILES.includes(path)) return null;
    return `'${specifier}' is Node's; outside src/cli, src/node and ${NODE_FILES.join(', ')} code must run in browsers`;
  }
  if (!specifier.startsWith('.')) {
    const name = packageOf(specifier);
    const rooms = PACKAGES[name];
    if (rooms === undefined)
      return `package '${name}' is not in the list of packages of scripts/check-imports.mjs`;
    if (rooms === null || rooms.includes(room)) return null;
    return `package '${name}' may be imported only in src/${rooms.join(', src/')}`;
  }
  const target = posix.join(posix.dirname(path), specifier);
  const to = roomOf(target);
  if (to === undefined) return `'${specifier}' is outside src`;
  if (to === room) return null;
  if (to === '') return `'${specifier}': rooms do not import src/index.ts`;
  const allowed = room === '' ? MAIN_ENTRY : ROOMS[room];
  if (!allowed?.includes(to)) return `${here} may not import src/${to}; imports run one way`;
  if (to !== 'core' && target !== `src/${to}/index.ts`) {
    return `'${specifier}': import src/${to} through its index.ts`;
  }
  return null;
}

/**
 * Checks one source file.
 * @param {string} path From the checkout, with forward slashes: `src/ops/conv.ts`.
 * @param {string} text
 * @returns {string[]} One message per violation, beginning with `path:line`.
 */
export function checkFile(path, text) {
  const room = roomOf(path);
  if (room === undefined || /\.test\.ts$/.test(path)) return [];
  if (room !== '' && !Object.hasOwn(ROOMS, room)) {
    return [`${path}:1 src/${room} is not in the list of rooms of scripts/check-imports.mjs`];
  }
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  /** @type {string[]} */
  const found = [];
  /** @param {ts.Node} node @param {string} message */
  const report = (node, message) => {
    const { line } = source.getLineAndCharacterOfPosition(node.getStart(source));
    found.push(`${path}:${line + 1} ${message}`);
  };
  /** @param {ts.Node} node */
  const visit = (node) => {
    const specifier = importedBy(node);
    const trouble = specifier === undefined ? null : importTrouble(path, room, specifier);
    if (trouble !== null) report(node, trouble);
    if (ts.isIdentifier(node) && isUse(node)) {
      if (node.text === 'console' && room !== 'cli') report(node, 'only src/cli writes to the console');
      if (node.text === 'process' && !NODE_ROOMS.includes(room) && !NODE_FILES.includes(path)) {
        report(node, '`process` is not there in browsers; read it in src/cli or src/node and pass it on');
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

/**
 * Checks every TypeScript file under src.
 * @param {string} [root]
 */
export function checkImports(root = ROOT) {
  const src = join(root, 'src');
  return readdirSync(src, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .flatMap((file) => checkFile(relative(root, file).split(sep).join('/'), readFileSync(file, 'utf8')));
}

if (isMain(import.meta.url)) {
  const found = checkImports();
  for (const message of found) console.error(message);
  if (found.length > 0) process.exitCode = 1;
}
