import { describe, expect, it } from 'vitest';
import {
  ArgumentError,
  EngineError,
  FileError,
  FormatError,
  GraphError,
  SecateurError,
  ShapeError,
  StateDictError,
  UnsupportedError,
} from './errors.ts';

describe('errors', () => {
  it('have a code, the name of their class and a cause', () => {
    const cause = new Error('why');
    const errors: readonly [SecateurError, code: string, name: string][] = [
      [new ArgumentError('text', { cause }), 'argument', 'ArgumentError'],
      [new GraphError('text', { cause }), 'graph', 'GraphError'],
      [new ShapeError('text', { cause }), 'shape', 'ShapeError'],
      [new UnsupportedError('text', { cause }), 'unsupported', 'UnsupportedError'],
      [new EngineError('text', { cause }), 'engine', 'EngineError'],
      [new FormatError('ONNX', 'text', {}, { cause }), 'format', 'FormatError'],
      [new FileError('a.onnx', 'text', { cause }), 'file', 'FileError'],
    ];
    for (const [error, code, name] of errors) {
      expect(error).toBeInstanceOf(SecateurError);
      expect(error).toBeInstanceOf(Error);
      expect([error.code, error.name, error.cause]).toEqual([code, name, cause]);
      expect(error.message.endsWith('text')).toBe(true);
      expect(String(error)).toBe(`${name}: ${error.message}`);
    }
  });

  it('say where in a file a reader stopped', () => {
    const both = new FormatError('ONNX', 'wrong', { offset: 12, field: 'graph.node[3]' });
    expect(both.message).toBe('ONNX at byte 12, graph.node[3]: wrong');
    expect([both.offset, both.field]).toEqual([12, 'graph.node[3]']);
    expect(new FormatError('ONNX', 'wrong', { offset: 0 }).message).toBe('ONNX at byte 0: wrong');
    expect(new FormatError('ONNX', 'wrong', { field: 'graph' }).message).toBe('ONNX at graph: wrong');
    expect(new FormatError('ONNX', 'wrong').message).toBe('ONNX: wrong');
  });

  it('name the file', () => {
    const error = new FileError('a/b.onnx', 'exists already');
    expect([error.message, error.path]).toEqual(['a/b.onnx: exists already', 'a/b.onnx']);
  });

  it('carry the names a state dict lacks and those it has too many', () => {
    const error = new StateDictError('text', ['a'], ['b', 'c']);
    expect([error.code, error.missing, error.unexpected]).toEqual(['state-dict', ['a'], ['b', 'c']]);
    expect([new StateDictError('text').missing, new StateDictError('text').unexpected]).toEqual([[], []]);
  });
});
