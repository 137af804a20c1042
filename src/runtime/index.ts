/** Running graphs with onnxruntime: sessions, latency, inputs to try. */
export type { ExternalFile } from './engine-model.ts';
export { randomInputs } from './inputs.ts';
export {
  compareLatency,
  type Latency,
  type LatencyOptions,
  type LatencySubject,
  measureLatency,
} from './latency.ts';
export { createSession, Session, type SessionOptions, type SessionValue } from './session.ts';
export { SessionCache } from './session-cache.ts';
export { StateBuffers, type StateSlot } from './state.ts';
