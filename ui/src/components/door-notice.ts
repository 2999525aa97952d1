import type { DoorView } from '@cuadro/protocol';
import { LitElement, css, html, type TemplateResult } from 'lit';
import { request } from '../data/client.ts';
import { Watch, store } from '../data/controller.ts';
import { terms } from '../terms.ts';
import { buttons, shared } from '../theme/shared.ts';
import './newcomers.ts';
import { attempt } from './notices.ts';

/**
 * What a person should know of the door wherever they are: somebody wants in, or this machine itself waits at one
 * (then with its three words, large), looks for a farm, or was removed. Nothing while all is well.
 */
export class CuadroDoorNotice extends LitElement {
  static override styles = [
    shared,
    buttons,
    css`
      :host { display: contents; }
      .panel { display: grid; gap: var(--space-3); padding: var(--space-4); justify-items: start; }
      .words { font-size: clamp(26px, 6vw, 44px); font-weight: 700; letter-spacing: -0.01em; line-height: 1.2; overflow-wrap: anywhere; }
      cuadro-newcomers { width: 100%; }
      .bad { color: var(--bad); }
    `,
  ];

  constructor() {
    super();
    this.addController(new Watch(this, () => ['door']));
  }

  override render(): TemplateResult {
    const { door } = store;
    const t = terms.door;
    if (door === undefined) return html``;
    if (door.state === 'looking' || door.state === 'waiting') return this.#seeking(door);
    if (door.state === 'removed' || door.state === 'moving') {
      return html`<section class="panel" role="status"><p class=${door.state === 'removed' ? 'bad' : ''}>${door.message}</p></section>`;
    }
    if (door.newcomers.length === 0) return html``;
    return html`<section class="panel"><h2>${t.wantsIn}</h2>
      <cuadro-newcomers .newcomers=${door.newcomers}></cuadro-newcomers></section>`;
  }

  #seeking({ message, asked }: DoorView): TemplateResult {
    const t = terms.door;
    const waiting = asked.filter(({ state }) => state === 'waiting');
    return html`<section class="panel" role="status">
      <p>${message}</p>
      ${waiting.map(
        ({ farm, words }) => html`<h2>${t.words} · ${t.wordsAt(farm.name)}</h2>
          <div class="words">${words}</div>
          <p class="quiet">${t.wordsHint}</p>`,
      )}
      ${
        asked.length === 0
          ? ''
          : html`<button @click=${() => attempt(() => request('foundFarm'))}>${t.ownFarm}</button>`
      }
    </section>`;
  }
}
customElements.define('cuadro-door-notice', CuadroDoorNotice);
