import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AddressBook, addressOf, parseAddress, plainAddress } from '../../../node/src/mesh/addresses.ts';
import { ADDRESSES_PER_PEER_MAX, PEERS_HINTED_MAX } from '../../../node/src/mesh/limits.ts';

const PEER = '12D3KooWMcwDARKw7MTADngEMBCkj7KD2mZtk9VsvzGKUN329SGi';

describe('addresses', () => {
  it('are read and written', () => {
    for (const [text, host, port, peer] of [
      ['/ip4/10.0.0.2/tcp/7701', '10.0.0.2', 7701, undefined],
      ['/ip6/fe80::1/tcp/1', 'fe80::1', 1, undefined],
      ['/dns/render-1.example/tcp/65535', 'render-1.example', 65_535, undefined],
      [`/ip4/10.0.0.2/tcp/7701/p2p/${PEER}`, '10.0.0.2', 7701, PEER],
    ] as const) {
      assert.deepEqual(parseAddress(text), { host, port, peer });
      assert.equal(addressOf({ host, port }), plainAddress(text));
    }
  });

  it('are refused where they are of no use', () => {
    for (const text of [
      '',
      'nonsense',
      '/ip4/10.0.0.2',
      '/ip4/10.0.0.2/tcp/0',
      '/ip4/10.0.0.2/tcp/65536',
      '/ip4/10.0.0.2/tcp/077',
      '/ip4/10.0.0.2/udp/77',
      '/ip4/10.0.0.2/tcp/77/p2p/x',
      '/ip4/10.0.0.2/tcp/77/ws',
      '/ip4/fe80::1/tcp/77',
      '/ip6/10.0.0.2/tcp/77',
      '/dns/-bad-/tcp/77',
      `/dns/${'a'.repeat(500)}/tcp/77`,
    ])
      assert.equal(parseAddress(text), undefined, text);
  });
});

describe('the address book', () => {
  const at = (index: number): string => `/ip4/10.0.0.${index}/tcp/7701`;

  it('keeps the address that was reached first, and the latest of the others', () => {
    const book = new AddressBook();
    assert.equal(book.add('a', [at(1), 'nonsense', at(1)]), true);
    assert.equal(book.add('a', [at(1)]), false, 'known already');
    book.reached('a', `${at(2)}/p2p/${PEER}`);
    assert.equal(book.lastReached('a'), at(2));
    assert.equal(book.add('a', [at(3), at(4)]), true);
    assert.deepEqual(book.of('a'), [at(2), at(3), at(4), at(1)]);
    for (let index = 10; index < 60; index += 1) book.add('a', [at(index)]);
    assert.equal(book.of('a').length, ADDRESSES_PER_PEER_MAX);
    assert.deepEqual(book.of('a').slice(0, 2), [at(2), at(59)]);
  });

  it('brings forward what is said once more, however long ago it was said first', () => {
    const book = new AddressBook();
    book.add('a', [at(1)]);
    for (let index = 10; index < 20; index += 1) book.add('a', [at(index)]);
    book.reached('a', at(19));
    assert.equal(book.add('a', [at(1)]), false, 'no news');
    assert.deepEqual(book.of('a').slice(0, 3), [at(19), at(1), at(18)]);
  });

  it('drops an address at which somebody else is', () => {
    const book = new AddressBook();
    book.add('a', [at(2)]);
    book.reached('a', at(1));
    book.drop('a', at(1));
    assert.equal(book.lastReached('a'), undefined);
    assert.deepEqual(book.of('a'), [at(2)]);
  });

  it('forgets the longest untouched peer when there are too many', () => {
    const book = new AddressBook();
    for (let index = 0; index < PEERS_HINTED_MAX; index += 1) book.add(`peer ${index}`, [at(1)]);
    book.add('peer 0', [at(2)]);
    book.add('one more', [at(1)]);
    assert.deepEqual(book.of('peer 1'), []);
    assert.equal(book.of('peer 0').length, 2);
    assert.equal(book.of('one more').length, 1);
  });

  it('keeps members, however many others are announced', () => {
    const book = new AddressBook((peer) => peer === 'a');
    book.reached('a', at(1));
    for (let index = 0; index < 2 * PEERS_HINTED_MAX; index += 1) book.add(`peer ${index}`, [at(2)]);
    assert.equal(book.lastReached('a'), at(1));
    assert.deepEqual(book.of('peer 0'), []);
    const full = new AddressBook(() => true);
    for (let index = 0; index <= PEERS_HINTED_MAX; index += 1) full.add(`peer ${index}`, [at(2)]);
    assert.deepEqual([full.of('peer 0'), full.of('peer 1')], [[], [at(2)]]);
  });
});
