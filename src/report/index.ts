/** `secateur/report`: reports of runs, as JSON and as HTML pages that need nothing else. */
export { type HistogramOptions, weightHistogram } from './histogram.ts';
export { imageSource } from './images.ts';
export { parseReport, reportJson } from './json.ts';
export { type MaskMapOptions, maskMap } from './mask-map.ts';
export { renderReport } from './render.ts';
export type {
  BarChart,
  ChartAxis,
  ChartMarker,
  ChartRule,
  ChartWidth,
  HistogramChart,
  HistogramCounts,
  ImageRow,
  LineChart,
  LineSeries,
  MaskMap,
  ReportImage,
  ReportItem,
  ReportSection,
  ReportTable,
  RunReport,
  TableCell,
  TableColumn,
  ValueFormat,
} from './report.ts';
export { profileItem } from './table.ts';
export { type WeightSectionOptions, weightSection } from './weight-section.ts';
