import { Presets, SingleBar } from 'cli-progress';

/** Where a run is. */
export interface RunProgress {
  /** Such as `epoch 3/10`. */
  readonly title: string;
  /** Batches that are done, and how many there are in all. */
  readonly done: number;
  readonly total: number;
  /** Such as `loss 0.1234`. */
  readonly details?: string;
}

/** A bar on standard error, if that is a terminal: how far, how fast, how long it will take. Nothing of it stays. */
export interface ProgressBar {
  show(progress: RunProgress): void;
  /** Takes the bar away, so that a line can be written. The next `show` brings it back. */
  clear(): void;
}

/** `1:05:09`, `4:07` */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (value: number): string => String(value).padStart(2, '0');
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** `1,234 batches/s`, or for slow ones `2.31 s/batch`. */
function rateText(rate: number): string {
  if (!(rate > 0)) return '';
  if (rate < 1) return `${(1 / rate).toFixed(2)} s/batch`;
  return `${rate < 10 ? rate.toFixed(1) : Math.round(rate).toLocaleString('en-US')} batches/s`;
}

/** Speed and the time that is left, from where a run began to count. */
export class Pace {
  readonly #now: () => number;
  #begin: { readonly at: number; readonly done: number } | null = null;

  /** `now` gives milliseconds. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Batches per second since the first call, and the seconds left; null while nothing can be said. */
  at(done: number, total: number): { readonly rate: number; readonly left: number } | null {
    const at = this.#now();
    if (this.#begin === null || done < this.#begin.done) this.#begin = { at, done };
    const seconds = (at - this.#begin.at) / 1000;
    const rate = (done - this.#begin.done) / seconds;
    return seconds > 0 && rate > 0 ? { rate, left: (total - done) / rate } : null;
  }
}

/** Runs `work` with a bar. */
export async function withBar<T>(work: (bar: ProgressBar) => Promise<T>): Promise<T> {
  const { stderr } = process;
  if (!stderr.isTTY) return work({ show: () => {}, clear: () => {} });
  const pace = new Pace();
  let bar: SingleBar | null = null;
  const clear = (): void => {
    if (bar === null) return;
    bar.stop();
    bar = null;
    stderr.write('\r\x1b[K');
  };
  const show = ({ title, done, total, details = '' }: RunProgress): void => {
    if (bar === null) {
      // Cursor and line wrap are left as they are: an interrupt would not bring them back.
      bar = new SingleBar(
        {
          format: '{title} {bar} {percentage} %{pace}  {details}',
          barsize: 20,
          clearOnComplete: true,
          linewrap: true,
          stream: stderr,
        },
        Presets.shades_classic,
      );
      bar.start(total, done, { title, details, pace: '' });
    }
    const found = pace.at(done, total);
    const text = found === null ? '' : `  ${rateText(found.rate)}  ${duration(found.left)} left`;
    if (bar.getTotal() !== total) bar.setTotal(total);
    bar.update(done, { title, details, pace: text });
  };
  try {
    return await work({ show, clear });
  } finally {
    clear();
  }
}
