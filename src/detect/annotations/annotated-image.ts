import type { Box, ImageSize } from '../box.ts';

/** An object that somebody drew a box around. */
export interface AnnotatedObject {
  /** Name of its class. */
  readonly name: string;
  /** In pixels of the image, also beyond its edges. */
  readonly box: Box;
  /** Pascal VOC's `difficult`: hard to tell even for people. COCO's `crowd`: one box around many. Null for ordinary objects. */
  readonly mark: 'difficult' | 'crowd' | null;
}

/** What is known of an image from an annotation file. */
export interface AnnotatedImage {
  /** Name of the image file, as the annotation says it: often with folders, or those of another machine. Null where it says none. */
  readonly fileName: string | null;
  /** Size of the image the boxes were drawn on; null where the annotation does not say. */
  readonly size: ImageSize | null;
  readonly objects: readonly AnnotatedObject[];
}
