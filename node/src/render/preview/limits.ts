/** Long side of a thumbnail in pixels: the frame wall's largest tile on a display of double density. */
export const THUMBNAIL_LONG_SIDE = 320;
/** Long side of what a click on a frame shows; Blender's own previews have this bound too. */
export const PREVIEW_LONG_SIDE = 1920;
/** Good enough to judge a frame by, a tenth of a PNG's bytes. */
export const PREVIEW_QUALITY = 82;
/** WebP's effort: 2 takes half the time of the default 4 for five percent more bytes. */
export const THUMBNAIL_EFFORT = 2;
