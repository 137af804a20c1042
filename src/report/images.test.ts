import { describe, expect, it } from 'vitest';
import { drawImages, imageSource, MOST_IMAGE_BYTES } from './images.ts';
import { reportJson } from './json.ts';
import type { RunReport } from './report.ts';
import { PIXEL, sampleReport } from './testdata/sample.ts';

const bytesOf = (source: string): Uint8Array =>
  Uint8Array.from(Buffer.from(source.slice(source.indexOf(',') + 1), 'base64'));

describe('imageSource', () => {
  it('writes a file as a data URI of its format', () => {
    expect(imageSource(bytesOf(PIXEL))).toBe(PIXEL);
    const jpeg = Uint8Array.from({ length: 20_000 }, (_, index) => [0xff, 0xd8, 0xff][index] ?? index % 251);
    const source = imageSource(jpeg);
    expect(source).toMatch(/^data:image\/jpeg;base64,/);
    expect(bytesOf(source)).toEqual(jpeg);
    const webp = new TextEncoder().encode('RIFF....WEBPVP8 ');
    expect(imageSource(webp)).toMatch(/^data:image\/webp;base64,/);
  });

  it('refuses other formats and large files', () => {
    expect(() => imageSource(new TextEncoder().encode('<svg onload="alert(1)"/>'))).toThrow(
      'imageSource: expected the bytes of a PNG, JPEG or WebP file, got others',
    );
    const large = new Uint8Array(MOST_IMAGE_BYTES + 1);
    large.set([0xff, 0xd8, 0xff]);
    expect(() => imageSource(large)).toThrow('may have 2000000 bytes, got 2000001; make it smaller');
    expect(imageSource(large.subarray(0, MOST_IMAGE_BYTES)).length).toBeGreaterThan(MOST_IMAGE_BYTES);
  });
});

describe('images of a report', () => {
  const image = { label: 'before <b>', alt: 'cells "seen"', width: 8, height: 4, source: PIXEL };

  it('stand side by side with their labels and what they show', () => {
    const { body, width } = drawImages({ kind: 'images', title: 't', images: [image, image] });
    expect(width).toBe('full');
    expect(body.match(/<img /g)).toHaveLength(2);
    expect(body).toContain(`<img src="${PIXEL}" width="8" height="4" alt="cells &quot;seen&quot;"/>`);
    expect(body).toContain('<span>before &lt;b&gt;</span>');
  });

  it.each([
    'https://example.org/x.png',
    'data:text/html;base64,AAAA',
    'data:image/svg+xml;base64,AAAA',
    `${PIXEL}" onerror="x`,
    `data:image/png;base64,${'A'.repeat(2_800_000)}`,
  ])('can be nothing but images in the page (%#)', (source) => {
    const report: RunReport = {
      ...sampleReport(),
      sections: [{ title: 's', items: [{ kind: 'images', title: 't', images: [{ ...image, source }] }] }],
    };
    expect(() => reportJson(report)).toThrow(
      'sections[0].items[0].images[0].source must be a data URI of a PNG, JPEG or WebP image in base64, at most 2 MB, got "',
    );
  });
});
