import {
  admissionKey,
  fieldSubject,
  type JobRecord,
  type KnownRecord,
  type MemberRecord,
  type NodeRecord,
  requestKey,
  signAdmission,
  signDeletion,
  signField,
  signJobSpec,
  signRemoval,
  signTaskRequest,
} from '@cuadro/protocol';
import { identityOf } from '../../../node/src/system/identity.ts';

/** Records with good signatures, so that what is changed in them meets the verifier, and not only the schema. */

export const SIGNERS = [1, 2, 3].map((seed) => identityOf(new Uint8Array(32).fill(seed)));
const [ONE, TWO, THREE] = SIGNERS as [(typeof SIGNERS)[0], (typeof SIGNERS)[0], (typeof SIGNERS)[0]];
export const FARM = 'aaaaaaaaaaaaaaaa';
export const JOB = 'bbbbbbbbbbbbbbbb';

export const farmRecord: KnownRecord = {
  kind: 'farm',
  id: FARM,
  founder: ONE.peer,
  name: { value: 'tablao', counter: 1, peer: ONE.peer },
};

function member(peer: string, ...admitters: typeof SIGNERS): MemberRecord {
  const signer = SIGNERS.find((known) => known.peer === peer) ?? ONE;
  const admissions = admitters.map((by) =>
    signAdmission(by, peer, { role: 'artist', farm: FARM, wallTime: 1 }),
  );
  return {
    kind: 'member',
    peer,
    name: signField(signer, 'member-name', fieldSubject(peer, 'name'), 'Carmen', 1),
    admissions: Object.fromEntries(admissions.map((admission) => [admissionKey(admission), admission])),
    removals: {},
  };
}

export const memberRecords: readonly MemberRecord[] = [
  member(ONE.peer),
  member(TWO.peer, ONE),
  {
    ...member(THREE.peer, ONE, TWO),
    removals: {
      [ONE.peer]: signRemoval(ONE, THREE.peer, { reason: 'sold', wallTime: 2, stands: [] }),
    },
  },
];

const nodeRecord: NodeRecord = {
  kind: 'node',
  peer: TWO.peer,
  fields: {
    desired: signField(ONE, 'node-field', fieldSubject(TWO.peer, 'desired'), 'paused' as const, 1),
    tags: signField(ONE, 'node-field', fieldSubject(TWO.peer, 'tags'), ['gpu'], 2),
    slots: signField(ONE, 'node-field', fieldSubject(TWO.peer, 'slots'), 2, 3),
  },
};

function job(deleted: boolean): JobRecord {
  const redo = signTaskRequest(ONE, JOB, {
    kind: 'redo',
    level: 1,
    tasks: [{ start: 0, end: 3, step: 1 }],
    newest: { epoch: { term: 1, peer: ONE.peer }, sequence: 4 },
    wallTime: 3,
  });
  return {
    kind: 'job',
    id: JOB,
    spec: signJobSpec(ONE, {
      id: JOB,
      name: 'film',
      type: 'echo-sleep',
      settings: { frames: '1-10', message: 'x' },
      plan: '0'.repeat(64),
      tasks: 10,
      order: 1,
      after: [],
      outputFolder: '/out',
      wallTime: 1,
    }),
    control: {
      priority: signField(TWO, 'job-control', fieldSubject(JOB, 'priority'), 70, 1),
      desired: signField(ONE, 'job-control', fieldSubject(JOB, 'desired'), 'active' as const, 2),
    },
    requests: { [requestKey(redo)]: redo },
    holders: { bundle: {}, plan: { [ONE.peer]: { held: true, counter: 1 } } },
    acknowledged: true,
    ...(deleted && { deleted: signDeletion(ONE, JOB, { wallTime: 9, done: true }) }),
  };
}

function task(index: number): KnownRecord {
  const attempt = { epoch: { term: 1, peer: ONE.peer }, sequence: index + 1 };
  const hash = index.toString(16).padStart(64, '0');
  const key = `1.${index + 1}.${ONE.peer}`;
  const file = {
    name: `frame_${index}.png`,
    blob: hash,
    sizeBytes: 400_000,
    pixels: hash,
    width: 640,
    height: 360,
  };
  return {
    kind: 'task',
    job: JOB,
    index,
    redo: 0,
    retry: 0,
    failures: {},
    results: {
      [key]: {
        attempt,
        peer: TWO.peer,
        state: 'done',
        files: [{ ...file, role: 'image', preview: hash }],
        holders: { [TWO.peer]: { held: true, counter: 1 }, [ONE.peer]: { held: true, counter: 2 } },
        renderMs: 512.5,
        thumbnail: hash,
        inputRedo: 0,
        engineVersion: '4.2.1',
        log: hash,
        wallTime: 1_700_000_000_000,
      },
    },
  };
}

const failed: KnownRecord = {
  kind: 'task',
  job: JOB,
  index: 7,
  redo: 1,
  retry: 2,
  results: {},
  failures: {
    [`2.1.${TWO.peer}`]: {
      attempt: { epoch: { term: 2, peer: TWO.peer }, sequence: 1 },
      peer: ONE.peer,
      cause: 'failed',
      code: 'blender-crashed',
      message: 'Blender crashed.',
      lines: ['Segmentation fault'],
      wallTime: 5,
    },
  },
  failed: {
    attempt: { epoch: { term: 2, peer: TWO.peer }, sequence: 1 },
    peer: TWO.peer,
    code: 'blender-crashed',
    message: 'It failed three times.',
    wallTime: 6,
  },
};

export const signedRecords: readonly KnownRecord[] = [
  farmRecord,
  ...memberRecords,
  nodeRecord,
  job(false),
  job(true),
  task(0),
  task(1),
  task(300),
  failed,
];
