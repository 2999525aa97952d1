import type { Profile } from '../profile.ts';

/** A change of one file. */
export interface Edit {
  readonly file: string;
  /** Stands exactly once in the file. */
  readonly from: string;
  readonly to: string;
}

/** A mistake put into a copy of the sources, to see that the simulator finds it. */
export interface Plant extends Edit {
  readonly name: string;
  /** Which of the six promises of DESIGN.md section 1, or which rule that a checker watches beside them. */
  readonly breaks: 1 | 2 | 3 | 4 | 5 | 6 | string;
  /** Where one rule is kept in two places, the other. */
  readonly also?: Edit;
  /** Which simulator finds it: whole farms, or the content store on a disk that loses power. */
  readonly simulator?: 'farm' | 'power';
  /** Farms of one kind, where only these show it. */
  readonly profile?: Partial<Profile>;
  /** Seeds within which it must be found. */
  readonly within: number;
  /** Found so soon that the tests try it each time; the others are tried by `npm run sim:plants`. */
  readonly isQuick?: boolean;
}

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
