/** The picture formats that engines write, and Blender's names for them. */
export const PICTURE_FORMATS = [
  'png',
  'jpeg',
  'jpeg2000',
  'targa',
  'bmp',
  'sgi',
  'cineon',
  'dpx',
  'exr',
  'hdr',
  'tiff',
  'webp',
] as const;
export type PictureFormat = (typeof PICTURE_FORMATS)[number];

/** Blender's identifiers (`bpy.types.ImageFormatSettings.file_format`) that differ from ours in lower case. */
const BLENDER_NAMES: Readonly<Record<string, PictureFormat>> = {
  TARGA_RAW: 'targa',
  IRIS: 'sgi',
  OPEN_EXR: 'exr',
  OPEN_EXR_MULTILAYER: 'exr',
};

/** Of Blender's or our own name; undefined for what is no picture format. */
export function pictureFormatOf(name: string): PictureFormat | undefined {
  const known = BLENDER_NAMES[name.toUpperCase()];
  if (known !== undefined) return known;
  const lower = name.toLowerCase();
  return PICTURE_FORMATS.find((format) => format === lower);
}

/** What libvips reads as it is built into sharp; FACTS of the rest: no EXR, no HDR, no film formats. */
export const SHARP_FORMATS: ReadonlySet<PictureFormat> = new Set(['png', 'jpeg', 'tiff', 'webp']);
