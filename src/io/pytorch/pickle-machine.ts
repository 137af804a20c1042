import type { MemoryBudget } from './budget.ts';
import { type CallContext, callInert, contextOf, ENTRY_BYTES, ITEM_BYTES } from './pickle-calls.ts';
import { LITERALS } from './pickle-literals.ts';
import { PickleReader, type PickleSource } from './pickle-reader.ts';
import { memoPlace } from './pickle-text.ts';
import {
  describeValue,
  isSequence,
  PickledGlobal,
  PickledObject,
  type PickleValue,
} from './pickle-values.ts';
import { RefusedTensor, StoredTensor } from './stored-tensor.ts';

/** Newest version of the format that is read. */
const PROTOCOL = 5;
/** Lists, tuples and dicts that are open at one time. Python's own writer stops at about a thousand. */
const MOST_OPEN = 2000;
/** Values that wait on the stack at one time. */
const MOST_WAITING = 2 ** 20;
/** Characters of a module's and a class's name: names are compared each time they are called. */
const MOST_NAME = 1024;
/** Bytes that objects take, roughly. A list that grows has room for more than it holds. */
const TUPLE_BYTES = 64;
const LIST_BYTES = 192;
const OBJECT_BYTES = 512;
const DICT_BYTES = 256;

/** What the machine asks of whoever runs it. */
export interface PickleHost {
  readonly budget: MemoryBudget;
  /** The value of a persistent id; errors are made by `context.fail`. */
  persistent(id: PickleValue, context: CallContext): PickleValue;
}

/** A pickle's value, and where the bytes behind it begin. */
export interface Unpickled {
  readonly value: PickleValue;
  readonly end: number;
}

/**
 * Reads one pickle, protocols 0 to 5, from `start`. A machine with a stack and a memo, as Python's, that runs nothing: names become
 * names, calls go by the allow-list of `callInert`. Nested values take no recursion.
 *
 * Throws FormatError with the place of the opcode where the pickle is cut off or damaged, or grows beyond the limits or the budget.
 */
export function unpickle(
  bytes: Uint8Array,
  start: number,
  source: PickleSource,
  host: PickleHost,
): Unpickled {
  const machine = new PickleMachine(new PickleReader(bytes, start, source), host);
  return { value: machine.run(), end: machine.reader.position };
}

type Operation = (machine: PickleMachine) => void;

class PickleMachine {
  readonly reader: PickleReader;
  readonly context: CallContext;
  readonly #host: PickleHost;
  readonly #stack: PickleValue[] = [];
  /** Heights of the stack at which open lists, tuples and dicts begin. */
  readonly #marks: number[] = [];
  readonly #memo = new Map<number, PickleValue>();

  constructor(reader: PickleReader, host: PickleHost) {
    this.reader = reader;
    this.#host = host;
    this.context = contextOf(host.budget, reader);
  }

  run(): PickleValue {
    for (;;) {
      const opcode = this.reader.opcode();
      if (opcode === STOP) return this.pop();
      const literal = LITERALS.get(opcode);
      if (literal) this.push(literal(this.reader, this.context));
      else {
        const operation = OPERATIONS.get(opcode);
        if (!operation) {
          throw this.reader.fail(`0x${opcode.toString(16).padStart(2, '0')} is no opcode of a pickle`);
        }
        operation(this);
      }
    }
  }

  push(value: PickleValue): void {
    if (this.#stack.length >= MOST_WAITING) {
      throw this.reader.fail(`more than ${MOST_WAITING} values wait on the stack`);
    }
    this.#stack.push(value);
  }

  pop(): PickleValue {
    this.#need(1);
    return this.#stack.pop()!;
  }

  /** Takes the last values, in the order in which they were pushed. */
  popLast(count: number): PickleValue[] {
    this.#need(count);
    return this.#stack.splice(this.#stack.length - count);
  }

  /** The value on top, which stays. */
  top(): PickleValue {
    this.#need(1);
    return this.#stack.at(-1)!;
  }

