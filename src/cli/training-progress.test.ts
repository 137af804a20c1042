import { describe, expect, it } from 'vitest';
import { duration, Pace, withBar } from './training-progress.ts';

describe('progress of a run', () => {
  it('writes times as clocks do', () => {
    expect([0, 7.4, 61, 3599.6, 3909, -5].map(duration)).toEqual([
      '0:00',
      '0:07',
      '1:01',
      '1:00:00',
      '1:05:09',
      '0:00',
    ]);
  });

  it('tells speed and time left from where the run began to count', () => {
    let now = 1000;
    const pace = new Pace(() => now);
    // A run that was resumed begins in the middle.
    expect(pace.at(50, 100)).toBeNull();
    now += 2000;
    expect(pace.at(60, 100)).toEqual({ rate: 5, left: 8 });
    now += 1000;
    expect(pace.at(60, 100)).toMatchObject({ left: 12 });
    // Counting anew, as a second run with the same bar does.
    expect(pace.at(0, 10)).toBeNull();
  });

  it('gives what the work gives, and shows nothing where there is no terminal', async () => {
    const isTTY = process.stderr.isTTY;
    process.stderr.isTTY = false;
    try {
      const given = await withBar(async (bar) => {
        bar.show({ title: 'epoch 1/1', done: 1, total: 2 });
        bar.clear();
        return 5;
      });
      expect(given).toBe(5);
    } finally {
      process.stderr.isTTY = isTTY;
    }
  });

  it('shows how far, how fast and how long on a terminal, and leaves nothing', async () => {
    const { stderr } = process;
    const [isTTY, write] = [stderr.isTTY, stderr.write];
    let shown = '';
    stderr.isTTY = true;
    stderr.write = ((text: string) => {
      shown += text;
      return true;
    }) as typeof stderr.write;
    try {
      await withBar(async (bar) => {
        bar.show({ title: 'epoch 1/2', done: 10, total: 40, details: 'loss 0.5' });
        await new Promise((done) => setTimeout(done, 150));
        bar.show({ title: 'epoch 2/2', done: 30, total: 40, details: 'loss 0.25' });
        await new Promise((done) => setTimeout(done, 150));
      });
    } finally {
      stderr.isTTY = isTTY;
      stderr.write = write;
    }
    expect(shown).toMatch(/epoch 1\/2 .* 25 %/);
    expect(shown).toMatch(/epoch 2\/2 .* 75 % {2}\d+ batches\/s {2}0:00 left {2}loss 0\.25/);
    expect(shown.endsWith('\r\x1b[K')).toBe(true);
  });
});
