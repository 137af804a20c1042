import { describe, expect, it } from 'vitest';
import { manualSeed } from '../core/random.ts';
import { LeNet5 } from '../models/index.ts';
import { globalUnstructured, L1Unstructured } from '../prune/index.ts';
import { parseReport, reportJson } from './json.ts';
import { renderReport } from './render.ts';
import type { LineChart, RunReport } from './report.ts';
import { sampleReport } from './testdata/sample.ts';
import { weightSection } from './weight-section.ts';

/** The report that a page holds. */
const heldBy = (html: string): string =>
  /<script type="application\/json" id="report">(.*?)<\/script>/s.exec(html)![1]!;

/** The page without the report in it. */
const shownBy = (html: string): string => html.replace(/<script.*?<\/script>/s, '');

/** Replaces every text of a report that a reader sees. */
function withTexts(value: unknown, text: (key: string) => string, key = ''): unknown {
  const kept = ['format', 'kind', 'created', 'scale', 'width', 'cells', 'source'];
  if (typeof value === 'string') return kept.includes(key) ? value : text(key);
  if (Array.isArray(value)) return value.map((entry) => withTexts(entry, text, key));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, entry]) => [name, withTexts(entry, text, name)]),
  );
}

/** Names of elements that are opened and not closed, or closed and not open. */
function unbalanced(html: string): string[] {
  const empty = ['meta', 'path', 'line', 'rect', 'img'];
  const open: string[] = [];
  for (const [tag, slash, name] of html.matchAll(/<(\/?)([a-z0-9]+)[^>]*>/g)) {
    if (empty.includes(name!) || tag.endsWith('/>')) continue;
    if (slash === '') open.push(name!);
    else if (open.pop() !== name) return [name!];
  }
  return open;
}

