/** Colours in daylight and on paper: of the page, then of the series. */
const LIGHT = `
  color-scheme: light;
  --paper: #fdfdfb; --ink: #1f2326; --faint: #5d656b; --rule: #c9cdcf; --grid: #e9ebea; --wash: #f3f4f1;
  --before: #c6cac9; --accent: #2c6e49;
  --s1: #2c6e49; --s2: #b4532a; --s3: #2f5f96; --s4: #7d4f93; --s5: #8f7212; --s6: #1f8286; --s7: #a63a63; --s8: #59636b;
`;

/** The same colours by night. */
const DARK = `
  color-scheme: dark;
  --paper: #16191b; --ink: #e3e4df; --faint: #9da5a9; --rule: #454c50; --grid: #282d30; --wash: #1e2224;
  --before: #4b5255; --accent: #7fc59b;
  --s1: #7fc59b; --s2: #e8946a; --s3: #84b2e3; --s4: #c09fda; --s5: #d3b654; --s6: #66c4c6; --s7: #e688ae; --s8: #a9b2b8;
`;

const shades = Array.from({ length: 7 }, (_, index) => {
  const opacity = Math.round((0.14 + (0.62 * index) / 6) * 100) / 100;
  return `.k${index + 1} { --o: ${opacity}; }`;
}).join(' ');

