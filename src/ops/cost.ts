import { ShapeError } from '../core/errors.ts';
import { sizeOf } from '../core/tensor.ts';
import { staticShape } from '../ir/index.ts';
import type { Cost, CostContext, CostRule, Inferred } from './operator.ts';

/*
 * thop hooks modules (`nn.Conv2d`), never functions (`F.conv2d`, `x @ y`, `x * y`); its rules are applied here to the nodes such modules
 * export to, and operators whose modules it has no rule for count 0, as they do there.
 * Sources: `register_hooks` and `vision/basic_hooks.py` of thop 0.0.31.post2005241907 and 0.1.1.post2209072238.
 */

/** A cost: the two versions of thop count what `macs` does unless they are given. */
export const cost = (macs: number, thop0031 = macs, thop011 = macs): Cost => ({
  macs,
  'thop@0.0.31': thop0031,
  'thop@0.1.1': thop011,
});

const NOTHING = cost(0);

/** The cost of operators that no convention counts. */
export const free: CostRule = () => NOTHING;

/** Shape of input `index`. Throws ShapeError where it is missing or not static. */
export const inputShape = (ctx: CostContext, index: number): readonly number[] =>
  sizes(ctx, `input ${index}`, ctx.inputs[index]);

/** Shape of output `index`. Throws ShapeError where it is missing or not static. */
export const outputShape = (ctx: CostContext, index = 0): readonly number[] =>
  sizes(ctx, `output ${index}`, ctx.outputs[index]);

function sizes(ctx: CostContext, what: string, inferred: Inferred | null | undefined): readonly number[] {
  const shape = staticShape(inferred?.shape);
  if (shape) return shape;
  const found = inferred ? `[${inferred.shape.map((dim) => dim ?? '?').join(', ')}]` : 'nothing';
  throw new ShapeError(
    `${ctx.node.label}: counting operations expects a static shape of ${what}, got ${found}; give the sizes of the graph's inputs`,
  );
}

/** Elements of the output times a factor, for each version of thop; no multiply-accumulates. */
export const perOutput =
  (thop0031: number, thop011: number): CostRule =>
  (ctx) => {
    const elements = sizeOf(outputShape(ctx));
    return cost(0, thop0031 * elements, thop011 * elements);
  };