describe('renderReport', () => {
  it('shows a report with its contents, numbered figures and tables, and how to make it again', async () => {
    const html = await renderReport(sampleReport());
    expect(html).toMatch(/^<!doctype html>\n<html lang="en">/);
    expect(html).toContain('<title>Sample: every kind of item</title>');
    expect(html).toContain('<a href="#s2">Weights</a>');
    expect(html).toContain('<section id="s2" aria-labelledby="h2">');
    const numbers = [...html.matchAll(/<span class="no">((?:Figure|Table) \d+)\./g)].map(
      ([, number]) => number,
    );
    expect(numbers).toEqual([
      'Figure 1',
      'Figure 2',
      'Figure 3',
      'Table 1',
      'Figure 4',
      'Figure 5',
      'Figure 6',
    ]);
    expect(html).toContain('<time datetime="2026-03-01T12:00:00Z">1 March 2026, 12:00 UTC</time> · seed 7');
    expect(html).toContain(
      '<code>secateur lottery --model lenet5 --seed 7 \\\n  --rounds 5 --report report.html</code>',
    );
    expect(html).toContain('<dt>learning rate</dt><dd>0.0012</dd>');
    expect(html).toContain('<dt>best loss</dt><dd>–</dd>');
    expect(html).toContain('Made with node 20.20.2, onnxruntime 1.30.0, secateur 0.1.0.');
    expect(html).toContain('<p>Weights are ranked by <code>|w|</code> over all layers.</p>');
  });

  it('gives the same bytes for the same report', async () => {
    const first = await renderReport(sampleReport());
    expect(await renderReport(sampleReport())).toBe(first);
    expect(await renderReport(parseReport(heldBy(first)))).toBe(first);
  });

  it('holds the report itself', async () => {
    const held = heldBy(await renderReport(sampleReport()));
    expect(reportJson(parseReport(held))).toBe(reportJson(sampleReport()));
  });

  it('needs nothing else: no address, no script, no font', async () => {
    const html = await renderReport(sampleReport());
    expect(html.replace(/data:image[^"]*/g, '')).not.toMatch(
      /https?:|\/\/[a-z]|url\(|@import|<link|\bsrc="[^"]|xmlns/,
    );
    expect(html.match(/<script/g)).toEqual(['<script']);
    const policy = `http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'`;
    expect(html).toContain(`${policy}; img-src data:"`);
    const [first] = sampleReport().sections;
    expect(await renderReport({ ...sampleReport(), sections: [first!] })).toContain(`${policy}"`);
  });

  it('shows hostile texts as texts, wherever they stand', async () => {
    let count = 0;
    const attack = (): string =>
      `"'><script>alert(${++count})</script><!-- </style></svg></td>\u0000\u202e\ud800 onload=x \${1+1} {{2}} &lt;`;
    const report = withTexts({ ...sampleReport(), versions: {} }, attack) as RunReport;
    const versions = { [attack()]: attack() };
    const html = await renderReport({ ...report, versions });
    expect(count).toBeGreaterThan(40);
    const shown = shownBy(html);
    expect(shown).not.toMatch(/<script|<!--|<\/style>.*<\/style>/s);
    expect(shown).not.toMatch(/[\0\ud800](?![\udc00-\udfff])/);
    expect(unbalanced(html)).toEqual([]);
    expect(html.match(/<\/script>/g)).toHaveLength(1);
    // Each is there to be read, once at least.
    for (let index = 1; index <= count; index++) expect(shown).toContain(`alert(${index})`);
    expect(parseReport(heldBy(html))).toEqual({ ...report, versions });
  });

  it('closes every element it opens', async () => {
    const html = await renderReport(sampleReport());
    expect(unbalanced(html)).toEqual([]);
    const ids = [...html.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(unbalanced('<p><b></p>')).not.toEqual([]);
  });

  it('tells every chart to those who do not see it', async () => {
    const html = shownBy(await renderReport(sampleReport()));
    const charts = [...html.matchAll(/<svg class="(?:chart|mask)"[^>]*>/g)].map(([tag]) => tag);
    expect(charts).toHaveLength(5);
    for (const tag of charts) expect(tag).toMatch(/ role="img" aria-label="[^"]{30,}"/);
    expect(charts[0]).toContain(
      'Line chart: Accuracy by sparsity. accuracy by sparsity. magnitude: 7 points,',
    );
    const signs = [...html.matchAll(/<svg class="sign"[^>]*>/g)].map(([tag]) => tag);
    expect(signs.every((tag) => tag.includes('aria-hidden="true"'))).toBe(true);
  });

  it('suits light and dark: every colour is a variable that both schemes set', async () => {
    const html = shownBy(await renderReport(sampleReport()));
    const style = /<style>(.*?)<\/style>/s.exec(html)![1]!;
    const light = /:root \{(.*?)\}/s.exec(style)![1]!;
    const dark = /@media screen and \(prefers-color-scheme: dark\) \{ :root \{(.*?)\}/s.exec(style)![1]!;
    const namesOf = (text: string) => [...text.matchAll(/(--[a-z0-9]+):/g)].map(([, name]) => name!).sort();
    expect(namesOf(dark)).toEqual(namesOf(light));
    const used = new Set([...html.matchAll(/var\((--[a-z0-9]+)[,)]/g)].map(([, name]) => name!));
    // The opacity of a shade is set where it is used.
    used.delete('--o');
    expect(used.size).toBeGreaterThan(8);
    expect([...used].filter((name) => !namesOf(light).includes(name))).toEqual([]);
    const outside = html.replace(/<style>.*?<\/style>/s, '');
    expect(outside).not.toMatch(/(fill|stroke)="(?!none|var\()/);
    expect(style.replace(light, '').replace(dark, '')).not.toMatch(/#[0-9a-f]{3,8}\b|rgb/);
    expect(style).toContain('@media print');
    expect(html).toContain('<meta name="color-scheme" content="light dark">');
  });

  it.each([
    ['light', /:root \{(.*?)\}/s],
    ['dark', /dark\) \{ :root \{(.*?)\}/s],
  ])('has colours that stand out from the page in the %s scheme', async (_, scheme) => {
    const html = await renderReport({ ...sampleReport(), sections: [] });
    const colors = new Map(
      [...scheme.exec(html)![1]!.matchAll(/(--[a-z0-9]+): (#[0-9a-f]{6});/g)].map(([, name, color]) => [
        name!,
        color!,
      ]),
    );
    // Relative luminance and contrast as in WCAG 2.
    const luminance = (name: string): number => {
      const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
        const share = Number.parseInt(colors.get(name)!.slice(at, at + 2), 16) / 255;
        return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const contrast = (a: string, b: string): number => {
      const [low = 0, high = 0] = [luminance(a), luminance(b)].sort((x, y) => x - y);
      return (high + 0.05) / (low + 0.05);
    };
    for (const name of ['--ink', '--faint', '--accent']) {
      expect(contrast(name, '--paper')).toBeGreaterThanOrEqual(4.5);
      expect(contrast(name, '--wash')).toBeGreaterThanOrEqual(4.5);
    }
    for (let index = 1; index <= 8; index++)
      expect(contrast(`--s${index}`, '--paper')).toBeGreaterThanOrEqual(3);
  });

  it('can be without sections and facts', async () => {
    const { format, created, title } = sampleReport();
    const html = await renderReport({ format, created, title, versions: {}, facts: [], sections: [] });
    expect(unbalanced(html)).toEqual([]);
    expect(html).not.toMatch(/<nav|<footer|<dl|<pre/);
  });

  it('refuses what is no report', async () => {
    const report = { ...sampleReport(), title: 3 } as unknown as RunReport;
    await expect(renderReport(report)).rejects.toThrow('renderReport: title must be a string, got 3');
  });

  it('stays below 1.5 MB for LeNet-5 with 20 charts', async () => {
    manualSeed(0);
    const net = new LeNet5();
    const layers = [net.conv1, net.conv2, net.fc1, net.fc2, net.fc3];
    globalUnstructured(
      layers.map((layer) => [layer, 'weight'] as const),
      L1Unstructured,
      { amount: 0.8 },
    );
    const [chart] = sampleReport().sections[0]!.items as readonly LineChart[];
    const steps = Array.from({ length: 1000 }, (_, x) => [x, Math.sin(x * x)] as const);
    const lines = Array.from({ length: 10 }, () => ({
      ...chart!,
      series: [...chart!.series, { name: 'loss', points: steps }],
    }));
    const report = { ...sampleReport(), sections: [{ title: 'Runs', items: lines }, weightSection(net)] };
    const html = await renderReport(report);
    expect(html.match(/<svg class="(chart|mask)"/g)).toHaveLength(20);
    expect(html.length).toBeLessThan(1_500_000);
  });
});
