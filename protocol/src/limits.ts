/**
 * Bounds of the shared language, each with its reason. A node refuses what exceeds them, so all nodes must
 * hold the same values; a change is a change of the protocol (SPEC R3).
 */

/** Frame numbers stay within Blender's own range (MAXFRAME 1,048,574), both ways. */
export const FRAME_NUMBER_LIMIT = 1_048_574;
/** A million tasks in a job is the largest that the memory budget covers (DESIGN.md section 11). */
export const TASKS_PER_JOB_MAX = 1_000_000;
/** A frame list is typed by a person or made by a script; more parts than this is a mistake. */
export const FRAME_RANGES_MAX = 10_000;
/** One decoded message or record; gossip messages above 64 KB suffer, and records travel in gossip. */
export const RECORD_BYTES_MAX = 1_048_576;
/**
 * What a node writes of its own may make a record only half as large, so that what the two halves of a cut farm
 * write meanwhile still makes one that travels.
 */
export const RECORD_WRITE_BYTES_MAX = RECORD_BYTES_MAX / 2;
/** A plan is templates and ranges, so even a large job's is small. */
export const PLAN_BYTES_MAX = 8_388_608;
/** A bundle of 100,000 files with long paths fits. */
export const BUNDLE_BYTES_MAX = 67_108_864;
/** Files of one bundle: asset libraries hold tens of thousands. */
export const BUNDLE_FILES_MAX = 200_000;
/** Files that one task may give back: layers, views and compositor outputs of one frame. */
export const OUTPUT_FILES_MAX = 256;
/** Length of a path inside a bundle or an output folder; what common file systems take. */
export const PATH_LENGTH_MAX = 1_024;
/** A name that a person gives to a job, a machine or a farm. */
export const NAME_LENGTH_MAX = 200;
/** Notes on a job. */
export const NOTES_LENGTH_MAX = 4_000;
/** A failure's code, such as `blender-crashed`. */
export const FAILURE_CODE_LENGTH_MAX = 100;
/** One sentence for people: a failure's message, a removal's reason. */
export const SENTENCE_LENGTH_MAX = 2_000;
/** One telling line of a failed attempt's log. */
export const LOG_LINE_LENGTH_MAX = 500;
/** Telling lines kept in a record; the whole log is a blob. */
export const LOG_LINES_MAX = 8;
/** Priorities are a small scale that people can tell apart; 50 is the default. */
export const PRIORITY_MAX = 100;
export const PRIORITY_DEFAULT = 50;
/** Ranges of tasks in one signed request; a more scattered selection is split into several requests. */
export const REQUEST_RANGES_MAX = 1_000;
/** Failures kept per task: beyond the policy's bounds (three failed, five lost) further ones tell nothing. */
export const FAILURES_PER_TASK_MAX = 64;
/** Groups of one plan: a job type has a handful of kinds of task. */
export const PLAN_GROUPS_MAX = 256;
/** Jobs that one job may wait for. */
export const JOB_DEPENDENCIES_MAX = 256;
/** Tags of a machine or a job. */
export const TAGS_MAX = 64;
/** Members of one farm, gone ones included: the design is made for 100 machines, and measured with that in mind. */
export const MEMBERS_MAX = 1_024;
/** Jobs that one removal names, of 17 bytes each: it is told in the lobby with others, in an answer of 64 KiB at most. */
export const REMOVAL_JOBS_MAX = 1_000;
/** A peer id, a dot and a farm's id. */
export const ADMISSION_KEY_LENGTH_MAX = 96;
/** A counter of a field: far above what people can click, far below 2^53. */
export const COUNTER_MAX = 2 ** 48;
/** A batch of gossiped records: half of what gossip bears well, so that a few at once do no harm (SPEC R46). */
export const GOSSIPED_BATCH_BYTES_MAX = 32_768;
/** Records of one gossiped batch; the smallest record has some 60 bytes. */
export const GOSSIPED_RECORDS_MAX = 1_024;
/** One frame of an exchange: the largest record and what stands around it. */
export const SYNC_FRAME_BYTES_MAX = RECORD_BYTES_MAX + 65_536;
/** A page of an exchange is sent once it has this size: long enough for the stream, short enough for the loop. */
export const SYNC_PAGE_BYTES = 65_536;
/** Items of one page; a page of the smallest ones, 17 bytes each, has fewer. */
export const SYNC_LIST_ITEMS_MAX = 4_096;
/** Groups whose buckets are asked for at once: few round trips for many small jobs. */
export const SYNC_GROUPS_ASKED_MAX = 256;
/** Buckets whose records are asked for at once. */
export const SYNC_BUCKETS_ASKED_MAX = 256;
/** A record's key; the longest of today has 80 characters. */
export const SYNC_KEY_LENGTH_MAX = 200;
/** Groups listed in one exchange: a studio's jobs of many years. What is beyond is left alone. */
export const SYNC_GROUPS_MAX = 200_000;
/** Records listed in one exchange, so that a peer that never ends is left; the next exchange goes on. */
export const SYNC_RECORDS_MAX = 4_000_000;
/** Records of one exchange that may be of no use here (a newer version's, badly signed ones) before it ends. */
export const SYNC_BAD_RECORDS_MAX = 16;
/** Files asked for by one request: few round trips for a bundle of many small files, and a head below 100 KB. */
export const BLOB_HASHES_PER_REQUEST_MAX = 1_024;
/** Pieces asked for by one request: 64 MiB, far more than a sensible one asks for. */
export const BLOB_PIECES_PER_REQUEST_MAX = 64;
/** Others that fetch a bundle, named in one answer: as many as the largest full mesh has. */
export const SWARM_PEERS_MAX = 128;
/** Bundles of which one machine tells that it fetches them: more than it has slots, and copies that it takes over. */
export const SWARM_BUNDLES_MAX = 16;
/** Machines named that should hold what is missing of one: as many as a sentence bears. */
export const SWARM_AWAITED_MAX = 8;
/** The head of a frame between machines: a full request, or a batch of records to hold. */
export const FRAME_HEAD_BYTES_MAX = 2_097_152;
/** The body of a frame: the manifest of the largest blob (1 TiB in pieces of 4 MiB, 32 bytes each). */
export const FRAME_BODY_BYTES_MAX = 8_388_608;
/** Things that one message asks to hold: thousands a second, few messages. */
export const HOLD_ITEMS_MAX = 1_024;
/** Records of one change that a person makes: a requeue of a large job in parts. */
export const HOLD_RECORDS_MAX = 256;
