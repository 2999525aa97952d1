import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type Announcement, readAnnouncement, recordsOf } from '../../../node/src/mesh/announcement.ts';
import { FoundNodes } from '../../../node/src/mesh/found-nodes.ts';
import { isNear, listensAt } from '../../../node/src/mesh/interfaces.ts';

const PEER = '12D3KooWMcwDARKw7MTADngEMBCkj7KD2mZtk9VsvzGKUN329SGi';
const FARM = 'abcdefghijklmnop';

describe('announcements', () => {
  it('R103: are read as they were written', () => {
    for (const announcement of [
      { peer: PEER, farm: FARM, lobbyPort: 7702, meshPort: 7701 },
      { peer: PEER, farm: undefined, lobbyPort: 1, meshPort: undefined },
    ]) {
      for (const isGoodbye of [false, true]) {
        const [pointer, text] = recordsOf('cuadro', announcement, isGoodbye);
        assert.equal(pointer.data, text.name);
        // The text record's strings come back from the network as bytes.
        const received = { ...text, data: text.data.map((part) => Buffer.from(part)) };
        assert.deepEqual(readAnnouncement('cuadro', received), { announcement, isGoodbye });
        assert.equal(readAnnouncement('cuadro', pointer), undefined);
        assert.equal(readAnnouncement('other', received), undefined, 'of another service');
      }
    }
  });

  it('are refused where anything in them is not as it should be', () => {
    const [, good] = recordsOf('cuadro', { peer: PEER, farm: FARM, lobbyPort: 7702, meshPort: 7701 });
    for (const bad of [
      { ...good, name: `x.${good.name}` },
      { ...good, name: 'no peer._cuadro._tcp.local' },
      { ...good, data: [] },
      { ...good, data: ['lobby=0'] },
      { ...good, data: ['lobby=99999'] },
      { ...good, data: ['lobby=7702', 'farm=no farm'] },
      { ...good, data: undefined },
      { ...good, type: 'A' },
      {},
    ])
      assert.equal(readAnnouncement('cuadro', bad), undefined);
  });

  it('never do more than be refused, whatever comes', () => {
    const data = fc.oneof(
      fc.string(),
      fc.uint8Array(),
      fc.array(fc.oneof(fc.string(), fc.uint8Array())),
      fc.anything(),
    );
    const name = fc.oneof(fc.string(), fc.constant(`${PEER}._cuadro._tcp.local`), fc.anything());
    fc.assert(
      fc.property(fc.record({ name, data, ttl: fc.anything(), type: fc.constant('TXT') }), (record) => {
        readAnnouncement('cuadro', record);
      }),
    );
  });
});

describe('found nodes', () => {
  const announcement: Announcement = { peer: PEER, farm: FARM, lobbyPort: 2, meshPort: 1 };

  it('are news when something changed, and join their addresses', () => {
    const nodes = new FoundNodes(1_000);
    assert.deepEqual(nodes.see(announcement, '10.0.0.2', 0), {
      peer: PEER,
      farm: FARM,
      lobby: ['/ip4/10.0.0.2/tcp/2'],
      mesh: ['/ip4/10.0.0.2/tcp/1'],
    });
    assert.equal(nodes.see(announcement, '10.0.0.2', 10), undefined);
    assert.deepEqual(nodes.see(announcement, '10.0.1.2', 20)?.mesh, [
      '/ip4/10.0.0.2/tcp/1',
      '/ip4/10.0.1.2/tcp/1',
    ]);
    const moved = nodes.see(announcement, '10.0.1.2', 1_015);
    assert.deepEqual(moved?.mesh, ['/ip4/10.0.1.2/tcp/1'], 'what was not seen again is old');
    assert.equal(nodes.see({ ...announcement, farm: undefined }, '10.0.1.2', 1_016)?.farm, undefined);
    nodes.forget(PEER);
    assert.notEqual(nodes.see({ ...announcement, farm: undefined }, '10.0.1.2', 1_017), undefined);
  });

  it('do not grow with what a liar says', () => {
    const nodes = new FoundNodes(1_000);
    let last = 0;
    for (let index = 0; index < 250; index += 1)
      last = nodes.see(announcement, `10.0.0.${index}`, 0)?.mesh.length ?? last;
    assert.equal(last, 16);
  });
});

describe('interfaces', () => {
  it('know what is near, and where something that listens is reached', () => {
    const on = { name: 'eth0', address: '192.168.1.5', netmask: '255.255.255.0' };
    assert.equal(isNear('192.168.1.200', on), true);
    assert.equal(isNear('192.168.2.5', on), false);
    assert.equal(isNear('10.0.0.1', { ...on, netmask: '0.0.0.0' }), true);
    assert.equal(listensAt(['0.0.0.0'], '192.168.1.5'), true);
    assert.equal(listensAt(['::'], '192.168.1.5'), true);
    assert.equal(listensAt(['127.0.0.1'], '192.168.1.5'), false);
    assert.equal(listensAt(['127.0.0.1', '192.168.1.5'], '192.168.1.5'), true);
  });
});
