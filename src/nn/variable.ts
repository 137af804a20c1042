import type { DType } from '../core/dtype.ts';
import { ArgumentError } from '../core/errors.ts';
import type { Shape, Value } from '../ir/index.ts';
import type { Tracer } from './tracer.ts';

/**
 * A value of the graph that is being traced: what `forward` works on. It has dtype and shape, no elements. Arithmetic
 * on it adds nodes to the graph.
 */
export class Variable {
  readonly tracer: Tracer;
  readonly value: Value;

  constructor(tracer: Tracer, value: Value) {
    this.tracer = tracer;
    this.value = value;
  }

  get dtype(): DType {
    return this.tracer.builder.inferred(this.value).dtype;
  }

  /** Dimensions; symbolic ones are strings. */
  get shape(): Shape {
    return this.tracer.builder.inferred(this.value).shape;
  }

  /** Size along an axis, counted from the end where negative. Throws ArgumentError where it is symbolic or there is no such axis. */
  size(axis: number): number {
    const dim = this.shape.at(axis);
    if (typeof dim === 'number') return dim;
    throw new ArgumentError(
      `Variable '${this.value.name}': the size of axis ${axis} of [${this.shape.join(', ')}] is not a number; trace with a fixed shape there`,
    );
  }
}
