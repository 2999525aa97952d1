import type { FarmView } from '@cuadro/protocol';
import { LitElement, css, html, type TemplateResult } from 'lit';
import { formatDuration, formatTime } from '../data/format.ts';
import { coordinatorTerms } from '../machine-terms.ts';
import { shared } from '../theme/shared.ts';

/** Changes of the coordinator that are shown at once; earlier ones unfold. */
const SHOWN = 4;

/** Who leads the farm, who did before, why that changed, and for how long nobody led. */
export class CuadroCoordinators extends LitElement {
  static override properties = { farm: { attribute: false } };
  static override styles = [
    shared,
    css`
      :host { display: grid; grid-template-columns: minmax(0, 1fr); gap: var(--space-3); padding: var(--space-4); }
      ol { display: grid; gap: var(--space-3); margin: 0; padding: 0; list-style: none; }
      li { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 0 var(--space-3); overflow-wrap: anywhere; }
      li .why { grid-column: 1 / -1; }
      details ol { margin-top: var(--space-3); }
      summary { cursor: pointer; color: var(--text-quiet); }
    `,
  ];
  declare farm: FarmView;

  override render(): TemplateResult {
    const { coordinators, coordinator } = this.farm;
    const t = coordinatorTerms;
    const now = coordinators.findLast(({ peer }) => peer === coordinator);
    const entries = coordinators.map((reign, i) => this.#entry(reign, coordinators[i - 1])).reverse();
    return html`<div><p>${now === undefined ? t.nobody : html`<strong>${now.cause === 'found' ? t.leadsAlready(now.name) : t.leads(now.name, formatTime(now.at))}</strong>`}</p>
        <p class="small quiet">${t.what}</p></div>
      <ol aria-label=${t.history}>${entries.slice(0, SHOWN)}</ol>
      ${
        entries.length > SHOWN
          ? html`<details><summary class="small">${t.more(entries.length - SHOWN)}</summary><ol>${entries.slice(SHOWN)}</ol></details>`
          : ''
      }
      <p class="small faint">${t.historyHint}</p>`;
  }

  #entry(
    reign: FarmView['coordinators'][number],
    before: FarmView['coordinators'][number] | undefined,
  ): TemplateResult {
    const t = coordinatorTerms;
    const { cause, leaderlessMs, firstGrantAt, at } = reign;
    const previous = before !== undefined && before.peer !== reign.peer ? before.name : undefined;
    return html`<li class="small"><span>${reign.name}</span><time class="quiet number">${formatTime(at)}</time>
      <span class="why quiet">${t.cause(reign, previous)}
        ${cause === 'lost' && leaderlessMs > 0 ? t.leaderless(formatDuration(leaderlessMs)) : ''}
        ${cause === 'lost' && firstGrantAt !== undefined ? t.firstGrant(formatDuration(firstGrantAt - at)) : ''}</span></li>`;
  }
}
customElements.define('cuadro-coordinators', CuadroCoordinators);
