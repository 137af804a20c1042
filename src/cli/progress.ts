import { Presets, SingleBar } from 'cli-progress';

/**
 * Shows a bar on standard error while `work` goes on, if that is a terminal. `work` is given a function to call with the share that is done, 0 to 1.
 */
export async function withProgress<T>(
  title: string,
  work: (report: (done: number) => void) => Promise<T>,
): Promise<T> {
  if (!process.stderr.isTTY) return work(() => {});
  const bar = new SingleBar(
    {
      format: `${title} {bar} {percentage} %  {eta_formatted}`,
      clearOnComplete: true,
      stream: process.stderr,
    },
    Presets.shades_classic,
  );
  bar.start(1, 0);
  try {
    return await work((done) => bar.update(done));
  } finally {
    bar.stop();
  }
}
