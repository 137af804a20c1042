import { vi } from 'vitest';
import { run } from '../src/cli/program.ts';

/** What a run of the command line left. */
export interface Result {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs the command line in this process and catches what it prints. */
export async function secateur(...args: string[]): Promise<Result> {
  let out = '';
  let err = '';
  const catchOut = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    out += String(text);
    return true;
  });
  const catchErr = vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    err += String(text);
    return true;
  });
  try {
    return { code: await run(args), out, err };
  } finally {
    catchOut.mockRestore();
    catchErr.mockRestore();
  }
}
