import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FormatError } from '../../core/errors.ts';
import { concatBytes } from '../chunks.ts';
import { MemoryBudget } from './budget.ts';
import { tensorOfArray } from './numpy-values.ts';
import { unpickle } from './pickle-machine.ts';
import { PickledGlobal, PickledObject, type PickleValue } from './pickle-values.ts';
import { TensorMaker } from './stored-tensor.ts';

const pickles = JSON.parse(readFileSync(new URL('testdata/pickles.json', import.meta.url), 'utf8')) as Record<
  string,
  string
>;

const ascii = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0));
/** Bytes of a pickle: opcodes as numbers, or text in Latin-1. */
const bytesOf = (...parts: readonly (number | string)[]): Uint8Array =>
  concatBytes(parts.map((part) => (typeof part === 'number' ? Uint8Array.of(part) : ascii(part))));

function read(bytes: Uint8Array, limit?: number): PickleValue {
  const budget = new MemoryBudget(bytes.byteLength, limit);
  return unpickle(bytes, 0, { base: 100, field: 'test' }, { budget, persistent: (id) => [id] }).value;
}

const readText = (...parts: readonly (number | string)[]): PickleValue => read(bytesOf(...parts));

describe.each(Object.keys(pickles))('a pickle of protocol %s', (protocol) => {
  const root = read(Uint8Array.from(Buffer.from(pickles[protocol]!, 'hex'))) as Map<PickleValue, PickleValue>;
  const object = (key: string): PickledObject => {
    const value = root.get(key);
    if (value instanceof PickledObject) return value;
    throw new Error(`${key} is no object`);
  };

  it('gives plain values', () => {
    expect(root.get('none')).toBe(null);
    expect(root.get('truth')).toEqual([true, false]);
    const whole = [
      0,
      255,
      256,
      65535,
      65536,
      2 ** 31 - 1,
      -1,
      -(2 ** 31),
      2 ** 40,
      2 ** 53 - 1,
      -(2 ** 53) + 1,
    ];
    expect(root.get('whole')).toEqual(whole);
    expect(root.get('large')).toEqual([2n ** 53n, 2n ** 70n, -(2n ** 100n)]);
    expect(root.get('floats')).toEqual([0.5, -1e300, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]);
    const text = ['', 'plain', 'Zähne € 🧪', "line\nand \\ 'quote'", 'x'.repeat(300)];
    expect(root.get('text')).toEqual(text);
    const bytes = [new Uint8Array(0), Uint8Array.of(0, 0x80, 0xff), new Uint8Array(300).fill(0x79)];
    expect(root.get('bytes')).toEqual(bytes);
    expect(root.get('bytearray')).toEqual(Uint8Array.of(1, 2));
    expect(root.get(3)).toBe('number');
  });

  it('gives tuples, sets and dicts', () => {
    expect(root.get('tuples')).toEqual([[], [1], [1, 2], [1, 2, 3], [1, 2, 3, 4]]);
    expect(root.get('set')).toEqual(new Set([1]));
    expect(root.get('frozenset')).toEqual(new Set([2]));
    expect(root.get('nested')).toEqual(new Map([['a', [new Map([['b', [new Map()]]])]]]));
    expect([...(root.get('ordered') as Map<string, number>)]).toEqual([
      ['z', 1],
      ['a', 2],
    ]);
    expect(root.get('default')).toEqual(new Map([['k', [1]]]));
    expect([...root.keys()].filter(Array.isArray)).toEqual([[1, 'two']]);
  });

  it('keeps what is held twice one', () => {
    const [first, second] = root.get('itself') as PickleValue[];
    expect(first).toBe(root.get('nested'));
    expect(second).toBe(first);
  });

  it('makes objects of unknown classes inert, with name and state', () => {
    expect(object('object').type.path).toBe('argparse.Namespace');
    expect(object('object').attribute('lr')).toBe(0.1);
    expect([...object('object').attributes()]).toEqual([
      ['lr', 0.1],
      ['names', ['a']],
    ]);
    expect(object('path').type.path).toBe('pathlib.PurePosixPath');
    expect(object('path').args).toEqual(['runs', 'train']);
    expect(object('complex').args).toEqual([1, 2]);
    expect(root.get('class')).toEqual(new PickledGlobal('collections', 'OrderedDict'));
  });

  it("gives NumPy's numbers and arrays", () => {
    expect(root.get('scalars')).toEqual([0.5, -3, true, 1.5, 200]);
    const budget = new MemoryBudget(0);
    const stored = tensorOfArray(object('array'), budget)!;
    const tensor = new TensorMaker(budget, false).make(stored, 'array');
    expect(String(tensor)).toBe('int16[2, 3]');
    expect(tensor.toNumbers()).toEqual([0, 1, 2, 3, 4, 5]);
  });
});

