import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { detectorHyperparameters } from '../detect/index.ts';
import { readHyperparameters } from './read-hyperparameters.ts';

const folder = mkdtempSync(join(tmpdir(), 'secateur-hyp-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = (text: string): string => {
  const path = join(folder, 'hyp.yaml');
  writeFileSync(path, text);
  return path;
};

describe('readHyperparameters', () => {
  it('reads a yaml by Ultralytics’ names', () => {
    const path = file('# mine\nlr0: 0.02  # first rate\nwarmup_epochs: 1\nhsv_h: 0\n');
    expect(readHyperparameters(path)).toEqual(
      detectorHyperparameters({ lr0: 0.02, warmupEpochs: 1, hsvH: 0 }),
    );
  });

  it('names the file where something is wrong with it', () => {
    expect(() => readHyperparameters(file('warmup_epoch: 1'))).toThrow(
      /hyp\.yaml: hyperparameters: 'warmup_epoch' is not known; did you mean 'warmup_epochs'\?/,
    );
    expect(() => readHyperparameters(file('lr0: [1'))).toThrow(/hyp\.yaml: is no yaml: /);
    expect(() => readHyperparameters(file(''))).toThrow(/expected a map of names and numbers/);
    expect(() => readHyperparameters(join(folder, 'none.yaml'))).toThrow(/none\.yaml.* cannot be read/);
  });
});
