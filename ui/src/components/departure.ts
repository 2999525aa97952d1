import type { DepartureView, MemberView, NodeView } from '@cuadro/protocol';
import { type HeldOnly, heldOnlyBy, heldOnlyText } from '@cuadro/protocol/held-only';
import { LitElement, css, html, type TemplateResult } from 'lit';
import { request } from '../data/client.ts';
import { Watch, store } from '../data/controller.ts';
import { choiceOf, heldSentence, type Leaving, leavingOf, leftOf } from '../data/departure.ts';
import { DEPARTURE_INTERVAL_MS } from '../data/limits.ts';
import { paths } from '../data/router.ts';
import { Settled } from '../data/settled.ts';
import { terms } from '../terms.ts';
import { buttons, fields, shared } from '../theme/shared.ts';
import './dialog.ts';
import { attempt } from './notices.ts';
import './progress.ts';
import { ended } from './tones.ts';

/** Jobs named one by one; of more there is only the sum. */
const JOBS_NAMED = 8;

/**
 * Takes a machine out of the farm: this one leaves, another is removed. Says first what only it holds, then how far
 * that has moved, and lets it stay; as `cuadro leave` and `cuadro door remove` do.
 */
export class CuadroDeparture extends LitElement {
  static override properties = {
    peer: {},
    asking: { state: true },
    atOnce: { state: true },
    busy: { state: true },
    own: { state: true },
  };
  static override styles = [
    shared,
    buttons,
    fields,
    css`
      :host { display: grid; gap: var(--space-2); justify-items: start; }
      .moving { display: grid; gap: var(--space-2); width: 100%; }
      .actions { display: flex; flex-wrap: wrap; gap: 6px; }
      .warn { color: var(--warn); }
      cuadro-bar { --bar-height: 6px; }
      .text { display: grid; gap: var(--space-3); }
      .text ul { display: grid; gap: 4px; margin: 0; padding: 0; list-style: none; }
      label.check { align-items: start; }
      label.check input { flex: none; margin-top: 3px; }
    `,
  ];
  declare peer: string;
  declare asking: boolean;
  /** Whether what only it holds may be lost. */
  declare atOnce: boolean;
  declare busy: boolean;
  /** What this machine's node says of its leaving. */
  declare own: DepartureView | undefined;
  /** The most that was seen to be left: a page may open at any moment of it. */
  #most = 0;
  #polling: ReturnType<typeof setInterval> | undefined;
  /** One that is asked a moment ago has nobody yet who said that he stays. */
  readonly #leaving = new Settled(this, ({ isBlocked }: Leaving) => !isBlocked);

  constructor() {
    super();
    this.asking = false;
    this.atOnce = false;
    this.busy = false;
    this.addController(new Watch(this, () => ['door', 'here', 'jobs', 'nodes']));
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#stopPolling();
  }

  /** Its own node is asked only while this machine leaves. */
  override updated(): void {
    const node = store.node(this.peer);
    const polls = node?.here === true && node.leaving && store.door?.state === 'member' && this.isConnected;
    if (!polls) this.#stopPolling();
    else if (this.#polling === undefined) {
      this.#polling = setInterval(() => void this.#ask(), DEPARTURE_INTERVAL_MS);
      void this.#ask();
    }
  }

  #stopPolling(): void {
    clearInterval(this.#polling);
    this.#polling = undefined;
  }

