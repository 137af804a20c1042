import { drawBarChart } from './bar-chart.ts';
import { checkReport } from './check.ts';
import type { Drawn } from './figure.ts';
import { drawHistogram } from './histogram.ts';
import { escapeHtml, escapeScript, paragraphs } from './html-text.ts';
import { drawImages } from './images.ts';
import { drawLineChart } from './line-chart.ts';
import { drawMaskMap } from './mask-map.ts';
import type { ReportItem, ReportSection, RunReport } from './report.ts';
import { STYLE } from './style.ts';
import { drawTable } from './table.ts';
import { formatValue } from './value-format.ts';

/** Nothing is fetched and no script runs, whatever a report's texts try. Images are in the page. */
function policyOf({ sections }: RunReport): string {
  const hasImages = sections.some(({ items }) => items.some(({ kind }) => kind === 'images'));
  return `default-src 'none'; style-src 'unsafe-inline'${hasImages ? '; img-src data:' : ''}`;
}

async function draw(item: ReportItem): Promise<Drawn> {
  switch (item.kind) {
    case 'table':
      return drawTable(item);
    case 'line':
      return await drawLineChart(item);
    case 'bars':
      return await drawBarChart(item);
    case 'histogram':
      return await drawHistogram(item);
    case 'mask':
      return drawMaskMap(item);
    case 'images':
      return drawImages(item);
  }
}

/** `Figure 3`, `Table 1`: tables and figures are counted apart, as in papers. */
class Counter {
  #tables = 0;
  #figures = 0;

  next({ kind }: ReportItem): string {
    return kind === 'table' ? `Table ${++this.#tables}` : `Figure ${++this.#figures}`;
  }
}

async function figure(item: ReportItem, counter: Counter): Promise<string> {
  const number = counter.next(item);
  const { body, legend, notes, width } = await draw(item);
  const caption = [...(item.caption === undefined ? [] : [item.caption]), ...notes].join(' ');
  // What may be wider than a small screen can be scrolled by whoever has no mouse, once it has the focus.
  const label = escapeHtml(`${number}: ${item.title}`);
  const focus = width === 'full' ? ` tabindex="0" role="group" aria-label="${label}"` : '';
  const title = /[.!?:]$/.test(item.title) ? item.title : `${item.title}.`;
  // A table may be longer than a sheet of paper.
  const names = item.kind === 'table' ? width : `${width} whole`;
  return `<figure class="${names}">
<figcaption><span class="no">${number}.</span> <b>${escapeHtml(title)}</b>${caption === '' ? '' : ` ${escapeHtml(caption)}`}</figcaption>
${legend}<div class="scroll"${focus}>${body}</div>
</figure>`;
}

async function sectionHtml(section: ReportSection, number: number, counter: Counter): Promise<string> {
  const { title, text = '', items } = section;
  const figures: string[] = [];
  // One after the other: figures are counted, and Vega does not gain by turns.
  for (const item of items) figures.push(await figure(item, counter));
  const list = figures.length === 0 ? '' : `\n<div class="items">\n${figures.join('\n')}\n</div>`;
  return `<section id="s${number}" aria-labelledby="h${number}">
<h2 id="h${number}"><span class="no">${number}</span>${escapeHtml(title)}</h2>
${paragraphs(text)}${list}
</section>`;
}

function contents(sections: readonly ReportSection[]): string {
  if (sections.length === 0) return '';
  const lines = sections.map(
    ({ title }, index) =>
      `<li><span class="no">${index + 1}</span><a href="#s${index + 1}">${escapeHtml(title)}</a></li>`,
  );
  return `<nav aria-labelledby="contents">
<h2 id="contents">Contents</h2>
<ol>${lines.join('')}</ol>
</nav>`;
}

/** `1 March 2026, 12:00 UTC` */
function timeText(created: string): string {
  const time = new Date(created);
  const month = time.toLocaleString('en-US', { month: 'long', timeZone: 'UTC' });
  return `${time.getUTCDate()} ${month} ${time.getUTCFullYear()}, ${time.toISOString().slice(11, 16)} UTC`;
}

function front({ title, command, created, seed, facts }: RunReport): string {
  const made = `<time datetime="${escapeHtml(created)}">${timeText(created)}</time>`;
  // A seed is a name rather than an amount: no commas.
  const grown = seed === undefined ? '' : ` · seed ${seed}`;
  const lines = facts.map(([name, value]) => {
    const shown = typeof value === 'string' ? value : formatValue(value, 'number');
    return `<div><dt>${escapeHtml(name)}</dt><dd>${escapeHtml(shown)}</dd></div>`;
  });
  return `<header>
<h1>${escapeHtml(title)}</h1>
<p class="made">${made}${grown}</p>
${lines.length === 0 ? '' : `<dl class="facts">${lines.join('')}</dl>\n`}${
  command === undefined
    ? ''
    : `<div class="again">To make it again:<pre><code>${escapeHtml(command)}</code></pre></div>\n`
}</header>`;
}

function foot({ versions }: RunReport): string {
  const made = Object.entries(versions).map(([name, version]) => escapeHtml(`${name} ${version}`));
  return made.length === 0 ? '' : `<footer><p>Made with ${made.join(', ')}.</p></footer>\n`;
}

/**
 * A report as one HTML page that needs nothing else: charts are SVG, the style is inside, no script runs and nothing is fetched. It suits light and
 * dark schemes, small screens, screen readers and paper. The report itself stands in `<script type="application/json" id="report">`, which
 * `parseReport` reads. The same report always gives the same bytes. Vega, which draws the charts, is loaded where there are any. Throws
 * ArgumentError naming the path of what does not belong in a report.
 */
export async function renderReport(report: RunReport): Promise<string> {
  const checked = checkReport(report, 'renderReport');
  const counter = new Counter();
  const sections: string[] = [];
  for (const [index, section] of checked.sections.entries()) {
    sections.push(await sectionHtml(section, index + 1, counter));
  }
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policyOf(checked)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(checked.title)}</title>
<style>${STYLE}</style>
</head>
<body>
${front(checked)}
${contents(checked.sections)}
<main>
${sections.join('\n')}
</main>
${foot(checked)}<script type="application/json" id="report">${escapeScript(JSON.stringify(checked))}</script>
</body>
</html>
`;
}
