import type { BrokenImage } from '../node/index.ts';

/** Broken files that are told one by one. */
const MOST_TOLD = 5;

/** Says on standard error which files are left out, and why. */
export function tellBroken(broken: readonly BrokenImage[]): void {
  if (broken.length === 0) return;
  const shown = broken.slice(0, MOST_TOLD).map(({ path, reason }) => `  ${path}: ${reason}\n`);
  const rest = broken.length - shown.length;
  process.stderr.write(
    `secateur: ${broken.length} ${broken.length === 1 ? 'file is' : 'files are'} left out:\n${shown.join('')}${rest > 0 ? `  … and ${rest} more\n` : ''}`,
  );
}
