import type { PreflightView, SubmitBody } from '@cuadro/protocol';
import { LitElement, css, html, type TemplateResult } from 'lit';
import '../components/dialog.ts';
import { notify } from '../components/notices.ts';
import '../components/progress.ts';
import { RequestError, request } from '../data/client.ts';
import { Watch, store } from '../data/controller.ts';
import { formatBytes } from '../data/format.ts';
import { terms } from '../terms.ts';
import { buttons, fields, shared } from '../theme/shared.ts';

/** Checks and submits a scene of this machine. Emits `submitted` (the job's id) and `closed`. */
export class CuadroSubmit extends LitElement {
  static override properties = {
    open: { type: Boolean },
    busy: { state: true },
    checked: { state: true },
    error: { state: true },
  };
  static override styles = [
    shared,
    buttons,
    fields,
    css`
      form { display: grid; gap: var(--space-3); }
      .two { display: grid; grid-template-columns: repeat(auto-fit, minmax(160px, 1fr)); gap: var(--space-3); }
      details { display: grid; gap: var(--space-3); }
      summary { cursor: pointer; color: var(--text-quiet); padding: 4px 0; }
      details > div, details > label { margin-top: var(--space-3); }
      ul { margin: 0; padding: 0; list-style: none; display: grid; gap: 8px; }
      li { display: grid; grid-template-columns: 18px minmax(0, 1fr); gap: 8px; }
      .error { color: var(--bad); }
      .warning cuadro-icon { color: var(--warn); }
      .findings { padding: var(--space-3); }
    `,
  ];
  declare open: boolean;
  declare busy: 'checking' | 'submitting' | undefined;
  declare checked: PreflightView | undefined;
  declare error: string | undefined;
  #submission = '';

  constructor() {
    super();
    this.addController(
      new Watch(this, () => (this.#submission === '' ? [] : [`submission:${this.#submission}`])),
    );
  }

  #body(): SubmitBody {
    const data = new FormData(this.renderRoot.querySelector('form') as HTMLFormElement);
    const text = (name: string): string | undefined => (data.get(name) as string | null)?.trim() || undefined;
    const number = (name: string): number | undefined =>
      text(name) === undefined ? undefined : Number(text(name));
    const settings: Record<string, unknown> = {
      frames: text('frames'),
      samples: number('samples'),
      resolutionPercent: number('percent'),
      film: data.get('film') !== null,
      order: data.get('coarse') === null ? undefined : 'coarse-to-fine',
      allowScripts: data.get('scripts') === null ? undefined : true,
    };
    const body = {
      path: text('path'),
      name: text('name'),
      outputFolder: text('output'),
      priority: number('priority'),
      paused: data.get('paused') === null ? undefined : true,
      settings: Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined)),
    };
    return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined));
  }

  async #do(busy: 'checking' | 'submitting', action: () => Promise<void>): Promise<void> {
    this.busy = busy;
    this.error = undefined;
    try {
      await action();
    } catch (error) {
      this.error = error instanceof RequestError ? error.message : String(error);
    } finally {
      this.busy = undefined;
    }
  }

  #check(): Promise<void> {
    return this.#do('checking', async () => {
      this.checked = undefined;
      this.checked = await request('preflight', { body: this.#body() });
    });
  }

  #submit(event: Event): Promise<void> {
    event.preventDefault();
    return this.#do('submitting', async () => {
      this.#submission = crypto.randomUUID();
      this.requestUpdate();
      const { job, message } = await request('submit', {
        body: { ...this.#body(), submission: this.#submission },
      });
      notify(message);
      this.checked = undefined;
      this.dispatchEvent(new CustomEvent('submitted', { detail: job.id }));
    });
  }

  override render(): TemplateResult {
    const t = terms.submit;
    const step = store.submissions.get(this.#submission);
    return html`<cuadro-dialog .open=${this.open ?? false} .heading=${t.title} @closed=${() => this.dispatchEvent(new CustomEvent('closed'))}>
      <form id="form" @submit=${this.#submit} @input=${() => {
        this.checked = undefined;
      }}>
        <label class="field">${t.path}<input name="path" required autofocus spellcheck="false" placeholder=${t.pathHint} /></label>
        <div class="two">
          <label class="field">${t.frames}<input name="frames" placeholder=${t.framesHint} /></label>
          <label class="field">${t.name}<input name="name" placeholder=${t.nameHint} /></label>
        </div>
        <label class="check"><input type="checkbox" name="film" checked />${t.film}</label>
        <details><summary>${t.more}</summary>
          <div class="two">
            <label class="field">${t.samples}<input name="samples" type="number" min="1" placeholder=${t.asScene} /></label>
            <label class="field">${t.percent}<input name="percent" type="number" min="1" max="1000" placeholder=${t.asScene} /></label>
            <label class="field">${t.priority}<input name="priority" type="number" min="0" max="100" placeholder="50" /></label>
          </div>
          <label class="field">${t.output}<input name="output" spellcheck="false" placeholder=${t.ownFolder} /></label>
          <label class="check"><input type="checkbox" name="coarse" />${t.coarse}</label>
          <label class="check"><input type="checkbox" name="scripts" />${t.scripts}</label>
          <label class="check"><input type="checkbox" name="paused" />${t.paused}</label>
        </details>
        ${this.error === undefined ? '' : html`<p class="error" role="alert">${this.error}</p>`}
        ${this.checked === undefined ? '' : this.#findings(this.checked)}
        ${this.busy === 'submitting' && step !== undefined ? html`<div><cuadro-bar .fraction=${step.fraction} .label=${step.text}></cuadro-bar><p class="small quiet">${step.text}</p></div>` : ''}
      </form>
      <button slot="foot" ?disabled=${this.busy !== undefined} @click=${() => this.#check()}>${this.busy === 'checking' ? t.checking : t.check}</button>
      <button slot="foot" class="primary" ?disabled=${this.busy !== undefined} @click=${() => this.renderRoot.querySelector('form')?.requestSubmit()}>${this.busy === 'submitting' ? t.submitting : t.submit}</button>
    </cuadro-dialog>`;
  }

  #findings(checked: PreflightView): TemplateResult {
    const t = terms.submit;
    const { scene } = checked;
    const frames = scene && `${scene.frames.start}-${scene.frames.end}`;
    return html`<div class="panel findings" role="status">
      ${scene === undefined ? '' : html`<p class="small quiet">${t.scene(scene.width, scene.height, scene.engine, frames ?? '', scene.files, formatBytes(scene.sizeBytes))}</p>`}
      <p><strong>${checked.ok ? (checked.findings.length === 0 ? t.fine : '') : t.cannot}</strong></p>
      <ul>${checked.findings.map(({ severity, message }) => html`<li class=${severity}><cuadro-icon name=${severity} title=${t.severities[severity]}></cuadro-icon><span>${message}</span></li>`)}</ul>
    </div>`;
  }
}
customElements.define('cuadro-submit', CuadroSubmit);
