import { isSafePath } from '@cuadro/protocol';
import type {
  MachineCapabilities,
  PreflightFinding,
  PreflightRequest,
  SceneFacts,
  SceneReference,
  SceneTrace,
} from './interface.ts';
import { sceneLimits } from './limits.ts';

const severityOrder = { error: 0, warning: 1, note: 2 } as const;

const denoiserNames: Readonly<Record<string, string>> = {
  OPENIMAGEDENOISE: 'OpenImageDenoise',
  OPTIX: 'OptiX',
};

const engineNames: Readonly<Record<string, string>> = {
  BLENDER_EEVEE: 'Eevee',
  BLENDER_EEVEE_NEXT: 'Eevee',
  BLENDER_WORKBENCH: 'Workbench',
  CYCLES: 'Cycles',
};

const simulationNames: Readonly<Record<SceneFacts['simulations'][number]['kind'], string>> = {
  fluid: 'the fluid',
  cloth: 'the cloth',
  'soft-body': 'the soft body',
  particles: 'the particles',
  'rigid-body': 'the rigid bodies',
  'dynamic-paint': 'the dynamic paint',
  'geometry-nodes': 'the simulation nodes',
};

/**
 * What would go wrong, or not be as the user thinks, if the scene were rendered so on one of the machines.
 * Errors first. An error means that no frame can be rendered as asked; warnings and notes leave the choice.
 * Pure.
 */
export function preflight(
  trace: SceneTrace,
  request: PreflightRequest,
  machines: readonly MachineCapabilities[],
): PreflightFinding[] {
  const name = request.scene ?? trace.activeScene;
  const scene = trace.scenes.find((entry) => entry.name === name);
  if (!scene) {
    const names = trace.scenes.map((entry) => `“${entry.name}”`).join(', ');
    return [error('no-scene', `The .blend has no scene “${name}”: choose one of ${names}.`, name)];
  }
  const findings = [
    ...cameraFindings(scene, request),
    ...frameFindings(scene, request),
    ...machineFindings(trace, scene, request, machines),
    ...fileFindings(trace.references),
    ...scriptFindings(trace, request),
    ...simulationFindings(scene),
    ...outputFindings(scene),
  ];
  return findings.sort((a, b) => severityOrder[a.severity] - severityOrder[b.severity]);
}

function cameraFindings(scene: SceneFacts, { camera }: PreflightRequest): PreflightFinding[] {
  if (camera !== undefined || scene.camera !== null || scene.markerCameras.length > 0) return [];
  // A sequencer that makes the whole picture needs no camera of its own.
  if (scene.sequencer) return [];
  const next =
    scene.cameras.length > 0
      ? `make “${scene.cameras[0]}” the scene's camera (Scene properties → Camera)`
      : 'add a camera and make it the active one';
  return [error('no-camera', `Scene “${scene.name}” has no active camera: ${next} and save.`, scene.name)];
}

function frameFindings(scene: SceneFacts, { frames }: PreflightRequest): PreflightFinding[] {
  const range = `${scene.frameStart}-${scene.frameEnd}`;
  if (frames === undefined) {
    if (scene.frameEnd >= scene.frameStart) return [];
    return [error('no-frames', `The scene's range ${range} holds no frame: give one with --frames.`)];
  }
  if (frames.length === 0)
    return [error('no-frames', 'No frame is asked for: give a range such as --frames 1-24.')];
  const outside = frames.filter((frame) => frame < scene.frameStart || frame > scene.frameEnd);
  if (outside.length === 0) return [];
  const [is, subject] = outside.length === 1 ? ['lies', 'Frame'] : ['lie', 'Frames'];
  return [
    warning(
      'frames-outside',
      `${subject} ${listNumbers(outside)} ${is} outside the scene's range ${range} and will be rendered all the same: check --frames.`,
    ),
  ];
}

