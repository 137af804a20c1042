import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { graphFacts } from '../../test/graph-facts.ts';
import { ArgumentError, FileError, FormatError, GraphError } from '../core/errors.ts';
import { Tensor } from '../core/tensor.ts';
import { Graph } from '../ir/index.ts';
import {
  readBytes,
  readCheckpoint,
  readModel,
  readTensors,
  writeFileAtomic,
  writeModel,
  writeTensors,
} from './index.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'secateur-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const isRoot = process.getuid?.() === 0;

function sample(): Graph {
  const graph = new Graph();
  const values = [500, 3].map((size, index) =>
    graph.addInitializer(`w${index}`, Tensor.of(new Float32Array(size).fill(index + 0.5))),
  );
  graph.addOutput(graph.addNode({ opType: 'Sum', inputs: values }).output());
  return graph;
}

describe('writeFileAtomic', () => {
  it('writes chunks one after another and leaves nothing beside', () => {
    const path = join(folder, 'a');
    writeFileAtomic(path, [text('one '), new Uint8Array(0), text('two')]);
    expect(readFileSync(path, 'utf8')).toBe('one two');
    expect(readdirSync(folder)).toEqual(['a']);
    expect([...readBytes(path)]).toEqual([...text('one two')]);
  });

  it('does not write over a file unless forced, and keeps its permissions then', () => {
    const path = join(folder, 'a');
    writeFileSync(path, 'old');
    chmodSync(path, 0o640);
    expect(() => writeFileAtomic(path, [text('new')])).toThrow(FileError);
    expect(() => writeFileAtomic(path, [text('new')])).toThrow(
      `${path}: exists already and is not written over; pass force (--force) to replace it`,
    );
    expect(readFileSync(path, 'utf8')).toBe('old');
    writeFileAtomic(path, [text('new')], { force: true });
    expect(readFileSync(path, 'utf8')).toBe('new');
    if (process.platform !== 'win32') expect(statSync(path).mode & 0o777).toBe(0o640);
    expect(readdirSync(folder)).toEqual(['a']);
  });

  it('follows a link to the file it replaces', () => {
    const target = join(folder, 'target');
    writeFileSync(target, 'old');
    symlinkSync(target, join(folder, 'link'));
    writeFileAtomic(join(folder, 'link'), [text('new')], { force: true });
    expect(readFileSync(target, 'utf8')).toBe('new');
    expect(readdirSync(folder).sort()).toEqual(['link', 'target']);
  });

  it('names the path where the folder is missing or the place is a folder', () => {
    const missing = join(folder, 'no', 'a');
    expect(() => writeFileAtomic(missing, [])).toThrow(
      `${missing}: cannot be written: there is no such file or folder`,
    );
    expect(() => writeFileAtomic(folder, [], { force: true })).toThrow(
      /cannot be written over: it is not a regular file/,
    );
  });

  it('leaves neither file nor remains where writing fails midway', () => {
    const broken = new Proxy(new Uint8Array(1), {
      get: () => {
        throw new Error('the source failed');
      },
    });
    expect(() => writeFileAtomic(join(folder, 'a'), [text('begun'), broken])).toThrow('the source failed');
    expect(readdirSync(folder)).toEqual([]);
  });

  it.skipIf(isRoot || process.platform === 'win32')('names the path where permission is missing', () => {
    chmodSync(folder, 0o500);
    expect(() => writeFileAtomic(join(folder, 'a'), [])).toThrow(/cannot be written: permission is denied/);
    chmodSync(folder, 0o700);
  });
});

describe('readBytes', () => {
  it('names the path of what is no file', () => {
    const path = join(folder, 'ghost');
    expect(() => readBytes(path)).toThrow(FileError);
    expect(() => readBytes(path)).toThrow(`${path}: cannot be read: there is no such file or folder`);
    expect(() => readBytes(folder)).toThrow(/cannot be read: it is not a regular file/);
  });
});

