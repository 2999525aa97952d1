/**
 * The numbered key spaces of the database. A number is never given to another use, so that an older node
 * never takes one thing for another.
 */
export const SPACES = {
  /** Of the database itself: `format`, `term`. */
  meta: '0',
  /** Replicated records by `recordKey`. */
  record: '1',
  /** What only this node knows, JSON by name. */
  local: '2',
} as const;

export type Space = keyof typeof SPACES;

/** Space and key, apart by a character that no key contains. */
export const spaceKey = (space: Space, key: string): string => `${SPACES[space]}!${key}`;

/** Bounds of all keys of a space that start with `prefix`. */
export const spaceRange = (space: Space, prefix = ''): { gte: string; lt: string } => ({
  gte: spaceKey(space, prefix),
  lt: `${spaceKey(space, prefix)}\uffff`,
});

/** The key without its space. */
export const withoutSpace = (key: string): string => key.slice(2);

/** Form of the database; raised when an older node could no longer read it. 2: records have a checksum; 3: own values too. */
export const FORMAT = 3;