  async #ask(): Promise<void> {
    try {
      this.own = await request('departure');
    } catch {
      // The connection's own state says what is wrong.
    }
  }

  override render(): TemplateResult {
    const { door } = store;
    const node = store.node(this.peer);
    const member = door?.members.find(({ peer }) => peer === this.peer);
    if (door?.state !== 'member' || member === undefined) return html``;
    if (door.members.length < 2) return html`<p class="quiet">${terms.departure.onlyOne}</p>`;
    const leaving = node === undefined ? undefined : leavingOf(node, store.jobs, this.own);
    if (leaving === undefined) this.#most = 0;
    return html`${leaving === undefined ? this.#button(member) : this.#moving(member, this.#leaving.show(member.peer, leaving))}
      ${this.asking ? this.#question(member, node) : ''}`;
  }

  #button({ here, name }: MemberView): TemplateResult {
    const t = terms.departure;
    const label = here ? t.leave : t.remove;
    return html`<button class="danger" aria-label=${here ? label : t.action(label, name)} ?disabled=${this.busy}
      @click=${() => this.#open(false)}>${label}</button>`;
  }

  #open(atOnce: boolean): void {
    this.atOnce = atOnce;
    this.asking = true;
  }

  #moving({ name, here }: MemberView, { isBlocked, left, message }: Leaving): TemplateResult {
    const t = terms.departure;
    this.#most = Math.max(this.#most, left);
    const most = this.#most;
    const atOnce = here ? t.confirmLeaveAtOnce : t.confirmRemoveAtOnce;
    const label = here ? t.stay : t.letStay;
    const stay = (): void => void this.#want(false, '');
    return html`<div class="moving">
      <p class=${isBlocked ? 'warn' : ''} role="status">${message}</p>
      ${
        most === 0
          ? ''
          : html`<cuadro-bar .fraction=${(most - left) / most} .label=${t.movedLabel(name)}></cuadro-bar>
              <p class="small quiet number">${t.moved(most - left, most)}</p>`
      }
      <div class="actions">
        <button aria-label=${here ? label : t.action(label, name)} ?disabled=${this.busy} @click=${stay}>${label}</button>
        ${
          isBlocked
            ? html`<button class="danger" aria-label=${here ? atOnce : t.action(atOnce, name)} ?disabled=${this.busy} @click=${() => this.#open(true)}>${atOnce}</button>`
            : ''
        }
      </div></div>`;
  }

  #want(wanted: boolean, reason: string): Promise<void> {
    const body = { leaving: { wanted, reason } };
    return this.#do(() => request('setNode', { params: { node: this.peer }, body }));
  }

  async #do(action: () => Promise<{ message: string }>): Promise<void> {
    this.busy = true;
    await attempt(action);
    this.busy = false;
  }

  #question(member: MemberView, node: NodeView | undefined): TemplateResult {
    const t = terms.departure;
    const { here, name, peer } = member;
    const held = heldOnlyBy(store.jobs, peer);
    const logs = (here ? store.here?.copiesToGive?.logs : undefined) ?? 0;
    const choice = choiceOf(held, {
      here,
      logs,
      reachable: node?.live.reachable ?? member.reachable,
      othersReachable: store.door?.members.some((other) => !other.here && other.reachable) === true,
    });
    // What others have taken since it was ticked, is lost no more.
    const loses = this.atOnce && choice.mayLose;
    const close = (): void => {
      this.asking = false;
    };
    const confirm = (): void => {
      const reason = this.renderRoot.querySelector<HTMLInputElement>('#reason')?.value.trim() ?? '';
      close();
      this.#most = leftOf(held) + logs;
      if (here) void (loses ? this.#do(() => request('leaveNow')) : this.#want(true, reason));
      else if (held.length === 0 || loses)
        void this.#do(() => request('removeMember', { body: { member: peer, reason } }));
      else void this.#want(true, reason);
    };
    const heading = here ? t.leaveTitle(store.door?.farm?.name ?? '') : t.removeTitle(name);
    const atOnce = here ? t.confirmLeaveAtOnce : t.confirmRemoveAtOnce;
    return html`<cuadro-dialog open .heading=${heading} @closed=${close}><div class="text">
      <p>${here ? t.leaveText : t.removeText}</p>
      ${this.#held(held, { here, mustLose: choice.mustLose, logs })}
      ${here ? this.#ownJobs(peer) : html`<label class="field">${t.reason}<input id="reason" maxlength="200" /></label>`}
      ${choice.mayLose ? this.#atOnce(this.#lossText(here, held, choice.mustLose)) : ''}</div>
      <button slot="foot" @click=${close}>${terms.common.cancel}</button>
      <button slot="foot" class="danger" ?disabled=${choice.mustLose && !loses} @click=${confirm}>${
        loses ? atOnce : here ? t.confirmLeave : t.confirmRemove
      }</button>
    </cuadro-dialog>`;
  }

  #held(
    held: readonly HeldOnly[],
    how: { here: boolean; mustLose: boolean; logs: number },
  ): TemplateResult | '' {
    const t = terms.departure;
    const sentence = heldSentence(held, how);
    if (sentence === undefined) return '';
    const warning = how.mustLose && held.length + how.logs > 0 ? 'bad' : '';
    if (held.length === 0) return html`<p class=${warning}>${sentence}</p>`;
    return html`<p class=${warning}>${sentence}</p>
      <ul class="small">${held.slice(0, JOBS_NAMED).map(
        (
          only,
        ) => html`<li class="row"><a class="clip" href=${paths.job(only.job.id, 'details')}>${only.job.name}</a>
          <span class="quiet number">${heldOnlyText(only)}</span></li>`,
      )}${held.length > JOBS_NAMED ? html`<li class="quiet">${t.moreJobs(held.length - JOBS_NAMED)}</li>` : ''}</ul>`;
  }

  #ownJobs(peer: string): TemplateResult | '' {
    const open = store.jobs.filter((job) => job.submitter === peer && !ended(job)).length;
    return open === 0 ? '' : html`<p>${terms.departure.ownJobs(open)}</p>`;
  }

  #lossText(here: boolean, held: readonly HeldOnly[], mustLose: boolean): string {
    const t = terms.departure;
    if (here) return held.length === 0 ? t.leaveUnheard : t.leaveAtOnce;
    return mustLose ? t.removeLost : t.removeAtOnce;
  }

  #atOnce(text: string): TemplateResult {
    const change = (event: Event): void => {
      this.atOnce = (event.target as HTMLInputElement).checked;
    };
    return html`<label class="check"><input type="checkbox" .checked=${this.atOnce} @change=${change} /><span>${text}</span></label>`;
  }
}
customElements.define('cuadro-departure', CuadroDeparture);