function machineFindings(
  trace: SceneTrace,
  scene: SceneFacts,
  request: PreflightRequest,
  machines: readonly MachineCapabilities[],
): PreflightFinding[] {
  if (machines.length === 0) {
    return [
      error(
        'no-machine',
        'No machine with Blender is known: install Blender on one, or start a node that has it.',
      ),
    ];
  }
  const findings: PreflightFinding[] = [];
  const able = machines.filter((machine) => hasEngine(machine, scene.engine));
  const engine = engineNames[scene.engine] ?? scene.engine;
  if (able.length === 0) {
    findings.push(
      error(
        'engine-unavailable',
        `No machine can render with ${engine}: choose another engine (Render properties), or install it on one machine.`,
        scene.engine,
      ),
    );
  }
  findings.push(...denoiserFindings(scene, request, able.length > 0 ? able : machines));
  const newest = machines
    .map((machine) => parseVersion(machine.blenderVersion))
    .sort(compareVersions)
    .at(-1);
  const [major, minor] = trace.savedWith;
  if (newest && compareVersions([major, minor], newest) > 0) {
    findings.push(
      warning(
        'newer-blender',
        `The scene was saved with Blender ${major}.${minor}, newer than the machines' ${newest.join('.')}: what it has of newer features will be missing, so compare a frame, or update Blender.`,
        `${major}.${minor}`,
      ),
    );
  }
  return findings;
}

/** Eevee changed its name in 4.2 and back in 5.0, and is the same choice to a user. */
function hasEngine(machine: MachineCapabilities, engine: string): boolean {
  const family = (name: string): string => (name.startsWith('BLENDER_EEVEE') ? 'BLENDER_EEVEE' : name);
  return machine.engines.some((entry) => family(entry) === family(engine));
}

function denoiserFindings(
  scene: SceneFacts,
  request: PreflightRequest,
  machines: readonly MachineCapabilities[],
): PreflightFinding[] {
  if (request.denoise === false) return [];
  const lacking = (denoiser: string): boolean =>
    !machines.some((machine) => machine.denoisers.includes(denoiser));
  if (scene.denoiser !== null && lacking(scene.denoiser)) {
    const label = denoiserNames[scene.denoiser] ?? scene.denoiser;
    return [
      error(
        'denoiser-unavailable',
        `The scene denoises with ${label}, and no machine's Blender has it (it would fail with “Build without ${label}”): submit with --no-denoise, or install a Blender from blender.org.`,
        scene.denoiser,
      ),
    ];
  }
  // The compositor's Denoise node knows this denoiser only, and passes the picture through without it.
  if (scene.compositorDenoise && lacking('OPENIMAGEDENOISE')) {
    return [
      warning(
        'denoiser-unavailable',
        "The compositor's Denoise node will do nothing, since no machine's Blender has OpenImageDenoise, and the noise stays: raise the samples, or install a Blender from blender.org.",
        'OPENIMAGEDENOISE',
      ),
    ];
  }
  return [];
}

function fileFindings(references: readonly SceneReference[]): PreflightFinding[] {
  const findings = new Map<string, PreflightFinding>();
  for (const reference of references) {
    if (!reference.essential) continue;
    const files = reference.missing.filter((file) => !findings.has(file));
    const [first] = files;
    if (first !== undefined && files.length > sceneLimits.listedSubjects) {
      findings.set(first, missingPart(reference, files));
      continue;
    }
    for (const file of files) findings.set(file, missingFinding(reference, file));
  }
  return [...findings.values()];
}

/** A sequence may lack thousands of files: in a line for each of them everything else would be lost. */
function missingPart(reference: SceneReference, files: readonly string[]): PreflightFinding {
  const what = `${reference.kind.replace('-', ' ')} “${reference.name}”`;
  return warning(
    'missing-file',
    `${files.length} files of ${what} are missing, from ${files[0]} to ${files.at(-1)}, and frames that show them will render without them: restore the files, or relink them in Blender (File → External Data).`,
    files[0],
  );
}

