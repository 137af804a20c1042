import { serializeOnnx } from '../io/index.ts';
import { nodeCompressors } from '../node/index.ts';
import {
  type FileSizes,
  fileSizes,
  granularityTable,
  type LayerProfile,
  type Profile,
  profile,
  profileTable,
} from '../profile/index.ts';
import { createSession, type Latency, measureLatency, randomInputs } from '../runtime/index.ts';
import type { ProfileCommandOptions } from './commands.ts';
import { type LoadedModel, loadModel, requireShapes } from './load.ts';
import { printCsv, printJson, tableOf } from './output.ts';
import { withProgress } from './progress.ts';
import { bytes, percent, withCommas } from './table.ts';
import { UsageError } from './usage-error.ts';

const SORTABLE = ['parameters', 'zeros', 'macs', 'activationBytes', 'name'] as const;
const TITLES = {
  macs: 'MACs',
  flops: 'FLOPs',
  'thop@0.0.31': 'thop 0.0.31',
  'thop@0.1.1': 'thop 0.1.1',
} as const;

/** `secateur profile MODEL`: what the model has and costs, per layer and in total. */
export async function profileCommand(source: string, options: ProfileCommandOptions): Promise<void> {
  const key = SORTABLE.find((name) => name === options.sort);
  if (options.sort !== undefined && !key) {
    throw new UsageError(`--sort: expected one of ${SORTABLE.join(', ')}, got '${options.sort}'`);
  }
  const model = loadModel(source, options);
  requireShapes(model);
  const profiled = profile(model.module, {
    convention: options.convention,
    sparsity: options.sparsity ?? false,
    ...(model.profileShapes ? { shapes: model.profileShapes } : {}),
  });
  const layers = selected(profiled.layers, key, options.top);
  const sizes = options.sizes ? await sizesOf(model) : undefined;
  const latency = options.latency ? await latencyOf(model, options) : undefined;
  if (options.json) {
    printJson({
      model: source,
      ...profiled,
      layers,
      ...(sizes ? { sizes } : {}),
      ...(latency ? { latency } : {}),
    });
    return;
  }
  const table = profileTable({ ...profiled, layers });
  if (options.csv) {
    printCsv(table);
    return;
  }
  const cut = layers.length < profiled.layers.length;
  const total =
    table.total && cut
      ? [`total (${layers.length} of ${profiled.layers.length} rows shown)`, ...table.total.slice(1)]
      : table.total;
  const parts = [tableOf({ ...table, total }), summary(profiled)];
  if (profiled.granularity) parts.push(tableOf(granularityTable(profiled.granularity)));
  if (sizes) parts.push(sizesLine(sizes));
  if (latency) parts.push(latencyLine(latency));
  if (profiled.notes.length > 0) parts.push(profiled.notes.map((note) => `note: ${note}`).join('\n'));
  if (profiled.notCounted.length > 0)
    parts.push(['not counted:', ...profiled.notCounted.map((line) => `  ${line}`)].join('\n'));
  process.stdout.write(`${parts.join('\n\n')}\n`);
}

function summary({ totals, convention, inputs }: Profile): string {
  const shapes = Object.entries(inputs).map(([name, shape]) => `${name} ${shape.join('x')}`);
  return [
    `input       ${shapes.join(', ')}`,
    `parameters  ${withCommas(totals.parameters)}, of which zero ${withCommas(totals.zeros)} (${percent(totals.sparsity)})`,
    `${TITLES[convention].padEnd(11)} ${withCommas(totals.macs)}`,
    `memory      weights ${bytes(totals.weightBytes)}, activations at most ${bytes(totals.peakActivationBytes)} at one time`,
  ].join('\n');
}

const sizesOf = ({ graph }: LoadedModel): Promise<FileSizes> =>
  withProgress('compressing', () => fileSizes(serializeOnnx(graph), { compressors: nodeCompressors }));

/** `file        7.92 MB; gzip (level 6) 7.31 MB; brotli (quality 9) 7.24 MB` */
export function sizesLine({ raw, gzip, brotli, settings }: FileSizes): string {
  const compressed = [
    ...(gzip === null ? [] : [`gzip (${settings.gzip}) ${bytes(gzip)}`]),
    ...(brotli === null ? [] : [`brotli (${settings.brotli}) ${bytes(brotli)}`]),
  ];
  return [`file        ${bytes(raw)}`, ...compressed].join('; ');
}

async function latencyOf({ graph, shapes }: LoadedModel, options: ProfileCommandOptions): Promise<Latency> {
  const session = await createSession(
    graph,
    options.threads === undefined ? {} : { threads: options.threads },
  );
  const feeds = randomInputs(graph, { seed: options.seed ?? 0, ...(shapes ? { shapes } : {}) });
  try {
    return await withProgress('measuring latency', (onProgress) =>
      measureLatency(session, feeds, { onProgress }),
    );
  } finally {
    await session.dispose();
  }
}

/** `latency     12.3 ms median (10 % to 90 %: 12.0 to 13.1 ms; 81 runs, 2 threads, onnxruntime-node)` */
export const latencyLine = ({ median, p10, p90, runs, threads, engine }: Latency): string =>
  `latency     ${median.toFixed(2)} ms median (10 % to 90 %: ${p10.toFixed(2)} to ${p90.toFixed(2)} ms; ${runs} runs, ${threads} ${threads === 1 ? 'thread' : 'threads'}, ${engine})`;

function selected(
  layers: readonly LayerProfile[],
  key: (typeof SORTABLE)[number] | undefined,
  top: number | undefined,
): readonly LayerProfile[] {
  const sorted = key
    ? [...layers].sort((a, b) => (key === 'name' ? a.name.localeCompare(b.name) : b[key] - a[key]))
    : layers;
  return top === undefined ? sorted : sorted.slice(0, top);
}
