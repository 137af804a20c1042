/** Words that a shell takes as they are. */
const PLAIN = /^[\w@%+=:,./-]+$/;

/** A word as a POSIX shell reads it back. */
const quoted = (word: string): string => (PLAIN.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

/** The command as it can be typed again, from its arguments. */
export const commandLine = (args: readonly string[]): string => ['secateur', ...args.map(quoted)].join(' ');

/** The command that goes on where this one was stopped. */
export const resumeLine = (line: string): string => (/ --resume( |$)/.test(line) ? line : `${line} --resume`);
