import type { LatencyPair } from '../../detect/index.ts';
import { compareLatency, createSession, randomInputs, type Session } from '../../runtime/index.ts';
import { readModel } from '../model.ts';
import { FILES } from './files.ts';
import type { DetectorRun } from './run.ts';

/** Measures both files in turns on one image: with one thread, and with all that the machine has. */
export async function compareFileLatency(run: DetectorRun): Promise<readonly LatencyPair[]> {
  const { folder, seed } = run;
  const { signal } = run.options;
  const graphs = [FILES.dense, FILES.pruned].map((file) => readModel(folder.path(file)));
  const pairs: LatencyPair[] = [];
  for (const threads of [1, undefined]) {
    const sessions: Session[] = [];
    try {
      for (const graph of graphs)
        sessions.push(await createSession(graph, threads === undefined ? {} : { threads }));
      // A machine of one core was measured already.
      if (threads === undefined && sessions[0]!.threads === 1) continue;
      const [dense, pruned] = await compareLatency(
        sessions.map((session, index) => ({ session, feeds: randomInputs(graphs[index]!, { seed }) })),
        {
          ...(signal ? { signal } : {}),
          onProgress: (done) =>
            run.tell({
              kind: 'progress',
              stage: 'latency',
              title: `measuring latency, ${threads === 1 ? 'one thread' : 'all threads'}`,
              done,
              total: 1,
            }),
        },
      );
      pairs.push({ dense: dense!, pruned: pruned! });
    } finally {
      for (const session of sessions) await session.dispose();
    }
  }
  return pairs;
}
