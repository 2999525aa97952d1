import { LitElement, css, html, svg, type TemplateResult } from 'lit';

/** The bundled icon set: strokes on a 20 × 20 grid. */
const icons: Record<string, TemplateResult> = {
  farm: svg`<rect x="3" y="3" width="6" height="6" rx="1"/><rect x="11" y="3" width="6" height="6" rx="1"/><rect x="3" y="11" width="6" height="6" rx="1"/><rect x="11" y="11" width="6" height="6" rx="1"/>`,
  jobs: svg`<path d="M3 5h14M3 10h14M3 15h9"/>`,
  machine: svg`<rect x="2.5" y="4" width="15" height="9.5" rx="1.5"/><path d="M7 16.5h6"/>`,
  swarm: svg`<circle cx="10" cy="4.5" r="2"/><circle cx="4.5" cy="14.5" r="2"/><circle cx="15.5" cy="14.5" r="2"/><path d="M9 6.3l-3.5 6.4M11 6.3l3.5 6.4M6.5 14.5h7"/>`,
  door: svg`<path d="M5 17V3.5h10V17M3 17h14M12 10v.2"/>`,
  docs: svg`<path d="M4 3.5h8.5a2 2 0 0 1 2 2v11H6a2 2 0 0 1-2-2zM7 7.5h4.5M7 10.5h4.5"/>`,
  plus: svg`<path d="M10 4v12M4 10h12"/>`,
  close: svg`<path d="M5 5l10 10M15 5L5 15"/>`,
  pause: svg`<path d="M7 5v10M13 5v10"/>`,
  play: svg`<path d="M6.5 4.5v11l9-5.5z"/>`,
  stop: svg`<rect x="5.5" y="5.5" width="9" height="9" rx="1"/>`,
  retry: svg`<path d="M15.5 6.5A6.5 6.5 0 1 0 16.5 10M16 3v4h-4"/>`,
  trash: svg`<path d="M4 6h12M8 6V4h4v2M5.5 6l.7 10h7.6l.7-10"/>`,
  left: svg`<path d="M12 4l-6 6 6 6"/>`,
  right: svg`<path d="M8 4l6 6-6 6"/>`,
  folder: svg`<path d="M2.5 15.5v-11h5l1.5 2h8.5v9z"/>`,
  copy: svg`<rect x="7" y="7" width="9.5" height="9.5" rx="1.5"/><path d="M13 7V3.5H3.5V13H7"/>`,
  down: svg`<path d="M10 3v9M6 8.5l4 4 4-4M4 16.5h12"/>`,
  ordered: svg`<path d="M4 5h11M4 10h8M4 15h5M15.5 9.5v7M13 14l2.5 2.5 2.5-2.5"/>`,
  reversed: svg`<path d="M4 5h5M4 10h8M4 15h11M15.5 10.5v-7M13 6l2.5-2.5 2.5 2.5"/>`,
  film: svg`<rect x="2.5" y="4" width="15" height="12" rx="1.5"/><path d="M6.5 4v12M13.5 4v12M2.5 10h15"/>`,
  sun: svg`<circle cx="10" cy="10" r="3.2"/><path d="M10 2v2M10 16v2M2 10h2M16 10h2M4.3 4.3l1.4 1.4M14.3 14.3l1.4 1.4M15.7 4.3l-1.4 1.4M5.7 14.3l-1.4 1.4"/>`,
  moon: svg`<path d="M16 12.2A6.8 6.8 0 0 1 7.8 4a6.8 6.8 0 1 0 8.2 8.2z"/>`,
  system: svg`<circle cx="10" cy="10" r="6.5"/><path d="M10 3.5v13a6.5 6.5 0 0 0 0-13z" fill="currentColor"/>`,
  warning: svg`<path d="M10 3.5l7.2 12.8H2.8zM10 8v4M10 14v.2"/>`,
  error: svg`<circle cx="10" cy="10" r="7"/><path d="M10 6v5M10 13.6v.2"/>`,
  note: svg`<circle cx="10" cy="10" r="7"/><path d="M10 9v5M10 6.2v.2"/>`,
  check: svg`<path d="M4 10.5l4 4 8-9"/>`,
  image: svg`<rect x="2.5" y="4" width="15" height="12" rx="1.5"/><path d="M2.5 13.5l4-4 4 4 2.5-2.5 4.5 4"/>`,
};
export type IconName = keyof typeof icons;

export class CuadroIcon extends LitElement {
  static override properties = { name: {}, size: { type: Number } };
  static override styles = css`
    :host {
      display: inline-flex;
      flex: none;
    }
    svg {
      fill: none;
      stroke: currentColor;
      stroke-width: 1.6;
      stroke-linecap: round;
      stroke-linejoin: round;
    }
  `;
  declare name: string;
  declare size: number;

  constructor() {
    super();
    this.size = 16;
  }

  override render(): TemplateResult {
    return html`<svg width=${this.size} height=${this.size} viewBox="0 0 20 20" aria-hidden="true">
      ${icons[this.name]}
    </svg>`;
  }
}
customElements.define('cuadro-icon', CuadroIcon);
