import { describe, expect, it } from 'vitest';
import { RandomNet } from '../../test/cut-at-random.ts';
import type { Graph } from '../ir/index.ts';
import { LatencyMeter, medianLatency } from './latency-meter.ts';

function convolutions(filters: number): Graph {
  const net = new RandomNet();
  const x = net.builder.input('x', 'float32', ['batch', 3, 32, 32]);
  net.builder.output(net.pointwise('second', net.pointwise('first', x, 3, filters), filters, 8), 'y');
  return net.graph;
}

describe('LatencyMeter', () => {
  it('measures the whole model once, and others beside it', async () => {
    const meter = new LatencyMeter(convolutions(64), { threads: 1, shapes: { x: [2, 3, 32, 32] } });
    try {
      const whole = await meter.whole();
      expect(whole).toBeGreaterThan(0);
      expect(await meter.whole()).toBe(whole);
      expect(await meter.measure(convolutions(4))).toBeGreaterThan(0);
    } finally {
      await meter.dispose();
    }
  });

  it('stops where it is told to', async () => {
    const controller = new AbortController();
    controller.abort(new Error('enough'));
    await expect(medianLatency(convolutions(4), { signal: controller.signal })).rejects.toThrow('enough');
  });
});
