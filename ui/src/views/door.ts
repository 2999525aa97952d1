import type { DoorView, FoundFarmView, MemberView } from '@cuadro/protocol';
import { LitElement, css, html, type TemplateResult } from 'lit';
import { repeat } from 'lit/directives/repeat.js';
import '../components/departure.ts';
import '../components/dialog.ts';
import '../components/door-notice.ts';
import '../components/newcomers.ts';
import { attempt } from '../components/notices.ts';
import '../components/state.ts';
import { request } from '../data/client.ts';
import { Watch, store } from '../data/controller.ts';
import { formatDuration, formatTime } from '../data/format.ts';
import { DOOR_TICK_MS } from '../data/limits.ts';
import { terms } from '../terms.ts';
import { buttons, fields, shared } from '../theme/shared.ts';

/** The farm's door: who is in, who wants in, what else is around. */
export class CuadroDoor extends LitElement {
  static override properties = { asking: { state: true }, address: { state: true } };
  static override styles = [
    shared,
    buttons,
    fields,
    css`
      :host { display: grid; grid-template-columns: minmax(0, 1fr); gap: var(--space-4); }
      header { display: flex; gap: var(--space-3); align-items: center; flex-wrap: wrap; }
      .panel { padding: var(--space-4); display: grid; gap: var(--space-3); }
      .grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 340px), 1fr)); gap: var(--space-4); align-items: start; }
      .entry { display: flex; flex-wrap: wrap; gap: var(--space-2) var(--space-3); align-items: center; padding: var(--space-2) 0; border-bottom: 1px solid var(--line); }
      .entry:last-child { border: 0; }
      .entry .grow { flex-basis: 160px; display: grid; gap: 2px; overflow-wrap: anywhere; }
      .leaving { flex: 1 1 100%; }
      form { display: flex; gap: var(--space-2); flex-wrap: wrap; }
      form input { flex: 1 1 180px; }
      ul { margin: 0; padding-left: 20px; }
    `,
  ];
  /** The farm of which is asked whether to merge with it. */
  declare asking: FoundFarmView | undefined;
  declare address: string;
  #ticking: ReturnType<typeof setInterval> | undefined;

  constructor() {
    super();
    this.address = '';
    this.addController(new Watch(this, () => ['door', 'nodes']));
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearInterval(this.#ticking);
    this.#ticking = undefined;
  }

  /** The countdown runs only while there is one to show. */
  override updated(): void {
    const runs = store.door?.open !== undefined && this.isConnected;
    if (runs && this.#ticking === undefined)
      this.#ticking = setInterval(() => this.requestUpdate(), DOOR_TICK_MS);
    if (runs || this.#ticking === undefined) return;
    clearInterval(this.#ticking);
    this.#ticking = undefined;
  }

  override render(): TemplateResult {
    const { door } = store;
    if (door === undefined) return html`<p class="quiet">${terms.common.loading}</p>`;
    const isMember = door.state === 'member';
    return html`${isMember ? this.#head(door) : html`<header><h1>${terms.door.title}</h1></header>`}
      <cuadro-door-notice></cuadro-door-notice>
      ${isMember && door.newcomers.length === 0 ? html`<p class="quiet">${terms.door.nobody}</p>` : ''}
      ${this.#alone(door)}
      <div class="grid">
        ${isMember ? this.#members(door) : ''}
        ${door.found.length === 0 || !isMember ? '' : this.#found(door)}
        ${this.#join(door)}
      </div>
      ${this.asking === undefined ? '' : this.#question(this.asking)}`;
  }

  #head({ message, open }: DoorView): TemplateResult {
    const t = terms.door;
    const leftMs = Math.max(0, (open?.leftMs ?? 0) - (performance.now() - store.doorAt));
    const isOpen = open !== undefined && leftMs > 0;
    return html`<header>
        <h1>${t.title}</h1>
        <cuadro-state class="grow" .tone=${isOpen ? 'live' : 'quiet'} .label=${
          isOpen ? `${t.open}, ${t.left(formatDuration(leftMs))}` : t.closed
        }></cuadro-state>
        <button class=${isOpen ? '' : 'primary'} @click=${() => attempt(() => request('openDoor', { body: {} }))}>${isOpen ? t.openAgain : t.openFor}</button>
        ${isOpen ? html`<button @click=${() => attempt(() => request('closeDoor'))}>${t.close}</button>` : ''}
      </header>
      <p class="quiet">${message}</p>`;
  }

  #alone({ alone }: DoorView): TemplateResult | '' {
    if (alone === undefined) return '';
    return html`<section class="panel" role="status"><h2>${terms.door.alone}</h2>
      <p>${alone.message}</p>
      <ul class="small quiet">${alone.interfaces.map(
        ({ name, address, problem }) =>
          html`<li><span class="mono">${name} ${address}</span>${problem === undefined ? '' : `: ${problem}`}</li>`,
      )}</ul></section>`;
  }

  #members({ members, removed }: DoorView): TemplateResult {
    const t = terms.door;
    return html`<section class="panel"><h2>${t.members}</h2><div>${repeat(
      members,
      ({ peer }) => peer,
      (member) => this.#member(member, members.length > 1),
    )}</div>
    ${
      removed.length === 0
        ? ''
        : html`<h2>${t.removed}</h2><div>${removed.map(
            ({
              name,
              by,
              reason,
              removedAt,
            }) => html`<div class="entry"><div class="grow"><strong>${name}</strong>
              <span class="small quiet">${t.removedBy(by, formatTime(removedAt), reason)}</span></div></div>`,
          )}</div>`
    }</section>`;
  }

  #member(member: MemberView, hasOthers: boolean): TemplateResult {
    const t = terms.door;
    const { name, peer, here, role, reachable } = member;
    const isLeaving = store.node(peer)?.leaving === true;
    const state = reachable ? (isLeaving ? terms.departure.leaving : t.reachable) : t.unreachable;
    return html`<div class="entry">
      <div class="grow"><span><strong>${name}</strong> <span class="quiet">${here ? t.here : ''}</span></span>
        <span class="small quiet">${t.roles[role]}, ${admission(member)}</span></div>
      <cuadro-state .tone=${reachable ? (isLeaving ? 'warn' : 'good') : 'quiet'} .label=${state}></cuadro-state>
      ${hasOthers ? html`<cuadro-departure class=${isLeaving ? 'leaving' : ''} .peer=${peer}></cuadro-departure>` : ''}
    </div>`;
  }

