import type { AttemptView, JobView, TaskDetail } from '@cuadro/protocol';
import { LitElement, css, html, type PropertyValues, type TemplateResult } from 'lit';
import '../components/dialog.ts';
import { attempt } from '../components/notices.ts';
import '../components/state.ts';
import '../components/thumbnail.ts';
import { attemptTone, taskTone } from '../components/tones.ts';
import { RequestError, blobAddress, request, requestText } from '../data/client.ts';
import { Watch } from '../data/controller.ts';
import { formatBytes, formatDuration, formatTime } from '../data/format.ts';
import { LOG_LENGTH_MAX } from '../data/limits.ts';
import { terms } from '../terms.ts';
import { buttons, shared } from '../theme/shared.ts';

/** One task at the side: why it is as it is, its attempts with their telling lines, its log. Emits `closed`. */
export class CuadroTaskDrawer extends LitElement {
  static override properties = {
    job: { attribute: false },
    task: { type: Number },
    attempt: {},
    detail: { state: true },
    error: { state: true },
    log: { state: true },
  };
  static override styles = [
    shared,
    buttons,
    css`
      .body { display: grid; gap: var(--space-4); }
      .attempt { padding: var(--space-3); display: grid; gap: 6px; }
      pre { margin: 0; padding: var(--space-3); background: var(--back); border: 1px solid var(--line); border-radius: var(--radius); overflow: auto; max-height: 46dvh; white-space: pre-wrap; overflow-wrap: anywhere; font-family: var(--font-mono); font-size: var(--text-small); }
      .why { font-size: var(--text-large); line-height: 1.4; }
      ul { margin: 0; padding: 0; list-style: none; display: grid; gap: 4px; }
      li { display: flex; gap: var(--space-3); }
    `,
  ];
  declare job: JobView;
  declare task: number | undefined;
  /** An attempt whose log is opened with the task. */
  declare attempt: string | undefined;
  declare detail: TaskDetail | undefined;
  declare error: string | undefined;
  declare log: { attempt: string; text: string } | undefined;
  #reading = 0;

  constructor() {
    super();
    // Every change of the job's tasks may concern this one; it is then read again.
    this.addController(new Watch(this, () => (this.task === undefined ? [] : [`tasks:${this.job.id}`])));
  }

  override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has('task')) {
      this.detail = undefined;
      this.error = undefined;
      this.log = undefined;
    }
    // An update that brought neither a detail nor a log was asked for by the store.
    if (this.task !== undefined && !changed.has('detail') && !changed.has('log') && !changed.has('error'))
      void this.#read();
    else if (changed.has('task') && this.task !== undefined) void this.#read();
  }

  async #read(): Promise<void> {
    const reading = ++this.#reading;
    try {
      const detail = await request('task', { params: { job: this.job.id, task: `#${this.task}` } });
      if (reading !== this.#reading) return;
      const opens =
        this.detail === undefined ? detail.attempts.find((one) => one.attempt === this.attempt) : undefined;
      this.detail = detail;
      this.error = undefined;
      if (opens?.hasLog === true) await this.#showLog(opens.attempt);
      if (this.log !== undefined && detail.live.running) await this.#showLog(this.log.attempt);
    } catch (error) {
      if (reading === this.#reading)
        this.error = error instanceof RequestError ? error.message : String(error);
    }
  }

  async #showLog(id: string): Promise<void> {
    try {
      const text = await requestText('log', {
        params: { job: this.job.id, task: `#${this.task}` },
        query: { attempt: id },
      });
      this.log = { attempt: id, text: text.slice(-LOG_LENGTH_MAX) };
    } catch (error) {
      this.log = { attempt: id, text: error instanceof RequestError ? error.message : String(error) };
    }
  }

  override render(): TemplateResult {
    if (this.task === undefined) return html``;
    const { detail } = this;
    return html`<cuadro-dialog kind="drawer" open .heading=${detail?.name ?? terms.task.name} @closed=${() => this.dispatchEvent(new CustomEvent('closed'))}>
      <div class="body">${this.error !== undefined ? html`<p class="bad">${this.error}</p>` : detail === undefined ? html`<p class="quiet">${terms.common.loading}</p>` : this.#body(detail)}</div>
    </cuadro-dialog>`;
  }

  #body(task: TaskDetail): TemplateResult {
    const place = { job: this.job.id, task: task.index };
    const requeue = (): void => {
      void attempt(() =>
        request('requeue', { params: { job: this.job.id }, body: { tasks: [`#${task.index}`] } }),
      );
    };
    return html`
      <span class="row"><cuadro-state class="grow" .tone=${taskTone(task)} .label=${task.live.running ? terms.task.running : terms.task.states[task.state]}></cuadro-state>
        <button @click=${requeue}><cuadro-icon name="retry"></cuadro-icon>${terms.job.requeue(1)}</button></span>
      <p class="why">${task.why}</p>
      ${task.heldBy.length === 0 ? '' : html`<p class="small quiet">${terms.task.heldBy(task.heldBy.join(', '))}</p>`}
      ${task.thumbnail === undefined ? '' : html`<cuadro-thumbnail .hash=${task.thumbnail} .job=${place.job} .task=${place.task} .label=${task.name}></cuadro-thumbnail>`}
      ${
        task.files.length === 0
          ? ''
          : html`<section><h2>${terms.task.files}</h2><ul>${task.files.map(
              (
                file,
              ) => html`<li><a class="grow clip" href=${blobAddress(file.blob, place, file.name, true)} download=${file.name}>${file.name}</a>
          <span class="quiet number">${formatBytes(file.sizeBytes)}</span></li>`,
            )}</ul></section>`
      }
      <section class="body"><h2>${terms.task.attemptsTitle}</h2>
        ${task.attempts.length === 0 ? html`<p class="quiet">${terms.task.noAttempts}</p>` : task.attempts.map((entry) => this.#attempt(entry))}
      </section>`;
  }

  #attempt(entry: AttemptView): TemplateResult {
    const shown = this.log?.attempt === entry.attempt ? this.log : undefined;
    const running = entry.state === 'running';
    return html`<div class="panel attempt">
      <span class="row"><cuadro-state .tone=${attemptTone(entry)} .label=${terms.task.attemptStates[entry.state]}></cuadro-state>
        <span class="grow clip">${entry.machine}</span>
        <span class="quiet small number">${[entry.renderMs === undefined ? '' : formatDuration(entry.renderMs), entry.at === undefined ? '' : formatTime(entry.at)].filter(Boolean).join(' · ')}</span></span>
      ${entry.message === undefined ? '' : html`<p class="small">${entry.message}</p>`}
      ${entry.lines.length === 0 ? '' : html`<pre tabindex="0">${entry.lines.join('\n')}</pre>`}
      ${shown !== undefined ? html`<pre tabindex="0" aria-label=${terms.task.log}>${shown.text}</pre>` : entry.hasLog || running ? html`<span><button @click=${() => this.#showLog(entry.attempt)}>${terms.task.showLog}</button></span>` : ''}
    </div>`;
  }
}
customElements.define('cuadro-task-drawer', CuadroTaskDrawer);
