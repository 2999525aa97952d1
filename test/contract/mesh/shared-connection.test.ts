import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { protocolOf } from '../../../node/src/mesh/names.ts';
import { encodeFrame, FRAME, type Frame, FrameDecoder } from '../../../node/src/mesh/frames.ts';
import { encodeHello } from '../../../node/src/mesh/hello.ts';
import { ALLOWANCE_BYTES_FIRST } from '../../../node/src/mesh/limits.ts';
import { connectTo, type Guest, guestOf } from './guest.ts';
import { bytesOf, FARM, membersOf, type Node, nodeOn, reaches, until } from './harness.ts';
import { LoopbackNetwork } from './libp2p-network.ts';

const MEBIBYTE = 2 ** 20;

/** Other software, with a member's key. */
interface Member {
  readonly node: Node;
  readonly peer: string;
  /** Bulk that came. */
  readonly arrivedBytes: () => number;
  readonly frames: readonly Frame[];
  readonly say: (kind: number, content: Uint8Array) => void;
}

describe('R165: bulk on the one connection that there is', () => {
  let network: LoopbackNetwork;
  let guest: Guest | undefined;
  beforeEach(() => {
    // The other software says no beats.
    network = new LoopbackNetwork({ silenceMs: 60_000 });
  });
  afterEach(async () => {
    await guest?.stop();
    await network.stop();
  });

  async function member(hello: { returnsMarks?: boolean }, { isDialable = false } = {}): Promise<Member> {
    const [node, absent] = [nodeOn(network), nodeOn(network)];
    node.mesh.setMembership({ farm: FARM, members: membersOf(node, absent) });
    await node.mesh.start();
    guest = await guestOf(absent.init.privateKey, FARM);
    let arrivedBytes = 0;
    await guest.handle(protocolOf(FARM, 'blobs'), (stream) =>
      stream.addEventListener('message', ({ data }) => {
        arrivedBytes += data.byteLength;
      }),
    );
    const connection = await connectTo(guest, node.mesh.status().meshAddresses[0] ?? '');
    const stream = await connection.newStream(protocolOf(FARM, 'messages'));
    const frames: Frame[] = [];
    const decoder = new FrameDecoder(MEBIBYTE);
    stream.addEventListener('message', ({ data }) => {
      for (const chunk of data instanceof Uint8Array ? [data] : data) frames.push(...decoder.decode(chunk));
    });
    const say = (kind: number, content: Uint8Array): void => void stream.send(encodeFrame(kind, content));
    // Else nobody listens at that port, as behind a router: one connection carries pulses and bulk.
    const port = isDialable ? Number(guest.getMultiaddrs()[0]?.toString().split('/')[4]) : 1;
    say(FRAME.hello, encodeHello({ farm: FARM, addresses: [], port, ...hello }));
    await until('it is reachable', () => reaches(node.mesh, absent.peer));
    return { node, peer: absent.peer, arrivedBytes: () => arrivedBytes, frames, say };
  }

  const marksOf = (frames: readonly Frame[]): Uint8Array[] =>
    frames.filter(({ kind }) => kind === FRAME.mark).map(({ content }) => content);

  it('waits for marks to come back, and returns those of the other side', async () => {
    const { node, peer, arrivedBytes, frames, say } = await member({ returnsMarks: true });
    const stream = await node.mesh.open(peer, 'blobs');
    const writing = stream.write(bytesOf(4 * MEBIBYTE));
    // While it answers what it is asked, no more comes than may be out.
    for (let round = 0; round < 50; round += 1) {
      const content = Buffer.from([1, 2, 3, round]);
      say(FRAME.mark, content);
      await until('the mark comes back', () =>
        frames.some((frame) => frame.kind === FRAME.returned && content.equals(frame.content.subarray(0, 4))),
      );
    }
    await until('the first has come', () => arrivedBytes() === ALLOWANCE_BYTES_FIRST);
    const answering = new AbortController();
    let returned = 0;
    const answer = (): void => {
      if (answering.signal.aborted) return;
      for (const mark of marksOf(frames).slice(returned)) {
        returned += 1;
        const content = Buffer.alloc(12);
        content.set(mark);
        content.writeDoubleBE(performance.now(), 4);
        say(FRAME.returned, content);
      }
      setTimeout(answer, 1);
    };
    answer();
    try {
      await writing;
      await until('all has come', () => arrivedBytes() === 4 * MEBIBYTE);
    } finally {
      answering.abort();
    }
    assert.equal(reaches(node.mesh, peer), true);
    assert.equal(node.mesh.status().refused['frame-unknown'], undefined);
  });

  it('counts what is no mark of anybody, and goes on', async () => {
    const { node, peer, say } = await member({ returnsMarks: true });
    say(FRAME.returned, bytesOf(12));
    say(FRAME.mark, bytesOf(5));
    await until('both are counted', () => node.mesh.status().refused['frame-unknown']?.count === 2);
    assert.equal(reaches(node.mesh, peer), true);
  });

  it('is not held back for a version that returns no marks, and sends it none', async () => {
    const { node, peer, arrivedBytes, frames } = await member({});
    const stream = await node.mesh.open(peer, 'blobs');
    await stream.write(bytesOf(4 * MEBIBYTE));
    await until('all has come', () => arrivedBytes() === 4 * MEBIBYTE);
    assert.deepEqual(marksOf(frames), []);
  });

  it('wakes a writer that waits for a mark when the stream or the connection ends', async () => {
    const { node, peer, frames } = await member({ returnsMarks: true });
    const [first, second] = [await node.mesh.open(peer, 'blobs'), await node.mesh.open(peer, 'blobs')];
    const outcomes = [first, second].map((stream) =>
      assert.rejects(stream.write(bytesOf(4 * MEBIBYTE)), { code: 'stream-cut' }),
    );
    await until('marks are out', () => marksOf(frames).length > 1);
    first.abort();
    await outcomes[0];
    await guest?.stop();
    await outcomes[1];
  });

  it('goes without marks where there is a second connection', async () => {
    const { node, peer, arrivedBytes, frames } = await member({ returnsMarks: true }, { isDialable: true });
    const stream = await node.mesh.open(peer, 'blobs');
    await stream.write(bytesOf(4 * MEBIBYTE));
    await until('all has come', () => arrivedBytes() === 4 * MEBIBYTE);
    assert.deepEqual(marksOf(frames), []);
    assert.equal(guest?.getConnections().length, 2);
  });
});
