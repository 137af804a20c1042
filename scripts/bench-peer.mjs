// @ts-check
/** What the benchmarks share: a peer in Python that is asked line by line, and summaries of times. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ROOT } from './tools.mjs';

/** @param {readonly number[]} times */
export function summary(times) {
  const sorted = [...times].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median =
    sorted.length % 2 === 1 ? sorted[middle] : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
  return { median: median ?? Number.NaN, min: sorted[0] ?? Number.NaN, runs: sorted.length };
}

/** The peer: one Python process that answers a line per command. */
export class Peer {
  /** @param {string} python An interpreter that has torch. @param {string} script A file of bench/peers. */
  constructor(python, script) {
    const child = spawn(python, [script], {
      cwd: join(ROOT, 'bench', 'peers'),
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' },
    });
    this.child = child;
    this.lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  /** @param {object} command @returns {Promise<any>} */
  async ask(command) {
    this.child.stdin.write(`${JSON.stringify(command)}\n`);
    const { value, done } = await this.lines.next();
    if (done) throw new Error('the peer ended; is torch installed for this Python?');
    const answer = JSON.parse(value);
    if (answer.error) throw new Error(answer.error);
    return answer;
  }

  close() {
    this.child.stdin.end();
  }
}
