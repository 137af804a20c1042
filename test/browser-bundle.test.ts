import { isBuiltin } from 'node:module';
import { fileURLToPath } from 'node:url';
import { build, type Plugin, type Rolldown } from 'vite';
import { describe, expect, it } from 'vitest';
import { entryPoints } from '../scripts/public-exports.mjs';

/**
 * Bundles of the sources as a web page's build would make them. `#ort` stands for the browser's half of the runtime there, and
 * onnxruntime-web stays outside: pages choose their build of it.
 */
const root = fileURLToPath(new URL('..', import.meta.url));
const entries = Object.entries(entryPoints(root)).filter(([entry]) => entry !== './node');
const specifierOf = (entry: string): string => `secateur${entry.slice(1)}`;

interface Bundle {
  readonly code: string;
  /** What the bundle still imports. */
  readonly imports: readonly string[];
  /** Files of src, from there, that have code in the bundle. */
  readonly files: readonly string[];
  /** Node's own modules that something asked for, with who asked. */
  readonly builtins: readonly string[];
}

async function bundle(source: string, minify = false): Promise<Bundle> {
  const builtins: string[] = [];
  const entry: Plugin = {
    name: 'entry',
    enforce: 'pre',
    resolveId(id, importer) {
      if (id.endsWith('virtual:entry')) return '\0entry';
      if (isBuiltin(id)) builtins.push(`${id} from ${importer}`);
      return null;
    },
    load: (id) => (id === '\0entry' ? source : null),
  };
  const result = await build({
    root,
    configFile: false,
    logLevel: 'silent',
    plugins: [entry],
    resolve: {
      alias: [
        { find: '#ort', replacement: `${root}src/runtime/ort-web.ts` },
        ...entries.map(([name, path]) => ({
          find: new RegExp(`^${specifierOf(name)}$`),
          replacement: `${root}${path}`,
        })),
      ],
    },
    build: {
      write: false,
      minify,
      lib: { entry: 'virtual:entry', formats: ['es'], fileName: 'bundle' },
      rolldownOptions: { external: [/^onnxruntime-web/] },
    },
  });
  const outputs = (Array.isArray(result) ? result : [result]) as Rolldown.RolldownOutput[];
  const chunks = outputs.flatMap(({ output }) => output).filter((part) => part.type === 'chunk');
  const names = new Set(chunks.map((chunk) => chunk.fileName));
  return {
    code: chunks.map((chunk) => chunk.code).join('\n'),
    imports: chunks
      .flatMap((chunk) => [...chunk.imports, ...chunk.dynamicImports])
      .filter((name) => !names.has(name)),
    files: chunks
      .flatMap((chunk) => Object.entries(chunk.modules))
      .filter(([id, { renderedLength }]) => id.startsWith(`${root}src/`) && renderedLength > 0)
      .map(([id]) => id.slice(`${root}src/`.length)),
    builtins,
  };
}

describe('a browser bundle', () => {
  it("of every entry point but ./node holds nothing of Node's", async () => {
    const lines = entries.map(
      ([entry], i) => `import * as e${i} from '${specifierOf(entry)}';\nglobalThis.kept${i} = { ...e${i} };`,
    );
    const { code, imports, files, builtins } = await bundle(lines.join('\n'));
    expect(builtins).toEqual([]);
    expect(imports.filter((name) => !name.startsWith('onnxruntime-web'))).toEqual([]);
    // Not in backticks: comments name the package so.
    expect(code).not.toMatch(/["'](node:|onnxruntime-node)|__vite-browser-external/);
    // Were the sources not in it, the lines above would show nothing.
    expect(files).toEqual(expect.arrayContaining(['core/tensor.ts', 'ir/graph.ts', 'ops/table.ts']));
    expect(imports).toContainEqual(expect.stringMatching(/^onnxruntime-web/));
  });

  it('would show an import of a Node module', async () => {
    const { builtins } = await bundle(
      "import { readFileSync } from 'node:fs';\nglobalThis.kept = readFileSync;",
    );
    expect(builtins).toEqual([expect.stringMatching(/^node:fs from/)]);
  });

  it('that uses the ONNX reader alone leaves the layers, the operator table and onnxruntime out', async () => {
    const { code, imports, files } = await bundle(
      "import { parseOnnx } from 'secateur/onnx';\nglobalThis.kept = parseOnnx;",
      true,
    );
    expect(files).toContain('ir/graph.ts');
    expect(files.filter((file) => !/^(core|ir|io)\//.test(file))).toEqual([]);
    expect(imports).toEqual([]);
    expect(code.length).toBeLessThan(100_000);
  });

  it('that takes the reader from the main entry leaves the same out', async () => {
    const { files, imports } = await bundle(
      "import { onnx } from 'secateur';\nglobalThis.kept = onnx.parseOnnx;",
      true,
    );
    expect(files.filter((file) => !/^(core|ir|io)\//.test(file))).toEqual([]);
    expect(imports).toEqual([]);
  });
});
