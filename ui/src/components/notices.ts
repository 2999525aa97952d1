import { LitElement, css, html, type TemplateResult } from 'lit';
import { RequestError } from '../data/client.ts';
import { terms } from '../terms.ts';
import { buttons, shared } from '../theme/shared.ts';

interface Notice {
  key: number;
  text: string;
  bad: boolean;
}
/** How long a good notice stays, in milliseconds; a failure stays until it is dismissed or follows three others. */
const NOTICE_MS = 4_000;
const NOTICES_MAX = 3;

/** Shows short messages at the page's foot and reads them to screen readers. */
export class CuadroNotices extends LitElement {
  static override properties = { notices: { state: true } };
  static override styles = [
    shared,
    buttons,
    css`
      :host {
        position: fixed;
        inset: auto var(--space-4) var(--space-4) auto;
        display: grid;
        gap: var(--space-2);
        justify-items: end;
        z-index: 30;
        max-width: calc(100vw - 32px);
        pointer-events: none;
      }
      div {
        pointer-events: auto;
        display: flex;
        gap: var(--space-3);
        align-items: center;
        max-width: 520px;
        padding: var(--space-2) var(--space-2) var(--space-2) var(--space-4);
        background: var(--surface-raised);
        border: 1px solid var(--line-strong);
        border-radius: var(--radius-large);
        box-shadow: var(--shadow);
      }
      .failed {
        border-color: var(--bad);
      }
      @media (max-width: 720px) {
        :host {
          inset: auto 16px 76px 16px;
        }
      }
    `,
  ];
  declare notices: Notice[];
  #next = 0;

  constructor() {
    super();
    this.notices = [];
    this.setAttribute('role', 'status');
    this.setAttribute('aria-live', 'polite');
  }

  show(text: string, bad = false): void {
    const key = this.#next++;
    this.notices = [...this.notices, { key, text, bad }].slice(-NOTICES_MAX);
    if (!bad) setTimeout(() => this.#drop(key), NOTICE_MS);
  }

  #drop(key: number): void {
    this.notices = this.notices.filter((notice) => notice.key !== key);
  }

  override render(): TemplateResult {
    return html`${this.notices.map(
      (notice) =>
        html`<div class=${notice.bad ? 'failed' : ''}>
          <span>${notice.text}</span>
          <button class="bare icon" aria-label=${terms.common.dismiss} @click=${() => this.#drop(notice.key)}>
            <cuadro-icon name="close"></cuadro-icon>
          </button>
        </div>`,
    )}`;
  }
}
customElements.define('cuadro-notices', CuadroNotices);

/** Tells the person; the page's shell holds the one element that shows it. */
export function notify(text: string, bad = false): void {
  dispatchEvent(new CustomEvent('cuadro-notice', { detail: { text, bad } }));
}

/** Does something that may be refused, and says how it went. Answers whether it worked. */
export async function attempt(action: () => Promise<{ message: string } | undefined>): Promise<boolean> {
  try {
    const answer = await action();
    if (answer !== undefined) notify(answer.message);
    return true;
  } catch (error) {
    notify(error instanceof RequestError ? error.message : `${terms.common.failed}: ${String(error)}`, true);
    return false;
  }
}
