import type { JobView } from '@cuadro/protocol';
import { LitElement, css, html, type TemplateResult } from 'lit';
import { styleMap } from 'lit/directives/style-map.js';
import { terms } from '../terms.ts';

/** A job's tasks as one bar: done, one copy only, running, failed, skipped; what is left shows the track. */
export class CuadroJobBar extends LitElement {
  static override properties = { job: { attribute: false } };
  static override styles = css`
    :host {
      display: block;
    }
    div {
      display: flex;
      gap: 1px;
      height: var(--bar-height, 6px);
      border-radius: 4px;
      overflow: hidden;
      background: var(--track);
    }
    span {
      min-width: 3px;
      transition: flex-basis 240ms ease-out;
      flex: 0 0 0%;
    }
    .done {
      background: var(--good);
    }
    .rendered {
      background: color-mix(in srgb, var(--good) 72%, var(--track));
    }
    .running {
      background: var(--accent);
    }
    .failed {
      background: var(--bad);
    }
    .skipped {
      background: var(--text-faint);
    }
    :host([ended]) div {
      opacity: 0.75;
    }
  `;
  declare job: JobView;

  override render(): TemplateResult {
    const { counts, live, state } = this.job;
    const running = Math.min(live.running, counts.open);
    const finished = counts.done + counts.rendered;
    this.toggleAttribute('ended', state === 'canceled' || state === 'skipped');
    const parts = [
      ['done', counts.done],
      ['rendered', counts.rendered],
      ['running', running],
      ['failed', counts.failed],
      ['skipped', counts.skipped],
    ] as const;
    const text = terms.job.barText(finished, counts.failed, running, counts.total);
    return html`<div
      role="progressbar"
      aria-valuemin="0"
      aria-valuemax=${counts.total}
      aria-valuenow=${finished}
      aria-valuetext=${text}
      aria-label=${this.job.name}
      title=${text}
    >
      ${parts.map(([name, n]) =>
        n > 0
          ? html`<span
              class=${name}
              style=${styleMap({ flexBasis: `${(n / Math.max(counts.total, 1)) * 100}%` })}
            ></span>`
          : '',
      )}
    </div>`;
  }
}
customElements.define('cuadro-job-bar', CuadroJobBar);

/** One plain bar from 0 to 1, named by `label`. */
export class CuadroBar extends LitElement {
  static override properties = { fraction: { type: Number }, label: {}, tone: { reflect: true } };
  static override styles = css`
    :host {
      display: block;
    }
    div {
      height: var(--bar-height, 4px);
      border-radius: 3px;
      overflow: hidden;
      background: var(--track);
    }
    span {
      display: block;
      height: 100%;
      border-radius: inherit;
      background: var(--accent);
      transform-origin: left;
      transition: width 240ms linear;
    }
    :host([tone='quiet']) span {
      background: var(--text-faint);
    }
    :host([tone='bad']) span {
      background: var(--bad);
    }
  `;
  declare fraction: number;
  declare label: string;
  declare tone: 'accent' | 'quiet' | 'bad';

  override render(): TemplateResult {
    const percent = Math.max(0, Math.min(this.fraction || 0, 1)) * 100;
    return html`<div
      role="progressbar"
      aria-label=${this.label}
      aria-valuemin="0"
      aria-valuemax="100"
      aria-valuenow=${Math.floor(percent)}
    >
      <span style=${styleMap({ width: `${percent}%` })}></span>
    </div>`;
  }
}
customElements.define('cuadro-bar', CuadroBar);
