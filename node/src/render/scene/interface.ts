/**
 * What a scene needs and how it is carried whole: the shapes shared by the tracer (reads a .blend inside
 * Blender), the layout (pure: which file goes where in the bundle) and the preflight (pure: what would go
 * wrong). The Python side that fills a trace is node/blender/trace.py.
 */

/** What kind of thing in the scene names the file. */
export type ReferenceKind =
  | 'image'
  | 'movie-clip'
  | 'library'
  | 'font'
  | 'sound'
  | 'strip'
  | 'volume'
  | 'cache-file'
  | 'mesh-cache'
  | 'simulation-cache'
  | 'light-profile'
  | 'shader-script'
  | 'text'
  | 'other';

/**
 * How many files one reference stands for: one; the frames of a sequence (the path names one of them); the
 * tiles of a pattern such as `<UDIM>`; everything in a folder.
 */
export type ReferenceSpan = 'single' | 'sequence' | 'tiles' | 'folder';

/** One place in the scene, or in a library that it links, that names files outside the .blend. */
export interface SceneReference {
  kind: ReferenceKind;
  span: ReferenceSpan;
  /** The datablock (or object, or strip) that names the file, for messages. */
  name: string;
  /** Absolute path of the .blend that holds this reference: the scene itself or a library. */
  owner: string;
  /** The path exactly as the scene writes it: `//textures/a.png`, `/mnt/a.png`, `D:\a.png`. */
  written: string;
  relative: boolean;
  /** Absolute path on this machine; for tiles the pattern, for a folder the folder. */
  path: string;
  /** Absolute paths of the files that exist. */
  found: string[];
  /** Absolute paths of the files that the scene needs and that do not exist. */
  missing: string[];
  /** False where a render goes on unharmed without the file (an external text that the .blend has a copy of). */
  essential: boolean;
}

/** Something that Blender refuses to run unless scripts are allowed. */
export interface BlockedScript {
  kind: 'driver' | 'text';
  /** Where it stands: `Object "Cube" location[0]`, `Text "rig.py"`. */
  name: string;
  /** The driver's expression, or the first telling line of the text. */
  code: string;
}

/** A simulation whose frames are not stored, so that a frame rendered alone differs from one rendered in order. */
export interface UnbakedSimulation {
  kind: 'fluid' | 'cloth' | 'soft-body' | 'particles' | 'rigid-body' | 'dynamic-paint' | 'geometry-nodes';
  object: string;
}

export interface SceneOutput {
  /** Blender's own name of the format: `PNG`, `OPEN_EXR`, `OPEN_EXR_MULTILAYER`, `FFMPEG`, … */
  format: string;
  movie: boolean;
  colorMode: string;
  colorDepth: string;
  /** `.png`: with the dot, as Blender would append it; for movies that of the container. */
  extension: string;
  /** The output path as the scene writes it. */
  written: string;
  /** Basename of the frames with `#` for each digit, extension included: `shot_####.png`. */
  template: string;
}

/** One scene of the .blend. */
export interface SceneFacts {
  name: string;
  /** Name of the active camera, or null. */
  camera: string | null;
  /** Cameras bound to markers in the timeline, which also suffice for rendering. */
  markerCameras: string[];
  cameras: string[];
  frameStart: number;
  frameEnd: number;
  frameStep: number;
  /** Frames a second are fps / fpsBase. */
  fps: number;
  fpsBase: number;
  resolutionX: number;
  resolutionY: number;
  resolutionPercentage: number;
  engine: string;
  /** Samples per pixel, or null where the engine has no such number. */
  samples: number | null;
  useDenoising: boolean;
  /** `OPENIMAGEDENOISE`, `OPTIX`, or null when denoising is off. */
  denoiser: string | null;
  /** Whether a compositor node denoises. */
  compositorDenoise: boolean;
  output: SceneOutput;
  multiview: boolean;
  views: { name: string; suffix: string }[];
  compositing: boolean;
  /** File Output nodes of the compositor that would write when a frame is rendered. */
  fileOutputs: { name: string; basePath: string; slots: string[]; format: string }[];
  /** Whether the sequencer makes the picture (it has strips other than sound). */
  sequencer: boolean;
  /** Whether something is heard: sound strips or speakers that are not muted. */
  sound: boolean;
  simulations: UnbakedSimulation[];
  /** Node types, by name, that no enabled add-on provides. */
  unknownNodes: string[];
}

/** All that is known of a .blend without running any of its scripts. */
export interface SceneTrace {
  version: 1;
  /** Absolute path of the traced .blend. */
  blend: string;
  /** Version of the Blender that wrote it, `[3, 4, 1]`. */
  savedWith: [number, number, number];
  /** Version of the Blender that read it. */
  readWith: [number, number, number];
  /** Name of the scene that a render without further choice uses. */
  activeScene: string;
  /** Names of the formats that this Blender writes, movies among them. */
  formats: string[];
  scenes: SceneFacts[];
  references: SceneReference[];
  scripts: BlockedScript[];
}

/** A file of the bundle. */
export interface LayoutFile {
  /** Path in the tree, forward slashes, never absolute, never with `..`. */
  path: string;
  /** Absolute path on this machine. */
  source: string;
}

/** A path that the scene writes and that must be rewritten after load; carried to node/blender/remap.py. */
export interface RemapEntry {
  /** The path exactly as the scene writes it. */
  from: string;
  /** Where it lies in the tree, forward slashes. */
  to: string;
}

/** How the scene and its files are laid out as one tree. */
export interface BundleLayout {
  /** Path of the .blend in the tree. */
  main: string;
  /** All files, the .blend included, sorted by path, each path once. */
  files: LayoutFile[];
  remap: RemapEntry[];
}

export type PreflightSeverity = 'error' | 'warning' | 'note';

export type PreflightCode =
  | 'no-machine'
  | 'no-scene'
  | 'no-camera'
  | 'no-frames'
  | 'frames-outside'
  | 'missing-file'
  | 'missing-library'
  | 'engine-unavailable'
  | 'denoiser-unavailable'
  | 'scripts-blocked'
  | 'unbaked-simulation'
  | 'movie-output'
  | 'output-name'
  | 'newer-blender'
  | 'file-output'
  | 'unknown-nodes'
  | 'multiview';

/** One sentence on what would go wrong, and what to do next. */
export interface PreflightFinding {
  code: PreflightCode;
  severity: PreflightSeverity;
  message: string;
  /** What it is about: a path, a datablock, an engine. */
  subject?: string;
}

/** What a machine can do, as far as preflight asks. */
export interface MachineCapabilities {
  /** `3.4.1`. */
  blenderVersion: string;
  /** Blender's engine names: `CYCLES`, `BLENDER_EEVEE`, … */
  engines: readonly string[];
  /** Blender's denoiser names: `OPENIMAGEDENOISE`, `OPTIX`; empty where it has none. */
  denoisers: readonly string[];
}

/** What the submitter asks for, as far as preflight asks. */
export interface PreflightRequest {
  /** The frames asked for; undefined means the scene's own range. */
  frames?: readonly number[];
  /** The scene to render; undefined means the active one. */
  scene?: string;
  /** A camera of the scene to render from; undefined means its active one. */
  camera?: string;
  /** Whether the submitter allows the scene's scripts to run. */
  allowScripts?: boolean;
  /** Overrides the scene's denoising: false renders without. */
  denoise?: boolean;
}
