import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { StagedRun } from './staged-run.ts';

const root = mkdtempSync(join(tmpdir(), 'secateur-staged-'));
let count = 0;
const fresh = (): string => join(root, `run-${++count}`, 'inside');
afterAll(() => rmSync(root, { recursive: true }));

const options = { run: 'cooking', settings: { salt: 1, herbs: ['dill'] }, files: ['soup.txt'] };

describe('StagedRun', () => {
  it('does each stage once, however often it is opened', async () => {
    const folder = fresh();
    const calls: string[] = [];
    const cook = async (): Promise<unknown> => {
      const run = StagedRun.open(folder, options);
      const soup = await run.stage('soup', ['soup.txt'], async () => {
        calls.push('soup');
        writeFileSync(run.path('soup.txt'), 'hot');
        return { taste: 0.5 };
      });
      return run.stage('served', [], async () => {
        calls.push('served');
        return [soup.taste, null];
      });
    };
    expect(await cook()).toEqual([0.5, null]);
    expect(await cook()).toEqual([0.5, null]);
    expect(calls).toEqual(['soup', 'served']);
    const again = StagedRun.open(folder, options);
    expect(again.done).toEqual(['soup', 'served']);
    expect(Object.values(again.seconds).every((seconds) => seconds >= 0)).toBe(true);
  });

  it('does a stage again that failed, or whose file is gone', async () => {
    const folder = fresh();
    const run = StagedRun.open(folder, options);
    await expect(
      run.stage('soup', [], async () => {
        throw new Error('burnt');
      }),
    ).rejects.toThrow('burnt');
    expect(run.done).toEqual([]);
    let made = 0;
    const make = async (): Promise<number> => {
      writeFileSync(run.path('soup.txt'), 'hot');
      return ++made;
    };
    expect(await run.stage('soup', ['soup.txt'], make)).toBe(1);
    expect(await run.stage('soup', ['soup.txt'], make)).toBe(1);
    rmSync(run.path('soup.txt'));
    expect(await run.stage('soup', ['soup.txt'], make)).toBe(2);
    expect(run.done).toEqual(['soup']);
  });

  it('does not go on with other settings, but begins anew where forced', async () => {
    const folder = fresh();
    const run = StagedRun.open(folder, options);
    await run.stage('soup', [], async () => {
      writeFileSync(run.path('soup.txt'), 'hot');
      return null;
    });
    expect(() => StagedRun.open(folder, { ...options, settings: { salt: 2, herbs: ['dill'] } })).toThrow(
      `state.json' was begun with salt 1, this run has 2; give the same options to go on, another folder, or --force to begin anew`,
    );
    expect(() => StagedRun.open(folder, { ...options, run: 'baking' })).toThrow(
      "state.json' is of another run, cooking; name another folder",
    );
    const anew = StagedRun.open(folder, { ...options, settings: { salt: 2 }, force: true });
    expect([anew.done, existsSync(anew.path('soup.txt'))]).toEqual([[], false]);
    expect(JSON.parse(readFileSync(anew.path('state.json'), 'utf8')).settings).toEqual({ salt: 2 });
  });

  it('takes away what was being written when it was killed', () => {
    const folder = fresh();
    StagedRun.open(folder, options);
    const id = '2f205dee-e5f7-4cf7-a8b9-ec6bbcddfab2';
    for (const name of ['soup.txt', 'state.json', 'other.txt'])
      writeFileSync(join(folder, `.${name}.${id}.tmp`), '');
    StagedRun.open(folder, options);
    expect(readdirSync(folder).sort()).toEqual([`.other.txt.${id}.tmp`, 'state.json']);
  });

  it('leaves alone what it did not make', () => {
    const folder = fresh();
    StagedRun.open(folder, options);
    writeFileSync(join(folder, 'soup.txt'), 'mine');
    rmSync(join(folder, 'state.json'));
    expect(() => StagedRun.open(folder, options)).toThrow(
      /soup\.txt: exists already; --force writes over it, or name another folder/,
    );
    expect(readFileSync(join(folder, 'soup.txt'), 'utf8')).toBe('mine');
    expect(() => StagedRun.open(join(folder, 'soup.txt'), options)).toThrow(/is a file; expected a folder/);
    expect(() => StagedRun.open(join(folder, 'soup.txt', 'x'), options)).toThrow(/cannot be made/);
    writeFileSync(join(folder, 'state.json'), '{"format":');
    expect(() => StagedRun.open(folder, options)).toThrow(/state\.json.* is no JSON .*; --force begins anew/);
    writeFileSync(join(folder, 'state.json'), '[]');
    expect(() => StagedRun.open(folder, options)).toThrow(/is not what a run leaves/);
  });
});
