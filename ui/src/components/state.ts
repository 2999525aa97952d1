import { LitElement, css, html, type TemplateResult } from 'lit';

export type Tone = 'good' | 'partial' | 'bad' | 'warn' | 'live' | 'quiet';

/** A state as a dot and a word, so that colour never stands alone. */
export class CuadroState extends LitElement {
  static override properties = { tone: { reflect: true }, label: {} };
  static override styles = css`
    :host {
      display: inline-flex;
      align-items: center;
      gap: 6px;
      font-size: var(--text-small);
      color: var(--text-quiet);
      white-space: nowrap;
    }
    i {
      width: 8px;
      height: 8px;
      border-radius: 50%;
      background: var(--text-faint);
      flex: none;
    }
    :host([tone='good']) i {
      background: var(--good);
    }
    :host([tone='partial']) i {
      background: var(--partial);
    }
    :host([tone='bad']) {
      color: var(--bad);
    }
    :host([tone='bad']) i {
      background: var(--bad);
      border-radius: 2px;
    }
    :host([tone='warn']) i {
      background: var(--warn);
    }
    :host([tone='live']) {
      color: var(--accent-text);
    }
    :host([tone='live']) i {
      background: var(--accent);
      animation: breathe 1.8s ease-in-out infinite;
    }
    :host([tone='quiet']) i {
      background: none;
      border: 1.5px solid var(--text-faint);
    }
    @keyframes breathe {
      50% {
        opacity: 0.4;
      }
    }
    @media (prefers-reduced-motion: reduce) {
      :host([tone='live']) i {
        animation: none;
      }
    }
  `;
  declare tone: Tone;
  declare label: string;

  override render(): TemplateResult {
    return html`<i></i><span>${this.label}</span>`;
  }
}
customElements.define('cuadro-state', CuadroState);

/** An error or an empty place: what it is, why, and (slotted) what to do. */
export class CuadroEmpty extends LitElement {
  static override properties = { heading: {}, text: {}, icon: {} };
  static override styles = css`
    :host {
      display: grid;
      justify-items: center;
      gap: var(--space-2);
      padding: var(--space-8) var(--space-4);
      text-align: center;
      color: var(--text-quiet);
    }
    strong {
      color: var(--text);
      font-weight: 600;
    }
    cuadro-icon {
      color: var(--text-faint);
    }
    p {
      margin: 0;
      max-width: 52ch;
    }
  `;
  declare heading: string;
  declare text: string;
  declare icon: string | undefined;

  override render(): TemplateResult {
    return html`${
      this.icon === undefined ? '' : html`<cuadro-icon name=${this.icon} size="26"></cuadro-icon>`
    }<strong>${this.heading}</strong>
      ${this.text ? html`<p>${this.text}</p>` : ''}<slot></slot>`;
  }
}
customElements.define('cuadro-empty', CuadroEmpty);
