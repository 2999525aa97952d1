import { fileURLToPath } from 'node:url';
import type { FarmView, JobView, NodeView } from '@cuadro/protocol';
import { createApi, type Api } from '../../node/src/api/server.ts';
import type { Night } from '../../node/src/diary/night.ts';
import { createSystemClock } from '../../node/src/system/clock.ts';
import { FakeNode, TOKEN } from '../unit/api/fakes.ts';

export interface Morning {
  readonly night: Pick<Night, 'read'>;
  readonly jobs: JobView[];
  readonly nodes: NodeView[];
  readonly farm: FarmView;
}

/** The real server and dashboard of a node that tells this night. To be started, and stopped. */
export function createMorning({ night, jobs, nodes, farm }: Morning): Api {
  const { components, logger } = new FakeNode();
  const queries = { ...components.queries, jobs: () => jobs, nodes: () => nodes, farm: () => farm };
  return createApi(
    { ...components, night, queries },
    {
      ...{ port: 0, token: TOKEN, version: '0.1.0', logger, clock: createSystemClock() },
      uiFolder: fileURLToPath(new URL('../../ui/dist', import.meta.url)),
    },
  );
}
