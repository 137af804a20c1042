// @ts-check
/**
 * `npm run bench:structural [-- --python PYTHON] [--rounds N] [--models yolov5s,vit_b] [--json]`: times structural pruning at half the channels by group L2: coupling, ranking and the cut. With `--python` (an interpreter that has
 * torch and torch_pruning) Torch-Pruning runs in turn with this project in the same run, and ratios are printed. `--latency` measures, per model, the runs of the whole and of the cut model side by side instead.
 */
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { Peer, summary } from './bench-peer.mjs';
import { build } from './build.mjs';
import { ensureInstall } from './ensure-install.mjs';

const { values: flags } = parseArgs({
  options: {
    python: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    models: { type: 'string', default: 'yolov5s,resnet50,densenet121,vit_b' },
    ratio: { type: 'string', default: '0.5' },
    latency: { type: 'boolean', default: false },
    threads: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const ratio = Number(flags.ratio);
const rounds = Number(flags.rounds);
ensureInstall();
build();
const { NETWORKS, loadRoom } = await import('./bench-networks.mjs');
const [structural, runtime] = await Promise.all(['structural', 'runtime'].map(loadRoom));

/** @param {any} graph @param {object} [options] */
async function shrunk(graph, options = {}) {
  const laps = { coupling: 0, ranking: 0, cut: 0 };
  let mark = performance.now();
  /** @param {keyof typeof laps} name */
  const lap = (name) => {
    laps[name] += performance.now() - mark;
    mark = performance.now();
  };
  const groups = structural.groupChannels(structural.analyzeChannels(graph));
  lap('coupling');
  const scores = await structural.importance(groups, { method: 'l2' });
  const { removed } = structural.decide(groups, scores, { ratio, ...options });
  lap('ranking');
  const { graph: cut } = structural.cutChannels(groups, removed);
  lap('cut');
  const before = structural.costOf(groups, new Uint8Array(groups.unitCount));
  return {
    laps,
    total: laps.coupling + laps.ranking + laps.cut,
    cut,
    before,
    after: structural.costOf(groups, removed),
  };
}

const names = (flags.models ?? '').split(',').filter(Boolean);
for (const name of names)
  if (!(name in NETWORKS))
    throw new Error(`unknown model '${name}'; expected ${Object.keys(NETWORKS).join(', ')}`);
const note = `${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores, load ${loadavg()[0]?.toFixed(1)} before`;
/** @type {Record<string, unknown>[]} */
const rows = [];

if (flags.latency) {
  for (const name of names) {
    const graph = await NETWORKS[name]?.();
    const { cut, before, after } = await shrunk(graph, { roundTo: 8 });
    const feeds = runtime.randomInputs(graph);
    const threads = flags.threads === undefined ? {} : { threads: Number(flags.threads) };
    const [whole, small] = await runtime.compareLatency(
      [graph, cut].map((session) => ({ session, feeds })),
      { minTime: 5000, ...threads },
    );
    const [macs, time] = [before.macs / after.macs, whole.median / small.median];
    rows.push({
      model: name,
      MACs: `${(before.macs / 1e9).toFixed(2)} → ${(after.macs / 1e9).toFixed(2)} G`,
      'MAC ratio': macs.toFixed(2),
      'median, ms': `${whole.median.toFixed(1)} → ${small.median.toFixed(1)}`,
      'measured ratio': time.toFixed(2),
      'of the MAC ratio': `${((100 * time) / macs).toFixed(0)} %`,
    });
  }
} else {
  const peer = flags.python ? new Peer(flags.python, 'structural.py') : null;
  if (peer) console.error(JSON.stringify(await peer.ask({ do: 'hello' })));
  for (const name of names) {
    const graph = await NETWORKS[name]?.();
    /** @type {number[]} */ const own = [];
    /** @type {number[]} */ const theirs = [];
    let last = await shrunk(graph);
    let found = null;
    for (let round = 0; round < rounds; round++) {
      last = await shrunk(graph);
      own.push(last.total);
      if (peer) {
        found = await peer.ask({ do: 'shrink', model: name, ratio });
        theirs.push(1000 * found.seconds);
      }
    }
    const [mine, other] = [summary(own), summary(theirs)];
    rows.push({
      model: name,
      'parameters, M': `${(last.before.parameters / 1e6).toFixed(3)} → ${(last.after.parameters / 1e6).toFixed(3)}`,
      GMACs: `${(last.before.macs / 1e9).toFixed(3)} → ${(last.after.macs / 1e9).toFixed(3)}`,
      'median, ms': mine.median.toFixed(0),
      'least, ms': mine.min.toFixed(0),
      ...Object.fromEntries(Object.entries(last.laps).map(([lap, ms]) => [`${lap}, ms`, ms.toFixed(0)])),
      ...(found
        ? {
            'Torch-Pruning, M': (found.parameters / 1e6).toFixed(3),
            'its GMACs': (found.macs / 1e9).toFixed(3),
            'its median, ms': other.median.toFixed(0),
            'its least, ms': other.min.toFixed(0),
            'ratio of the least': `${(other.min / mine.min).toFixed(1)}x`,
          }
        : {}),
    });
  }
  peer?.close();
}
if (flags.json) console.log(JSON.stringify(rows, null, 2));
else {
  for (const row of rows)
    console.log(
      Object.entries(row)
        .map(([key, value]) => `${key}: ${value}`)
        .join(' | '),
    );
  console.log(`${note}, ${loadavg()[0]?.toFixed(1)} after`);
}
