/** Running graphs with onnxruntime: sessions, latency, inputs to try. */
export { randomInputs } from './inputs.ts';
export { compareLatency, type Latency, type LatencyOptions, measureLatency } from './latency.ts';
export { createSession, Session, type SessionOptions, type SessionValue } from './session.ts';
