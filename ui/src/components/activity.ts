import type { ActivityView, NodeView } from '@cuadro/protocol';
import { LitElement, css, html, type TemplateResult } from 'lit';
import { repeat } from 'lit/directives/repeat.js';
import { styleMap } from 'lit/directives/style-map.js';
import { request } from '../data/client.ts';
import { formatPercent, formatTime } from '../data/format.ts';
import { ACTIVITY_INTERVAL_MS } from '../data/limits.ts';
import { paths } from '../data/router.ts';
import { activityTerms } from '../machine-terms.ts';
import { shared } from '../theme/shared.ts';

type Row = ActivityView['machines'][number];

/** What machines did in the last hours: for each a row of bars, as high as the share of its time that it rendered. */
export class CuadroActivity extends LitElement {
  static override properties = {
    nodes: { attribute: false },
    named: { type: Boolean },
    view: { state: true },
  };
  static override styles = [
    shared,
    css`
      :host { display: grid; grid-template-columns: minmax(0, 1fr); gap: var(--space-3); }
      .row { display: grid; grid-template-columns: minmax(80px, 150px) minmax(0, 1fr) minmax(90px, auto); gap: var(--space-3); align-items: center; }
      :host(:not([named])) .row { grid-template-columns: minmax(0, 1fr); gap: var(--space-2); }
      .bars { display: flex; gap: 1px; align-items: end; height: 34px; border-bottom: 1px solid var(--line-strong); }
      .bars span { flex: 1; min-width: 0; background: var(--accent); border-radius: 1px 1px 0 0; }
      .bars span.failed { background: var(--bad); }
      .total { text-align: right; }
      :host(:not([named])) .total { text-align: left; }
      .hours { display: flex; justify-content: space-between; }
      :host([named]) .hours { padding-left: calc(min(150px, 30%) + var(--space-3)); padding-right: calc(90px + var(--space-3)); }
      @media (max-width: 760px) {
        :host([named]) .row { grid-template-columns: minmax(0, 1fr) auto; gap: 4px var(--space-3); }
        :host([named]) .bars { grid-column: 1 / -1; grid-row: 2; }
        :host([named]) .hours { padding: 0; }
      }
    `,
  ];
  /** The machines to show, in this order. */
  declare nodes: readonly NodeView[];
  /** Whether each row bears its machine's name. */
  declare named: boolean;
  declare view: ActivityView | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    void this.#read();
    this.#timer = setInterval(() => void this.#read(), ACTIVITY_INTERVAL_MS);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearInterval(this.#timer);
  }

  async #read(): Promise<void> {
    try {
      this.view = await request('activity');
    } catch {
      // The connection's own state says what is wrong.
    }
  }

  override render(): TemplateResult {
    const { view } = this;
    if (view === undefined) return html``;
    const rows = new Map(view.machines.map((row) => [row.peer, row]));
    return html`${repeat(
      this.nodes,
      ({ peer }) => peer,
      (node) => {
        const row = rows.get(node.peer);
        return row === undefined ? '' : this.#row(node, row, view);
      },
    )}
      <div class="hours small faint number"><span>${formatTime(view.start)}</span><span>${activityTerms.now}</span></div>`;
  }

  #row(node: NodeView, row: Row, { start, barMs }: ActivityView): TemplateResult {
    const slots = Math.max(node.slots, 1);
    const shares = row.busyMs.map((ms) => Math.min(1, ms / (barMs * slots)));
    const busy = shares.reduce((sum, share) => sum + share, 0) / Math.max(shares.length, 1);
    const text = activityTerms.total(row);
    const bars = shares.map((share, bar) => {
      const failed = row.failed[bar] ?? 0;
      // What is more than nothing shows.
      const height = share === 0 && failed === 0 ? '0' : `max(2px, ${share * 100}%)`;
      const title = `${formatTime(start + bar * barMs)}: ${formatPercent(share)}${failed > 0 ? `, ${activityTerms.failed(failed)}` : ''}`;
      return html`<span class=${failed > 0 ? 'failed' : ''} style=${styleMap({ height })} title=${title}></span>`;
    });
    return html`<div class="row">
      ${this.named ? html`<a class="clip" href=${paths.machine(node.peer)}>${node.name}</a>` : ''}
      <div class="bars" role="img" aria-label=${activityTerms.label(node.name, text, formatPercent(busy))}>${bars}</div>
      <span class="total small quiet number">${text}</span>
    </div>`;
  }
}
customElements.define('cuadro-activity', CuadroActivity);