/** The style of a report's page: colours as variables, for light, dark and print, which the charts use as well. */
export const STYLE = `
:root {${LIGHT}}
@media screen and (prefers-color-scheme: dark) { :root {${DARK}} }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; scroll-behavior: smooth; }
body {
  margin: 0 auto; padding: 3.5rem 1.5rem 4rem; max-width: 57rem; background: var(--paper); color: var(--ink);
  font: 1.0625rem/1.55 Charter, 'Bitstream Charter', 'Iowan Old Style', 'Palatino Linotype', 'URW Palladio L', P052, Georgia, serif;
  overflow-wrap: break-word;
}
nav, .facts, .again, figure, footer, .made, .chart text {
  font-family: system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Noto Sans', 'Liberation Sans', Arial, sans-serif;
}
h1, h2, dd, td, th, figcaption b, li { unicode-bidi: isolate; }
h1 { margin: 0 0 .5rem; font-size: 2.1rem; line-height: 1.15; font-weight: 600; letter-spacing: -.012em; text-wrap: balance; }
h2 { margin: 3.25rem 0 .75rem; padding-top: 1.1rem; border-top: 1px solid var(--rule); font-size: 1.4rem; line-height: 1.25; font-weight: 600; }
h2 .no { margin-right: .6em; color: var(--faint); font-weight: 400; }
p { margin: 0 0 .9rem; max-width: 42rem; }
a { color: var(--accent); text-decoration-thickness: 1px; text-underline-offset: .18em; }
a:focus-visible, .scroll:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
code, pre { font-family: ui-monospace, 'SF Mono', 'Cascadia Mono', Menlo, Consolas, 'Liberation Mono', monospace; font-size: .84em; }
pre { margin: .35rem 0 0; padding: .65rem .85rem; background: var(--wash); border-radius: 3px; white-space: pre-wrap; overflow-wrap: anywhere; }
.made { margin: 0 0 1.75rem; color: var(--faint); font-size: .875rem; }
.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: 0 2rem; margin: 0 0 1.5rem; font-size: .875rem; line-height: 1.45; }
.facts div { display: flex; gap: 1rem; justify-content: space-between; padding: .36rem 0; border-bottom: 1px solid var(--grid); }
.facts dt { color: var(--faint); }
.facts dd { margin: 0; min-width: 0; text-align: right; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.again { margin: 0 0 1.5rem; font-size: .875rem; color: var(--faint); }
.again pre { color: var(--ink); font-size: .8125rem; }
nav { margin: 0 0 1rem; font-size: .9rem; }
nav h2 { margin: 0 0 .35rem; padding: 0; border: 0; font: inherit; color: var(--faint); }
nav ol { margin: 0; padding: 0; list-style: none; columns: 2 18rem; column-gap: 2rem; }
nav li { display: flex; padding: .12rem 0; break-inside: avoid; }
nav .no { flex: none; min-width: 1.7em; color: var(--faint); font-variant-numeric: tabular-nums; }
nav a { color: inherit; text-decoration-color: var(--rule); }
nav a:hover { color: var(--accent); text-decoration-color: currentColor; }
.items { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 2.25rem 2.5rem; margin-top: 1.5rem; align-items: start; }
figure { margin: 0; min-width: 0; font-size: .875rem; line-height: 1.45; }
figure.full { grid-column: 1 / -1; }
figcaption { margin: 0 0 .7rem; max-width: 46rem; color: var(--faint); overflow-wrap: anywhere; }
figcaption b { color: var(--ink); font-weight: 600; }
.scroll { overflow-x: auto; }
.chart, .mask { display: block; max-width: 100%; height: auto; }
.full .chart { min-width: 44rem; }
.chart text { font-variant-numeric: tabular-nums; }
.chart [class*='_notes'] text { paint-order: stroke; stroke: var(--paper); stroke-width: 4px; stroke-linejoin: round; }
.mask > rect { fill: var(--wash); stroke: var(--rule); stroke-width: 1; vector-effect: non-scaling-stroke; }
.mask path { stroke: var(--s1); stroke-opacity: var(--o, 1); fill: none; shape-rendering: crispEdges; }
${shades}
.images { display: flex; flex-wrap: wrap; gap: 1rem; }
.images div { flex: 1 1 16rem; min-width: 0; }
.images img { display: block; width: 100%; height: auto; border: 1px solid var(--rule); background: var(--wash); }
.images span { display: block; margin-top: .3rem; color: var(--faint); font-size: .8125rem; }
.sign rect[class^='k'] { fill: var(--s1); fill-opacity: var(--o, 1); }
.sign rect.k0 { fill: var(--wash); stroke: var(--rule); }
.legend { display: flex; flex-wrap: wrap; gap: .15rem 1.25rem; margin: 0 0 .6rem; padding: 0; list-style: none; font-size: .8125rem; }
.legend li { display: flex; align-items: center; gap: .45rem; min-width: 0; overflow-wrap: anywhere; }
.sign { flex: none; }
.empty { margin: 0; padding: 1.5rem; background: var(--wash); color: var(--faint); text-align: center; max-width: none; }
table { border-collapse: collapse; border-top: 1.5px solid var(--ink); border-bottom: 1.5px solid var(--ink); font-size: .875rem; line-height: 1.35; font-variant-numeric: tabular-nums lining-nums; }
th, td { padding: .32rem .9rem; text-align: left; vertical-align: baseline; font-weight: 400; }
th:first-child, td:first-child { padding-left: .2rem; }
th:last-child, td:last-child { padding-right: .2rem; }
thead th { padding-block: .45rem; border-bottom: 1px solid var(--ink); vertical-align: bottom; font-weight: 600; }
tbody tr + tr > * { border-top: 1px solid var(--grid); }
tfoot td, tfoot th { border-top: 1px solid var(--ink); font-weight: 600; }
.n { text-align: right; white-space: nowrap; }
.unit { color: var(--faint); font-weight: 400; }
footer { margin-top: 4rem; padding-top: .8rem; border-top: 1px solid var(--rule); color: var(--faint); font-size: .8125rem; }
footer p { max-width: none; margin: 0; }
@media (max-width: 46rem) {
  body { padding: 2rem 1rem 3rem; font-size: 1rem; }
  h1 { font-size: 1.65rem; }
  .items { grid-template-columns: minmax(0, 1fr); }
}
@media print {
  @page { margin: 17mm 16mm; }
  body { padding: 0; max-width: none; background: none; font-size: 10pt; }
  figure, .facts, .legend, table, .made, nav, footer, .again { font-size: 8.5pt; }
  h1 { font-size: 19pt; }
  h2 { font-size: 13pt; margin-top: 1.6rem; break-after: avoid; }
  figcaption, .legend, section > p { break-after: avoid; }
  tr, .chart, .mask, .images div, figure.whole { break-inside: avoid; }
  thead { display: table-header-group; }
  tfoot { display: table-row-group; }
  p { orphans: 3; widows: 3; }
  .items { gap: 1.4rem 1.8rem; }
  .scroll { overflow: visible; }
  .full .chart { min-width: 0; }
  a { color: inherit; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
`;
