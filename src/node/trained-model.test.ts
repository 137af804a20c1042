import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FileError } from '../core/errors.ts';
import { Tensor } from '../core/tensor.ts';
import { createModel } from '../models/index.ts';
import { manualSeed } from '../nn/index.ts';
import { isWeightsPath, readTrainedModel, writeTensors } from './index.ts';

let folder = '';
const at = (name: string): string => join(folder, name);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'secateur-trained-'));
  manualSeed(0);
  const dict = createModel('yolov5n', { classes: 2 }).stateDict();
  writeTensors(dict, at('bare.pt'));
  writeTensors(dict, at('named.safetensors'), { metadata: new Map([['names', "['a', 'b']"]]) });
  writeTensors(dict, at('more.safetensors'), { metadata: new Map([['names', "['a', 'b', 'c']"]]) });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('readTrainedModel', () => {
  it('reads weights, and names of classes where there are as many', () => {
    expect(readTrainedModel(at('bare.pt'))).toMatchObject({
      name: 'yolov5n',
      names: null,
      part: '',
      parts: [''],
    });
    expect(readTrainedModel(at('named.safetensors'))).toMatchObject({
      options: { classes: 2 },
      names: ['a', 'b'],
    });
    expect(readTrainedModel(at('more.safetensors')).names).toBeNull();
  });

  it('names the file where it cannot be read, is damaged, or is of another network', () => {
    writeFileSync(at('damaged.pt'), '<html>');
    writeTensors(new Map([['x', Tensor.full([1], 1)]]), at('other.pth'));
    for (const [name, says] of [
      ['none.pt', /no such file/],
      ['damaged.pt', /damaged\.pt: PyTorch/],
      ['other.pth', /other\.pth: the tensors are those of no built-in architecture/],
    ] as const) {
      const read = (): unknown => readTrainedModel(at(name));
      expect(read).toThrow(FileError);
      expect(read).toThrow(says);
    }
  });
});

describe('isWeightsPath', () => {
  it('goes by the extension', () => {
    expect(['a.pt', 'a.PTH', 'b/a.th', 'a.safetensors', 'a.onnx', 'pt'].map(isWeightsPath)).toEqual([
      true,
      true,
      true,
      true,
      false,
      false,
    ]);
  });
});
