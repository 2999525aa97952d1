import type { JobView, SubmitBody } from '@cuadro/protocol';

/** Settings that the dialog has fields for. */
const SHOWN: ReadonlySet<string> = new Set([
  'frames',
  'samples',
  'resolutionPercent',
  'film',
  'order',
  'allowScripts',
  'engineVersion',
]);
/** What each submission reads from its scene anew: one that was mended since may say otherwise. */
const OF_SCENE: ReadonlySet<string> = new Set(['sound', 'renderEngine', 'denoiser', 'rate', 'filmName']);

/** What the fields of the dialog begin with. */
export interface Fields {
  path: string;
  frames: string;
  name: string;
  samples: string;
  percent: string;
  version: string;
  priority: string;
  output: string;
  film: boolean;
  coarse: boolean;
  scripts: boolean;
}

/** Whether jobs of this type are made of a scene. */
export const isOfScene = ({ type }: Pick<JobView, 'type'>): boolean => type.startsWith('blender');

/** A first submission: the scene's own values, which are no text here. */
const FIRST: Fields = {
  path: '',
  frames: '',
  name: '',
  samples: '',
  percent: '',
  version: '',
  priority: '',
  output: '',
  film: true,
  coarse: false,
  scripts: false,
};

/** As a job was submitted. Its output folder is one of the machine that submitted it: `isFromHere`. */
export function fieldsOf(job: JobView | undefined, isFromHere: boolean): Fields {
  if (job === undefined) return FIRST;
  const { settings } = job;
  const text = (value: unknown): string =>
    typeof value === 'string' || typeof value === 'number' ? String(value) : '';
  return {
    path: job.live.scene ?? '',
    frames: text(settings['frames']),
    name: job.name,
    samples: text(settings['samples']),
    percent: text(settings['resolutionPercent']),
    version: text(settings['engineVersion']),
    priority: String(job.priority),
    output: isFromHere ? job.outputFolder : '',
    film: settings['film'] !== false,
    coarse: settings['order'] === 'coarse-to-fine',
    scripts: settings['allowScripts'] === true,
  };
}

/** What goes along unchanged: settings without a field. */
export function carriedSettings(job: JobView | undefined): Record<string, unknown> {
  if (job === undefined) return {};
  const isScene = isOfScene(job);
  const left = Object.entries(job.settings).filter(
    ([name]) => name !== 'frames' && !(isScene && (SHOWN.has(name) || OF_SCENE.has(name))),
  );
  return Object.fromEntries(left);
}

/** What else a new job takes over: its type, its limit of machines, and the jobs it has still to wait for. */
export function carriedBody(job: JobView | undefined, isStillAwaited: (job: string) => boolean): SubmitBody {
  if (job === undefined) return {};
  const after = job.after.filter(isStillAwaited);
  return {
    type: job.type,
    ...(job.machineLimit > 0 && { machineLimit: job.machineLimit }),
    ...(after.length > 0 && { after }),
  };
}
