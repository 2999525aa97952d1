import type { JobView } from '@cuadro/protocol';
import { LitElement, css, html, type TemplateResult } from 'lit';
import { RequestError, request } from '../data/client.ts';
import { JOB_CHANGES, type JobChange, takesChange } from '../data/job-list.ts';
import { CHANGES_AT_ONCE } from '../data/limits.ts';
import { terms } from '../terms.ts';
import { buttons, fields, shared } from '../theme/shared.ts';
import './dialog.ts';
import './icon.ts';
import { notify } from './notices.ts';
import './progress.ts';

const icons: Record<Exclude<JobChange, 'priority'>, string> = {
  resume: 'play',
  pause: 'pause',
  cancel: 'stop',
  delete: 'trash',
};

interface Refused {
  job: JobView;
  message: string;
}

type Step =
  | { kind: 'asking'; change: JobChange; jobs: readonly JobView[]; others: number }
  | { kind: 'working'; change: JobChange; jobs: readonly JobView[]; worked: number }
  | { kind: 'refused'; change: JobChange; jobs: readonly JobView[]; refused: readonly Refused[] };

/** What can be done to several jobs at once; asks first, and names them. Emits `changed` (ids of those refused). */
export class CuadroJobsSelected extends LitElement {
  static override properties = { jobs: { attribute: false }, step: { state: true } };
  static override styles = [
    shared,
    buttons,
    fields,
    css`
      :host { display: flex; gap: 6px; flex-wrap: wrap; }
      .body { display: grid; grid-template-columns: minmax(0, 1fr); gap: var(--space-3); }
      ul { display: grid; grid-template-columns: minmax(0, 1fr); gap: 4px; margin: 0; padding: 0; list-style: none; max-height: 40dvh; overflow: auto; }
      li { overflow-wrap: anywhere; }
      .field { max-width: 160px; }
    `,
  ];
  declare jobs: readonly JobView[];
  declare step: Step | undefined;

  #ask(change: JobChange): void {
    const jobs = this.jobs.filter((job) => takesChange(job, change));
    this.step = { kind: 'asking', change, jobs, others: this.jobs.length - jobs.length };
  }

  async #do(change: JobChange, jobs: readonly JobView[]): Promise<void> {
    const priority = Number(this.renderRoot.querySelector<HTMLInputElement>('input')?.value);
    const refused: Refused[] = [];
    const left = [...jobs];
    let worked = 0;
    this.step = { kind: 'working', change, jobs, worked };
    const work = async (): Promise<void> => {
      for (let job = left.shift(); job !== undefined; job = left.shift()) {
        try {
          await send(job, change, priority);
        } catch (error) {
          refused.push({ job, message: error instanceof RequestError ? error.message : String(error) });
        }
        worked++;
        this.step = { kind: 'working', change, jobs, worked };
      }
    };
    await Promise.all(Array.from({ length: CHANGES_AT_ONCE }, work));
    if (refused.length === 0) {
      this.step = undefined;
      notify(terms.jobList.changes[change].done(jobs.length));
    } else this.step = { kind: 'refused', change, jobs, refused };
    this.dispatchEvent(new CustomEvent('changed', { detail: refused.map(({ job }) => job.id) }));
  }

  override render(): TemplateResult {
    return html`${this.jobs.length === 0 ? '' : JOB_CHANGES.map((change) => this.#button(change))}${this.#dialog()}`;
  }

  #button(change: JobChange): TemplateResult {
    const { length } = this.jobs.filter((job) => takesChange(job, change));
    const t = terms.jobList.changes[change];
    const label = change === 'priority' ? terms.job.priority : t.verb;
    return html`<button class=${change === 'delete' ? 'danger' : ''} aria-label=${`${label}: ${terms.jobs.shown(length)}`}
      ?disabled=${length === 0} @click=${() => this.#ask(change)}>
      ${change === 'priority' ? '' : html`<cuadro-icon name=${icons[change]}></cuadro-icon>`}${label}</button>`;
  }

  #dialog(): TemplateResult {
    const { step } = this;
    if (step === undefined) return html``;
    const t = terms.jobList.changes[step.change];
    // What was begun goes on behind a closed dialog, and its outcome is told as ever.
    const close = (): void => {
      if (step.kind !== 'working') this.step = undefined;
    };
    const heading = step.kind === 'refused' ? terms.jobList.notDone : t.title(step.jobs.length);
    return html`<cuadro-dialog open .heading=${heading} @closed=${close}>
      <div class="body">${this.#body(step)}</div>
      ${step.kind === 'working' ? '' : html`<button slot="foot" @click=${close}>${terms.common.close}</button>`}
      ${
        step.kind === 'asking'
          ? html`<button slot="foot" class=${step.change === 'delete' || step.change === 'cancel' ? 'danger' : 'primary'}
              @click=${() => this.#do(step.change, step.jobs)}>${step.change === 'priority' ? terms.common.save : t.verb}</button>`
          : ''
      }
    </cuadro-dialog>`;
  }

  #body(step: Step): TemplateResult {
    const t = terms.jobList;
    const { jobs, change } = step;
    switch (step.kind) {
      case 'asking':
        return html`<ul tabindex="0" aria-label=${t.selectedLabel}>${jobs.map((job) => html`<li>${nameOf(job)}</li>`)}</ul>
          ${change === 'priority' ? html`<label class="field">${terms.job.priority}<input type="number" min="0" max="100" .value=${String(jobs[0]?.priority ?? 50)} /></label>` : ''}
          <p>${t.changes[change].text}</p>
          ${step.others === 0 ? '' : html`<p class="quiet">${t.unchanged(step.others)}</p>`}`;
      case 'working':
        return html`<cuadro-bar .fraction=${step.worked / jobs.length} .label=${t.changes[change].verb}></cuadro-bar>
          <p class="quiet number" role="status">${t.working(step.worked, jobs.length)}</p>`;
      case 'refused':
        return html`<p role="alert">${t.changes[change].partly(jobs.length - step.refused.length, jobs.length)}</p>
          <ul tabindex="0">${step.refused.map(({ job, message }) => html`<li><strong>${nameOf(job)}</strong>: ${message}</li>`)}</ul>`;
    }
  }
}
customElements.define('cuadro-jobs-selected', CuadroJobsSelected);

const nameOf = ({ order, name }: JobView): string => `#${order} ${name}`;

async function send({ id }: JobView, change: JobChange, priority: number): Promise<void> {
  const params = { job: id };
  switch (change) {
    case 'pause':
      await request('setJob', { params, body: { desired: 'paused' } });
      break;
    case 'resume':
      await request('setJob', { params, body: { desired: 'active' } });
      break;
    case 'cancel':
      await request('setJob', { params, body: { desired: 'canceled' } });
      break;
    case 'priority':
      await request('setJob', { params, body: { priority } });
      break;
    case 'delete':
      await request('deleteJob', { params });
      break;
  }
}
