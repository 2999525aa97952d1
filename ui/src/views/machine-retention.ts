import type { Config, RetentionView } from '@cuadro/protocol';
import { LitElement, css, html, type TemplateResult } from 'lit';
import { repeat } from 'lit/directives/repeat.js';
import '../components/dialog.ts';
import { attempt, notify } from '../components/notices.ts';
import { request } from '../data/client.ts';
import { Watch, store } from '../data/controller.ts';
import { formatBytes } from '../data/format.ts';
import { RETENTION_INTERVAL_MS } from '../data/limits.ts';
import { type Collected, doneKey, type Freeable, freeableOf } from '../data/retention.ts';
import { paths } from '../data/router.ts';
import { terms } from '../terms.ts';
import { buttons, fields, shared } from '../theme/shared.ts';

/** Jobs shown one by one; of more there is only the sum. */
const JOBS_SHOWN = 5;

/**
 * What jobs of this machine keep though they are done and collected, and after how many days they go by themselves;
 * frees it where a person agrees, as `cuadro tidy` does. Emits `saved` with the whole configuration.
 */
export class CuadroMachineRetention extends LitElement {
  static override properties = {
    config: { attribute: false },
    freeable: { state: true },
    failed: { state: true },
    asking: { state: true },
    busy: { state: true },
    kept: { state: true },
  };
  static override styles = [
    shared,
    buttons,
    fields,
    css`
      :host { display: grid; gap: var(--space-3); padding-top: var(--space-3); border-top: 1px solid var(--line); }
      h3 { font-size: var(--text-base); font-weight: 600; }
      ul { display: grid; gap: 6px; margin: 0; padding: 0; list-style: none; }
      li { display: flex; flex-wrap: wrap; gap: 0 var(--space-2); }
      li a { max-width: 100%; }
      .warn { color: var(--warn); }
      form { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 6px; align-items: center; }
      form .field { grid-column: 1 / -1; }
    `,
  ];
  declare config: Config;
  /** Undefined until the node has told it. */
  declare freeable: Freeable | undefined;
  declare failed: boolean;
  declare asking: boolean;
  declare busy: boolean;
  /** What was to go the last time and didn't. */
  declare kept: readonly Collected[];
  /** For what `freeable` was read, and how often. */
  #key: string | undefined;
  #reading = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    super();
    this.failed = false;
    this.asking = false;
    this.busy = false;
    this.kept = [];
    this.addController(new Watch(this, () => ['door', 'here', 'jobs']));
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#key = undefined;
  }

  /** Read at once when the page opens, and again a moment after jobs were done, collected or deleted. */
  override willUpdate(): void {
    const key = `${this.config.keepDays} ${doneKey(store.jobs, store.here?.peer ?? '')}`;
    if (key === this.#key || this.#timer !== undefined) return;
    const first = this.#key === undefined;
    this.#key = key;
    if (first) void this.#read();
    else
      this.#timer = setTimeout(() => {
        this.#timer = undefined;
        void this.#read();
        this.requestUpdate();
      }, RETENTION_INTERVAL_MS);
  }

  async #read(): Promise<void> {
    const reading = ++this.#reading;
    const plan = (days: number): Promise<RetentionView> => request('retention', { query: { days } });
    const { keepDays } = this.config;
    try {
      const [now, bySetting] = await Promise.all([plan(0), keepDays > 0 ? plan(keepDays) : undefined]);
      if (reading !== this.#reading) return;
      this.freeable = freeableOf(now, bySetting);
      this.failed = false;
    } catch {
      if (reading !== this.#reading) return;
      this.failed = true;
      // It is asked again a moment after the next change.
      this.#key = '';
    }
  }

  async #free(): Promise<void> {
    const t = terms.retention;
    this.asking = false;
    this.busy = true;
    await attempt(async () => {
      const { jobs, freesBytes } = await request('tidy', { body: { days: 0 } });
      this.kept = jobs.filter(({ goes }) => !goes);
      return { message: t.freed(jobs.length - this.kept.length, formatBytes(freesBytes)) };
    });
    await this.#read();
    this.busy = false;
  }

  async #save(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const keepDays = Number(new FormData(event.target as HTMLFormElement).get('keepDays'));
    this.busy = true;
    const saved = await attempt(async () => {
      const config = await request('setConfig', { body: { keepDays } });
      this.dispatchEvent(new CustomEvent('saved', { detail: config }));
      return undefined;
    });
    this.busy = false;
    if (saved) notify(terms.machine.settingsSaved);
  }

  override render(): TemplateResult {
    const t = terms.retention;
    return html`<h3>${t.title}</h3>
      ${this.failed ? html`<p class="warn">${t.failed}</p>` : this.freeable === undefined ? html`<p class="quiet">${terms.common.loading}</p>` : this.#found(this.freeable)}
      ${this.kept.map(({ name, why }) => html`<p class="warn" role="status">${t.kept(name, why ?? '')}</p>`)}
      <form @submit=${this.#save}>
        <label class="field" for="keep-days"><span>${t.keepDays} <span class="faint">(${t.keepDaysHint})</span></span></label>
        <input id="keep-days" name="keepDays" type="number" min="0" max="3650" step="any" required .value=${String(this.config.keepDays)} />
        <button ?disabled=${this.busy}>${terms.common.save}</button>
      </form>
      ${this.asking && this.freeable !== undefined ? this.#question(this.freeable) : ''}`;
  }

  #found({ goes, stays, freesBytes }: Freeable): TemplateResult {
    const t = terms.retention;
    if (goes.length + stays.length === 0) return html`<p class="quiet">${t.none}</p>`;
    const text = goes.length === 0 ? t.stays(stays.length) : t.frees(goes.length, formatBytes(freesBytes));
    const ask = (): void => {
      this.asking = true;
    };
    // Whoever is in no farm any more changes nothing in it.
    const frees = goes.length > 0 && store.door?.state !== 'removed';
    return html`<p>${text}</p>${this.#list(goes)}
      ${
        frees
          ? html`<span class="row"><button ?disabled=${this.busy} @click=${ask}>${t.free(formatBytes(freesBytes))}</button>
              ${this.busy ? html`<span class="small quiet" role="status">${t.reading}</span>` : ''}</span>`
          : ''
      }
      ${goes.length > 0 && stays.length > 0 ? html`<p class="small quiet">${t.notYet}</p>` : ''}${this.#list(stays)}`;
  }

  #list(jobs: readonly Collected[]): TemplateResult | '' {
    const t = terms.retention;
    if (jobs.length === 0) return '';
    return html`<ul class="small">${repeat(
      jobs.slice(0, JOBS_SHOWN),
      ({ job }) => job,
      ({ job, name, sizeBytes, why }) => html`<li><a class="clip" href=${paths.job(job)}>${name}</a>
          <span class="quiet number">${t.keeps(formatBytes(sizeBytes), why)}</span></li>`,
    )}${jobs.length > JOBS_SHOWN ? html`<li class="quiet">${t.more(jobs.length - JOBS_SHOWN)}</li>` : ''}</ul>`;
  }

  #question({ goes, freesBytes }: Freeable): TemplateResult {
    const t = terms.retention;
    const close = (): void => {
      this.asking = false;
    };
    return html`<cuadro-dialog open .heading=${t.freeTitle(goes.length)} @closed=${close}>
      <p>${t.freeText(formatBytes(freesBytes))}</p>
      <button slot="foot" @click=${close}>${terms.common.cancel}</button>
      <button slot="foot" class="danger" @click=${this.#free}>${t.confirm(goes.length)}</button>
    </cuadro-dialog>`;
  }
}
customElements.define('cuadro-machine-retention', CuadroMachineRetention);
