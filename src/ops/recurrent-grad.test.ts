import { describe, expect, it } from 'vitest';
import { furthest, type GradientAtOptions, gradientsAt, nodeGraph } from '../../test/gradient-at.ts';
import { checkGradients, noise } from '../../test/gradient-check.ts';
import { gradient } from '../autograd/index.ts';
import { sizeOf, Tensor } from '../core/tensor.ts';
import { type Attribute, attr } from '../ir/index.ts';

const GATES = { RNN: 1, GRU: 3, LSTM: 4 } as const;
type Cell = keyof typeof GATES;

const [STEPS, BATCH, FEATURES, HIDDEN] = [4, 2, 3, 5];

function random(seed: number, ...shape: number[]): Tensor {
  const source = noise(seed);
  return new Tensor(
    'float32',
    shape,
    Float32Array.from({ length: sizeOf(shape) }, () => source.next().value * 0.8),
  );
}

/** Inputs of a layer: sequence, weights, bias, lengths, states. */
function inputsOf(cell: Cell, ways: number, steps = STEPS): (Tensor | null)[] {
  const rows = GATES[cell] * HIDDEN;
  return [
    random(1, steps, BATCH, FEATURES),
    random(2, ways, rows, FEATURES),
    random(3, ways, rows, HIDDEN),
    random(4, ways, 2 * rows),
    null,
    random(5, ways, BATCH, HIDDEN),
    ...(cell === 'LSTM' ? [random(6, ways, BATCH, HIDDEN)] : []),
  ];
}

async function compare(
  cell: Cell,
  inputs: readonly (Tensor | null)[],
  attributes: Readonly<Record<string, Attribute>>,
  of: number,
): Promise<void> {
  const options: GradientAtOptions = {
    attributes: { hidden_size: attr.int(HIDDEN), ...attributes },
    outputs: cell === 'LSTM' ? 3 : 2,
  };
  const graph = nodeGraph(cell, inputs, options);
  const feeds = Object.fromEntries(
    inputs.flatMap((tensor, index): [string, Tensor][] => (tensor ? [[`x${index}`, tensor]] : [])),
  );
  const checks = await checkGradients(graph, {
    of: `y${of}`,
    withRespectTo: Object.keys(feeds),
    feeds,
    step: 5e-3,
    directions: 1,
  });
  for (const { name, computed, measured, scale } of checks) {
    expect(Math.abs(computed - measured), `${name}: ${computed}, measured ${measured}`).toBeLessThan(
      2e-3 * (scale + 0.05),
    );
    // In one step nothing of R's product with a zero state is left, but that is not so here.
    expect(scale, name).toBeGreaterThan(1e-3);
  }
  expect(checks.length).toBe(Object.keys(feeds).length);
}

const direction = (name: string) => ({ direction: attr.string(name) });

describe('gradients of recurrent layers agree with central differences', () => {
  for (const cell of ['RNN', 'GRU', 'LSTM'] as const) {
    for (const of of cell === 'LSTM' ? [0, 1, 2] : [0, 1]) {
      it(`${cell}, output ${of}`, async () => {
        await compare(cell, inputsOf(cell, 1), {}, of);
      });
      it(`${cell}, output ${of}, in both directions`, async () => {
        await compare(cell, inputsOf(cell, 2), direction('bidirectional'), of);
      });
    }
    it(`${cell}, in reverse`, async () => {
      await compare(cell, inputsOf(cell, 1), direction('reverse'), 0);
    });
    it(`${cell}, one step`, async () => {
      await compare(cell, inputsOf(cell, 1, 1), {}, 0);
    });
    it(`${cell}, without bias and states`, async () => {
      await compare(cell, inputsOf(cell, 1).slice(0, 3), {}, 0);
    });
  }

  it("GRU as PyTorch's, where the reset gate comes after the product", async () => {
    const attributes = { linear_before_reset: attr.int(1) };
    await compare('GRU', inputsOf('GRU', 1), attributes, 0);
    await compare('GRU', inputsOf('GRU', 2), { ...attributes, ...direction('bidirectional') }, 1);
    await compare('GRU', inputsOf('GRU', 1).slice(0, 3), attributes, 0);
  });

  it('RNN with relu', async () => {
    // Where no sum is so close to 0 that a step crosses it.
    const inputs = inputsOf('RNN', 1).map((tensor, index) =>
      index === 3 && tensor ? new Tensor('float32', tensor.shape, tensor.float32.map(Math.sign)) : tensor,
    );
    await compare('RNN', inputs, { activations: attr.strings(['Relu']) }, 0);
  });
});

