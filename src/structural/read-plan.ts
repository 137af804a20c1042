import { ArgumentError } from '../core/errors.ts';
import { PLAN_FORMAT, type Plan, type PlanGroup, type PlanJson, type PlanMember } from './plan.ts';
import type { PlanBlock } from './plan-blocks.ts';

/**
 * Reads a plan: the text of its JSON, or what that holds. Everything is checked but whether it fits a model, which `removedBy` does. Throws ArgumentError where the text is no JSON, and naming the path of what is wrong where it is
 * no plan.
 */
export function parsePlan(json: unknown): Plan {
  if (typeof json !== 'string') return readPlan(new Field(json, ''));
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ArgumentError(`plan: expected JSON (${reason})`, { cause: error });
  }
  return readPlan(new Field(value, ''));
}

function readPlan(plan: Field): Plan {
  const { format } = plan.fields(['format'], null);
  if (format!.value !== PLAN_FORMAT) format!.refuse(`'${PLAN_FORMAT}'`);
  const { created, model, heads, options, blocks, groups, kept } = plan.fields(
    ['format', 'model', 'heads', 'options', 'groups', 'kept'],
    ['created', 'blocks'],
  );
  const { inputs, parameters, macs } = model!.fields(['inputs', 'parameters', 'macs']);
  return {
    format: PLAN_FORMAT,
    ...(created ? { created: created.text() } : {}),
    model: {
      inputs: Object.fromEntries(inputs!.entries().map(([name, shape]) => [name, shape.wholes()])),
      parameters: readBeforeAfter(parameters!),
      macs: readBeforeAfter(macs!),
    },
    heads: heads!.oneOf(['width', 'whole'] as const),
    options: Object.fromEntries(options!.entries().map(([name, value]) => [name, value.value as PlanJson])),
    ...(blocks ? { blocks: blocks.list().map(readBlock) } : {}),
    groups: groups!.list().map(readGroup),
    kept: kept!.list().map((one) => {
      const { layer, why } = one.fields(['layer', 'why']);
      return { layer: layer!.text(), why: why!.text() };
    }),
  };
}

function readBeforeAfter(field: Field): { before: number; after: number } {
  const { before, after } = field.fields(['before', 'after']);
  return { before: before!.number(), after: after!.number() };
}

function readBlock(field: Field): PlanBlock {
  const { name, kind, layers, parameters, why } = field.fields([
    'name',
    'kind',
    'layers',
    'parameters',
    'why',
  ]);
  const { change, saves } = why!.fields(['change', 'saves']);
  const { parameters: count, macs } = saves!.fields(['parameters', 'macs']);
  return {
    name: name!.text(),
    kind: kind!.oneOf(['residual', 'module', 'chain'] as const),
    layers: layers!.list().map((layer) => layer.text()),
    parameters: parameters!.list().map((parameter) => parameter.text()),
    why: {
      change: change!.value === null ? null : change!.number(),
      saves: { parameters: count!.number(), macs: macs!.number() },
    },
  };
}

function readGroup(field: Field): PlanGroup {
  const { name, layers, channels, remove, why, members } = field.fields([
    'name',
    'layers',
    'channels',
    'remove',
    'why',
    'members',
  ]);
  const { method, asked, scores } = why!.fields(['method', 'asked'], ['scores']);
  return {
    name: name!.text(),
    layers: layers!.list().map((layer) => layer.text()),
    channels: channels!.whole(),
    remove: remove!.indices(),
    why: {
      method: method!.text(),
      asked: asked!.number(),
      ...(scores ? { scores: scores.list().map((score) => score.number()) } : {}),
    },
    members: members!.list().map(readMember),
  };
}

function readMember(field: Field): PlanMember {
  const { parameter, shape, axis, role, parts, transposed, remove } = field.fields(
    ['parameter', 'shape', 'axis', 'role', 'remove'],
    ['parts', 'transposed'],
  );
  const sizes = shape!.wholes();
  return {
    parameter: parameter!.text(),
    shape: sizes,
    axis: axis!.whole(sizes.length),
    role: role!.oneOf(['out', 'in', 'side'] as const),
    ...(parts ? { parts: readParts(parts, sizes) } : {}),
    ...(transposed ? { transposed: transposed.flag() } : {}),
    remove: remove!.indices(),
  };
}

function readParts(field: Field, shape: readonly number[]): { along: number; count: number } {
  const { along, count } = field.fields(['along', 'count']);
  const axis = along!.whole(shape.length);
  const parts = count!.whole();
  if (parts === 0 || shape[axis]! % parts !== 0) count!.refuse(`a divisor of ${shape[axis]}`);
  return { along: axis, count: parts };
}

/** A value of a plan, and the path it stands at. */
class Field {
  readonly value: unknown;
  readonly #path: string;

  constructor(value: unknown, path: string) {
    this.value = value;
    this.#path = path;
  }

  refuse(expected: string, found: string = described(this.value)): never {
    throw new ArgumentError(`plan: ${this.#path || 'it'} must be ${expected}, got ${found}`);
  }

  /** The fields of an object: those named, and of `optional` those that are there. Others are refused unless `optional` is null. */
  fields(
    required: readonly string[],
    optional: readonly string[] | null = [],
  ): Partial<Record<string, Field>> {
    const fields = new Map(this.entries());
    const names = [...required, ...(optional ?? [])];
    for (const name of required) {
      if (!fields.has(name)) this.#at(name).refuse('given');
    }
    for (const [name, field] of fields) {
      if (optional && !names.includes(name)) field.refuse(`left out (fields here: ${names.join(', ')})`);
    }
    return Object.fromEntries(fields);
  }

  entries(): [string, Field][] {
    const { value } = this;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return this.refuse('an object');
    return Object.entries(value).map(([name, own]) => [name, this.#at(name, own)]);
  }

  list(): Field[] {
    const { value } = this;
    if (!Array.isArray(value)) return this.refuse('an array');
    return value.map((own, index) => new Field(own, `${this.#path}[${index}]`));
  }

  text(): string {
    return typeof this.value === 'string' ? this.value : this.refuse('a string');
  }

  number(): number {
    const { value } = this;
    return typeof value === 'number' && Number.isFinite(value) ? value : this.refuse('a number');
  }

  flag(): boolean {
    return typeof this.value === 'boolean' ? this.value : this.refuse('true or false');
  }

  /** A whole number from 0 up to, but without, `end`. */
  whole(end = Number.POSITIVE_INFINITY): number {
    const { value } = this;
    if (Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) < end)
      return value as number;
    return this.refuse(
      `a whole number ${end === Number.POSITIVE_INFINITY ? '>= 0' : `from 0 to ${end - 1}`}`,
    );
  }

  wholes(): number[] {
    return this.list().map((one) => one.whole());
  }

  /** Indices in any order, each once; ascending. */
  indices(): number[] {
    const indices = this.wholes();
    const twice = indices.find((index, at) => indices.indexOf(index) !== at);
    if (twice !== undefined) this.refuse('a list of different indices', `${twice} twice`);
    return indices.sort((a, b) => a - b);
  }

  oneOf<T extends string>(choices: readonly T[]): T {
    return (
      choices.find((choice) => choice === this.value) ??
      this.refuse(`one of ${choices.map((choice) => `'${choice}'`).join(', ')}`)
    );
  }

  #at(name: string, value?: unknown): Field {
    return new Field(value, this.#path === '' ? name : `${this.#path}.${name}`);
  }
}

function described(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  return typeof value === 'string' ? `'${value.slice(0, 40)}'` : String(value);
}
