import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { describe, it } from 'node:test';
import type { Logger } from '../../../node/src/system/interface.ts';
import { createLifecycle, handleSignals } from '../../../node/src/system/lifecycle.ts';
import { ManualClock } from '../../../node/src/system/manual-clock.ts';

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };

function parts(
  names: readonly string[],
  trace: string[],
  failing: { start?: string; stop?: string; hang?: string } = {},
) {
  return names.map((name) => ({
    name,
    component: {
      async start() {
        trace.push(`+${name}`);
        if (failing.start === name) throw new Error('no room');
      },
      async stop() {
        trace.push(`-${name}`);
        if (failing.stop === name) throw new Error('stuck');
        if (failing.hang === name) await new Promise(() => undefined);
      },
    },
  }));
}

describe('lifecycle', () => {
  const clock = new ManualClock();

  it('starts in order, stops in reverse, each once however often it is asked, and again after that', async () => {
    const trace: string[] = [];
    const lifecycle = createLifecycle({ clock, logger: silent }, { parts: parts(['a', 'b', 'c'], trace) });
    await Promise.all([lifecycle.start(), lifecycle.start()]);
    await Promise.all([lifecycle.stop(), lifecycle.stop()]);
    await lifecycle.stop();
    assert.equal(trace.join(' '), '+a +b +c -c -b -a');
    await lifecycle.start();
    await lifecycle.stop();
    assert.equal(trace.length, 12);
  });

  it('undoes a start that fails, and names the part', async () => {
    const trace: string[] = [];
    const lifecycle = createLifecycle(
      { clock, logger: silent },
      { parts: parts(['a', 'b', 'c'], trace, { start: 'b' }) },
    );
    await assert.rejects(lifecycle.start(), {
      code: 'start-failed',
      component: 'b',
      message: /b could not start: no room/,
    });
    assert.equal(trace.join(' '), '+a +b -b -a');
  });

  it('starts no more once a stop is asked for', async () => {
    const trace: string[] = [];
    const lifecycle = createLifecycle({ clock, logger: silent }, { parts: parts(['a', 'b', 'c'], trace) });
    const starting = lifecycle.start();
    await lifecycle.stop();
    await starting;
    assert.equal(trace.join(' '), '+a -a');
  });

  it('stops the others when one fails or hangs', async () => {
    const trace: string[] = [];
    const hanging = parts(['a', 'b', 'c', 'd'], trace, { stop: 'c', hang: 'b' });
    const lifecycle = createLifecycle({ clock, logger: silent }, { parts: hanging, stopTimeoutMs: 100 });
    await lifecycle.start();
    const stopping = lifecycle.stop();
    await clock.advanceSettled(100);
    await stopping;
    assert.equal(trace.join(' '), '+a +b +c +d -d -c -b -a');
  });
});

describe('signals', () => {
  it('stops on the first, leaves on the second, and goes on when the terminal closes', () => {
    const clock = new ManualClock();
    const source = new EventEmitter();
    const output = new EventEmitter();
    const done: string[] = [];
    const remove = handleSignals(
      { clock, logger: silent, source, outputs: [output] },
      { onStop: () => done.push('stop'), onForce: () => done.push('force') },
    );
    source.emit('SIGHUP');
    output.emit('error', new Error('EIO'));
    assert.deepEqual(done, []);
    source.emit('SIGINT');
    source.emit('SIGINT');
    assert.deepEqual(done, ['stop'], 'npm repeats a Ctrl-C within milliseconds');
    clock.advance(1_000);
    source.emit('SIGTERM');
    assert.deepEqual(done, ['stop', 'force']);
    remove();
    assert.deepEqual(source.eventNames(), []);
  });
});
