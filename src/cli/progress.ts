import { Presets, SingleBar } from 'cli-progress';

/**
 * Says on standard error, if that is a terminal, what is going on; and shows a bar from when `work` first calls the function it is given,
 * with the share that is done, 0 to 1. Nothing of it stays.
 */
export async function withProgress<T>(
  title: string,
  work: (report: (done: number) => void) => Promise<T>,
): Promise<T> {
  const { stderr } = process;
  if (!stderr.isTTY) return work(() => {});
  let bar: SingleBar | null = null;
  const started = (): SingleBar => {
    // Cursor and line wrap are left as they are: an interrupt would not bring them back.
    const fresh = new SingleBar(
      {
        format: `${title} {bar} {percentage} %`,
        barsize: 30,
        clearOnComplete: true,
        linewrap: true,
        stream: stderr,
      },
      Presets.shades_classic,
    );
    fresh.start(1, 0);
    return fresh;
  };
  stderr.write(`${title} …`);
  try {
    return await work((done) => {
      bar ??= started();
      bar.update(done);
    });
  } finally {
    stopBar(bar);
    stderr.write('\r\x1b[K');
  }
}

const stopBar = (bar: SingleBar | null): void => bar?.stop();

/**
 * As `withProgress` for work that goes through several stages: says on standard error, if that is a terminal, which it is at, and the share of it that is done where that is above 0.
 */
export async function withStages<T>(
  work: (report: (stage: string, done: number) => void) => Promise<T>,
): Promise<T> {
  const { stderr } = process;
  if (!stderr.isTTY) return work(() => {});
  let shown = '';
  try {
    return await work((stage, done) => {
      const text = `${stage} …${done > 0 ? ` ${Math.round(done * 100)} %` : ''}`;
      if (text !== shown) stderr.write(`\r\x1b[K${text}`);
      shown = text;
    });
  } finally {
    stderr.write('\r\x1b[K');
  }
}
