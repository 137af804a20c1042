import { describe, expect, it } from 'vitest';
import { FormatError } from '../../core/errors.ts';
import { parseCocoAnnotations } from './coco.ts';

const coco = (more: Record<string, unknown> = {}): string =>
  JSON.stringify({
    info: { year: 2017 },
    images: [
      { id: 9, file_name: 'b.jpg', width: 640, height: 480 },
      { id: 4, file_name: 'sub/a.jpg', width: 100, height: 50 },
    ],
    categories: [
      { id: 90, name: 'toothbrush', supercategory: 'indoor' },
      { id: 1, name: 'person' },
      { id: 13, name: 'stop sign' },
    ],
    annotations: [
      {
        id: 1,
        image_id: 4,
        category_id: 90,
        bbox: [10, 20, 30.5, 5],
        segmentation: [[1, 2, 3, 4]],
        iscrowd: 0,
      },
      { id: 2, image_id: 4, category_id: 1, bbox: [0, 0, 50, 50], iscrowd: 1, segmentation: { counts: [1] } },
    ],
    ...more,
  });

describe('parseCocoAnnotations', () => {
  it('reads images in the order of the file, and categories in the order of their ids, whatever numbers are left out', () => {
    expect(parseCocoAnnotations(coco())).toEqual({
      names: ['person', 'stop sign', 'toothbrush'],
      images: [
        { fileName: 'b.jpg', size: { height: 480, width: 640 }, objects: [] },
        {
          fileName: 'sub/a.jpg',
          size: { height: 50, width: 100 },
          objects: [
            { name: 'toothbrush', box: [10, 20, 40.5, 25], mark: null },
            { name: 'person', box: [0, 0, 50, 50], mark: 'crowd' },
          ],
        },
      ],
      broken: [],
    });
  });

  it('takes categories of one name for one class, and the name of an image from its address', () => {
    const { names, images } = parseCocoAnnotations(
      coco({
        categories: [
          { id: 3, name: 'cat' },
          { id: 5, name: ' cat ' },
        ],
        images: [{ id: 'x', coco_url: 'http://images.cocodataset.org/val2017/1.jpg' }],
        annotations: [{ image_id: 'x', category_id: 5, bbox: [1, 1, 1, 1] }],
      }),
    );
    expect(names).toEqual(['cat']);
    expect(images).toEqual([
      { fileName: '1.jpg', size: null, objects: [{ name: 'cat', box: [1, 1, 2, 2], mark: null }] },
    ]);
  });

  it('leaves out images with a damaged annotation, and annotations of no image, and says why', () => {
    const { images, broken } = parseCocoAnnotations(
      coco({
        images: [
          { id: 1, file_name: '1.jpg' },
          { id: 2, file_name: '2.jpg' },
          { id: 3, file_name: '3.jpg' },
          { id: 3, file_name: 'again.jpg' },
          { id: 4 },
          7,
        ],
        annotations: [
          { image_id: 1, category_id: 1, bbox: [0, 0, 1, null] },
          { image_id: 2, category_id: 2, bbox: [0, 0, 1, 1] },
          { image_id: 3, category_id: 1, bbox: [0, 0, 1, 1] },
          { image_id: 77, category_id: 1, bbox: [0, 0, 1, 1] },
          null,
          { image_id: 1, category_id: 1 },
        ],
      }),
    );
    expect(images.map(({ fileName }) => fileName)).toEqual(['3.jpg']);
    expect(broken).toEqual([
      { entry: 'again.jpg', reason: 'a second image of the id 3' },
      { entry: 'images[4]', reason: "has no 'file_name'" },
      { entry: 'images[5]', reason: "has no 'file_name'" },
      { entry: 'annotations[3]', reason: 'there is no image of the id 77' },
      { entry: 'annotations[4]', reason: 'there is no image of the id undefined' },
      { entry: '1.jpg', reason: 'annotations[0]: the bbox is [0,0,1,null]; expected [x, y, width, height]' },
      { entry: '2.jpg', reason: 'annotations[1]: there is no category of the id 2' },
    ]);
  });

  it.each([
    ['{"images": [', /^COCO annotations: are no JSON: /],
    ['[]', "COCO annotations: expected an object with the lists 'images', 'annotations' and 'categories'"],
    [coco({ annotations: undefined }), 'COCO annotations at annotations: expected a list, but there is none'],
    [coco({ images: 'x' }), 'COCO annotations at images: expected a list, got string'],
    [
      coco({ categories: [{ id: '1', name: 'a' }] }),
      `COCO annotations at categories[0]: expected a category with a number 'id' and a 'name', got {"id":"1","name":"a"}`,
    ],
    [
      coco({
        categories: [
          { id: 1, name: 'a' },
          { id: 1, name: 'b' },
        ],
      }),
      "COCO annotations at categories: the id 1 is both 'a' and 'b'",
    ],
  ])('says what is wrong with %j', (text, message) => {
    expect(() => parseCocoAnnotations(text)).toThrow(FormatError);
    expect(() => parseCocoAnnotations(text)).toThrow(message);
  });

  it('reads hostile JSON without following it', () => {
    const deep = `{"images": ${'['.repeat(200_000)}${']'.repeat(200_000)}, "annotations": [], "categories": []}`;
    expect(parseCocoAnnotations(deep).broken).toEqual([{ entry: 'images[0]', reason: "has no 'file_name'" }]);
    const proto = coco({ images: [{ id: '__proto__', file_name: 'a.jpg' }], annotations: [] });
    expect(parseCocoAnnotations(proto).images).toHaveLength(1);
  });
});
