import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const source = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  resolve: {
    // package.json's "imports" names built files; tests run from the source.
    alias: { '#ort': source('src/runtime/ort-node.ts') },
  },
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    passWithNoTests: false,
    // Sessions of the inference engine bring their own threads.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
  },
});
