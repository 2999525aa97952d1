import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { MultiaddrConnection } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import { Places } from '../../../node/src/mesh/places.ts';

class Incoming extends EventTarget {
  readonly remoteAddr;
  constructor(address: string) {
    super();
    this.remoteAddr = multiaddr(address);
  }

  close(): void {
    this.dispatchEvent(new Event('close'));
  }
}

const from = (host: string, port = 1): Incoming & MultiaddrConnection =>
  new Incoming(`/ip4/${host}/tcp/${port}`) as Incoming & MultiaddrConnection;

describe('places for connections (R109)', () => {
  it('are counted for each address, whatever its port', () => {
    const places = new Places({ perAddress: 2 });
    assert.deepEqual(
      [from('10.0.0.1'), from('10.0.0.1', 2), from('10.0.0.1', 3), from('10.0.0.2')].map((connection) =>
        places.take(connection),
      ),
      [true, true, false, true],
    );
  });

  it('are free again when a connection closes or needs none any more, and only once', () => {
    const places = new Places({ perAddress: 2 });
    const [first, second] = [from('10.0.0.1'), from('10.0.0.1', 2)];
    assert.ok(places.take(first) && places.take(second));
    first.close();
    assert.equal(places.take(from('10.0.0.1', 3)), true);
    places.leave(second);
    second.close();
    places.leave(second);
    assert.equal(places.take(from('10.0.0.1', 4)), true);
    assert.equal(places.take(from('10.0.0.1', 5)), false);
  });

  it('are given to IPv6, and to what has no address that could be told apart', () => {
    const places = new Places({ perAddress: 1 });
    const other = (): MultiaddrConnection => new Incoming('/memory/1') as unknown as MultiaddrConnection;
    const six = (): MultiaddrConnection =>
      new Incoming('/ip6/fe80::1/tcp/1') as unknown as MultiaddrConnection;
    assert.deepEqual(
      [other(), other(), six(), six()].map((connection) => places.take(connection)),
      [true, false, true, false],
    );
  });
});
