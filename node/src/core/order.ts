/**
 * The order of a group's tasks (SPEC R50): place → rank and back. Sequential costs nothing; coarse-to-fine is
 * laid down once, four bytes each way for each task.
 */
export interface TaskOrder {
  /** The place within the group (counted from 0) of the task at this rank. */
  placeAt(rank: number): number;
  rankOf(place: number): number;
}

export const sequentialOrder: TaskOrder = { placeAt: (rank) => rank, rankOf: (place) => place };

/** First, last, middle, then the middles of what lies between, level by level. */
export function coarseToFineOrder(count: number): TaskOrder {
  const places = coarseToFine(count);
  const ranks = new Uint32Array(count);
  for (let rank = 0; rank < count; rank++) ranks[places[rank] as number] = rank;
  return { placeAt: (rank) => places[rank] as number, rankOf: (place) => ranks[place] as number };
}

function coarseToFine(count: number): Uint32Array {
  const places = new Uint32Array(count);
  const taken = new Uint8Array(count);
  let filled = 0;
  const take = (place: number) => {
    if (taken[place] === 1) return;
    taken[place] = 1;
    places[filled++] = place;
  };
  if (count > 0) take(0);
  if (count > 1) take(count - 1);
  // Each level halves the gaps; once a gap is below two places, the level has met every task.
  for (let parts = 2; filled < count; parts *= 2) {
    for (let part = 1; part < parts && filled < count; part += 2) {
      take(Math.floor((part * (count - 1)) / parts));
    }
  }
  return places;
}
