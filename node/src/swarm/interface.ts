import type { PeerId, SwarmReport, SwarmView } from '@cuadro/protocol';
import type { Startable } from '../system/interface.ts';

/** How scenes and frames travel, for people who look. Start it before the mesh, whose protocol `swarm` it serves. */
export interface Swarm extends Startable {
  /** From now on, and for a while, the other machines are asked what comes to them (SPEC R183). */
  read(): Promise<SwarmView>;
}

/** Where it is told that what `read` gives has changed, or that nobody may be looking any more. */
export type OnSwarm = () => void;

/** What this machine tells of itself. */
export type OwnReport = () => SwarmReport;

/** What each machine told last, this one among them. */
export type Reports = ReadonlyMap<PeerId, SwarmReport>;
