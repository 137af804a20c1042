import { attr, type Value } from '../ir/index.ts';
import type { Expressions } from './expressions.ts';
import type { GradContext, GradRule, Unsupported } from './operator.ts';

/** `Y = α op(A) op(B) + β C`. */
const gemmGrad: GradRule = (ctx) => {
  const { make, grad, node } = ctx;
  const [a, b] = [ctx.input(0), ctx.input(1)];
  const [transA, transB] = [node.int('transA', 0) !== 0, node.int('transB', 0) !== 0];
  const alpha = node.float('alpha', 1);
  const beta = node.float('beta', 1);
  const toA = (): Value =>
    transA
      ? make.gemm(b, grad, { transA: transB, transB: true, alpha })
      : make.gemm(grad, b, { transB: !transB, alpha });
  const toB = (): Value =>
    transB
      ? make.gemm(grad, a, { transA: true, transB: transA, alpha })
      : make.gemm(a, grad, { transA: !transA, alpha });
  return [
    ctx.needs(0) ? toA() : null,
    ctx.needs(1) ? toB() : null,
    ctx.needs(2) ? make.mul(make.sumLike(grad, ctx.input(2)), beta) : null,
  ];
};

/** A product of batches of matrices. One matrix for the whole batch is one product for the whole batch: no sum over it. */
const matMulGrad: GradRule = (ctx) => {
  const { make } = ctx;
  const [a, b] = [ctx.input(0), ctx.input(1)];
  const [shapeA, shapeB] = [ctx.shape(a), ctx.shape(b)];
  // Vectors are matrices of one row or column.
  const left = shapeA.length === 1 ? make.reshape(a, [1, shapeA[0]!]) : a;
  const right = shapeB.length === 1 ? make.reshape(b, [shapeB[0]!, 1]) : b;
  const [rows, columns] = [make.shape(left).at(-2)!, make.shape(right).at(-1)!];
  const batch = ctx
    .shape(ctx.grad)
    .slice(0, ctx.shape(ctx.grad).length - (shapeA.length > 1 ? 1 : 0) - (shapeB.length > 1 ? 1 : 0));
  const grad = make.reshape(ctx.grad, [...batch, rows, columns]);
  const flat = (value: Value): Value => {
    const sizes = make.shape(value);
    return make.reshape(value, [
      sizes.slice(0, -1).reduce((product, size) => product * size, 1),
      sizes.at(-1)!,
    ]);
  };
  const single = make.shape(right).length === 2;
  const toA = (): Value =>
    single ? make.gemm(flat(grad), right, { transB: true }) : make.matmul(grad, make.transposeMatrix(right));
  const toB = (): Value =>
    single
      ? make.gemm(flat(left), flat(grad), { transA: true })
      : make.matmul(make.transposeMatrix(left), grad);
  const settle = (value: Value, shape: readonly number[], matrix: readonly number[]): Value => {
    const sized = single ? make.reshape(value, matrix) : make.sumTo(value, matrix);
    return make.reshape(sized, shape);
  };
  return [
    ctx.needs(0) ? settle(toA(), shapeA, make.shape(left)) : null,
    ctx.needs(1) ? settle(toB(), shapeB, make.shape(right)) : null,
  ];
};

/** `ij,jk->ik`: letters of each input and of the output. The output's are those that come once, in order, where it is left out. */
function equation(ctx: GradContext): { inputs: string[]; output: string } {
  const text = (ctx.node.string('equation') ?? '').replaceAll(' ', '');
  const [left = '', right] = text.split('->');
  const inputs = left.split(',');
  if (text.includes('.')) throw ctx.unsupported('an equation with ... has no gradient rule; name the axes');
  for (const letters of inputs) {
    if (new Set(letters).size !== letters.length)
      throw ctx.unsupported(`a diagonal ('${letters}') has no gradient rule`);
  }
  const all = [...inputs.join('')];
  const output =
    right ??
    [...new Set(all)]
      .filter((letter) => all.indexOf(letter) === all.lastIndexOf(letter))
      .sort()
      .join('');
  return { inputs, output };
}

/** The gradient of an input is the product of the output's gradient and the other inputs, summed over what the input does not have. */
const einsumGrad: GradRule = (ctx) => {
  const { make, grad, node } = ctx;
  const { inputs, output } = equation(ctx);
  return inputs.map((letters, index) => {
    if (!ctx.needs(index)) return null;
    const others = inputs.flatMap((other, own) =>
      own === index ? [] : [{ letters: other, value: ctx.input(own) }],
    );
    const known = new Set([output, ...others.map((other) => other.letters)].join(''));
    const reached = [...letters].filter((letter) => known.has(letter)).join('');
    const product = einsum(make, [{ letters: output, value: grad }, ...others], reached);
    const sizes = ctx.shape(node.input(index));
    // An axis of size 1 was spread over that of another input.
    const sum = make.sumTo(
      product,
      make.shape(product).map((size, axis) => (sizes[letters.indexOf(reached[axis]!)] === 1 ? 1 : size)),
    );
    // Axes that the input alone has were summed over: their gradient is the same everywhere.
    const summed = make.shape(sum);
    const kept = [...letters].map((letter) => (known.has(letter) ? summed[reached.indexOf(letter)]! : 1));
    return make.expand(make.reshape(sum, kept), sizes);
  });
};

const einsum = (make: Expressions, terms: readonly { letters: string; value: Value }[], to: string): Value =>
  make.op(
    'Einsum',
    terms.map(({ value }) => value),
    { equation: attr.string(`${terms.map(({ letters }) => letters).join(',')}->${to}`) },
  );

/** Gradient rules of matrix products. */
export const LINEAR_GRADS: Readonly<Record<string, GradRule | Unsupported>> = {
  Gemm: gemmGrad,
  MatMul: matMulGrad,
  Einsum: einsumGrad,
};
