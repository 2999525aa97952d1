import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { MeshStream } from '../../../node/src/mesh/interface.ts';
import {
  bytesOf,
  bytesOfText,
  FARM,
  gather,
  membersOf,
  type MeshUnderTest,
  type NetworkUnderTest,
  type Node,
  nodeOn,
  quantile,
  readAll,
  textOf,
  until,
} from './harness.ts';

const MEBIBYTE = 2 ** 20;
const CUT = { code: 'stream-cut' };

/** Streams of their own. */
export function streamsContract(subject: MeshUnderTest): void {
  describe(`mesh contract, streams: ${subject.name}`, () => {
    let network: NetworkUnderTest;
    let a: Node;
    let b: Node;
    beforeEach(() => {
      network = subject.network();
      [a, b] = [nodeOn(network), nodeOn(network)];
    });
    afterEach(() => network.stop());

    /** Serves `blobs` on b by handing the streams to the test, and connects the two. */
    const serving = async (): Promise<{ open: () => Promise<[MeshStream, MeshStream]> }> => {
      const served: { stream: MeshStream; finish: () => void }[] = [];
      b.mesh.serve('blobs', (stream) => new Promise((finish) => served.push({ stream, finish })));
      await gather(network, a, b);
      return {
        open: async () => {
          const count = served.length;
          const mine = await a.mesh.open(b.peer, 'blobs');
          await until('the stream is served', () => served.length > count);
          const theirs = served.at(-1)?.stream;
          assert.ok(theirs !== undefined);
          return [mine, theirs];
        },
      };
    };

    it('leaves a chunk’s memory to the writer again once it is written, while the reader is behind', async () => {
      const { open } = await serving();
      const [mine, theirs] = await open();
      const chunk = new Uint8Array(256 * 1024);
      const count = 24;
      const writing = (async () => {
        for (let round = 0; round < count; round += 1) {
          chunk.fill(round);
          await mine.write(chunk);
        }
        chunk.fill(0xff);
        await mine.end();
      })();
      let at = 0;
      for await (const part of theirs.chunks) {
        for (let index = 0; index < part.length; index += 509)
          assert.equal(part[index], Math.floor((at + index) / chunk.length), `byte ${at + index}`);
        at += part.length;
        await new Promise((resolve) => setImmediate(resolve));
      }
      await writing;
      assert.equal(at, count * chunk.length);
    });

    it('carries a request and its answer, and ends both ways', async () => {
      b.mesh.serve('sync', async (stream) => {
        const { sizeBytes } = await readAll(stream);
        await stream.write(bytesOfText(`${stream.peer} sent ${sizeBytes}`));
      });
      await gather(network, a, b);
      for (const size of [0, 1, 70_000]) {
        const stream = await a.mesh.open(b.peer, 'sync');
        assert.equal(stream.peer, b.peer);
        await stream.write(bytesOf(size));
        await stream.end();
        let answer = '';
        for await (const chunk of stream.chunks) answer += textOf(chunk);
        assert.equal(answer, `${a.peer} sent ${size}`);
        await assert.rejects(stream.write(Uint8Array.of(1)), CUT);
      }
    });

    it('moves 64 MiB whole while messages overtake it', async () => {
      const total = 64 * MEBIBYTE;
      const piece = bytesOf(MEBIBYTE, 5);
      const { open } = await serving();
      const [mine, theirs] = await open();
      // A message's way there and back, in bytes of the transfer that went by meanwhile: no clock, so that a busy
      // machine changes nothing. A sender that doesn't yield would make it wait behind everything.
      let written = 0;
      const sentAt: number[] = [];
      const overtaken: number[] = [];
      b.mesh.subscribe({ message: (from, bytes) => b.mesh.send(from, bytes) });
      const ping = (): void => {
        sentAt.push(written);
        a.mesh.send(b.peer, Uint8Array.of(1));
      };
      a.mesh.subscribe({
        message: () => {
          overtaken.push(written - (sentAt.at(-1) ?? 0));
          if (written < total) ping();
        },
      });
      const received = readAll(theirs);
      ping();
      const hash = createHash('sha256');
      for (; written < total; written += piece.length) {
        // The chunk's memory is the caller's again once it is written.
        const chunk = Uint8Array.from(piece);
        chunk[0] = written / MEBIBYTE;
        hash.update(chunk);
        await mine.write(chunk);
        chunk.fill(0);
      }
      await mine.end();
      assert.deepEqual(await received, { sizeBytes: total, sha256: hash.digest('hex') });
      await theirs.end();
      assert.ok(overtaken.length >= 10, `${overtaken.length} messages went there and back`);
      assert.ok(quantile(overtaken, 0.99) <= 6 * MEBIBYTE, `p99 ${quantile(overtaken, 0.99)}`);
      assert.ok(quantile(overtaken, 0.5) <= 3 * MEBIBYTE, `p50 ${quantile(overtaken, 0.5)}`);
    });

    it('makes the writer wait while nobody reads, and loses nothing', async () => {
      const { open } = await serving();
      const [mine, theirs] = await open();
      b.mesh.subscribe({ message: (from, bytes) => b.mesh.send(from, bytes) });
      const total = 16 * MEBIBYTE;
      const piece = bytesOf(64 * 1024, 9);
      let written = 0;
      const hash = createHash('sha256');
      const writing = (async (): Promise<void> => {
        for (; written < total; written += piece.length) {
          hash.update(piece);
          await mine.write(piece);
        }
        await mine.end();
      })();
      // It stands still when messages go to and fro and nothing more was written meanwhile.
      for (let still = 0; still < 10; ) {
        const before = written;
        const count = a.told.messages.length;
        a.mesh.send(b.peer, Uint8Array.of(1));
        await until('a message comes back', () => a.told.messages.length > count);
        still = written === before ? still + 1 : 0;
      }
      assert.ok(written <= 4 * MEBIBYTE, `${written} bytes were taken while nobody read`);
      const received = await readAll(theirs);
      await writing;
      assert.deepEqual(received, { sizeBytes: total, sha256: hash.digest('hex') });
    });

    it('carries many streams at once, each its own', async () => {
      b.mesh.serve('blobs', async (stream) => {
        for await (const chunk of stream.chunks) await stream.write(chunk);
      });
      await gather(network, a, b);
      await Promise.all(
        Array.from({ length: 20 }, async (_, index) => {
          const sent = bytesOf(300_000 + index, index);
          const stream = await a.mesh.open(b.peer, 'blobs');
          const received = readAll(stream);
          await Promise.all([stream.write(sent.subarray(0, 100_000)), stream.write(sent.subarray(100_000))]);
          await stream.end();
          assert.deepEqual(await received, {
            sizeBytes: sent.length,
            sha256: createHash('sha256').update(sent).digest('hex'),
          });
        }),
      );
    });

    it('is cut for both when either aborts', async () => {
      const { open } = await serving();
      for (const side of [0, 1] as const) {
        const ends = await open();
        const [aborting, other] = [ends[side], ends[1 - side] as MeshStream];
        await aborting.write(bytesOf(1_000));
        const reading = readAll(other);
        aborting.abort(new Error('changed my mind'));
        aborting.abort();
        await assert.rejects(reading, CUT);
        await assert.rejects(aborting.write(Uint8Array.of(1)), CUT);
        await assert.rejects(readAll(aborting), CUT);
        await assert.rejects(other.write(Uint8Array.of(1)), CUT);
      }
    });

    it('wakes a writer that waits when the reader aborts', async () => {
      const { open } = await serving();
      const [mine, theirs] = await open();
      const writing = mine.write(bytesOf(16 * MEBIBYTE));
      const reader = theirs.chunks[Symbol.asyncIterator]();
      await reader.next();
      theirs.abort();
      await assert.rejects(writing, CUT);
    });

    it('is cut for both when the connection ends', async () => {
      await network.stop();
      network = subject.network({ cuttable: true });
      [a, b] = [nodeOn(network), nodeOn(network)];
      const { open } = await serving();
      const [mine, theirs] = await open();
      await mine.write(bytesOf(1_000));
      const outcomes = [readAll(mine), readAll(theirs)].map((reading) => assert.rejects(reading, CUT));
      network.reset(a.mesh, b.mesh);
      await Promise.all(outcomes);
    });

    it('R190: is cut for both, whoever opened it, when one of them is no member any more, and none is opened again', async () => {
      a.mesh.serve('blobs', (stream) => readAll(stream).then(() => undefined));
      const { open } = await serving();
      const [mine, theirs] = await open();
      const back = await b.mesh.open(a.peer, 'blobs');
      for (const stream of [mine, theirs, back]) await stream.write(bytesOf(1_000));
      const outcomes = [mine, theirs, back].map((stream) => assert.rejects(readAll(stream), CUT));
      a.mesh.setMembership({ farm: FARM, members: membersOf(a) });
      await Promise.all(outcomes);
      for (const stream of [mine, theirs, back]) await assert.rejects(stream.write(Uint8Array.of(1)), CUT);
      await assert.rejects(a.mesh.open(b.peer, 'blobs'), { code: 'peer-unreachable' });
      await until('the other knows it, too', () => b.statesOf(a.peer).at(-1) === 'lost');
      await assert.rejects(b.mesh.open(a.peer, 'blobs'), { code: 'peer-unreachable' });
    });

    it('is cut for the other when one stops in the middle', async () => {
      const { open } = await serving();
      const [mine] = await open();
      await mine.write(bytesOf(1_000));
      const reading = assert.rejects(readAll(mine), CUT);
      await b.mesh.stop();
      await reading;
    });

    it('is cut when the handler fails', async () => {
      b.mesh.serve('hold', async () => {
        throw new Error('no');
      });
      await gather(network, a, b);
      const stream = await a.mesh.open(b.peer, 'hold');
      await assert.rejects(readAll(stream), CUT);
      const count = b.told.messages.length;
      a.mesh.send(b.peer, Uint8Array.of(1));
      await until('the connection lives', () => b.told.messages.length > count);
    });

    it('lets the opener end after a handler that did not read', async () => {
      b.mesh.serve('sync', async (stream) => {
        await stream.write(bytesOfText('no need'));
      });
      await gather(network, a, b);
      const stream = await a.mesh.open(b.peer, 'sync');
      const answer = readAll(stream);
      for (let index = 0; index < 64; index += 1) await stream.write(bytesOf(64 * 1024));
      await stream.end();
      assert.equal((await answer).sizeBytes, 'no need'.length);
    });

    it('refuses to open what is not served, not reachable, or not wanted any more', async () => {
      await gather(network, a, b);
      await assert.rejects(a.mesh.open(b.peer, 'blobs'), { code: 'protocol-refused' });
      const stranger = nodeOn(network);
      await assert.rejects(a.mesh.open(stranger.peer, 'blobs'), { code: 'peer-unreachable' });
      const reason = new Error('enough');
      await assert.rejects(a.mesh.open(b.peer, 'blobs', { signal: AbortSignal.abort(reason) }), reason);
      await assert.rejects(stranger.mesh.open(b.peer, 'blobs'), { code: 'mesh-stopped' });
    });

    it('gives up a wait for room when asked to', async () => {
      const { open } = await serving();
      const [mine, theirs] = await open();
      const controller = new AbortController();
      const writing = mine.write(bytesOf(16 * MEBIBYTE), { signal: controller.signal });
      const reader = theirs.chunks[Symbol.asyncIterator]();
      await reader.next();
      const reason = new Error('enough');
      controller.abort(reason);
      await assert.rejects(writing, reason);
      mine.abort();
    });
  });
}
