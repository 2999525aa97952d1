/** What the settings of the job types are called, and how their values read. */

const names: Readonly<Record<string, string>> = {
  frames: 'Frames',
  scene: 'Scene',
  camera: 'Camera',
  samples: 'Samples',
  resolutionPercent: 'Resolution',
  format: 'Image format',
  allowScripts: "Scene's own Python",
  denoise: 'Denoising',
  order: 'Order',
  film: 'Film',
  filmName: 'Name of the film',
  rate: 'Frame rate',
  sound: 'Sound',
  renderEngine: 'Render engine',
  denoiser: 'Denoiser',
  tags: 'Tags',
  engineVersion: 'Blender version',
  program: 'Program',
  args: 'Arguments',
  timeoutMs: 'Time limit',
  message: 'Message',
  sleepMs: 'Sleep of each task',
  failFrames: 'Tasks that fail',
};

/** A setting that only a newer node knows is called as it is written. */
export const settingName = (setting: string): string => names[setting] ?? setting;

/** `rate` as frames a second, switches as yes and no, lists with commas; anything else as it is written. */
export function settingText(setting: string, value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (setting === 'resolutionPercent') return `${String(value)} %`;
  if (setting.endsWith('Ms') && typeof value === 'number') return `${value / 1_000} s`;
  if (setting === 'rate' && isRate(value)) {
    const perSecond = value.numerator / value.denominator;
    return `${Number(perSecond.toFixed(3))} frames/s`;
  }
  if (Array.isArray(value) && value.every((entry) => typeof entry === 'number')) return value.join(', ');
  return JSON.stringify(value);
}

function isRate(value: unknown): value is { numerator: number; denominator: number } {
  const rate = value as { numerator?: unknown; denominator?: unknown } | null;
  return typeof rate?.numerator === 'number' && typeof rate.denominator === 'number' && rate.denominator > 0;
}
