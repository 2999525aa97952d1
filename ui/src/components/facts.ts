import { LitElement, css, html, type TemplateResult } from 'lit';
import { shared } from '../theme/shared.ts';

/** A name and what it is; without a name it belongs to the one above. */
export type Fact = readonly [name: string, value: unknown];

/** Facts in two columns. */
export class CuadroFacts extends LitElement {
  static override properties = { facts: { attribute: false } };
  static override styles = [
    shared,
    css`
      :host { display: block; }
      dl { display: grid; grid-template-columns: minmax(110px, auto) minmax(0, 1fr); gap: 8px var(--space-4); margin: 0; }
      dt { color: var(--text-quiet); }
      dd { margin: 0; overflow-wrap: anywhere; }
      .warn { color: var(--warn); }
    `,
  ];
  declare facts: readonly Fact[];

  override render(): TemplateResult {
    return html`<dl>${this.facts.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`;
  }
}
customElements.define('cuadro-facts', CuadroFacts);
