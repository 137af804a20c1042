import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ArgumentError, FileError, FormatError } from '../core/errors.ts';
import { firstDifference } from '../core/first-difference.ts';
import type { Json } from '../train/index.ts';
import { readBytes, withPath, writeFileAtomic } from './file.ts';

const FORMAT = 'secateur-run/1';

/** File of the folder that says what is done. */
export const STATE_FILE = 'state.json';

/** A stage that is done. */
interface DoneStage {
  readonly name: string;
  readonly seconds: number;
  /** As JSON has it. */
  readonly result: unknown;
}

/** What `StagedRun.open` is told. */
export interface StagedRunOptions {
  /** What the run is of, such as `prune-detector`. */
  readonly run: string;
  /** All that the result follows from: a run that goes on must have the same. */
  readonly settings: Readonly<Record<string, Json>>;
  /** Files that the run makes, by their names in the folder. */
  readonly files: readonly string[];
  /** Begin anew where there is something already, and write over it. Default false. */
  readonly force?: boolean;
}

/**
 * A run of several stages that keeps what is done in a folder: each stage leaves its files and a result, `state.json` names them, and a run that was stopped, however hard, goes on with the first stage that is not done.
 */
export class StagedRun {
  readonly folder: string;
  readonly #run: string;
  readonly #settings: Readonly<Record<string, Json>>;
  #done: readonly DoneStage[];

  private constructor(
    folder: string,
    run: string,
    settings: Readonly<Record<string, Json>>,
    done: readonly DoneStage[],
  ) {
    this.folder = folder;
    this.#run = run;
    this.#settings = settings;
    this.#done = done;
  }

  /**
   * Opens a folder, which is made if needed. Throws FileError where it is a file or holds files of the run's names but no state, FormatError for a state that cannot be read, ArgumentError where it is that of a run with other settings.
   */
  static open(folder: string, options: StagedRunOptions): StagedRun {
    const { run, force = false } = options;
    // As the file will have them.
    const settings = JSON.parse(JSON.stringify(options.settings)) as Record<string, Json>;
    if (existsSync(folder) && !statSync(folder).isDirectory()) {
      throw new FileError(folder, 'is a file; expected a folder to write into');
    }
    withPath(folder, 'cannot be made', () => mkdirSync(folder, { recursive: true }));
    const own = [STATE_FILE, ...options.files];
    for (const name of readdirSync(folder)) {
      // What was being written when a run was killed.
      const unfinished = /^\.(.+)\.[0-9a-f-]{36}\.tmp$/.exec(name)?.[1];
      if (unfinished !== undefined && own.includes(unfinished)) rmSync(join(folder, name), { force: true });
    }
    const state = join(folder, STATE_FILE);
    if (force) {
      for (const name of own) rmSync(join(folder, name), { force: true });
    } else if (existsSync(state)) {
      return new StagedRun(folder, run, settings, readState(state, run, settings));
    } else {
      const there = options.files.map((name) => join(folder, name)).find((path) => existsSync(path));
      if (there !== undefined) {
        throw new FileError(there, 'exists already; --force writes over it, or name another folder');
      }
    }
    const fresh = new StagedRun(folder, run, settings, []);
    fresh.#write();
    return fresh;
  }

  /** Path of a file in the folder. */
  path(...names: string[]): string {
    return join(this.folder, ...names);
  }

  /** Names of the stages that are done. */
  get done(): readonly string[] {
    return this.#done.map(({ name }) => name);
  }

  /** Seconds that the stages took which are done, by name; of one that was stopped, since it went on. */
  get seconds(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#done.map(({ name, seconds }) => [name, seconds]));
  }

  /** Is a stage done, and are its files there? */
  isDone(name: string, files: readonly string[]): boolean {
    return this.done.includes(name) && files.every((file) => existsSync(this.path(file)));
  }

  /**
   * Does a stage, or gives what came of it where it is done and its files are there. What `work` gives is plain data that JSON holds as it is; files must be written whole.
   */
  async stage<T>(name: string, files: readonly string[], work: () => Promise<T>): Promise<T> {
    const known = this.#done.find((stage) => stage.name === name);
    if (known && this.isDone(name, files)) return known.result as T;
    const begin = performance.now();
    const result = await work();
    const seconds = (performance.now() - begin) / 1000;
    this.#done = [...this.#done.filter((stage) => stage.name !== name), { name, seconds, result }];
    this.#write();
    return result;
  }

  #write(): void {
    const state = { format: FORMAT, run: this.#run, settings: this.#settings, stages: this.#done };
    const bytes = new TextEncoder().encode(`${JSON.stringify(state, null, 2)}\n`);
    writeFileAtomic(this.path(STATE_FILE), [bytes], { force: true });
  }
}

interface State {
  readonly format: string;
  readonly run: string;
  readonly settings: Readonly<Record<string, Json>>;
  readonly stages: readonly DoneStage[];
}

function readState(
  path: string,
  run: string,
  settings: Readonly<Record<string, Json>>,
): readonly DoneStage[] {
  let state: Partial<State> | null;
  try {
    state = JSON.parse(new TextDecoder().decode(readBytes(path))) as Partial<State> | null;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new FormatError(path, `is no JSON (${error.message}); --force begins anew`, {}, { cause: error });
  }
  if (state?.format !== FORMAT || !state.settings || !Array.isArray(state.stages)) {
    throw new FormatError(path, `is not what a run leaves (format '${FORMAT}'); --force begins anew`);
  }
  if (state.run !== run) {
    throw new ArgumentError(
      `'${path}' is of another run, ${state.run}; name another folder, or --force begins anew`,
    );
  }
  const other = firstDifference(state.settings, settings);
  if (other !== null) {
    throw new ArgumentError(
      `'${path}' was begun with ${other.name} ${other.before}, this run has ${other.now}; give the same options to go on, another folder, or --force to begin anew`,
    );
  }
  return state.stages;
}
