import type { Context } from './context.ts';
import { plain } from './output.ts';

/** Beside what a machine shows of a farm that it is in no more: that it was removed, and what can be done. */
export async function noteRemoval({ client, output }: Context): Promise<void> {
  if (output.json) return;
  const { state, message } = await client().call('door', {});
  if (state === 'removed') output.note(output.style('red', plain(message), 'stderr'));
}
