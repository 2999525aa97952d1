import { encode, type PeerId, type SwarmReport } from '@cuadro/protocol';
import { FrameError, FrameWriter, StallGuard } from '../blobs/transfer/frames.ts';
import type { Mesh, MeshStream } from '../mesh/interface.ts';
import type { Clock } from '../system/interface.ts';
import { swarmWatchLimits as limits } from './limits.ts';

export interface TellerComponents {
  readonly mesh: Pick<Mesh, 'serve'>;
  readonly clock: Clock;
  readonly report: () => SwarmReport;
}

/**
 * Tells those who look what comes to this machine (SPEC R182): at once, and again whenever that has changed. Nothing is
 * made or sent while nobody looks.
 */
export class Teller {
  readonly #components: TellerComponents;
  readonly #streams = new Map<PeerId, number>();
  readonly #stop = new AbortController();
  #made: { readonly atMs: number; readonly report: SwarmReport; readonly bytes: Uint8Array } | undefined;

  constructor(components: TellerComponents) {
    this.#components = components;
  }

  start(): void {
    this.#components.mesh.serve('swarm', (stream) => this.#serve(stream));
  }

  stop(): void {
    this.#stop.abort(new Error('The node stops.'));
  }

  /** One report serves all who look in the same moment. */
  current(): { readonly report: SwarmReport; readonly bytes: Uint8Array } {
    const atMs = this.#components.clock.now();
    if (this.#made === undefined || atMs - this.#made.atMs >= limits.tellMs / 2) {
      const report = this.#components.report();
      this.#made = { atMs, report, bytes: encode(report) };
    }
    return this.#made;
  }

  async #serve(stream: MeshStream): Promise<void> {
    const open = this.#streams.get(stream.peer) ?? 0;
    if (open >= limits.streamsPerPeer) return stream.abort(new Error('Too many streams.'));
    this.#streams.set(stream.peer, open + 1);
    const gone = new AbortController();
    const signal = AbortSignal.any([gone.signal, this.#stop.signal]);
    const silence = nothingOf(stream).finally(() => gone.abort(new Error('It looks no more.')));
    // Awaited below; until then it may fail unheard.
    silence.catch(() => undefined);
    try {
      await this.#tell(stream, signal);
      if (gone.signal.aborted) await silence;
    } finally {
      const left = (this.#streams.get(stream.peer) ?? 1) - 1;
      if (left === 0) this.#streams.delete(stream.peer);
      else this.#streams.set(stream.peer, left);
    }
  }

  async #tell(stream: MeshStream, signal: AbortSignal): Promise<void> {
    const { clock } = this.#components;
    const writer = new FrameWriter(stream, new StallGuard(clock, stream, limits.stallMs));
    let told: { readonly bytes: Uint8Array; readonly atMs: number } | undefined;
    while (!signal.aborted) {
      const { report, bytes } = this.current();
      const atMs = clock.now();
      const isNew = told === undefined || Buffer.compare(told.bytes, bytes) !== 0;
      if (told === undefined || isNew || atMs - told.atMs >= limits.tellAgainMs) {
        told = { bytes, atMs };
        await writer.write(report);
        await writer.flush();
      }
      await clock.sleep(limits.tellMs, { signal }).catch(() => undefined);
    }
  }
}

/** Whoever looks says nothing; its end is the end. @throws FrameError for anything that it says. */
async function nothingOf(stream: MeshStream): Promise<void> {
  for await (const chunk of stream.chunks)
    if (chunk.length > 0) throw new FrameError('Nothing is to be said on this stream.');
}