describe('the machine', () => {
  it('executes nothing: a call of any function is a record of it', () => {
    const evil = readText('cos\nsystem\n(S', "'rm -rf /'\n", 'tR.') as PickledObject;
    expect(evil).toBeInstanceOf(PickledObject);
    expect([evil.type.path, evil.args]).toEqual(['os.system', ['rm -rf /']]);
    const got = readText('cbuiltins\ngetattr\n(cos\nsystem\nVx\ntR(tR.') as PickledObject;
    expect([got.type.path, got.args]).toEqual(['builtins.getattr', []]);
    const made = readText('(ibuiltins\neval\n.') as PickledObject;
    expect(made.type.path).toBe('builtins.eval');
  });

  it('keeps names of JavaScript’s own prototypes plain names', () => {
    for (const name of ['__proto__', 'constructor', 'toString']) {
      const made = readText(`c${name}\n${name}\n)R.`) as PickledObject;
      expect(made.type.path).toBe(`${name}.${name}`);
      const object = readText(`cm\nC\n)\x81}V${name}\nK\x01sb.`) as PickledObject;
      expect(object.attribute(name)).toBe(1);
    }
  });

  it('nests as deep as the file does without recursion', () => {
    const deep = bytesOf(']'.repeat(100_000), 'a'.repeat(99_999), '.');
    let depth = 0;
    for (let value = read(deep); Array.isArray(value); value = value[0]) depth++;
    expect(depth).toBe(100_000);
  });

  it('gives slots of classes that have them, and entries of classes that are dicts', () => {
    const slotted = readText('cm\nC\n)\x81N}Va\nK\x01s\x86b.') as PickledObject;
    expect(slotted.attribute('a')).toBe(1);
    const entries = readText('cm\nD\n)\x81Vk\nK\x02sK\x03a.');
    expect(entries).toBeInstanceOf(PickledObject);
    expect([...(entries as PickledObject).entries]).toEqual([['k', 2]]);
    expect((entries as PickledObject).items).toEqual([3]);
  });

  it('reads names of files that are no text', () => {
    // 'a\\udcffb' by surrogateescape, then a whole character of the same first byte.
    expect(readText(0x8c, 8, 'a\xed\xb3\xbfb\xed\x9f\xbf.')).toBe('a\ufffdb\ud7ff');
  });

  it('passes persistent ids on', () => {
    expect(readText('Pname\n.')).toEqual(['name']);
    expect(readText('K\x07Q.')).toEqual([7]);
  });

  it.for<[string, Uint8Array, RegExp]>([
    ['an end within a value', bytesOf('J\x01'), /4 bytes are announced, but 1 are left; the file is cut off/],
    ['no end', bytesOf('N'), /1 bytes are announced, but 0 are left/],
    ['a length beyond the end', bytesOf('X\xff\xff\xff\xffab.'), /4294967295 bytes are announced, but 3/],
    [
      'a length of 64 bits',
      bytesOf(0x8d, '\xff\xff\xff\xff\xff\xff\xff\xff.'),
      /are announced, but 1 are left/,
    ],
    ['a negative length', bytesOf('T\xff\xff\xff\xff.'), /-1 bytes are announced/],
    ['an unknown opcode', bytesOf(0xff), /0xff is no opcode of a pickle/],
    ['a newer protocol', bytesOf(0x80, 6, 'N.'), /has protocol 6; at most 5 is read/],
    ['an empty stack', bytesOf('.'), /the stack is empty/],
    ['a stack that is empty above its mark', bytesOf('N(.'), /the stack is empty/],
    ['a missing mark', bytesOf('Nt.'), /a mark is missing/],
    ['a line without end', bytesOf('I12'), /a line has no end/],
    ['a line that is too long', bytesOf(`c${'x'.repeat(9000)}\nb\n.`), /a line of 9000 bytes/],
    ['a place of the memo that is empty', bytesOf('h\x05.'), /the memo holds nothing at 5/],
    ['a place that is no number', bytesOf('gx\n.'), /a line with a place in the memo was expected/],
    ['digits that are none', bytesOf('Ix\n.'), /a line of digits was expected/],
    ['very many digits', bytesOf(`L${'1'.repeat(5000)}\n.`), /a line of digits was expected/],
    ['a float that is none', bytesOf('F1x\n.'), /a line with a number was expected/],
    ['a text without quotes', bytesOf('Sx\n.'), /a text in quotes was expected/],
    ['a character beyond Unicode', bytesOf('V\\U7fffffff\n.'), /a character is beyond Unicode/],
    ['text that is not UTF-8', bytesOf(0x8c, 1, 0xff, '.'), /not valid UTF-8/],
    ['text that ends within a surrogate', bytesOf(0x8c, 2, '\xed\xb3.'), /not valid UTF-8/],
    [
      'a very long number',
      bytesOf(0x8b, '\xff\xff\xff\x7f.'),
      /takes 2147483647 bytes; at most 1024 are read/,
    ],
    ['a list that is none', bytesOf('NNa.'), /appended to None, which is no list/],
    ['a list that is a tuple', bytesOf(')Na.'), /appended to a tuple, which is no list/],
    ['a dict that is none', bytesOf(']NNs.'), /an entry is set in a list, which is no dict/],
    ['a dict with a key too many', bytesOf('}(Nu.'), /the last key of a dict has no value/],
    ['a key that changes', bytesOf('}]Ns.'), /a list is the key of a dict/],
    ['a set that is none', bytesOf(']('.concat(''), 0x90, '.'), /added to a list, which is no set/],
    ['a state of a number', bytesOf('K\x01}b.'), /the number 1 gets a state, which it cannot have/],
    ['a state twice', bytesOf('cm\nC\n)\x81}b}b.'), /an object of m\.C gets its state twice/],
    ['a call of a text', bytesOf('Vx\n)R.'), /the text 'x' is called as a function/],
    ['a call without a tuple', bytesOf('cm\nC\nNR.'), /the name m\.C is called with None, not a tuple/],
    ['a name that is no text', bytesOf('NN', 0x93, '.'), /the name of a class or function is no text/],
    ['a class that is missing', bytesOf('(o.'), /the class of an object is missing/],
    ['named arguments that are none', bytesOf('cm\nC\n)N', 0x92, '.'), /not made from a tuple and a dict/],
    ['an extension registry', bytesOf(0x82, 1, '.'), /codes of an extension registry are not read/],
    ['buffers beside the pickle', bytesOf(0x97, '.'), /buffers beside the pickle are not read/],
    ['marks without end', bytesOf('('.repeat(3000)), /values are nested more than 2000 deep/],
    ['a stack without end', bytesOf('N'.repeat(2 ** 20 + 1)), /more than 1048576 values wait on the stack/],
    [
      'a tensor of something else',
      bytesOf('ctorch._utils\n_rebuild_tensor_v2\n(NNNNtR.'),
      /torch\._utils\._rebuild_tensor_v2 is not made from None, None, None, None/,
    ],
  ])('refuses %s', ([, bytes, message]) => {
    expect(() => read(bytes)).toThrow(FormatError);
    expect(() => read(bytes)).toThrow(message);
    // Places count from where the pickle begins in the file.
    expect(() => read(bytes)).toThrow(/^PyTorch at byte 1\d\d+|^PyTorch at byte [1-9]\d{3,}/);
  });

  it('takes no more memory than it may', () => {
    // One byte each: dicts, places in the memo, copies of a list.
    const kinds = [
      bytesOf('}'.repeat(1e5)),
      bytesOf('N', '\x94'.repeat(1e5)),
      bytesOf('cbuiltins\nset\nq\x00](', 'K\x01'.repeat(1e3), 'e\x85q\x01', 'h\x00h\x01R0'.repeat(1e3)),
    ];
    for (const bytes of kinds) {
      expect(() => read(bytes, 2e6)).toThrow(/takes more than 2000000 bytes of memory; raise maxBytes/);
    }
    expect(() => read(bytesOf(']]].'), 100)).toThrow(/more than 100 bytes of memory/);
  });

  it('ends on any bytes, in a value or an error with its place', () => {
    const opcodes = fc.constantFrom(
      ...'(.0125FIJKLMNPQRSTUVXabcde}g h i j l ] o p q r s t ) u G B C'.replaceAll(' ', ''),
    );
    const part = fc.oneof(
      opcodes,
      fc.constantFrom(
        'cm\nC\n',
        'K\x01',
        'q\x00',
        'h\x00',
        'Vx\n',
        '\x80\x02',
        'ccollections\nOrderedDict\n',
      ),
      fc.integer({ min: 0x80, max: 0x98 }).map((code) => String.fromCharCode(code)),
      fc.string({ unit: 'binary-ascii', maxLength: 3 }),
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 40 }), (parts) => {
        try {
          readText(...parts, '.');
        } catch (error) {
          if (!(error instanceof FormatError)) throw error;
          expect(error.offset).toBeGreaterThanOrEqual(100);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
