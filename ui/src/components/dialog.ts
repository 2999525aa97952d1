import { LitElement, css, html, type PropertyValues, type TemplateResult } from 'lit';
import { terms } from '../terms.ts';
import { buttons, shared } from '../theme/shared.ts';
import './icon.ts';

/**
 * A modal on the browser's own dialog, which keeps the focus inside and closes by Escape. `kind` is `dialog` in
 * the middle, or `drawer` at the side. Emits `closed`.
 */
export class CuadroDialog extends LitElement {
  static override properties = { open: { type: Boolean }, heading: {}, kind: { reflect: true } };
  static override styles = [
    shared,
    buttons,
    css`
      dialog {
        width: min(620px, 100vw - 24px);
        max-height: min(86dvh, 900px);
        padding: 0;
        border: 1px solid var(--line-strong);
        border-radius: var(--radius-large);
        background: var(--surface);
        color: var(--text);
        box-shadow: var(--shadow);
        overflow: hidden;
      }
      dialog[open] {
        display: flex;
        flex-direction: column;
      }
      dialog::backdrop {
        background: var(--scrim);
      }
      header {
        display: flex;
        align-items: center;
        gap: var(--space-3);
        padding: var(--space-3) var(--space-3) var(--space-3) var(--space-4);
        border-bottom: 1px solid var(--line);
      }
      h2 {
        flex: 1;
        min-width: 0;
        font-size: var(--text-large);
        overflow-wrap: anywhere;
      }
      .body {
        overflow: auto;
        padding: var(--space-4);
        flex: 1;
      }
      footer {
        display: flex;
        justify-content: flex-end;
        flex-wrap: wrap;
        gap: var(--space-2);
        padding: var(--space-3) var(--space-4);
        border-top: 1px solid var(--line);
      }
      footer:not(:has(slot.filled)) {
        display: none;
      }
      :host([kind='drawer']) dialog {
        margin: 0 0 0 auto;
        height: 100dvh;
        max-height: none;
        width: min(560px, 100vw);
        border-radius: 0;
        border-width: 0 0 0 1px;
      }
    `,
  ];
  declare open: boolean;
  declare heading: string;
  declare kind: 'dialog' | 'drawer';

  override updated(changed: PropertyValues<this>): void {
    if (!changed.has('open')) return;
    const dialog = this.renderRoot.querySelector('dialog');
    if (this.open && dialog?.open === false) dialog.showModal();
    else if (!this.open && dialog?.open === true) dialog.close();
  }

  #closed(): void {
    if (this.open) this.dispatchEvent(new CustomEvent('closed'));
  }

  #filled(event: Event): void {
    const slot = event.target as HTMLSlotElement;
    slot.classList.toggle('filled', slot.assignedElements().length > 0);
  }

  override render(): TemplateResult {
    return html`<dialog
      aria-labelledby="heading"
      @close=${this.#closed}
      @click=${(event: MouseEvent) => {
        if (event.target === event.currentTarget) (event.target as HTMLDialogElement).close();
      }}
    >
      <header>
        <h2 id="heading">${this.heading}</h2>
        <slot name="head"></slot>
        <button
          class="bare icon"
          aria-label=${terms.common.close}
          @click=${() => this.renderRoot.querySelector('dialog')?.close()}
        >
          <cuadro-icon name="close"></cuadro-icon>
        </button>
      </header>
      <div class="body"><slot></slot></div>
      <footer><slot name="foot" @slotchange=${this.#filled}></slot></footer>
    </dialog>`;
  }
}
customElements.define('cuadro-dialog', CuadroDialog);
