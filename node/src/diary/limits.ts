/** Bounds of a machine's diary, each with its reason. */

/** How often the machine looks at itself and, while it coordinates, at the others: an entry is late by that much. */
export const LOOK_EVERY_MS = 2_000;
/** A look that comes so much too late says that the machine slept: a loaded one is late by seconds at most. */
export const SLEPT_MIN_MS = 15_000;
/** A machine out of reach for less is no news: a cable that is plugged over, a node that is started again. */
export const LOST_MIN_MS = 10_000;
/** A rest that ends sooner was none: a slot that is set anew, a look at the disk in between. */
export const REST_MIN_MS = 3_000;
/** The same again so soon must last longer, so that a disk at its brim doesn't fill the diary. */
export const REST_AGAIN_MS = 600_000;
export const REST_AGAIN_MIN_MS = 60_000;
/** How often it is noted that the node is alive: after a power cut people learn to the minute when it was. */
export const ALIVE_EVERY_MS = 60_000;
/** Results that were held alone for less had their second copy made at once, which is no news. */
export const ALONE_MIN_MS = 30_000;
/** A machine that goes on sending what does not fit is told of again after this long: it must not fill the diary. */
export const MISFIT_AGAIN_MS = 3_600_000;
