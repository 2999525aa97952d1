import { CuadroError, type ROUTES, type RouteName, type RouteResponse } from '@cuadro/protocol';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { sendBlob } from './blob-reply.ts';
import type { EventStreams } from './event-streams.ts';
import { findJob, findNode, findTask, requireAbsolute } from './find.ts';
import { logsOnlyOn } from './only-logs.ts';
import type { ApiComponents } from './interface.ts';

type Parsed<N extends RouteName, Part extends 'params' | 'query' | 'body'> = z.output<
  (typeof ROUTES)[N][Part]
>;

/** What a handler is given: the request's checked parts, and a signal that ends with the client or the node. */
export interface RouteCall<N extends RouteName> {
  params: Parsed<N, 'params'>;
  query: Parsed<N, 'query'>;
  body: Parsed<N, 'body'>;
  signal: AbortSignal;
  request: FastifyRequest;
  /** Only raw routes write to it. */
  reply: FastifyReply;
}

/** One handler for each row of the route table: a missing one is a type error. */
export type Handlers = {
  [N in RouteName]: (call: RouteCall<N>) => RouteResponse<N> | Promise<RouteResponse<N>>;
};

export function createHandlers(
  components: ApiComponents & { streams: EventStreams },
  init: { openapi: () => string },
): Handlers {
  const { queries, jobs, door, here, activity, night, swarm, retention, content, streams, metrics } =
    components;
  const knownJob = (text: string) => {
    const id = findJob(queries, text);
    const view = queries.job(id);
    // The records and the view come from the same state, so a job that was found has a view.
    if (view === undefined) throw new Error(`The job ${id} has no view.`);
    return view;
  };
  const checkSubmission = (body: { path?: string | undefined; outputFolder?: string | undefined }): void => {
    requireAbsolute('path', body.path);
    requireAbsolute('outputFolder', body.outputFolder);
  };
  const submission = (body: Parsed<'submit', 'body'>) => {
    checkSubmission(body);
    return { ...body, after: body.after.map((job) => findJob(queries, job)) };
  };
  return {
    farm: () => queries.farm(),
    here: () => here.here(),
    config: () => here.config(),
    setConfig: ({ body }) => here.setConfig(definedOf(body)),
    departure: () => here.departure(),
    leaveNow: () => door.leaveNow(),
    stop: () => here.stop(),
    jobs: () => queries.jobs(),
    job: ({ params }) => knownJob(params.job),
    submit: ({ body, signal }) => jobs.submit(submission(body), { signal }),
    preflight: ({ body, signal }) => jobs.preflight(submission(body), { signal }),
    setJob: ({ params, body }) => jobs.setJob(findJob(queries, params.job), body),
    requeue: ({ params, body }) => jobs.requeue(findJob(queries, params.job), body.tasks),
    deleteJob: ({ params }) => jobs.deleteJob(findJob(queries, params.job)),
    tasks: ({ params, query }) => {
      const { offset, limit, state } = query;
      const options = state === undefined ? { offset, limit } : { offset, limit, state };
      return queries.tasks(findJob(queries, params.job), options);
    },
    task: ({ params }) => {
      const job = findJob(queries, params.job);
      const index = findTask(queries, job, params.task);
      const task = queries.task(job, index);
      if (task === undefined) throw new Error(`The task ${index} of the job ${job} has no view.`);
      return task;
    },
    log: async ({ params, query, reply }) => {
      const job = findJob(queries, params.job);
      const text = await content.log(job, findTask(queries, job, params.task), query.attempt);
      await reply.type('text/plain; charset=utf-8').header('cache-control', 'no-store').send(text);
    },
    fetchJob: ({ params, body, signal }) => {
      requireAbsolute('to', body.to);
      const { overwrite = false, fetch } = body;
      const options = { overwrite, signal, ...(fetch !== undefined && { fetch }) };
      return jobs.fetch(findJob(queries, params.job), body.to, options);
    },
    retention: ({ query }) => retention.plan(query.days),
    tidy: ({ body, signal }) => retention.free(body.days, { signal }),
    nodes: () => queries.nodes(),
    node: ({ params }) => {
      const peer = findNode(queries, params.node);
      const view = queries.nodes().find((node) => node.peer === peer);
      if (view === undefined) throw new CuadroError('node-not-found', { node: params.node });
      return { ...view, logsOnlyThere: logsOnlyOn(queries, peer) };
    },
    setNode: ({ params, body }) => jobs.setNode(findNode(queries, params.node), body),
    activity: ({ query }) => activity.read(query.hours),
    night: ({ query }) => night.read(query.hours),
    swarm: () => swarm.read(),
    door: () => door.door(),
    openDoor: ({ body }) => door.openDoor(body.forMs),
    closeDoor: () => door.closeDoor(),
    admit: ({ body }) => door.admit(body.newcomer),
    refuse: ({ body }) => door.refuse(body.newcomer),
    removeMember: ({ body }) => door.removeMember(body.member, body.reason),
    mergeFarm: ({ body }) => door.mergeFarm(body.farm),
    joinAddress: ({ body }) => door.joinAddress(body.address),
    foundFarm: () => door.foundFarm(),
    blob: ({ params, query, signal, request, reply }) => {
      const { job, task, ...rest } = query;
      const place = { ...(job !== undefined && { job }), ...(task !== undefined && { task }) };
      return sendBlob({ content }, { hash: params.hash, ...rest, place, signal, request, reply });
    },
    events: ({ request, reply }) => streams.open(request, reply),
    metrics: async ({ reply }) => {
      await reply.type('text/plain; version=0.0.4; charset=utf-8').send(metrics.render());
    },
    openapi: async ({ reply }) => {
      await reply.type('application/json; charset=utf-8').send(init.openapi());
    },
  };
}

/** Without the keys whose value is undefined, which a partial change does not mean to set. */
function definedOf<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const entries = Object.entries(value).filter(([, part]) => part !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]: Exclude<T[K], undefined> };
}