describe('gradients of recurrent layers', () => {
  it('are asked of weights alone', async () => {
    const [x, w, r] = inputsOf('LSTM', 1);
    const all = await gradientsAt('LSTM', [x!, w!, r!], { attributes: { hidden_size: attr.int(HIDDEN) } });
    const some = await gradientsAt('LSTM', [x!, w!, r!], {
      attributes: { hidden_size: attr.int(HIDDEN) },
      constants: [0, 2],
    });
    expect(furthest(some[1]!, all[1]!)).toBeLessThan(1e-5);
    expect([some[0], some[2]]).toEqual([[], []]);
  });

  it('take lengths that are all those of the sequence', async () => {
    const [x, w, r] = inputsOf('RNN', 1);
    const attributes = { hidden_size: attr.int(HIDDEN) };
    const lengths = new Tensor('int32', [BATCH], Int32Array.of(STEPS, STEPS));
    const stated = await gradientsAt('RNN', [x!, w!, r!, null, lengths], { attributes, constants: [4] });
    expect(stated.slice(0, 3)).toEqual(await gradientsAt('RNN', [x!, w!, r!], { attributes }));
  });

  const lengths = new Tensor('int32', [BATCH], Int32Array.of(STEPS, 1));
  it.each<[Cell, readonly (Tensor | null)[], Readonly<Record<string, Attribute>>, string]>([
    ['RNN', [], { clip: attr.float(1) }, 'its gradient is not written for the attribute clip'],
    ['LSTM', [], { input_forget: attr.int(1) }, 'its gradient is not written for input_forget = 1'],
    [
      'LSTM',
      [null, null, null, null, random(7, 1, 3 * HIDDEN)],
      {},
      'its gradient is not written for peepholes',
    ],
    [
      'RNN',
      [null, lengths],
      {},
      'its gradient is written for sequences of the full length only: leave out sequence_lens',
    ],
    [
      'GRU',
      [],
      { activations: attr.strings(['HardSigmoid', 'Tanh']) },
      'its gradient is written for the activations sigmoid, tanh only, got hardsigmoid, tanh',
    ],
  ])('refuse: %s', (cell, more, attributes, message) => {
    const inputs = [...inputsOf(cell, 1).slice(0, 3), ...more];
    const graph = nodeGraph(cell, inputs, {
      attributes: { hidden_size: attr.int(HIDDEN), ...attributes },
      constants: [4],
    });
    expect(() => gradient(graph, { of: 'y0', withRespectTo: ['x0'], gradOutput: 'g' })).toThrow(
      `${cell} 'node': ${message}`,
    );
  });

  it('refuse layouts with the batch first, which onnxruntime does not run', () => {
    const inputs = [random(1, BATCH, STEPS, FEATURES), ...inputsOf('RNN', 1).slice(1, 3)];
    const graph = nodeGraph('RNN', inputs, {
      attributes: { hidden_size: attr.int(HIDDEN), layout: attr.int(1) },
    });
    expect(() => gradient(graph, { of: 'y0', withRespectTo: ['x0'], gradOutput: 'g' })).toThrow(
      "RNN 'node': its gradient is written for layout 0 only",
    );
  });
});
