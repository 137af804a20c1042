import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Tensor } from '../core/tensor.ts';
import { concatBytes, serializeOnnx } from '../io/index.ts';
import type { Graph } from '../ir/index.ts';
import { GraphBuilder } from '../ops/index.ts';
import { engineModel } from './engine-model.ts';
import { createSession, type Session } from './session.ts';

/** y = x · w, w of 32 x 16 twos: large enough to lie outside of the model. */
function graph(): Graph {
  const builder = new GraphBuilder();
  const x = builder.input('x', 'float32', ['batch', 32]);
  builder.output(builder.op('MatMul', [x, builder.constant(Tensor.full([32, 16], 2), 'w')]), 'y');
  return builder.graph;
}

async function result(session: Session): Promise<number[]> {
  const output = (await session.run({ x: Tensor.full([1, 32], 1) })).get('y');
  await session.dispose();
  return [...output!.float32];
}

const expected = new Array<number>(16).fill(64);

describe('models for the engine', () => {
  it('lie in one piece where that holds them', () => {
    const { bytes, externalData } = engineModel(graph());
    expect(bytes).toEqual(concatBytes(serializeOnnx(graph())));
    expect(externalData).toEqual([]);
  });

  it('lie in two pieces beyond the limit of a message, and run', async () => {
    const { bytes, externalData } = engineModel(graph(), 1024);
    expect(bytes.byteLength).toBeLessThan(1024);
    expect(externalData.map(({ data }) => data.byteLength)).toEqual([32 * 16 * 4]);
    expect(await result(await createSession(bytes, { externalData }))).toEqual(expected);
  });

  it('are found by path, with their external data beside them', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'secateur-'));
    try {
      const location = 'weights.bin';
      const { model, data } = serializeOnnx(graph(), { externalData: { location } });
      const path = join(folder, 'model.onnx');
      writeFileSync(path, concatBytes(model));
      writeFileSync(join(folder, location), concatBytes(data));
      expect(await result(await createSession(path))).toEqual(expected);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('take only the options that fit their kind', async () => {
    const bytes = concatBytes(serializeOnnx(graph()));
    await expect(createSession(bytes, { feedParameters: true })).rejects.toThrow(
      'createSession: taps and feedParameters need a Graph; read the file with parseOnnx',
    );
    await expect(
      createSession(graph(), { externalData: [{ path: 'w', data: new Uint8Array(1) }] }),
    ).rejects.toThrow('createSession: externalData belongs to the bytes of a file');
  });
});
