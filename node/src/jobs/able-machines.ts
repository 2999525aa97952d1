import type { Capabilities } from '@cuadro/protocol';
import type { MachineCapabilities } from '../render/scene/interface.ts';

/** Of a node's view what preflight is judged by. */
interface ToldOf {
  readonly here: boolean;
  readonly live: { readonly capabilities?: Pick<Capabilities, 'engines' | 'renderEngines' | 'denoisers'> };
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
