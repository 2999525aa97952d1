import type { NightMachine, NightState } from '@cuadro/protocol';
import { LitElement, css, html, type TemplateResult } from 'lit';
import { styleMap } from 'lit/directives/style-map.js';
import { formatTime } from '../data/format.ts';
import { nightTerms } from '../night-terms.ts';
import { shared } from '../theme/shared.ts';

/** Each state has a colour and a pattern of its own, so that colour never stands alone. */
export const nightStates = css`
  .rendering { background: var(--accent); }
  .idle { background: var(--track); }
  .resting { background: repeating-linear-gradient(90deg, var(--text-faint) 0 2px, var(--track) 2px 6px); }
  .paused { background: repeating-linear-gradient(90deg, var(--warn) 0 4px, var(--track) 4px 8px); }
  .faulty { background: radial-gradient(var(--bad) 1.5px, transparent 2px) 0 0 / 5px 5px, var(--track); }
  .full { background: repeating-linear-gradient(45deg, var(--bad) 0 3px, var(--track) 3px 6px); }
  .asleep { background: repeating-linear-gradient(0deg, var(--text-faint) 0 2px, var(--back) 2px 5px); }
  .off { background: var(--back); box-shadow: inset 0 0 0 1px var(--line-strong); }
  .lost { background: repeating-linear-gradient(135deg, var(--bad) 0 2px, var(--back) 2px 7px); box-shadow: inset 0 0 0 1px var(--bad); }
`;

/** Whatever is shorter is drawn as wide. */
const NARROW = '3px';

/** What one machine was at each moment of the night. */
export class CuadroNightTimeline extends LitElement {
  static override properties = { machine: { attribute: false } };
  static override styles = [
    shared,
    nightStates,
    css`
      :host { display: block; }
      .line { position: relative; height: 20px; border-radius: 3px; overflow: hidden; background: var(--track); }
      .line span { position: absolute; inset-block: 0; }
    `,
  ];
  declare machine: NightMachine;

  override render(): TemplateResult {
    const { name, sentence, spans } = this.machine;
    const from = spans[0]?.from ?? 0;
    const whole = Math.max(1, (spans.at(-1)?.to ?? 1) - from);
    const share = (ms: number): string => `${(100 * ms) / whole}%`;
    // What is short is drawn last and has a width, or a restart of two minutes could not be seen.
    const drawn = [...spans].sort((a, b) => b.to - b.from - (a.to - a.from));
    return html`<div class="line" role="img" aria-label=${nightTerms.timeline(name, sentence)}>${drawn.map(
      (span) =>
        html`<span class=${span.state} title=${title(span)} style=${styleMap({
          // The width of what has just begun would lie behind the line's end.
          left: `min(${share(span.from - from)}, 100% - ${NARROW})`,
          width: `max(${NARROW}, ${share(span.to - span.from)})`,
        })}></span>`,
    )}</div>`;
  }
}
customElements.define('cuadro-night-timeline', CuadroNightTimeline);

const title = ({ state, from, to }: { state: NightState; from: number; to: number }): string =>
  `${nightTerms.states[state]}, ${nightTerms.range(formatTime(from), formatTime(to))}`;