  #found({ found }: DoorView): TemplateResult {
    const t = terms.door;
    return html`<section class="panel"><h2>${t.found}</h2><div>${repeat(
      found,
      ({ farm }) => farm.id,
      (other) => html`<div class="entry">
        <div class="grow"><strong>${other.farm.name}</strong>
          <span class="small quiet">${t.farmOf(other.machines.join(', '), other.members, other.jobs)}; ${other.open ? t.doorOpen : t.doorClosed}</span></div>
        ${other.wantedThere ? html`<cuadro-state tone="live" .label=${t.wantedThere}></cuadro-state>` : ''}
        ${
          other.wantedHere
            ? html`<span class="small quiet">${t.merging}</span>`
            : html`<button aria-label=${`${t.merge}: ${other.farm.name}`} @click=${() => {
                this.asking = other;
              }}>${t.merge}</button>`
        }
      </div>`,
    )}</div></section>`;
  }

  #join({ addresses }: DoorView): TemplateResult {
    const t = terms.door;
    const join = (event: Event): void => {
      event.preventDefault();
      const address = this.address.trim();
      if (address !== '') void attempt(() => request('joinAddress', { body: { address } }));
    };
    return html`<section class="panel"><h2>${t.join}</h2>
      <p class="small quiet">${t.joinHint}</p>
      <form @submit=${join}>
        <input aria-label=${t.join} placeholder=${t.joinPlaceholder} .value=${this.address} @input=${(
          event: Event,
        ) => {
          this.address = (event.target as HTMLInputElement).value;
        }} />
        <button>${t.joinButton}</button>
      </form>
      ${
        addresses.length === 0
          ? ''
          : html`<p class="small quiet">${t.addresses}: <span class="mono">${addresses.join(', ')}</span></p>`
      }</section>`;
  }

  #question({ farm }: FoundFarmView): TemplateResult {
    const t = terms.door;
    const close = (): void => {
      this.asking = undefined;
    };
    const confirm = (): void => {
      close();
      void attempt(() => request('mergeFarm', { body: { farm: farm.id } }));
    };
    return html`<cuadro-dialog open .heading=${t.mergeTitle(farm.name)} @closed=${close}>
      <p>${t.mergeText}</p>
      <button slot="foot" @click=${close}>${terms.common.cancel}</button>
      <button slot="foot" class="primary" @click=${confirm}>${t.merge}</button>
    </cuadro-dialog>`;
  }
}
customElements.define('cuadro-door', CuadroDoor);

function admission({ founder, admittedBy, admittedAt }: MemberView): string {
  const t = terms.door;
  if (founder || admittedBy === undefined) return t.founder;
  return admittedAt === undefined
    ? t.admittedBy(admittedBy)
    : t.admittedAt(admittedBy, formatTime(admittedAt));
}
