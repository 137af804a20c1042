import { isImageSource, MOST_IMAGE_BYTES } from './images.ts';
import {
  cell,
  flag,
  list,
  number,
  numberOrNull,
  object,
  oneOf,
  optional,
  type Place,
  type Read,
  refuse,
  text,
  texts,
  tuple,
  whole,
} from './read-json.ts';
import type {
  BarChart,
  ChartAxis,
  ChartMarker,
  ChartRule,
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
  TableColumn,
} from './report.ts';

/** `read`, then `check`, which refuses what the fields alone do not show. */
const checked =
  <T>(read: Read<T>, check: (value: T, place: Place) => void): Read<T> =>
  (value, place) => {
    const result = read(value, place);
    check(result, place);
    return result;
  };

const inside = ({ who, path }: Place, rest: string): Place => ({ who, path: `${path}.${rest}` });

/** Refuses a name that stands twice. */
function differ(names: readonly string[], where: (index: number) => Place): void {
  const seen = new Set<string>();
  for (const [index, name] of names.entries()) {
    if (seen.has(name)) refuse(where(index), 'a name of its own', name);
    seen.add(name);
  }
}

const column = object<TableColumn>({
  label: text,
  unit: optional(text),
  format: optional(oneOf('text', 'integer', 'number', 'percent', 'bytes', 'ratio')),
  digits: optional(whole(0, 12)),
});

const table = checked(
  object<ReportTable>({
    kind: oneOf('table'),
    title: text,
    caption: optional(text),
    columns: list(column, 1),
    rows: list(list(cell)),
    total: optional(list(cell)),
  }),
  ({ columns, rows, total }, place) => {
    const wanted = `an array of ${columns.length}, a cell for every column`;
    for (const [index, row] of rows.entries()) {
      if (row.length !== columns.length) refuse(inside(place, `rows[${index}]`), wanted, row);
    }
    if (total && total.length !== columns.length) refuse(inside(place, 'total'), wanted, total);
  },
);

const width = optional(oneOf('full', 'half'));

const axis = checked(
  object<ChartAxis>({
    title: text,
    format: optional(oneOf('integer', 'number', 'percent', 'bytes', 'ratio')),
    scale: optional(oneOf('linear', 'log')),
    zero: optional(flag),
    reverse: optional(flag),
  }),
  ({ scale, zero }, place) => {
    if (scale === 'log' && zero) refuse(inside(place, 'zero'), 'left out where the scale is log', zero);
  },
);

const series = checked(
  object<LineSeries>({
    name: text,
    points: list(tuple<[number, number | null]>(number, numberOrNull)),
    band: optional(list(tuple<[number, number, number]>(number, number, number))),
  }),
  ({ band = [] }, place) => {
    const index = band.findIndex(([, low, high]) => low > high);
    if (index < 0) return;
    const [, low, high] = band[index]!;
    refuse(inside(place, `band[${index}]`), '[x, low, high] with low <= high', band, `${low} and ${high}`);
  },
);

const lineChart = checked(
  object<LineChart>({
    kind: oneOf('line'),
    title: text,
    caption: optional(text),
    width,
    x: axis,
    y: axis,
    series: list(series, 1),
    rules: optional(list(object<ChartRule>({ y: number, label: text }))),
    markers: optional(list(object<ChartMarker>({ x: number, label: text }))),
  }),
  ({ series }, place) => {
    const names = series.map(({ name }) => name);
    differ(names, (index) => inside(place, `series[${index}].name`));
  },
);

const barChart = checked(
  object<BarChart>({
    kind: oneOf('bars'),
    title: text,
    caption: optional(text),
    width,
    value: axis,
    categories: list(text),
    series: list(
      object<BarChart['series'][number]>({
        name: text,
        values: list(numberOrNull),
      }),
      1,
    ),
  }),
  ({ value, categories, series }, place) => {
    // A bar's length means something only from 0 on.
    if (value.scale === 'log') refuse(inside(place, 'value.scale'), "'linear' for bars", value.scale);
    differ(categories, (index) => inside(place, `categories[${index}]`));
    const names = series.map(({ name }) => name);
    differ(names, (index) => inside(place, `series[${index}].name`));
    for (const [index, { values }] of series.entries()) {
      if (values.length === categories.length) continue;
      const wanted = `an array of ${categories.length}, a value for every category`;
      refuse(inside(place, `series[${index}].values`), wanted, values);
    }
  },
);

