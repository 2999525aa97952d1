import { randomUUID } from 'node:crypto';
import { CuadroError, EXIT, type ExitCode, type FetchedView, type RouteBody } from '@cuadro/protocol';
import type { NodeClient } from '../client.ts';
import type { Context } from '../context.ts';
import { type Output, plain } from '../output.ts';
import { count, progressBar, progressOf, size } from '../text.ts';

/** Names of files in one sentence; of more there is the sum. */
const namesShown = 5;

/** `cuadro fetch`: a job's finished files in any folder of this machine. Exit 7 where some can't be had now. */
export async function fetchJob(
  context: Context,
  name: string,
  options: { to: string; overwrite?: boolean },
): Promise<ExitCode> {
  const { output, absolute } = context;
  const node = context.client();
  const body = { to: absolute(options.to), overwrite: options.overwrite === true };
  const result = await withProgress(context, node, name, body);
  const exit = result.missing.length > 0 ? EXIT.machine : EXIT.ok;
  if (output.json) {
    output.printJson(result);
    return exit;
  }
  const { counts, ...job } = await node.call('job', { params: { job: name } });
  output.print(
    `${count(result.written, 'file')} written to ${plain(result.folder)}, ${result.alreadyThere} there already.`,
  );
  if (result.keptForeign.length > 0) {
    output.note(
      `Kept, since they are not this job's: ${named(result.keptForeign)}. --overwrite replaces them.`,
    );
  }
  noteMissing(output, result);
  const { finished, total } = progressOf({ ...job, counts });
  if (finished < total)
    output.note(
      `${finished} of ${count(total, 'task')} are finished so far; the same again brings the rest.`,
    );
  return exit;
}

function noteMissing(output: Output, { missing, problem, away }: FetchedView): void {
  if (missing.length === 0) return;
  const only = away.length === 1 ? 'it' : 'one of them';
  const where =
    away.length === 0
      ? plain(problem ?? '')
      : `Held by ${away.map(plain).join(', ')}: start ${only}, and fetch again.`;
  output.note(`Not to be had now: ${named(missing)}. ${where}`.trimEnd());
}

function named(names: readonly string[]): string {
  const shown = names.slice(0, namesShown).map(plain).join(', ');
  return names.length > namesShown ? `${shown} and ${names.length - namesShown} more` : shown;
}

/** Draws how far it is on a terminal. Ctrl-C ends it; what is written stays, and the same again goes on from there. */
async function withProgress(
  { output, line }: Context,
  node: NodeClient,
  job: string,
  body: RouteBody<'fetchJob'>,
): Promise<FetchedView> {
  const params = { job };
  const { signal } = line;
  const fetched = async (more: { fetch?: string }): Promise<FetchedView> => {
    try {
      return await node.call('fetchJob', { params, body: { ...body, ...more }, signal });
    } catch (error) {
      if (!signal.aborted) throw error;
      output.note('What is written stays; the same command again goes on from there.');
      throw new CuadroError('aborted', {}, { cause: error });
    }
  };
  if (!output.live) return fetched({});
  const fetch = randomUUID();
  const ended = new AbortController();
  const opened = Promise.withResolvers<void>();
  // The bar is a courtesy: nothing fails for want of it.
  void drawProgress(output, node, { fetch, signal: ended.signal, onOpen: opened.resolve })
    .catch(() => undefined)
    .finally(() => opened.resolve());
  try {
    await opened.promise;
    return await fetched({ fetch });
  } finally {
    ended.abort();
    output.clear();
  }
}

async function drawProgress(
  output: Output,
  node: NodeClient,
  { fetch, signal, onOpen }: { fetch: string; signal: AbortSignal; onOpen: () => void },
): Promise<void> {
  let began: number | undefined;
  for await (const { event } of node.events(signal)) {
    if (event.kind === 'reset') onOpen();
    if (event.kind !== 'fetch' || event.fetch !== fetch) continue;
    const { files, done, sizeBytes, doneBytes } = event;
    began ??= performance.now();
    const spentMs = performance.now() - began;
    const left =
      doneBytes > 0 && doneBytes < sizeBytes && spentMs > 1_000
        ? (spentMs / doneBytes) * (sizeBytes - doneBytes)
        : undefined;
    const begun = sizeBytes === 0 ? 0 : (doneBytes / sizeBytes) * files - done;
    const bar = progressBar(done, files, left, Math.max(0, begun));
    output.draw(`${bar}  ${size(doneBytes)} of ${size(sizeBytes)}`);
  }
}
