import type { DoorView } from '@cuadro/protocol';
import type { DoorActions } from '../../../node/src/api/interface.ts';

export const SELF = '12D3KooWTestTestTestTestTestTestTestTestTestTestTest';

export const NEWCOMER = '12D3KooWNewcomerNewcomerNewcomerNewcomerNewcomerNewc';

/** The door of an open farm of two, with somebody at it and another farm around. */
export function doorView(change: Partial<DoorView> = {}): DoorView {
  return {
    state: 'member',
    message: 'The door of farm is open: machines of the local network join by themselves.',
    farm: { id: 'ffffffffffffffff', name: 'farm' },
    open: { leftMs: 754_000 },
    newcomers: [
      {
        peer: NEWCOMER,
        name: 'laptop',
        words: 'amber piano river',
        addresses: ['/ip4/192.168.1.7/tcp/7789'],
      },
    ],
    asked: [],
    found: [
      {
        farm: { id: 'gggggggggggggggg', name: 'attic' },
        machines: ['tower'],
        members: 2,
        jobs: 3,
        open: false,
        wantedHere: false,
        wantedThere: true,
      },
    ],
    addresses: ['192.168.1.5'],
    members: [
      { peer: SELF, name: 'studio', here: true, reachable: true, founder: true, role: 'artist' },
      {
        peer: '12D3KooWRenderRenderRenderRenderRenderRenderRenderRe',
        name: 'render-1',
        here: false,
        reachable: false,
        founder: false,
        role: 'machine',
        admittedBy: 'studio',
        admittedAt: 1_700_000_000_000,
      },
    ],
    removed: [],
    ...change,
  };
}

/** What people do at a door, remembered by `call`. */
export function fakeDoor(
  view: () => DoorView,
  call: (name: string, ...args: unknown[]) => void,
): DoorActions {
  const answering =
    (name: string, message: string) =>
    async (...args: unknown[]) => {
      call(name, ...args);
      return { machines: 1, message };
    };
  return {
    door: () => {
      call('door');
      return view();
    },
    openDoor: answering('openDoor', 'The door is open.'),
    closeDoor: answering('closeDoor', 'The door is closed.'),
    admit: answering('admit', 'laptop is a member now.'),
    refuse: answering('refuse', 'laptop was sent away.'),
    removeMember: answering('removeMember', 'laptop is no member any more.'),
    leaveNow: answering('leaveNow', 'This machine has left farm.'),
    mergeFarm: answering('mergeFarm', 'The farms become one.'),
    joinAddress: answering('joinAddress', 'Asking studio to let this machine in.'),
    foundFarm: answering('foundFarm', 'This machine has a farm of its own now.'),
  };
}