const counts = object<HistogramCounts>({ counts: list(whole(), 1), zeros: whole(), notFinite: whole() });

const histogram = checked(
  object<HistogramChart>({
    kind: oneOf('histogram'),
    title: text,
    caption: optional(text),
    width,
    low: number,
    high: number,
    before: counts,
    after: counts,
  }),
  ({ low, high, before, after }, place) => {
    if (!(low < high)) refuse(inside(place, 'high'), `above low (${low})`, high);
    if (before.counts.length !== after.counts.length) {
      const wanted = `an array of ${before.counts.length}, as before.counts is`;
      refuse(inside(place, 'after.counts'), wanted, after.counts);
    }
  },
);

const mask = checked(
  object<MaskMap>({
    kind: oneOf('mask'),
    title: text,
    caption: optional(text),
    width,
    shape: list(whole()),
    kept: whole(),
    rows: whole(1),
    columns: whole(1),
    cells: text,
  }),
  ({ shape, kept, rows, columns, cells }, place) => {
    const size = shape.reduce((product, dim) => product * dim, 1);
    if (kept > size) refuse(inside(place, 'kept'), `at most ${size}, the size of the shape`, kept);
    if (!/^[A-Za-z0-9+/]*$/.test(cells)) refuse(inside(place, 'cells'), 'digits of base64', cells);
    if (cells.length === rows * columns) return;
    const wanted = `${rows * columns} characters (rows × columns)`;
    refuse(inside(place, 'cells'), wanted, cells, String(cells.length));
  },
);

const source: Read<string> = (value, place) => {
  const uri = text(value, place);
  if (isImageSource(uri)) return uri;
  return refuse(
    place,
    `a data URI of a PNG, JPEG or WebP image in base64, at most ${MOST_IMAGE_BYTES / 1e6} MB`,
    uri,
  );
};

const images = object<ImageRow>({
  kind: oneOf('images'),
  title: text,
  caption: optional(text),
  width,
  images: list(object<ReportImage>({ label: text, alt: text, width: whole(1), height: whole(1), source }), 1),
});

/** A reader for every kind of item. */
const ITEMS: { readonly [K in ReportItem['kind']]: Read<Extract<ReportItem, { kind: K }>> } = {
  table,
  line: lineChart,
  bars: barChart,
  histogram,
  mask,
  images,
};

const item: Read<ReportItem> = (value, place) => {
  const isItem = typeof value === 'object' && value !== null && 'kind' in value;
  if (!isItem) return refuse(place, 'an object with a kind', value);
  const kinds = Object.keys(ITEMS) as ReportItem['kind'][];
  return ITEMS[oneOf(...kinds)(value.kind, inside(place, 'kind'))](value, place);
};

const created: Read<string> = (value, place) => {
  const time = text(value, place);
  const isTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(time) && !Number.isNaN(Date.parse(time));
  return isTime ? time : refuse(place, "an ISO time such as '2026-03-01T12:00:00Z'", value);
};

const report = object<RunReport>({
  format: oneOf('secateur-report/1'),
  title: text,
  command: optional(text),
  created,
  seed: optional(number),
  versions: texts,
  facts: list(tuple<[string, string | number | null]>(text, cell)),
  sections: list(object<ReportSection>({ title: text, text: optional(text), items: list(item) })),
});

/**
 * A report rebuilt with its fields in order and null for numbers that are not finite, where a value may be missing. Throws ArgumentError naming
 * the path of what is wrong; `who` is the function that asks.
 */
export const checkReport = (value: unknown, who: string): RunReport => report(value, { who, path: '' });