function missingFinding(reference: SceneReference, file: string): PreflightFinding {
  if (reference.kind === 'library') {
    return warning(
      'missing-library',
      `The linked library ${file} is missing, and all that comes from it will be absent from the picture: restore the file or relink it in Blender.`,
      file,
    );
  }
  const what = `${reference.kind.replace('-', ' ')} “${reference.name}”`;
  const which = reference.span === 'sequence' || reference.span === 'tiles' ? `a part of ${what}` : what;
  return warning(
    'missing-file',
    `${file} (${which}) is missing, and frames will render without it: restore the file, or relink it in Blender (File → External Data).`,
    file,
  );
}

function scriptFindings(trace: SceneTrace, request: PreflightRequest): PreflightFinding[] {
  if (trace.scripts.length === 0 || request.allowScripts) return [];
  const names = listNames(trace.scripts.map((script) => script.name));
  return [
    warning(
      'scripts-blocked',
      `Scripts of the scene will not run, so what they drive keeps a wrong pose: ${names}. If you trust them, submit with --allow-scripts.`,
      trace.scripts[0]?.name,
    ),
  ];
}

function simulationFindings(scene: SceneFacts): PreflightFinding[] {
  return scene.simulations.map(({ kind, object }) =>
    warning(
      'unbaked-simulation',
      `${capital(simulationNames[kind])} of “${object}” is not baked to disk, so a frame depends on those before it and will differ: bake it in Blender and save.`,
      object,
    ),
  );
}

function outputFindings(scene: SceneFacts): PreflightFinding[] {
  const findings: PreflightFinding[] = [];
  const { template } = scene.output;
  if (!isSafePath(template)) {
    findings.push(
      error(
        'output-name',
        `Frames can't be named “${template}”, which Windows takes for a place on another drive: change the scene's output path.`,
        template,
      ),
    );
  }
  if (scene.output.movie) {
    findings.push(
      note(
        'movie-output',
        `The scene's output is a movie (${scene.output.format}): Cuadro renders PNG frames and makes the film from them.`,
        scene.output.format,
      ),
    );
  }
  if (scene.fileOutputs.length > 0) {
    const names = listNames(scene.fileOutputs.map((entry) => entry.name));
    findings.push(
      note(
        'file-output',
        `The compositor writes files of its own (${names}): they are collected beside the frames.`,
        scene.fileOutputs[0]?.name,
      ),
    );
  }
  if (scene.multiview) {
    const views = listNames(scene.views.map((view) => view.name));
    findings.push(note('multiview', `The scene is stereo (${views}): one image is written per view.`));
  }
  if (scene.unknownNodes.length > 0) {
    findings.push(
      warning(
        'unknown-nodes',
        `Nodes that only an add-on knows will have no effect: ${listNames(scene.unknownNodes)}. Replace them, or bake what they make.`,
        scene.unknownNodes[0],
      ),
    );
  }
  return findings;
}

function parseVersion(text: string): [number, number] {
  const [major = 0, minor = 0] = text.split('.').map((part) => Number.parseInt(part, 10) || 0);
  return [major, minor];
}

function compareVersions(a: readonly [number, number], b: readonly [number, number]): number {
  return a[0] - b[0] || a[1] - b[1];
}

function listNames(names: readonly string[]): string {
  const shown = names.slice(0, sceneLimits.listedSubjects).join(', ');
  const more = names.length - sceneLimits.listedSubjects;
  return more > 0 ? `${shown} and ${more} more` : shown;
}

/** `1, 3-5 and 2 more`: runs joined, long lists cut. */
function listNumbers(numbers: readonly number[]): string {
  const runs: [number, number][] = [];
  for (const number of [...numbers].sort((a, b) => a - b)) {
    const last = runs.at(-1);
    if (last && number <= last[1] + 1) last[1] = number;
    else runs.push([number, number]);
  }
  return listNames(runs.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)));
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function finding(severity: PreflightFinding['severity']) {
  return (code: PreflightFinding['code'], message: string, subject?: string): PreflightFinding => ({
    code,
    severity,
    message,
    ...(subject !== undefined && { subject }),
  });
}

const error = finding('error');
const warning = finding('warning');
const note = finding('note');
