import type { PowerProfile } from '../power/profile.ts';
import type { Profile } from '../profile.ts';

/** A change of one file. */
export interface Edit {
  readonly file: string;
  /** Stands exactly once in the file. */
  readonly from: string;
  readonly to: string;
}

interface Mistake extends Edit {
  readonly name: string;
  /** Which of the six promises of DESIGN.md section 1, or which rule that a checker watches beside them. */
  readonly breaks: 1 | 2 | 3 | 4 | 5 | 6 | string;
  /** Where one rule is kept in two places, the other. */
  readonly also?: Edit;
  /** Seeds within which it must be found. */
  readonly within: number;
  /** Found so soon that the tests try it each time; the others are tried by `npm run sim:plants`. */
  readonly isQuick?: boolean;
}

/** A mistake that whole farms show. */
export interface FarmPlant extends Mistake {
  readonly simulator?: 'farm';
  /** Farms of one kind, where only these show it. */
  readonly profile?: Partial<Profile>;
}

/** A mistake that the content store shows on a disk that loses power. */
export interface PowerPlant extends Mistake {
  readonly simulator: 'power';
  /** Histories of one kind, where those of any seldom show it. */
  readonly profile?: Partial<PowerProfile>;
}

/** A mistake put into a copy of the sources, to see that the simulator finds it. */
export type Plant = FarmPlant | PowerPlant;

/** A farm of which nobody is lost, and whose machines know each other from the begin. */
export const FOUNDED: Partial<Profile> = {
  isFounded: true,
  isSplit: false,
  destroys: false,
  removes: false,
  joins: false,
  leaves: 0,
  staysOff: false,
};
