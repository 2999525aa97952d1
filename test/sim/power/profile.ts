/** What a history is like; everything follows from its seed. */
export interface PowerProfile {
  /** Whether the disk refuses calls at times. */
  readonly refuses: boolean;
  /** How often a process is killed while its machine goes on, beside 6 power cuts and 1 stop. */
  readonly kills: number;
  /** How often the disk writes something by itself after a call. */
  readonly settles: number;
  /** Whether a process that is killed at its work ends just as it has given a blob its name. */
  readonly killsAtName: boolean;
  /** Small contents that a history puts into its store, at most; at least 3. */
  readonly contentsMax: number;
}

/** Of so many histories one is on a disk that refuses calls as well. */
const REFUSING_EACH = 3n;

export const profileOf = (seed: bigint): PowerProfile => ({
  refuses: seed % REFUSING_EACH === 0n,
  kills: 2,
  settles: 0.05,
  killsAtName: false,
  contentsMax: 10,
});
