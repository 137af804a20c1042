import { describe, expect, it } from 'vitest';
import { commandLine, resumeLine } from './command-line.ts';
import { InterruptedError, interruptible } from './interrupt.ts';

/** Work that ends as soon as its signal is aborted, with the signal's reason. */
const untilAborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason));
  });

describe('interruptible', () => {
  it('gives what the work gives and listens no longer', async () => {
    const before = process.listenerCount('SIGINT');
    expect(
      await interruptible(
        async () => 3,
        () => 'advice',
      ),
    ).toBe(3);
    expect(process.listenerCount('SIGINT')).toBe(before);
  });

  for (const [signal, exitCode] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    it(`stops at ${signal} with advice and the exit code of shells`, async () => {
      const run = interruptible(untilAborted, () => 'go on so');
      process.emit(signal, signal);
      const error = await run.catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(InterruptedError);
      expect(error).toMatchObject({ code: 'interrupted', message: 'interrupted; go on so', exitCode });
    });
  }

  it('lets a second signal through', async () => {
    const before = process.listenerCount('SIGINT');
    const run = interruptible(untilAborted, () => '');
    process.emit('SIGINT', 'SIGINT');
    expect(process.listenerCount('SIGINT')).toBe(before);
    await expect(run).rejects.toThrow('interrupted');
  });

  it('leaves other errors as they are', async () => {
    const fails = async (): Promise<never> => {
      throw new TypeError('of its own');
    };
    await expect(interruptible(fails, () => '')).rejects.toThrow(TypeError);
  });
});

describe('the command as it was typed', () => {
  it('quotes what a shell would take apart', () => {
    expect(commandLine(['train', 'lenet5', '--data', 'my data', '--exclude', 'fc*', "it's"])).toBe(
      "secateur train lenet5 --data 'my data' --exclude 'fc*' 'it'\\''s'",
    );
  });

  it('says once how to go on', () => {
    expect(resumeLine('secateur train x')).toBe('secateur train x --resume');
    expect(resumeLine('secateur train x --resume --json')).toBe('secateur train x --resume --json');
  });
});
