import { FAILED_LOOKED_AT, hasFailures, jobTrouble, type JobTrouble } from '@cuadro/protocol/job-trouble';
import type { JobView } from '@cuadro/protocol';
import { LitElement, css, html, type PropertyValues, type TemplateResult } from 'lit';
import '../components/icon.ts';
import { request } from '../data/client.ts';
import { store } from '../data/controller.ts';
import { paths } from '../data/router.ts';
import { terms } from '../terms.ts';
import { shared } from '../theme/shared.ts';

/** What stopped a job, where and what to do next; nothing of one that is well. */
export class CuadroJobTrouble extends LitElement {
  static override properties = { job: { attribute: false }, trouble: { state: true } };
  static override styles = [
    shared,
    css`
      :host { display: block; }
      :host([hidden]) { display: none; }
      .panel { display: grid; grid-template-columns: auto minmax(0, 1fr); gap: var(--space-2) var(--space-3); padding: var(--space-3) var(--space-4); border-color: var(--bad); overflow-wrap: anywhere; }
      cuadro-icon { color: var(--bad); margin-top: 2px; }
      .says { display: grid; gap: 4px; }
      a { text-decoration: underline; text-decoration-color: var(--line-strong); text-underline-offset: 3px; color: var(--accent-text); }
      .links { display: flex; flex-wrap: wrap; gap: 4px var(--space-4); }
    `,
  ];
  declare job: JobView;
  declare trouble: JobTrouble | undefined;
  /** The failures that were read; others are read once they change. */
  #read = '';

  override willUpdate(changed: PropertyValues<this>): void {
    if (!changed.has('job')) return;
    const { job } = this;
    const failures = hasFailures(job) ? `${job.id} ${job.counts.failed}` : '';
    if (failures === '') {
      this.#read = '';
      this.trouble = jobTrouble(job, []);
    } else if (failures !== this.#read) {
      if (!this.#read.startsWith(`${job.id} `)) this.trouble = undefined;
      this.#read = failures;
      void this.#look(job, failures);
    }
  }

  async #look(job: JobView, failures: string): Promise<void> {
    try {
      const { tasks } = await request('tasks', {
        params: { job: job.id },
        query: { state: 'failed', limit: FAILED_LOOKED_AT },
      });
      const failed = await Promise.all(
        tasks.map(({ index }) => request('task', { params: { job: job.id, task: `#${index}` } })),
      );
      if (failures === this.#read) this.trouble = jobTrouble(job, failed);
    } catch {
      // The connection's own state says what is wrong; with the next change it is read again.
      if (failures === this.#read) this.#read = '';
    }
  }

  override updated(): void {
    this.hidden = this.trouble === undefined;
  }

  override render(): TemplateResult {
    const { trouble, job } = this;
    if (trouble === undefined) return html``;
    const { sentence, next, told } = trouble;
    const t = terms.trouble;
    const awaited = told === undefined ? job.after.map((id) => store.job(id)) : [];
    return html`<section class="panel" aria-label=${t.title}>
      <cuadro-icon name="error"></cuadro-icon>
      <div class="says">
        <p>${sentence}</p>
        <p class="quiet">${next}</p>
        <span class="links">
          ${
            told === undefined
              ? awaited.map(
                  (one) => one && html`<a href=${paths.job(one.id)}>${t.job(one.order, one.name)}</a>`,
                )
              : html`<a href=${paths.job(job.id, 'tasks', told.task, told.attempt)}>${t.log(told.name)}</a>
                  ${store.node(told.peer) === undefined ? '' : html`<a href=${paths.machine(told.peer)}>${told.machine}</a>`}`
          }
        </span>
      </div>
    </section>`;
  }
}
customElements.define('cuadro-job-trouble', CuadroJobTrouble);
