import { z } from 'zod';
import { checkedBy } from './checked-by.ts';
import { counterSchema } from './fields.ts';
import { compareCanonical } from './codec.ts';
import { mergeMaps } from './fields.ts';
import { blobHashSchema, peerIdSchema, type PeerId } from './ids.ts';
import { NAME_LENGTH_MAX, SENTENCE_LENGTH_MAX } from './limits.ts';

/**
 * The farm's diary (SPEC R125, R126): what each machine wrote down of itself and, while it coordinated, of others, so
 * that in the morning any machine can say what the night did. It explains and decides nothing.
 */

/** Pages of one machine's diary and entries of one page: 128 entries, where a rough night of one machine has thirty. */
export const DIARY_PAGES = 8;
export const DIARY_PAGE_ENTRIES = 16;
/** A code or a name in an entry. */
const wordSchema = z.string().max(NAME_LENGTH_MAX);
const durationSchema = z.number().min(0);

/** Why a machine takes no work. */
export const restSchema = z.enum(['owner', 'farm', 'hours', 'disk', 'slots', 'fault']);
export type Rest = z.infer<typeof restSchema>;

export const diaryEventSchema = z.discriminatedUnion('kind', [
  /** Its node began: for the first time, after an end in order, or after one without notice; off since then. */
  z.looseObject({
    kind: z.literal('started'),
    after: z.enum(['first', 'order', 'cut']),
    since: z.number().optional(),
  }),
  /** Its node ended in order. */
  z.looseObject({ kind: z.literal('ended') }),
  /** It stood still for so long: it slept, or was suspended. */
  z.looseObject({ kind: z.literal('woke'), forMs: durationSchema }),
  /** It takes no work, and why. */
  z.looseObject({
    kind: z.literal('rests'),
    why: restSchema,
    sentence: z.string().max(SENTENCE_LENGTH_MAX),
  }),
  /** It takes work again. */
  z.looseObject({ kind: z.literal('works') }),
  /** It coordinates from now on; `before` is whom it followed, `leaderlessMs` for how long nobody led. */
  z.looseObject({
    kind: z.literal('leads'),
    cause: z.enum(['first', 'lost', 'yielded', 'found']),
    term: counterSchema,
    leaderlessMs: durationSchema,
    before: peerIdSchema.optional(),
  }),
  /** As coordinator it can't reach this machine any more, or can again. */
  z.looseObject({ kind: z.literal('lost'), machine: peerIdSchema }),
  z.looseObject({ kind: z.literal('back'), machine: peerIdSchema }),
  /** So many results that it alone held for a while are on a second machine now. */
  z.looseObject({ kind: z.literal('copied'), results: z.int().min(0) }),
  /** That machine sent so often, since the entry before, what does not fit a file's hash; the last such file. */
  z.looseObject({
    kind: z.literal('misfit'),
    machine: peerIdSchema,
    hash: blobHashSchema,
    count: z.int().min(1),
  }),
]);
export type DiaryEvent = z.infer<typeof diaryEventSchema>;

/** Loose: an event of a newer version is kept and passed on (SPEC R26), and not told. */
export const diaryEntrySchema = z.looseObject({
  /** Counts the entries of this machine, from 1. */
  sequence: z.int().min(1),
  wallTime: z.number(),
  event: z.looseObject({ kind: wordSchema }),
});

export interface DiaryEntry {
  sequence: number;
  /** When it began, milliseconds since 1970 by the writer's clock, for display (SPEC R25). */
  wallTime: number;
  event: { kind: string; [more: string]: unknown };
}

/** One page of a machine's diary; only that machine writes it. Entries by their place in the page. */
export interface DiaryRecord {
  kind: 'diary';
  peer: PeerId;
  page: number;
  entries: Record<string, DiaryEntry>;
}

export const diaryRecordSchema = z.looseObject({
  kind: z.literal('diary'),
  peer: peerIdSchema,
  page: z
    .int()
    .min(0)
    .max(DIARY_PAGES - 1),
  entries: z
    .record(z.string().max(4), diaryEntrySchema)
    .refine((entries) => Object.keys(entries).length <= DIARY_PAGE_ENTRIES, 'too many entries'),
});

/** The page and the place in it of an entry: the oldest makes room for the newest. */
export function diaryPlace(sequence: number): { page: number; place: string } {
  const slot = (sequence - 1) % (DIARY_PAGES * DIARY_PAGE_ENTRIES);
  return {
    page: Math.floor(slot / DIARY_PAGE_ENTRIES),
    place: String(slot % DIARY_PAGE_ENTRIES),
  };
}

/** In each place the entry of the higher sequence stands; of two under one, the greater by bytes (SPEC R125). */
export function mergeDiaryEntries(
  a: DiaryRecord['entries'],
  b: DiaryRecord['entries'],
): DiaryRecord['entries'] {
  return mergeMaps(a, b, (x, y) => ((x.sequence - y.sequence || compareCanonical(x, y)) >= 0 ? x : y));
}

/** One entry as it is told: whose it is, and an event that this version knows. */
export interface ToldEntry {
  readonly peer: PeerId;
  readonly sequence: number;
  readonly at: number;
  readonly event: DiaryEvent;
}

/** The entries of all pages that this version can tell, each machine's in the order in which it wrote them. */
export function diaryEntries(records: Iterable<DiaryRecord>): ToldEntry[] {
  const told: ToldEntry[] = [];
  for (const { peer, entries } of records) {
    for (const { sequence, wallTime, event } of Object.values(entries)) {
      const parsed = checkedBy(diaryEventSchema, event);
      if (parsed.success) told.push({ peer, sequence, at: wallTime, event: parsed.data });
    }
  }
  return told.sort((a, b) => (a.peer === b.peer ? a.sequence - b.sequence : a.peer < b.peer ? -1 : 1));
}

/** How often each machine sent what does not fit since a time, as those tell that it was sent to (SPEC R138). */
export function misfitsSince(records: Iterable<DiaryRecord>, from: number): Map<PeerId, number> {
  const counts = new Map<PeerId, number>();
  for (const { entries } of records) {
    for (const { wallTime, event } of Object.values(entries)) {
      // Few are of this kind, and each look at the whole would take its time.
      if (event.kind !== 'misfit' || wallTime < from) continue;
      const parsed = checkedBy(diaryEventSchema, event);
      if (!parsed.success || parsed.data.kind !== 'misfit') continue;
      const { machine, count } = parsed.data;
      counts.set(machine, (counts.get(machine) ?? 0) + count);
    }
  }
  return counts;
}
