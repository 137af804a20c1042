import { describe, expect, it } from 'vitest';
import { checkFile } from '../scripts/check-imports.mjs';

/** Violations of one file, without the path. */
const check = (path: string, ...lines: string[]): string[] =>
  checkFile(path, lines.join('\n')).map((message) => message.slice(path.length + 1));

describe('check-imports', () => {
  it('lets rooms import along the edges of the design', () => {
    const text = [
      "import { Tensor } from '../core/tensor.ts';",
      "import type { Graph } from '../ir/index.ts';",
      "import { conv } from './conv.ts';",
      "export * from './pool.ts';",
      "import { gunzipSync } from 'fflate';",
    ];
    expect(check('src/ops/table.ts', ...text)).toEqual([]);
    expect(
      check('src/cli/main.ts', "import '../node/index.ts';", "import { Command } from 'commander';"),
    ).toEqual([]);
    expect(check('src/index.ts', "export * as nn from './nn/index.ts';")).toEqual([]);
  });

  it('refuses an import against the direction, with its line', () => {
    expect(check('src/ir/graph.ts', '// a', "import { OPERATORS } from '../ops/index.ts';")).toEqual([
      '2 src/ir may not import src/ops; imports run one way',
    ]);
    expect(check('src/io/read.ts', "import type { Module } from '../nn/index.ts';")).toHaveLength(1);
    expect(check('src/core/a.ts', "import type { Graph } from '../ir/index.ts';")).toHaveLength(1);
    expect(check('src/nn/a.ts', "export { run } from '../cli/main.ts';")).toHaveLength(1);
    expect(check('src/index.ts', "export * from './node/index.ts';")).toHaveLength(1);
  });

  it.each([
    ['a dynamic import', "const nn = await import('../nn/index.ts');"],
    ['an import type', "type M = import('../nn/index.ts').Module;"],
    ['a re-export', "export type { Module } from '../nn/index.ts';"],
    ['a bare import', "import '../nn/index.ts';"],
  ])('sees %s', (_, line) => {
    expect(check('src/ops/a.ts', line)).toEqual(['1 src/ops may not import src/nn; imports run one way']);
  });

  it('does not take comments and strings for imports', () => {
    expect(check('src/ops/a.ts', "// import '../nn/index.ts'", 'const s = "import \'node:fs\'";')).toEqual(
      [],
    );
  });

  it('enters a room through its index, but core through any file', () => {
    expect(check('src/ops/a.ts', "import { Graph } from '../ir/graph.ts';")).toEqual([
      "1 '../ir/graph.ts': import src/ir through its index.ts",
    ]);
  });

  it("keeps Node's modules and process to the files that may use them", () => {
    const text = ["import { readFileSync } from 'node:fs';", "import 'path';", 'process.exit(1);'];
    for (const path of ['src/cli/a.ts', 'src/node/a.ts', 'src/runtime/ort-node.ts']) {
      expect(check(path, ...text)).toEqual([]);
    }
    expect(check('src/runtime/session.ts', ...text)).toEqual([
      expect.stringMatching(/^1 'node:fs' is Node's/),
      expect.stringMatching(/^2 'path' is Node's/),
      expect.stringMatching(/^3 `process` is not there in browsers/),
    ]);
  });

  it('keeps onnxruntime to src/runtime and the console to src/cli', () => {
    expect(check('src/runtime/ort-web.ts', "import 'onnxruntime-web/wasm';")).toEqual([]);
    expect(check('src/nn/a.ts', "import 'onnxruntime-web/wasm';")).toEqual([
      "1 package 'onnxruntime-web' may be imported only in src/runtime",
    ]);
    expect(check('src/cli/a.ts', 'console.log(1);')).toEqual([]);
    expect(check('src/nn/a.ts', 'console.log(1);')).toEqual(['1 only src/cli writes to the console']);
    expect(check('src/nn/a.ts', 'const a = { console };')).toHaveLength(1);
  });

  it('does not take properties named console or process for the globals', () => {
    expect(
      check('src/nn/a.ts', 'x.process();', 'const a = { process: 1 };', 'class B { process() {} }'),
    ).toEqual([]);
  });

  it('refuses packages and rooms it does not know, and what lies outside src', () => {
    expect(check('src/nn/a.ts', "import 'lodash';")).toEqual([
      expect.stringContaining("package 'lodash' is not in the list"),
    ]);
    expect(check('src/attic/a.ts', '')).toEqual([
      expect.stringContaining('src/attic is not in the list of rooms'),
    ]);
    expect(check('src/nn/a.ts', "import '../../test/a.ts';")).toEqual(["1 '../../test/a.ts' is outside src"]);
    expect(check('src/nn/a.ts', "import '../index.ts';")).toEqual([
      expect.stringContaining('do not import src/index.ts'),
    ]);
  });

  it('lets tests import anything', () => {
    expect(check('src/ir/a.test.ts', "import 'node:fs';", "import '../nn/index.ts';")).toEqual([]);
  });
});
