import type {
  ErrorBody,
  RouteBody,
  RouteName,
  RouteParams,
  RouteQuery,
  RouteResponse,
} from '@cuadro/protocol';
import { routes } from 'virtual:cuadro-routes';

/** A request that the node refused, or that never reached it (`unreachable`). `code` is the catalogue's. */
export class RequestError extends Error {
  override readonly name = 'RequestError';
  readonly code: string;
  readonly status: number;

  constructor(code: string, message: string, init: { status?: number; cause?: unknown } = {}) {
    super(message, { cause: init.cause });
    this.code = code;
    this.status = init.status ?? 0;
  }
}

export interface RequestParts<N extends RouteName> {
  params?: RouteParams<N>;
  query?: RouteQuery<N>;
  body?: RouteBody<N>;
  signal?: AbortSignal;
}

/** The address of a route, with its parameters filled in and the query added. */
export function routeAddress(
  name: RouteName,
  params: Record<string, string> = {},
  query: Record<string, string | number | undefined> = {},
): string {
  const path = routes[name][1].replace(/:(\w+)/g, (_, key: string) => encodeURIComponent(params[key] ?? ''));
  const text = new URLSearchParams(
    Object.entries(query).flatMap(([key, value]) => (value === undefined ? [] : [[key, String(value)]])),
  ).toString();
  return text === '' ? path : `${path}?${text}`;
}

/** What a stored file belongs to: so a node that doesn't hold it knows from the records who does. */
export interface BlobPlace {
  job: string;
  task?: number | undefined;
}

export function blobAddress(hash: string, place: BlobPlace, name?: string, download = false): string {
  const { job, task } = place;
  return routeAddress('blob', { hash }, { name, download: download ? '1' : undefined, job, task });
}

async function send(name: RouteName, parts: RequestParts<RouteName>): Promise<Response> {
  const address = routeAddress(
    name,
    parts.params,
    parts.query as Record<string, string | number | undefined>,
  );
  let response: Response;
  try {
    response = await fetch(address, {
      method: routes[name][0],
      ...(parts.body !== undefined && {
        body: JSON.stringify(parts.body),
        headers: { 'content-type': 'application/json' },
      }),
      ...(parts.signal && { signal: parts.signal }),
    });
  } catch (cause) {
    if (parts.signal?.aborted === true) throw cause;
    throw new RequestError('unreachable', "The node on this machine doesn't answer.", { cause });
  }
  if (!response.ok) throw await refusal(response);
  return response;
}

async function refusal(response: Response): Promise<RequestError> {
  const { status } = response;
  try {
    const { error } = (await response.json()) as ErrorBody;
    return new RequestError(error.code, error.message, { status });
  } catch (cause) {
    // A development proxy without a node behind it answers 502 with plain text.
    const code = status >= 502 && status <= 504 ? 'unreachable' : 'internal';
    return new RequestError(code, `The node answered with status ${status}.`, { status, cause });
  }
}

/** Calls a route of the table. Rejects with `RequestError`. */
export async function request<N extends RouteName>(
  name: N,
  parts: RequestParts<N> = {},
): Promise<RouteResponse<N>> {
  const response = await send(name, parts);
  const text = await response.text();
  return (text === '' ? undefined : JSON.parse(text)) as RouteResponse<N>;
}

/** Calls a route that answers with text of its own kind. Rejects with `RequestError`. */
export async function requestText<N extends RouteName>(
  name: N,
  parts: RequestParts<N> = {},
): Promise<string> {
  return (await send(name, parts)).text();
}
