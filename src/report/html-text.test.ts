import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cleanText, escapeHtml, escapeScript, paragraphs } from './html-text.ts';

describe('escapeHtml', () => {
  it('leaves nothing that opens a tag, an entity or ends an attribute', () => {
    expect(escapeHtml(`<b a="1" c='2'>&amp;`)).toBe('&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;amp;');
    fc.assert(fc.property(fc.string(), (text) => !/[<>"']/.test(escapeHtml(text))));
  });

  it('puts a sign in place of what HTML cannot hold, and keeps what it can', () => {
    expect(cleanText('a\0b\x1bc\ud800d')).toBe('a\ufffdb\ufffdc\ufffdd');
    expect(cleanText('tab\t, line\r\n, 🌿, é')).toBe('tab\t, line\r\n, 🌿, é');
  });
});

describe('escapeScript', () => {
  it('keeps the JSON what it is', () => {
    const value = { text: '</script><!-- <b>' };
    const escaped = escapeScript(JSON.stringify(value));
    expect(escaped).not.toContain('<');
    expect(JSON.parse(escaped)).toEqual(value);
  });
});

describe('paragraphs', () => {
  it('parts text at empty lines and sets code', () => {
    expect(paragraphs('One\nline.\n \n\nUse `a < b`.')).toBe(
      '<p>One\nline.</p>\n<p>Use <code>a &lt; b</code>.</p>',
    );
    expect(paragraphs(' \n\n ')).toBe('');
  });
});
