import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { extname } from 'node:path';
import { FileError } from '../core/errors.ts';
import { writeFilesAtomic } from '../node/index.ts';
import { type ReportSection, type RunReport, renderReport, reportJson } from '../report/index.ts';
import { type ReportFrame, runReport } from '../train/index.ts';
import { checkOutput, uninterrupted } from './output.ts';
import { withProgress } from './progress.ts';
import type { OpenedData } from './training-data.ts';
import type { DataOptions, ReportOptions } from './training-options.ts';
import { VERSION } from './version.ts';

/** `report.json` beside `report.html`. */
const dataPath = (report: string): string => `${report.slice(0, -extname(report).length)}.json`;

/** Refuses a report before any work. Throws as `checkOutput`, for the page and for the data beside it. */
export function checkReport({ report, force = false }: ReportOptions): void {
  if (report === undefined) return;
  checkOutput({ output: report, force }, ['.html', '.htm'], '--report');
  const json = dataPath(report);
  if (!force && existsSync(json)) throw new FileError(json, 'exists already; --force writes over it');
}

/** The engine's version by its name, where it tells. */
export function engineVersion(): Record<string, string> {
  try {
    const { version } = createRequire(import.meta.url)('onnxruntime-node/package.json') as {
      version: string;
    };
    return { onnxruntime: version };
  } catch {
    // A package that keeps its package.json to itself has no version to tell.
    return {};
  }
}

/** What every report says: how to make it again, seed, versions, data. */
export function frameOf(
  title: string,
  options: Pick<DataOptions, 'line' | 'seed' | 'threads' | 'batchSize'>,
  data: OpenedData,
  facts: RunReport['facts'],
  isTraining = true,
): ReportFrame {
  return {
    title,
    command: options.line,
    seed: options.seed ?? 0,
    versions: { secateur: VERSION, node: process.versions.node, ...engineVersion() },
    facts: [
      ['data', `${data.path} (${data.kind})`],
      ...(isTraining ? [['training on', data.train.text] as const] : []),
      ['validation', data.validation.text],
      ...(data.test ? [['test', data.test.text] as const] : []),
      ['batch size', options.batchSize],
      ['threads', options.threads ?? "all of the machine's"],
      ...facts,
    ],
  };
}

/** Settings that `frameOf` tells in other words, or the command line does. */
const TOLD = ['model', 'data', 'batchSize', 'seed', 'validationSplit', 'limit'];

/** Facts out of plain settings: `{ lr: 0.1, augment: [] }`. What is off or not there is left out. */
export const factsOf = (settings: Readonly<Record<string, unknown>>): RunReport['facts'] =>
  Object.entries(settings).flatMap(([name, value]) => {
    if (TOLD.includes(name) || value === 0) return [];
    const words = name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
    if (value === null || value === undefined || value === false) return [];
    if (Array.isArray(value))
      return value.length === 0 ? [] : [[words, value.map(String).join(', ')] as const];
    return [
      [
        words,
        typeof value === 'number' ? value : typeof value === 'object' ? JSON.stringify(value) : String(value),
      ] as const,
    ];
  });

/** Writes a report as a page, and its data beside it. Gives the paths. Throws FileError where they cannot be written. */
export async function writeReport(
  path: string,
  frame: ReportFrame,
  sections: readonly ReportSection[],
  force = false,
): Promise<string[]> {
  const report = runReport(frame, sections);
  const html = await withProgress('drawing the report', () => renderReport(report));
  const encoder = new TextEncoder();
  const files = [
    { path, chunks: [encoder.encode(html)] },
    { path: dataPath(path), chunks: [encoder.encode(`${reportJson(report)}\n`)] },
  ];
  uninterrupted(() => writeFilesAtomic(files, { force }));
  return files.map((file) => file.path);
}
