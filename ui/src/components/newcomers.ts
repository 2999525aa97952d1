import type { NewcomerView } from '@cuadro/protocol';
import { LitElement, css, html, type TemplateResult } from 'lit';
import { repeat } from 'lit/directives/repeat.js';
import { request } from '../data/client.ts';
import { terms } from '../terms.ts';
import { buttons, shared } from '../theme/shared.ts';
import './icon.ts';
import { attempt } from './notices.ts';

/** Who wants in: each with its three words, admitted with one click. */
export class CuadroNewcomers extends LitElement {
  static override properties = { newcomers: { attribute: false }, busy: { state: true } };
  static override styles = [
    shared,
    buttons,
    css`
      :host { display: grid; gap: var(--space-3); }
      .newcomer { display: flex; flex-wrap: wrap; align-items: center; gap: var(--space-2) var(--space-4); padding: var(--space-3) var(--space-4); border: 1px solid var(--line-strong); border-radius: var(--radius); }
      .words { font-size: var(--text-large); font-weight: 600; }
      .who { display: grid; gap: 2px; flex: 1 1 200px; min-width: 0; overflow-wrap: anywhere; }
    `,
  ];
  declare newcomers: readonly NewcomerView[];
  declare busy: string | undefined;

  async #do(name: 'admit' | 'refuse', { peer }: NewcomerView): Promise<void> {
    this.busy = peer;
    await attempt(() => request(name, { body: { newcomer: peer } }));
    this.busy = undefined;
  }

  #newcomer(newcomer: NewcomerView): TemplateResult {
    const { name, words, addresses, farm, peer } = newcomer;
    const t = terms.door;
    const disabled = this.busy === peer;
    return html`<div class="newcomer">
      <div class="who">
        <strong>${name}</strong>
        ${farm === undefined ? '' : html`<span class="small">${t.farmOf(farm.name, farm.members, farm.jobs)}</span>`}
        <span class="small quiet mono">${addresses[0] ?? peer}</span>
      </div>
      <span class="words">${words}</span>
      <button class="primary" ?disabled=${disabled} aria-label=${`${t.admit}: ${name}`} @click=${() => this.#do('admit', newcomer)}>
        <cuadro-icon name="check"></cuadro-icon>${t.admit}</button>
      <button ?disabled=${disabled} aria-label=${`${t.refuse}: ${name}`} @click=${() => this.#do('refuse', newcomer)}>${t.refuse}</button>
    </div>`;
  }

  override render(): TemplateResult {
    return html`${repeat(
      this.newcomers,
      ({ peer }) => peer,
      (newcomer) => this.#newcomer(newcomer),
    )}
      ${this.newcomers.length === 0 ? '' : html`<p class="small quiet">${terms.door.compare}</p>`}`;
  }
}
customElements.define('cuadro-newcomers', CuadroNewcomers);
