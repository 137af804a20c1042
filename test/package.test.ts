import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { needsInstall } from '../scripts/ensure-install.mjs';
import { commandOf, runNode } from '../scripts/tools.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const manifest: {
  bin: Record<string, string>;
  scripts: Record<string, string>;
  exports: Record<string, string | { types: string; default: string }>;
  imports: Record<string, Record<string, { types: string; default: string }>>;
} = JSON.parse(read('package.json'));

const folders: string[] = [];
const scratch = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'secateur-package-'));
  folders.push(folder);
  return folder;
};
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** Files that package.json points to. */
const targets = [
  ...Object.values(manifest.bin),
  ...[...Object.values(manifest.exports), ...Object.values(manifest.imports).flatMap(Object.values)].flatMap(
    (target) => (typeof target === 'string' ? [] : [target.types, target.default]),
  ),
].map((path) => path.replace(/^\.\//, ''));

describe('the package', () => {
  it('holds the built files that package.json names, README, LICENSE and CHANGELOG, and nothing else', async () => {
    // Packed from a folder of its own, so that the test needs no dist in the checkout and leaves it alone.
    const folder = scratch();
    for (const file of ['package.json', 'README.md', 'LICENSE', 'CHANGELOG.md']) {
      writeFileSync(join(folder, file), read(file));
    }
    for (const directory of ['src', 'test', 'docs', '.ci']) {
      await mkdir(join(folder, directory));
      writeFileSync(join(folder, directory, 'stays-out.js'), '');
    }
    const built = runNode([
      commandOf('typescript', 'tsc'),
      ...['-p', 'tsconfig.build.json', '--noCheck', '--outDir', join(folder, 'dist')],
    ]);
    expect(built.output).toBe('');
    const [packed]: [{ files: { path: string }[] }] = JSON.parse(
      execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
        cwd: folder,
        encoding: 'utf8',
        shell: process.platform === 'win32',
        stdio: ['ignore', 'pipe', 'pipe'],
      }),
    );
    const paths = packed.files.map(({ path }) => path);
    expect(paths).toEqual(expect.arrayContaining(targets));
    expect(paths.filter((path) => !/^dist\/.*\.(js|d\.ts)$/.test(path)).sort()).toEqual([
      'CHANGELOG.md',
      'LICENSE',
      'README.md',
      'package.json',
    ]);
    expect(paths.filter((path) => /\.test\./.test(path))).toEqual([]);
  });

  it('names only scripts that are there', () => {
    const scripts = Object.values(manifest.scripts).flatMap((line) => line.match(/scripts\/\S+\.mjs/g) ?? []);
    expect(scripts.length).toBeGreaterThan(5);
    expect(scripts.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });

  it('has no file that names a registry or a folder of one machine', ({ skip }) => {
    if (!existsSync(join(root, '.git'))) skip('not a git checkout');
    // Put together here, so that this file does not hold them.
    const forbidden = [
      ['', 'work', ''].join('/'),
      ['', 'home', ''].join('/'),
      ['registry', 'npmjs', 'org'].join('.'),
      ['registry', 'yarnpkg', 'com'].join('.'),
      ['', 'npm', 'registry', ''].join('/'),
    ];
    const files = execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' }).split('\0');
    const found = files
      .filter((path) => path !== '' && existsSync(join(root, path)))
      .flatMap((path) => {
        const text = readFileSync(join(root, path), 'latin1');
        return forbidden.filter((part) => text.includes(part)).map((part) => `${path}: ${part}`);
      });
    expect(found).toEqual([]);
  });

  it('locks its dependencies without saying where they were downloaded', () => {
    const lock: { packages: Record<string, { resolved?: string; link?: boolean }> } = JSON.parse(
      read('package-lock.json'),
    );
    const entries = Object.entries(lock.packages);
    expect(entries.length).toBeGreaterThan(10);
    expect(entries.filter(([, { resolved, link }]) => resolved !== undefined || link)).toEqual([]);
  });
});

describe('needsInstall', () => {
  const installed = async (lockTime: number, installTime: number): Promise<string> => {
    const folder = scratch();
    const lock = join(folder, 'package-lock.json');
    const inner = join(folder, 'node_modules', '.package-lock.json');
    await mkdir(join(folder, 'node_modules'));
    for (const [path, time] of [
      [lock, lockTime],
      [inner, installTime],
    ] as const) {
      writeFileSync(path, '{}');
      utimesSync(path, time, time);
    }
    return folder;
  };

  it('is true where nothing is installed, or the lock file changed since', async () => {
    expect(needsInstall(scratch())).toBe(true);
    expect(needsInstall(await installed(2000, 1000))).toBe(true);
  });

  it('is false where the installation is newer than the lock file', async () => {
    expect(needsInstall(await installed(1000, 2000))).toBe(false);
  });
});
