import { afterEach, describe, expect, it, vi } from 'vitest';
import { EngineError } from '../core/errors.ts';
import * as node from './ort-node.ts';
import * as web from './ort-web.ts';

afterEach(() => {
  vi.doUnmock('onnxruntime-node');
  vi.doUnmock('onnxruntime-web');
});

describe('the engine', () => {
  it.each([
    ['onnxruntime-node', 'Node', node],
    ['onnxruntime-web', 'a browser', web],
  ] as const)('%s is asked for by name where it is missing', async (name, place, { loadEngine }) => {
    vi.doMock(name, () => {
      throw new Error('not installed');
    });
    const failure = await loadEngine().catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(EngineError);
    expect(failure).toMatchObject({
      code: 'engine',
      message: `running a model in ${place} needs the package ${name}, which could not be loaded; install it: npm install ${name}`,
    });
  });

  it('says where it runs and how many threads there are', async () => {
    expect([node.ENGINE_NAME, web.ENGINE_NAME]).toEqual(['onnxruntime-node', 'onnxruntime-web']);
    for (const { hardwareThreads } of [node, web]) expect(await hardwareThreads()).toBeGreaterThanOrEqual(1);
  });
});
