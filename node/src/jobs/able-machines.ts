import type { Capabilities } from '@cuadro/protocol';
import type { MachineCapabilities } from '../render/scene/interface.ts';

/** Of a node's view what preflight is judged by. */
interface ToldOf {
  readonly here: boolean;
  readonly live: {
    readonly capabilities?: Pick<Capabilities, 'engines' | 'renderEngines' | 'denoisers'> | undefined;
  };
}

/**
 * What the farm's machines with Blender can do: this one as it was probed, which it may not have told yet, and the
 * others as they told. A scene that an artist's own machine can't render is still one for the farm.
 */
export function ableMachines(
  own: readonly MachineCapabilities[],
  nodes: readonly ToldOf[],
): MachineCapabilities[] {
  const others = nodes.flatMap(({ here, live: { capabilities } }) => {
    const blenderVersion = capabilities?.engines['blender'];
    if (here || capabilities === undefined || blenderVersion === undefined) return [];
    const denoisers = capabilities.denoisers.map((name) => name.toUpperCase());
    return [{ blenderVersion, engines: capabilities.renderEngines, denoisers }];
  });
  return [...own, ...others];
}

/**
 * The Blender that a job of a scene is to use, where some machines have one older than the scene: a job keeps to the
 * version of its first frame, and that one would lose what the scene has of newer features. Undefined where any will
 * do, or none: the version that most machines have.
 */
export function versionToUse(
  savedWith: readonly [number, number, number],
  machines: readonly MachineCapabilities[],
): string | undefined {
  const isOlder = ({ blenderVersion }: MachineCapabilities): boolean => {
    const [major = 0, minor = 0] = blenderVersion.split('.').map((part) => Number.parseInt(part, 10) || 0);
    return major < savedWith[0] || (major === savedWith[0] && minor < savedWith[1]);
  };
  const able = machines.filter((machine) => !isOlder(machine));
  if (able.length === machines.length) return undefined;
  const count = (version: string): number =>
    able.filter(({ blenderVersion }) => blenderVersion === version).length;
  return able.map(({ blenderVersion }) => blenderVersion).sort((a, b) => count(b) - count(a))[0];
}
