import type { JobView, PreflightView, SubmitBody } from '@cuadro/protocol';
import { LitElement, css, html, type PropertyValues, type TemplateResult } from 'lit';
import { keyed } from 'lit/directives/keyed.js';
import '../components/dialog.ts';
import '../components/facts.ts';
import type { Fact } from '../components/facts.ts';
import { notify } from '../components/notices.ts';
import '../components/progress.ts';
import { ended } from '../components/tones.ts';
import { RequestError, request } from '../data/client.ts';
import { Watch, store } from '../data/controller.ts';
import { formatBytes } from '../data/format.ts';
import { carriedBody, carriedSettings, fieldsOf, isOfScene } from '../data/submit-again.ts';
import { settingName, settingText } from '../setting-terms.ts';
import { terms } from '../terms.ts';
import { buttons, fields, shared } from '../theme/shared.ts';

/** Checks and submits a scene of this machine, or a job once more. Emits `submitted` (the job's id) and `closed`. */
export class CuadroSubmit extends LitElement {
  static override properties = {
    open: { type: Boolean },
    again: { attribute: false },
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
      .hint { margin-inline-start: 23px; }
      .findings { display: grid; gap: var(--space-2); padding: var(--space-3); }
      h3 { margin: 0; font-weight: 600; }
    `,
  ];
  declare open: boolean;
  /** The job that is submitted once more, with changes. */
  declare again: JobView | undefined;
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
    const checked = (name: string): true | undefined => (data.get(name) === null ? undefined : true);
    const settings: Record<string, unknown> = {
      ...carriedSettings(this.again),
      frames: text('frames'),
      ...(this.#isOfScene() && {
        samples: number('samples'),
        resolutionPercent: number('percent'),
        engineVersion: text('version'),
        film: checked('film') ?? false,
        order: checked('coarse') && 'coarse-to-fine',
        allowScripts: checked('scripts'),
      }),
    };
    const body = {
      ...carriedBody(this.again, isAwaited),
      path: text('path'),
      name: text('name'),
      outputFolder: text('output'),
      priority: number('priority'),
      paused: checked('paused'),
      overwrite: checked('overwrite'),
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

  #isOfScene(): boolean {
    return this.again === undefined || isOfScene(this.again);
  }

  /** What was found in one scene says nothing of another. */
  override willUpdate(changed: PropertyValues<this>): void {
    if (!changed.has('again')) return;
    this.checked = undefined;
    this.error = undefined;
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
    const { again } = this;
    const step = store.submissions.get(this.#submission);
    const heading = again === undefined ? t.title : terms.again.title(again.name);
    return html`<cuadro-dialog .open=${this.open ?? false} .heading=${heading} @closed=${() => this.dispatchEvent(new CustomEvent('closed'))}>
      ${keyed(
        again,
        html`<form id="form" @submit=${this.#submit} @input=${() => {
          this.checked = undefined;
        }}>
        ${this.#fields()}
        ${this.error === undefined ? '' : html`<p class="error" role="alert">${this.error}</p>`}
        ${this.checked === undefined ? '' : this.#findings(this.checked)}
        ${this.busy === 'submitting' && step !== undefined ? html`<div><cuadro-bar .fraction=${step.fraction} .label=${step.text}></cuadro-bar><p class="small quiet">${step.text}</p></div>` : ''}
      </form>`,
      )}
      <button slot="foot" ?disabled=${this.busy !== undefined} @click=${() => this.#check()}>${this.busy === 'checking' ? t.checking : t.check}</button>
      <button slot="foot" class="primary" ?disabled=${this.busy !== undefined} @click=${() => this.renderRoot.querySelector('form')?.requestSubmit()}>${this.busy === 'submitting' ? t.submitting : t.submit}</button>
    </cuadro-dialog>`;
  }

  #fields(): TemplateResult {
    const t = terms.submit;
    const { again } = this;
    const a = terms.again;
    const isFromHere = again?.submitter === store.here?.peer;
    const f = fieldsOf(again, isFromHere);
    const machine = again === undefined || isFromHere ? undefined : store.machineName(again.submitter);
    const isScene = this.#isOfScene();
    return html`
        ${isScene ? html`<label class="field">${t.path}<input name="path" required autofocus spellcheck="false" placeholder=${t.pathHint} value=${f.path} /></label>` : ''}
        ${again !== undefined && isScene ? html`<p class="small quiet">${f.path !== '' ? a.anew : machine === undefined ? a.notKept : a.elsewhere(machine)}</p>` : ''}
        <div class="two">
          <label class="field">${t.frames}<input name="frames" placeholder=${t.framesHint} value=${f.frames} /></label>
          <label class="field">${t.name}<input name="name" placeholder=${t.nameHint} value=${f.name} /></label>
        </div>
        ${isScene ? html`<label class="check"><input type="checkbox" name="film" ?checked=${f.film} />${t.film}</label>` : ''}
        <details ?open=${again !== undefined}><summary>${t.more}</summary>
          <div class="two">
            ${
              isScene
                ? html`<label class="field">${t.samples}<input name="samples" type="number" min="1" placeholder=${t.asScene} value=${f.samples} /></label>
            <label class="field">${t.percent}<input name="percent" type="number" min="1" max="1000" placeholder=${t.asScene} value=${f.percent} /></label>
            <label class="field">${a.version}<input name="version" maxlength="64" spellcheck="false" placeholder=${a.anyVersion} value=${f.version} /></label>`
                : ''
            }
            <label class="field">${t.priority}<input name="priority" type="number" min="0" max="100" placeholder="50" value=${f.priority} /></label>
          </div>
          ${
            again !== undefined && again.outputFolder === ''
              ? ''
              : html`<label class="field">${t.output}<input name="output" spellcheck="false" placeholder=${t.ownFolder} value=${f.output} /></label>
          <label class="check"><input type="checkbox" name="overwrite" aria-describedby="kept" />${a.overwrite}</label>
          <p class="small quiet hint" id="kept">${a.kept}</p>`
          }
          ${
            isScene
              ? html`<label class="check"><input type="checkbox" name="coarse" ?checked=${f.coarse} />${t.coarse}</label>
          <label class="check"><input type="checkbox" name="scripts" ?checked=${f.scripts} />${t.scripts}</label>`
              : ''
          }
          <label class="check"><input type="checkbox" name="paused" />${t.paused}</label>
          ${again === undefined ? '' : this.#carried(again)}
        </details>`;
  }

  /** What goes along as it was, since it has no field. */
  #carried(again: JobView): TemplateResult {
    const t = terms.again;
    const { type, machineLimit, after = [] } = carriedBody(again, isAwaited);
    const rows: Fact[] = [
      [t.type, type],
      ...Object.entries(carriedSettings(again)).map(
        ([name, value]): Fact => [settingName(name), settingText(name, value)],
      ),
      ...(machineLimit === undefined ? [] : [[t.machines, machineLimit] as const]),
      ...after.map((id): Fact => [t.after, store.job(id)?.name ?? id]),
    ];
    return html`<div class="panel findings"><h3 class="small quiet">${t.carried}</h3><cuadro-facts .facts=${rows}></cuadro-facts></div>`;
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

/** A job that has not ended yet. */
function isAwaited(id: string): boolean {
  const job = store.job(id);
  return job !== undefined && !ended(job);
}