describe('models', () => {
  it('are written and read again', () => {
    const path = join(folder, 'm.onnx');
    const graph = sample();
    writeModel(graph, path);
    expect(readdirSync(folder)).toEqual(['m.onnx']);
    expect(graphFacts(readModel(path))).toEqual(graphFacts(graph));
    expect(() => writeModel(graph, path)).toThrow(FileError);
    writeModel(readModel(path), path, { force: true });
    expect(graphFacts(readModel(path))).toEqual(graphFacts(graph));
  });

  it('lie in two files where asked, both or neither', () => {
    const path = join(folder, 'm.onnx');
    const graph = sample();
    writeModel(graph, path, { externalData: true });
    expect(readdirSync(folder)).toEqual(['m.onnx', 'm.onnx.data']);
    expect(statSync(`${path}.data`).size).toBe(2000);
    expect(graphFacts(readModel(path))).toEqual(graphFacts(graph));
    const other = join(folder, 'n.onnx');
    writeFileSync(`${other}.data`, 'not to be lost');
    expect(() => writeModel(graph, other, { externalData: { threshold: 1 } })).toThrow(
      `${other}.data: exists already`,
    );
    expect(existsSync(other)).toBe(false);
    expect(readFileSync(`${other}.data`, 'utf8')).toBe('not to be lost');
    writeModel(graph, other, { externalData: { threshold: 1 }, force: true });
    expect(statSync(`${other}.data`).size).toBe(4096 + 12);
    expect(graphFacts(readModel(other))).toEqual(graphFacts(graph));
  });

  it('are not begun where the graph is not well formed', () => {
    expect(() => writeModel(new Graph(), join(folder, 'm.onnx'))).toThrow(GraphError);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('name missing external data, and refuse a link out of the folder', () => {
    const inner = join(folder, 'inner');
    mkdirSync(inner);
    const path = join(inner, 'm.onnx');
    writeModel(sample(), path, { externalData: true });
    const data = readFileSync(`${path}.data`);
    rmSync(`${path}.data`);
    expect(() => readModel(path)).toThrow(FileError);
    expect(() => readModel(path)).toThrow(
      /m\.onnx\.data: external data of '.*' cannot be read: there is no such file/,
    );
    writeFileSync(join(folder, 'outside'), data);
    symlinkSync(join(folder, 'outside'), `${path}.data`);
    expect(() => readModel(path)).toThrow(FormatError);
    expect(() => readModel(path)).toThrow(/'m.onnx.data' is a link that leaves the model's folder/);
    rmSync(`${path}.data`);
    writeFileSync(join(inner, 'elsewhere'), data);
    symlinkSync('elsewhere', `${path}.data`);
    expect(readModel(path).value('w0').initializer!.float32[499]).toBe(0.5);
  });
});

describe('tensors', () => {
  it('are written to safetensors and read again', () => {
    const path = join(folder, 't.safetensors');
    const tensors = new Map([['a', Tensor.of(Float32Array.of(1, 2))]]);
    writeTensors(tensors, path, { metadata: new Map([['format', 'pt']]) });
    expect([...readTensors(path).get('a')!.float32]).toEqual([1, 2]);
    expect(() => writeTensors(tensors, path)).toThrow(FileError);
    writeTensors(tensors, path, { force: true });
  });

  it.for(['.pt', '.pth', '.th'])('are written as a state dict to %s and read again', (extension) => {
    const path = join(folder, `t${extension}`);
    const tensors = new Map([['a', Tensor.of(Float32Array.of(1, 2))]]);
    writeTensors(tensors, path);
    expect([...readTensors(path).get('a')!.float32]).toEqual([1, 2]);
    expect(readCheckpoint(path)).toMatchObject({ kind: 'state-dict', part: '', format: 'zip' });
    expect(() => writeTensors(tensors, path)).toThrow(FileError);
    const metadata = new Map([['format', 'pt']]);
    expect(() => writeTensors(tensors, path, { force: true, metadata })).toThrow(
      /t\.\w+' is a state dict, which holds no metadata; write \.safetensors/,
    );
  });

  it('of an .npy file are called as the file is', () => {
    const path = join(folder, 'input.npy');
    const header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }\n";
    writeFileSync(
      path,
      Buffer.concat([
        Buffer.from([0x93]),
        Buffer.from('NUMPY'),
        Buffer.from([1, 0, header.length, 0]),
        Buffer.from(header),
        Buffer.from(Float32Array.of(3).buffer),
      ]),
    );
    expect([...readTensors(path).get('input')!.float32]).toEqual([3]);
  });

  it('of other files are refused', () => {
    expect(() => readTensors('weights.bin')).toThrow(
      new ArgumentError(
        "readTensors: 'weights.bin' is not read; expected .safetensors, .pt, .pth, .th, .npz or .npy",
      ),
    );
    expect(() => writeTensors(new Map(), 'weights.npy')).toThrow(/expected .safetensors/);
  });
});
