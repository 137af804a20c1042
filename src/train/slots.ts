import { ArgumentError } from '../core/errors.ts';
import { Tensor } from '../core/tensor.ts';
import type { AnyModule, Parameter } from '../nn/index.ts';
import type { Optimizer, ParamGroup } from './optimizers/index.ts';

/** Parameters below this many elements share a buffer with their group's other small ones: one update in place of dozens. */
const SMALL = 4096;

/** A parameter's place in a slot. */
export interface SlotPart {
  /** Name in the model, such as `conv1.weight`. */
  readonly name: string;
  readonly parameter: Parameter;
}

/** A tensor that training updates as one: a parameter of its own shape, or several small ones end to end as a vector. */
export interface Slot {
  /** Name of its graph input. */
  readonly name: string;
  readonly group: ParamGroup;
  readonly groupIndex: number;
  readonly parts: readonly SlotPart[];
  readonly shape: readonly number[];
}

/** Number of elements of a slot. */
const slotSize = (slot: Slot): number => slot.parts.reduce((sum, { parameter }) => sum + parameter.size, 0);

/**
 * How an optimizer's parameters lie in slots. Parameters that do not require a gradient have none. Throws ArgumentError where a parameter is not the model's or not float32.
 */
export function layOut(model: AnyModule, optimizer: Optimizer): Slot[] {
  const names = new Map<Parameter, string>();
  for (const [name, parameter] of model.namedParameters())
    if (!names.has(parameter)) names.set(parameter, name);
  return optimizer.paramGroups.flatMap((group, groupIndex) => {
    const parts = group.params
      .filter((parameter) => parameter.requiresGrad)
      .map((parameter): SlotPart => {
        const name = names.get(parameter);
        if (name === undefined) {
          throw new ArgumentError(
            `${optimizer.name}: has a parameter that is none of the model's; make it with model.parameters()`,
          );
        }
        if (parameter.data.dtype !== 'float32') {
          throw new ArgumentError(
            `'${name}' is ${parameter.data.dtype}; training expects float32, so convert the model first`,
          );
        }
        return { name, parameter };
      });
    const large = parts.filter(({ parameter }) => parameter.size >= SMALL);
    const small = parts.filter(({ parameter }) => parameter.size < SMALL);
    const slots = large.map(
      (part): Slot => ({
        name: `param/${part.name}`,
        group,
        groupIndex,
        parts: [part],
        shape: part.parameter.shape,
      }),
    );
    if (small.length > 0) {
      const size = small.reduce((sum, { parameter }) => sum + parameter.size, 0);
      slots.push({ name: `params/${groupIndex}`, group, groupIndex, parts: small, shape: [size] });
    }
    return slots;
  });
}

/** Elements of a slot's parts, end to end: `of` gives those of one part. */
export function joinParts(slot: Slot, of: (part: SlotPart) => Float32Array): Tensor {
  const data = new Float32Array(slotSize(slot));
  let offset = 0;
  for (const part of slot.parts) {
    data.set(of(part), offset);
    offset += part.parameter.size;
  }
  return new Tensor('float32', slot.shape, data);
}

/** Calls back with each part's elements of a slot's tensor; the arrays are views. */
export function splitParts(
  slot: Slot,
  tensor: Tensor,
  to: (part: SlotPart, elements: Float32Array) => void,
): void {
  const data = tensor.float32;
  let offset = 0;
  for (const part of slot.parts) {
    to(part, data.subarray(offset, offset + part.parameter.size));
    offset += part.parameter.size;
  }
}