  mark(): void {
    if (this.#marks.length >= MOST_OPEN)
      throw this.reader.fail(`values are nested more than ${MOST_OPEN} deep`);
    this.#marks.push(this.#stack.length);
  }

  /** Takes what was pushed since the last mark, and the mark. */
  popToMark(): PickleValue[] {
    const mark = this.#marks.pop();
    if (mark === undefined) throw this.reader.fail('a mark is missing');
    return this.#stack.splice(mark);
  }

  /** POP takes a mark where one is on top. */
  drop(): void {
    if (this.#marks.at(-1) === this.#stack.length) this.#marks.pop();
    else this.pop();
  }

  get(place: number): void {
    const value = this.#memo.get(place);
    if (value === undefined) throw this.reader.fail(`the memo holds nothing at ${place}`);
    this.push(value);
  }

  put(place: number): void {
    this.context.charge(ENTRY_BYTES);
    this.#memo.set(place, this.top());
  }

  get memoSize(): number {
    return this.#memo.size;
  }

  tuple(items: PickleValue[]): void {
    this.context.charge(TUPLE_BYTES + items.length * ITEM_BYTES);
    this.push(Object.freeze(items));
  }

  /** `made`: arguments that are no tuple of the file, but put together for this call. */
  call(callee: PickleValue, args: PickleValue, made = 0): void {
    if (!isSequence(args)) {
      throw this.reader.fail(`${describeValue(callee)} is called with ${describeValue(args)}, not a tuple`);
    }
    this.context.charge(OBJECT_BYTES + made * ITEM_BYTES);
    this.push(callInert(callee, args, this.context));
  }

  append(target: PickleValue, items: readonly PickleValue[]): void {
    this.context.charge(items.length * ITEM_BYTES);
    let list: PickleValue[];
    if (target instanceof PickledObject) list = target.items;
    else if (isSequence(target) && !Object.isFrozen(target)) list = target as PickleValue[];
    else throw this.reader.fail(`something is appended to ${describeValue(target)}, which is no list`);
    for (const item of items) list.push(item);
  }

  setItems(target: PickleValue, pairs: readonly PickleValue[]): void {
    const entries = target instanceof PickledObject ? target.entries : target;
    if (!(entries instanceof Map)) {
      throw this.reader.fail(`an entry is set in ${describeValue(target)}, which is no dict`);
    }
    if (pairs.length % 2 !== 0) throw this.reader.fail('the last key of a dict has no value');
    this.context.charge((pairs.length / 2) * ENTRY_BYTES);
    for (let index = 0; index < pairs.length; index += 2) {
      const key = pairs[index]!;
      if (key instanceof Map || (isSequence(key) && !Object.isFrozen(key))) {
        throw this.reader.fail(`${describeValue(key)} is the key of a dict`);
      }
      entries.set(key, pairs[index + 1]!);
    }
  }

  addItems(target: PickleValue, items: readonly PickleValue[]): void {
    this.context.charge(items.length * ENTRY_BYTES);
    if (target instanceof Set) for (const item of items) target.add(item);
    else if (target instanceof PickledObject) for (const item of items) target.items.push(item);
    else throw this.reader.fail(`something is added to ${describeValue(target)}, which is no set`);
  }

  build(target: PickleValue, state: PickleValue): void {
    if (target instanceof PickledObject) {
      if (target.state !== undefined) throw this.reader.fail(`${describeValue(target)} gets its state twice`);
      target.state = state;
    } else if (
      !(target instanceof Map || target instanceof StoredTensor || target instanceof RefusedTensor)
    ) {
      // Attributes of dicts (`_metadata` of a state dict) and of tensors are left out.
      throw this.reader.fail(`${describeValue(target)} gets a state, which it cannot have`);
    }
  }

  persistent(id: PickleValue): void {
    this.push(this.#host.persistent(id, this.context));
  }

  global(module: PickleValue, name: PickleValue): PickledGlobal {
    if (typeof module !== 'string' || typeof name !== 'string') {
      throw this.reader.fail('the name of a class or function is no text');
    }
    if (module.length > MOST_NAME || name.length > MOST_NAME) {
      throw this.reader.fail(`the name of a class or function is longer than ${MOST_NAME} characters`);
    }
    this.context.charge(OBJECT_BYTES / 2);
    return new PickledGlobal(module, name);
  }

  #need(count: number): void {
    if (this.#stack.length - count < (this.#marks.at(-1) ?? 0)) throw this.reader.fail('the stack is empty');
  }
}

const STOP = 0x2e;

const refuse =
  (what: string): Operation =>
  ({ reader }) => {
    throw reader.fail(`${what} are not read: checkpoints do not have them`);
  };

/** The last `count` values as a tuple. */
const tupleOf =
  (count: number): Operation =>
  (machine) => {
    machine.tuple(machine.popLast(count));
  };

/** `OBJ` and `INST`: a class and its arguments, no tuple. */
function instance(machine: PickleMachine, items: PickleValue[], type: PickleValue | undefined): void {
  if (type === undefined) throw machine.reader.fail('the class of an object is missing');
  machine.call(type, Object.freeze(items), items.length);
}

/** Opcodes that build on what is on the stack. Source: CPython's pickletools. */
const OPERATIONS: ReadonlyMap<number, Operation> = new Map<number, Operation>([
  // PROTO
  [
    0x80,
    ({ reader }) => {
      const protocol = reader.uint8();
      if (protocol > PROTOCOL) {
        throw reader.fail(`the pickle has protocol ${protocol}; at most ${PROTOCOL} is read`);
      }
    },
  ],
  // FRAME: only a hint of how far to read ahead.
  [0x95, ({ reader }) => void reader.uint64()],
  // MARK, POP, POP_MARK, DUP
  [0x28, (machine) => machine.mark()],
  [0x30, (machine) => machine.drop()],
  [0x31, (machine) => void machine.popToMark()],
  [0x32, (machine) => machine.push(machine.top())],
  // EMPTY_LIST, EMPTY_DICT, EMPTY_SET
  [
    0x5d,
    (machine) => {
      machine.context.charge(LIST_BYTES);
      machine.push([]);
    },
  ],
  [
    0x7d,
    (machine) => {
      machine.context.charge(DICT_BYTES);
      machine.push(new Map());
    },
  ],
  [
    0x8f,
    (machine) => {
      machine.context.charge(DICT_BYTES);
      machine.push(new Set());
    },
  ],
  // LIST, DICT, FROZENSET
  [
    0x6c,
    (machine) => {
      const items = machine.popToMark();
      machine.context.charge(LIST_BYTES + items.length * ITEM_BYTES);
      machine.push(items);
    },
  ],
  [
    0x64,
    (machine) => {
      const dict = new Map<PickleValue, PickleValue>();
      machine.context.charge(DICT_BYTES);
      machine.setItems(dict, machine.popToMark());
      machine.push(dict);
    },
  ],
  [
    0x91,
    (machine) => {
      const set = new Set<PickleValue>();
      machine.context.charge(DICT_BYTES);
      machine.addItems(set, machine.popToMark());
      machine.push(set);
    },
  ],
  // EMPTY_TUPLE, TUPLE1, TUPLE2, TUPLE3, TUPLE
  [0x29, tupleOf(0)],
  [0x85, tupleOf(1)],
  [0x86, tupleOf(2)],
  [0x87, tupleOf(3)],
  [0x74, (machine) => machine.tuple(machine.popToMark())],
  // APPEND, APPENDS, SETITEM, SETITEMS, ADDITEMS: what they change stays on top.
  [
    0x61,
    (machine) => {
      const item = machine.pop();
      machine.append(machine.top(), [item]);
    },
  ],
  [
    0x65,
    (machine) => {
      const items = machine.popToMark();
      machine.append(machine.top(), items);
    },
  ],
  [
    0x73,
    (machine) => {
      const value = machine.pop();
      const key = machine.pop();
      machine.setItems(machine.top(), [key, value]);
    },
  ],
  [
    0x75,
    (machine) => {
      const pairs = machine.popToMark();
      machine.setItems(machine.top(), pairs);
    },
  ],
  [
    0x90,
    (machine) => {
      const items = machine.popToMark();
      machine.addItems(machine.top(), items);
    },
  ],
  // GET, BINGET, LONG_BINGET, PUT, BINPUT, LONG_BINPUT, MEMOIZE
  [0x67, (machine) => machine.get(memoPlace(machine.reader))],
  [0x68, (machine) => machine.get(machine.reader.uint8())],
  [0x6a, (machine) => machine.get(machine.reader.uint32())],
  [0x70, (machine) => machine.put(memoPlace(machine.reader))],
  [0x71, (machine) => machine.put(machine.reader.uint8())],
  [0x72, (machine) => machine.put(machine.reader.uint32())],
  [0x94, (machine) => machine.put(machine.memoSize)],
  // GLOBAL, STACK_GLOBAL
  [0x63, (machine) => machine.push(machine.global(machine.reader.line(), machine.reader.line()))],
  [
    0x93,
    (machine) => {
      const name = machine.pop();
      machine.push(machine.global(machine.pop(), name));
    },
  ],
  // REDUCE, NEWOBJ: a call without and with `__new__`, which is the same to inert objects.
  ...[0x52, 0x81].map((opcode): [number, Operation] => [
    opcode,
    (machine) => {
      const args = machine.pop();
      machine.call(machine.pop(), args);
    },
  ]),
  // NEWOBJ_EX: the dict of named arguments stands last among the arguments.
  [
    0x92,
    (machine) => {
      const named = machine.pop();
      const args = machine.pop();
      if (!(named instanceof Map) || !isSequence(args)) {
        throw machine.reader.fail('an object is not made from a tuple and a dict');
      }
      const type = machine.pop();
      if (named.size === 0) machine.call(type, args);
      else machine.call(type, Object.freeze([...args, named]), args.length + 1);
    },
  ],
  // OBJ, INST
  [
    0x6f,
    (machine) => {
      const [type, ...args] = machine.popToMark();
      instance(machine, args, type);
    },
  ],
  [
    0x69,
    (machine) => {
      const type = machine.global(machine.reader.line(), machine.reader.line());
      instance(machine, machine.popToMark(), type);
    },
  ],
  // BUILD
  [
    0x62,
    (machine) => {
      const state = machine.pop();
      machine.build(machine.top(), state);
    },
  ],
  // PERSID, BINPERSID
  [
    0x50,
    (machine) => {
      machine.context.charge(2 * machine.reader.lineLength);
      machine.persistent(machine.reader.text(machine.reader.lineBytes()));
    },
  ],
  [0x51, (machine) => machine.persistent(machine.pop())],
  // EXT1, EXT2, EXT4; NEXT_BUFFER, READONLY_BUFFER
  ...[0x82, 0x83, 0x84].map((opcode): [number, Operation] => [
    opcode,
    refuse('codes of an extension registry'),
  ]),
  ...[0x97, 0x98].map((opcode): [number, Operation] => [opcode, refuse('buffers beside the pickle')]),
]);
