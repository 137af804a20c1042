/** A run's report as data. It is plain JSON: `reportJson` writes it, `parseReport` reads it, `renderReport` makes a page of it. */

/** How a number is written: 1,234; 29.92 %; 28.10 MB (powers of ten); 0.9871; 10.3×. `text` is shown as it stands. */
export type ValueFormat = 'text' | 'integer' | 'number' | 'percent' | 'bytes' | 'ratio';

/** A column of a table. */
export interface TableColumn {
  readonly label: string;
  /** Shown beside the label, such as `ms`. */
  readonly unit?: string;
  /** Default: `text`. Numbers stand right; `percent` takes fractions of 1. */
  readonly format?: ValueFormat;
  /** Digits after the point, 0 to 12. Default: 2 for `percent`; for `number` as many as four significant digits need. */
  readonly digits?: number;
}

/** A value of a table; null where there is none. */
export type TableCell = string | number | null;

/** Room that a chart takes: the whole width, or half of it, so that two stand side by side. */
export type ChartWidth = 'full' | 'half';

/** Rows and columns. */
export interface ReportTable {
  readonly kind: 'table';
  readonly title: string;
  readonly caption?: string;
  readonly columns: readonly TableColumn[];
  /** A cell for every column. */
  readonly rows: readonly (readonly TableCell[])[];
  /** A last row, set off by a line. */
  readonly total?: readonly TableCell[];
}

/** An axis of numbers. */
export interface ChartAxis {
  readonly title: string;
  /** Default: `number`. */
  readonly format?: Exclude<ValueFormat, 'text'>;
  /** Default: `linear`. A logarithmic axis leaves values out that are not above 0; the caption tells how many. */
  readonly scale?: 'linear' | 'log';
  /** The axis begins at 0; linear axes only. Default: false for lines, true for bars. */
  readonly zero?: boolean;
  /** Large values stand left, as for weights that remain. Default: false. */
  readonly reverse?: boolean;
}

/** A line of a chart. */
export interface LineSeries {
  readonly name: string;
  /** `[x, y]` in the order they are joined; the line has a gap where y is null. */
  readonly points: readonly (readonly [x: number, y: number | null])[];
  /** `[x, low, high]`: spread around the line, as over several seeds. */
  readonly band?: readonly (readonly [x: number, low: number, high: number])[];
}

/** A horizontal line across a chart, such as the accuracy of the dense network. */
export interface ChartRule {
  readonly y: number;
  readonly label: string;
}

/** A vertical line across a chart, such as where the network was pruned. Of neighbours with one label only the first shows it. */
export interface ChartMarker {
  readonly x: number;
  readonly label: string;
}

/** Lines over two axes of numbers. */
export interface LineChart {
  readonly kind: 'line';
  readonly title: string;
  readonly caption?: string;
  /** Default: `full`. */
  readonly width?: ChartWidth;
  readonly x: ChartAxis;
  readonly y: ChartAxis;
  /** At least one; names differ. */
  readonly series: readonly LineSeries[];
  readonly rules?: readonly ChartRule[];
  readonly markers?: readonly ChartMarker[];
}

/** Horizontal bars: a group for every category, such as a layer, with a bar for every series. */
export interface BarChart {
  readonly kind: 'bars';
  readonly title: string;
  readonly caption?: string;
  /** Default: `full`. */
  readonly width?: ChartWidth;
  readonly value: ChartAxis;
  /** Names of the groups, from the top; they differ. */
  readonly categories: readonly string[];
  /** At least one; a value for every category, null where there is none. */
  readonly series: readonly { readonly name: string; readonly values: readonly (number | null)[] }[];
}

/** The weights of one side of a histogram. */
export interface HistogramCounts {
  /** Weights in each bin; zeros are in none. */
  readonly counts: readonly number[];
  /** Weights that are exactly 0, of either sign. */
  readonly zeros: number;
  /** Weights that are NaN or infinite. */
  readonly notFinite: number;
}

/** How weights are spread before and after; `weightHistogram` counts one. */
export interface HistogramChart {
  readonly kind: 'histogram';
  readonly title: string;
  readonly caption?: string;
  /** Default: `half`. */
  readonly width?: ChartWidth;
  /** Where the first bin begins. */
  readonly low: number;
  /** Where the last bin ends; bins are equally wide. */
  readonly high: number;
  readonly before: HistogramCounts;
  readonly after: HistogramCounts;
}

/** Which weights a mask keeps, filter by filter; `maskMap` makes one. */
export interface MaskMap {
  readonly kind: 'mask';
  readonly title: string;
  readonly caption?: string;
  /** Default: `half`. */
  readonly width?: ChartWidth;
  /** Shape of the mask. */
  readonly shape: readonly number[];
  /** Entries that are not 0. */
  readonly kept: number;
  /** Rows of cells, filters downward. */
  readonly rows: number;
  /** Cells in a row: the weights of a filter in order. */
  readonly columns: number;
  /**
   * A character for every cell, row by row: the share that is kept, in 63rds, as the digits A-Z a-z 0-9 + / of base64. `A` is nothing,
   * `/` everything; a cell with some of both is neither.
   */
  readonly cells: string;
}

/** An image of a report. */
export interface ReportImage {
  /** Stands under it, such as `before, 7 objects`. */
  readonly label: string;
  /** What it shows, for those who do not see it. */
  readonly alt: string;
  /** Pixels. */
  readonly width: number;
  readonly height: number;
  /** A data URI, so that the page needs no other file; `imageSource` makes one. */
  readonly source: string;
}

/** Images side by side, such as what was found in one before and after. */
export interface ImageRow {
  readonly kind: 'images';
  readonly title: string;
  readonly caption?: string;
  /** Default: `full`. */
  readonly width?: ChartWidth;
  /** At least one. */
  readonly images: readonly ReportImage[];
}

/** Something that a section shows. */
export type ReportItem = ReportTable | LineChart | BarChart | HistogramChart | MaskMap | ImageRow;

/** A part of a report under a heading. */
export interface ReportSection {
  readonly title: string;
  /** Paragraphs, parted by empty lines; what stands in backticks is set as code. */
  readonly text?: string;
  readonly items: readonly ReportItem[];
}

/** What a run did and found. */
export interface RunReport {
  readonly format: 'secateur-report/1';
  /** Such as `LeNet-5: iterative magnitude pruning`. */
  readonly title: string;
  /** How to make it again. */
  readonly command?: string;
  /** ISO time in UTC, such as `2026-03-01T12:00:00Z`. */
  readonly created: string;
  readonly seed?: number;
  /** Versions of what made it, by name: secateur, node, onnxruntime. */
  readonly versions: Readonly<Record<string, string>>;
  /** What was done: data, method, threads. Null where a value is missing. */
  readonly facts: readonly (readonly [name: string, value: string | number | null])[];
  readonly sections: readonly ReportSection[];
}
