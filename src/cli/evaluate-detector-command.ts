import { existsSync } from 'node:fs';
import { FileError } from '../core/errors.ts';
import { type DetectionResult, detectionSections, evaluateDetector } from '../detect/index.ts';
import { readYoloData, type YoloDataset, yoloDataset } from '../node/index.ts';
import { sparsityReport } from '../profile/index.ts';
import { openDetector } from './detector-model.ts';
import { isArchitecture } from './load.ts';
import { printJson } from './output.ts';
import { withProgress } from './progress.ts';
import { percent, renderTable, withCommas } from './table.ts';
import { tellBroken } from './tell-broken.ts';
import type { EvaluateCommandOptions } from './training-options.ts';
import { checkReport, engineVersion, writeReport } from './training-report.ts';
import { reportLines } from './training-text.ts';
import { VERSION } from './version.ts';

const figure = (value: number): string => value.toFixed(3);

/** `secateur evaluate MODEL --data FILE.yaml`: precision, recall and mAP of a detector. */
export async function evaluateDetectorCommand(
  source: string,
  options: EvaluateCommandOptions,
): Promise<void> {
  checkReport(options);
  const { data: path, task, conf, iou, threads, size, rect, batchSize } = options;
  if (!existsSync(path)) {
    throw new FileError(path, 'cannot be read: there is no such file or folder (--data)');
  }
  const data = readYoloData(path);
  const classes = options.classes ?? (isArchitecture(source) ? data.names.length : undefined);
  const { detector, module } = openDetector(
    source,
    {
      ...(classes === undefined ? {} : { classes }),
      ...(options.weights === undefined ? {} : { weights: options.weights }),
      ...(options.seed === undefined ? {} : { seed: options.seed }),
    },
    threads === undefined ? {} : { threads },
  );
  const dataset = await withProgress('reading the labels', () =>
    yoloDataset(data, task, options.limit === undefined ? {} : { limit: options.limit }),
  );
  const begin = performance.now();
  let result: DetectionResult;
  try {
    result = await withProgress('judging the model', (report) =>
      evaluateDetector(detector, dataset, {
        confThres: conf,
        iouThres: iou,
        ...(size === undefined ? {} : { size }),
        ...(rect === undefined ? {} : { rect }),
        ...(batchSize === undefined ? {} : { batchSize }),
        onBatch: (done, total) => report(done / total),
      }),
    );
  } finally {
    await detector.dispose();
  }
  const seconds = (performance.now() - begin) / 1000;
  tellBroken(dataset.broken);
  const fitted = detector.sizeFor(size);
  const inRectangles = rect ?? detector.takesAnySize;
  const { parameters, zeros, sparsity } = sparsityReport(module);
  const judgedOn = `${task} (${withCommas(result.images)} images, ${withCommas(result.instances)} objects)`;
  const reports =
    options.report === undefined
      ? []
      : await writeReport(
          options.report,
          {
            title: `${source}: judged`,
            command: options.line,
            versions: { secateur: VERSION, node: process.versions.node, ...engineVersion() },
            facts: [
              ['data', path],
              ['judged on', judgedOn],
              ['size', fitted.join(' x ')],
              ['batches', inRectangles ? 'rectangles' : 'squares'],
              ['least confidence', conf],
              ['suppressed above an overlap of', iou],
            ],
          },
          detectionSections(result, dataset.names),
          options.force,
        );
  if (options.json) {
    printJson({
      model: source,
      data: { path, kind: 'yolo', task, images: result.images, instances: result.instances },
      size: fitted,
      rect: inRectangles,
      confThres: conf,
      iouThres: iou,
      metrics: {
        precision: result.precision,
        recall: result.recall,
        f1: result.f1,
        map50: result.map50,
        map: result.map,
        confidence: result.confidence,
      },
      classes: result.classes,
      confusion: { names: [...dataset.names, 'background'], counts: result.confusion },
      broken: dataset.broken,
      parameters,
      zeros,
      sparsity,
      seconds,
      reports,
    });
    return;
  }
  const lines = [
    classTable(result, dataset),
    '',
    `judged on           ${judgedOn}`,
    `size                ${fitted.join(' x ')}, ${inRectangles ? 'batches of like proportions' : 'squares'}`,
    `best F1             ${figure(result.f1)} at a confidence of ${figure(result.confidence)}`,
    `parameters          ${withCommas(parameters)}, ${withCommas(zeros)} of them zero (${percent(sparsity)})`,
    `took                ${seconds.toFixed(1)} s`,
    ...reportLines(reports),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

function classTable(result: DetectionResult, { images }: YoloDataset): string {
  const withClass = (label: number): number =>
    images.filter(({ labels }) => labels.some((box) => box.label === label)).length;
  const right = (title: string) => ({ title, align: 'right' as const });
  const numbers = (row: Pick<DetectionResult, 'precision' | 'recall' | 'map50' | 'map'>): string[] => [
    figure(row.precision),
    figure(row.recall),
    figure(row.map50),
    figure(row.map),
  ];
  return renderTable(
    [
      { title: 'class', flexible: true },
      { ...right('images'), dispensable: true },
      right('objects'),
      right('P'),
      right('R'),
      right('mAP50'),
      right('mAP50-95'),
    ],
    [
      ...result.classes.map((row) => [
        row.name,
        withCommas(withClass(row.label)),
        withCommas(row.instances),
        ...numbers(row),
      ]),
      ['all', withCommas(result.images), withCommas(result.instances), ...numbers(result)],
    ],
    { total: true },
  );
}
