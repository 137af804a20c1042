import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { richGraph } from '../../../test/rich-graph.ts';
import { infoOf, message, modelOf, modelOfGraph, nodeOf, type Part } from '../../../test/wire-message.ts';
import { FormatError } from '../../core/errors.ts';
import { concatBytes } from '../chunks.ts';
import { ATTRIBUTE, GRAPH } from './fields.ts';
import { parseOnnx } from './read-model.ts';
import { serializeOnnx } from './write-model.ts';

/** Milliseconds a file of a few kilobytes may take at most: far above what it takes, far below a hang. */
const BUDGET = 5000;

/** Reading must end soon, in a graph that is well formed or in an error that says where. */
function survives(bytes: Uint8Array): 'read' | 'refused' {
  const start = performance.now();
  try {
    const graph = parseOnnx(bytes, { externalData: () => new Uint8Array(64) });
    expect(graph.lint()).toEqual([]);
    // What was read can be written, and read again.
    parseOnnx(concatBytes(serializeOnnx(graph)));
    return 'read';
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    expect(error.offset).toBeGreaterThanOrEqual(0);
    return 'refused';
  } finally {
    expect(performance.now() - start).toBeLessThan(BUDGET);
  }
}

const model = concatBytes(serializeOnnx(richGraph()));

describe('reading bytes that are no model, or a damaged one', () => {
  it('survives random bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        survives(bytes);
      }),
      { numRuns: 2000 },
    );
  });

  it('refuses a model cut off inside its graph, at every byte', () => {
    // What follows the graph is optional on the wire: a model may end behind any whole field of it.
    let read = 0;
    for (let length = 0; length < model.byteLength; length++) {
      if (survives(model.subarray(0, length)) === 'read') read++;
    }
    expect(read).toBeLessThan(12);
  });

  it('survives a flipped bit in every byte of a model', () => {
    // Steps of seven bits come by each byte, and by each place in it.
    for (let index = 0; index < model.byteLength * 8; index += 7) {
      const bytes = model.slice();
      bytes[index >> 3] = bytes[index >> 3]! ^ (1 << (index & 7));
      survives(bytes);
    }
  });

  it('survives bytes overwritten, cut out and copied elsewhere', () => {
    const place = fc.nat(model.byteLength - 1);
    fc.assert(
      fc.property(place, place, place, fc.uint8Array({ maxLength: 12 }), (from, to, length, insert) => {
        const piece = model.subarray(from, from + (length % 64));
        survives(concatBytes([model.subarray(0, to), insert, piece, model.subarray(to + insert.length)]));
        const overwritten = model.slice();
        overwritten.set(insert.subarray(0, model.byteLength - to), to);
        survives(overwritten);
      }),
      { numRuns: 2000 },
    );
  });

  it('survives fields put together at random, of right and wrong types', () => {
    const leaf = fc.oneof(
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      fc.nat(30),
      fc.constantFrom('x', 'y', ''),
      fc.uint8Array({ maxLength: 9 }),
    );
    const fields = Object.fromEntries(
      Array.from({ length: 27 }, (_, number) => [String(number + 1), number + 1]),
    );
    const { tree } = fc.letrec<{ tree: Uint8Array }>((tie) => ({
      tree: fc
        .array(
          fc.tuple(
            fc.constantFrom(...Object.keys(fields)),
            fc.oneof({ depthSize: 'medium', withCrossShrink: true }, leaf, tie('tree')),
          ),
          { maxLength: 8 },
        )
        .map((parts) => message(fields, ...parts)),
    }));
    fc.assert(
      fc.property(tree, (bytes) => {
        survives(bytes);
        survives(modelOf(['node', bytes], infoOf('input', 'x'), infoOf('output', 'x')));
        survives(modelOf(['initializer', bytes], infoOf('input', 'x'), infoOf('output', 'x')));
        survives(modelOf(infoOf('input', 'x', ['type', bytes]), infoOf('output', 'x')));
        survives(modelOf(nodeOf('Op', [], ['x'], ['attribute', bytes]), infoOf('output', 'x')));
      }),
      { numRuns: 1000 },
    );
  });
});

describe('files made to take long', () => {
  it('with 100 000 inputs and nodes are read in linear time', () => {
    const count = 100_000;
    const parts: Uint8Array[] = [];
    for (let index = 0; index < count; index++) {
      parts.push(message(GRAPH, infoOf('input', `i${index}`), nodeOf('A', [`i${index}`], [`o${index}`])));
    }
    // Messages one after another are one message.
    const graph = concatBytes([...parts, message(GRAPH, infoOf('output', 'o0'))]);
    expect(parseOnnx(modelOfGraph(graph)).nodes).toHaveLength(count);
  });

  it('with 20 000 subgraphs are read in linear time', () => {
    const body = message(GRAPH, infoOf('output', 'x'));
    const attribute: Part = ['attribute', message(ATTRIBUTE, ['name', 'body'], ['type', 5], ['g', body])];
    const nodes = Array.from({ length: 20_000 }, (_, index) => nodeOf('If', ['x'], [`o${index}`], attribute));
    const graph = parseOnnx(modelOf(infoOf('input', 'x'), ...nodes, infoOf('output', 'o0')));
    expect(graph.lint()).toEqual([]);
  });

  it('with graphs in graphs end at the limit of nesting', () => {
    let body = message(GRAPH, infoOf('output', 'x'));
    for (let level = 0; level < 200; level++) {
      const attribute: Part = ['attribute', message(ATTRIBUTE, ['name', 'body'], ['type', 5], ['g', body])];
      body = message(GRAPH, nodeOf('If', ['x'], [`o${level}`], attribute), infoOf('output', `o${level}`));
    }
    expect(survives(modelOf(infoOf('input', 'x'), infoOf('output', 'x'), ['node', body]))).toBe('refused');
    expect(() =>
      parseOnnx(
        modelOf(
          infoOf('input', 'x'),
          nodeOf(
            'If',
            ['x'],
            ['y'],
            ['attribute', message(ATTRIBUTE, ['name', 'body'], ['type', 5], ['g', body])],
          ),
          infoOf('output', 'y'),
        ),
      ),
    ).toThrow(/nested more than 100 deep/);
  });
});
