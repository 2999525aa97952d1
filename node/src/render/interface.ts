/**
 * What the rest of the node may know of rendering with Blender: frames are asked of `BlenderSessions`, which
 * keeps Blender processes warm and confined (DESIGN.md section 7). The factory is `createBlenderSessions` in
 * `blender/pool.ts`; failures are `RenderError`s (`errors.ts`).
 */

import type { Startable } from '../system/interface.ts';

/** A scene's files, rebuilt as a tree on this machine. */
export interface SceneTree {
  /** Absolute path of the rebuilt tree; must lie inside one of the sessions' `readableDirectories`. */
  readonly directory: string;
  /** The .blend to render, relative to `directory`, with forward slashes. */
  readonly blendFile: string;
  /** Names the content (the bundle's hash): a session that has this key loaded does not load again. */
  readonly key: string;
  /**
   * Paths as the scene stores them, and where the same file or folder is now, relative to `directory`
   * (node/blender/remap.py). Paths relative to the .blend need no entry: the tree keeps their shape.
   */
  readonly remap: readonly { readonly from: string; readonly to: string }[];
}

/** What a job changes in a scene; undefined means "as in the scene". */
export interface FrameSettings {
  readonly sceneName?: string;
  /** Name of a camera object; cameras bound to markers then no longer switch. */
  readonly camera?: string;
  /** Percent of the scene's resolution, 1 to 100 or more. */
  readonly resolutionPercent?: number;
  /** Samples per pixel, for Cycles and EEVEE. */
  readonly samples?: number;
  /** Blender's name of an image format: 'PNG', 'JPEG', 'OPEN_EXR', 'OPEN_EXR_MULTILAYER', 'TIFF', 'WEBP'… */
  readonly format?: string;
  /** Denoising of the render itself, on or off; compositor nodes stay as they are. */
  readonly denoise?: boolean;
  /** Whether the scene's own Python (drivers, registered texts) may run. */
  readonly allowScripts: boolean;
}

/** One frame asked of an engine. */
export interface FrameRequest {
  readonly scene: SceneTree;
  /** May be negative, and may lie outside the scene's own range. */
  readonly frame: number;
  readonly settings: FrameSettings;
  /** Absolute path of an empty, existing, writable folder: the results arrive in it, whole. */
  readonly outputDirectory: string;
  /** A JPEG beside the image: 'needed' (the default) makes it only for formats that sharp can't read. */
  readonly preview?: 'needed' | 'always' | 'never';
}

export interface FrameProgress {
  /** 0 to 1, never falling within a frame. */
  readonly fraction: number;
  readonly sample?: number;
  readonly samples?: number;
  /** Blender's own estimate, in milliseconds. */
  readonly remainingMs?: number;
  /** Resident memory of the process, in bytes. */
  readonly memoryBytes?: number;
  /** Blender's last words, for people: 'Sample 3/8', 'Loading scene'. */
  readonly text: string;
}

export interface FrameFile {
  /** Absolute path, inside the request's `outputDirectory`. */
  readonly path: string;
  /**
   * Path relative to the job's output folder, with forward slashes, named as Blender itself would have named it:
   * frame padding, view suffixes, and the folders of File Output nodes.
   */
  readonly name: string;
  /** The scene's image, one view of a multi-view image, or what a File Output node wrote. */
  readonly role: 'image' | 'view' | 'compositor';
  /** Expected size in pixels; a compositor file's size is not known before decoding, and 0 then. */
  readonly width: number;
  readonly height: number;
  /** Blender's name of the format that was asked: 'PNG', 'OPEN_EXR'…; '' where the name of a node's file tells none. */
  readonly format: string;
}

export interface FrameResult {
  /** At least one; the scene's image (or its first view) comes first. Newly written, not yet decoded. */
  readonly files: readonly FrameFile[];
  /** A JPEG with the scene's view transform, long side at most 1920 pixels. */
  readonly preview?: { readonly path: string };
  /** Names of the devices that rendered: ['CPU'], ['NVIDIA RTX 4090 (OPTIX)']. */
  readonly devices: readonly string[];
  /** Blender's identifier of the engine: 'CYCLES', 'BLENDER_EEVEE'… */
  readonly engine: string;
  /** Blender's version: '3.4.1'. */
  readonly engineVersion: string;
  /** Milliseconds from the order to the written file, loading excluded. */
  readonly renderMs: number;
  /** Milliseconds of loading the scene; 0 when it was warm. */
  readonly loadMs: number;
  /** Highest resident memory of the process during this frame, in bytes. */
  readonly peakMemoryBytes: number;
  /** What the scene wanted to run and was not allowed to, in Blender's words. */
  readonly scriptsBlocked: readonly string[];
  /** Sentences for the user: a movie format that became PNG, a missing library… */
  readonly warnings: readonly string[];
  readonly logFile: string;
}

export interface RenderOptions {
  /** Aborting kills the process within a second; `render` rejects with the signal's reason once it is gone. */
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: FrameProgress) => void;
  /** Blender's output of this frame is appended here; the folder exists. */
  readonly logFile: string;
}

/** Whether, and with what, this machine confines Blender; the sentence is for people. */
export interface Confinement {
  readonly kind: 'bubblewrap' | 'none';
  readonly sentence: string;
}

export interface ComputeDevice {
  readonly name: string;
  /** 'CPU', 'CUDA', 'OPTIX', 'HIP', 'ONEAPI' or 'METAL'. */
  readonly type: string;
}

export type BlenderCapabilities =
  | {
      readonly state: 'no-blender';
      /** Says what is missing or broken, and the next step. */
      readonly sentence: string;
      readonly cores: number;
      readonly confinement: Confinement;
    }
  | {
      readonly state: 'ready';
      /** Absolute path of the executable. */
      readonly path: string;
      readonly version: string;
      /** Blender's identifiers: 'CYCLES', 'BLENDER_EEVEE', 'BLENDER_WORKBENCH'. */
      readonly engines: readonly string[];
      /** All that Cycles sees; a slot may own fewer. */
      readonly devices: readonly ComputeDevice[];
      /** Lower case: 'openimagedenoise', 'optix'; empty where the build has none. */
      readonly denoisers: readonly string[];
      readonly openShadingLanguage: boolean;
      readonly imageFormats: readonly string[];
      readonly movieFormats: readonly string[];
      readonly cores: number;
      readonly confinement: Confinement;
    };

/** One Blender process as it is now, for "this machine" and for tests. */
export interface SessionSnapshot {
  /** The process that was started: Blender, or bubblewrap around it. It leads a process group of its own. */
  readonly pid: number;
  readonly slot: number;
  readonly state: 'starting' | 'idle' | 'loading' | 'rendering' | 'ending';
  /** Key of the loaded scene. */
  readonly sceneKey?: string;
  readonly framesRendered: number;
  readonly scenesLoaded: number;
  /** Resident memory at the last heartbeat, in bytes. */
  readonly memoryBytes: number;
}

/** Warm Blender processes, one per slot. */
export interface BlenderSessions extends Startable {
  /**
   * Renders one frame in a free slot, preferring one that has the scene loaded, and waits while none is free.
   * Rejects with a `RenderError`, or with the signal's reason when aborted.
   */
  render(request: FrameRequest, options: RenderOptions): Promise<FrameResult>;
  /** What Blender can do here; probed once by a short run, then remembered. Never rejects for a missing Blender. */
  capabilities(): Promise<BlenderCapabilities>;
  /** The processes that live now. */
  snapshot(): SessionSnapshot[];
  /** Ends idle processes now, for example to give memory back to the machine's owner. */
  endIdle(): Promise<void>;
}
