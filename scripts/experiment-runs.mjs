// @ts-check
/** What the scripts of experiments share: rooms of the built package, processes of their own, means over seeds. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { ROOT } from './tools.mjs';

/** A room of the package as it was built, or, for no name, what all share. @param {string} room @returns {Promise<any>} */
export const loadRoom = (room) => import(pathToFileURL(join(ROOT, 'dist', room, 'index.js')).href);

/**
 * Runs a script in a process of its own, and gives each line of JSON it prints to `onLine` as it comes. Its errors go to this process's.
 * @param {readonly string[]} args The script and its arguments.
 * @param {(value: any) => void} onLine
 * @returns {Promise<void>}
 */
export function inProcess(args, onLine) {
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    createInterface({ input: child.stdout }).on('line', (line) => onLine(JSON.parse(line)));
    child.on('error', fail);
    child.on('close', (status) => {
      if (status === 0) done();
      else fail(new Error(`${args.slice(1).join(' ')} ended with status ${status}`));
    });
  });
}

/**
 * Works on all items, `jobs` of them at a time, in order.
 * @template T
 * @param {readonly T[]} items
 * @param {number} jobs
 * @param {(item: T, index: number) => Promise<void>} work
 */
export async function inParallel(items, jobs, work) {
  const queue = [...items.entries()];
  const worker = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) await work(next[1], next[0]);
  };
  await Promise.all(Array.from({ length: jobs }, worker));
}

/** Mean and standard deviation of a sample. @param {readonly number[]} values */
export function meanAndDeviation(values) {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const deviation =
    values.length > 1
      ? Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1))
      : 0;
  return { mean, deviation };
}

/** Shares as a mean and deviation in per cent. @param {readonly number[]} values */
export function spread(values) {
  const { mean, deviation } = meanAndDeviation(values);
  return `${(100 * mean).toFixed(2)} ± ${(100 * deviation).toFixed(2)}`;
}
