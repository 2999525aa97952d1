import { createMemoryNetwork } from '../../../node/src/mesh/memory-mesh.ts';
import type { Mesh } from '../../../node/src/mesh/interface.ts';
import type { MeshUnderTest } from './harness.ts';
import { membersContract } from './members.suite.ts';
import { messagesContract } from './messages.suite.ts';
import { streamsContract } from './streams.suite.ts';

const memory: MeshUnderTest = {
  name: 'memory',
  network: () => {
    const network = createMemoryNetwork();
    const meshes: Mesh[] = [];
    return {
      mesh: (init) => {
        const mesh = network.mesh(init);
        meshes.push(mesh);
        return mesh;
      },
      reset: (a, b) => network.reset(a.self, b.self),
      addressesOf: async (mesh) => mesh.status().meshAddresses,
      stop: async () => {
        for (const mesh of meshes) await mesh.stop();
      },
    };
  },
};

membersContract(memory);
messagesContract(memory);
streamsContract(memory);
