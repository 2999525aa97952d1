import { shownState } from '@cuadro/protocol/shown-state';
import type { JobView } from '@cuadro/protocol';
import { LitElement, css, html, type TemplateResult } from 'lit';
import { repeat } from 'lit/directives/repeat.js';
import '../components/icon.ts';
import '../components/job-actions.ts';
import '../components/progress.ts';
import '../components/state.ts';
import '../components/thumbnail.ts';
import { ended, jobTone } from '../components/tones.ts';
import { Watch, store } from '../data/controller.ts';
import { formatAgo, formatDuration } from '../data/format.ts';
import { paths } from '../data/router.ts';
import { terms } from '../terms.ts';
import { buttons, fields, shared } from '../theme/shared.ts';
import { openSubmit } from '../components/open-submit.ts';

/** All jobs, in the order in which they run; ended ones after them, newest first. */
export class CuadroJobs extends LitElement {
  static override properties = { filter: { state: true }, state: { state: true } };
  static override styles = [
    shared,
    buttons,
    fields,
    css`
      :host { display: grid;
        grid-template-columns: minmax(0, 1fr); gap: var(--space-4); }
      header { display: flex; gap: var(--space-3); align-items: center; flex-wrap: wrap; }
      header h1 { flex: 1; }
      header input[type='search'] { width: 220px; }
      header select.state { width: 140px; }
      /* One grid for all jobs: as wide as the most actions of one, so that all bars end at one line. */
      .list { display: grid; grid-template-columns: 144px minmax(0, 1fr) auto; column-gap: var(--space-4); }
      .job { display: grid; grid-column: 1 / -1; grid-template-columns: subgrid; row-gap: var(--space-2); align-items: center; padding: var(--space-3) var(--space-4); border-bottom: 1px solid var(--line); }
      .job > cuadro-job-actions { justify-content: end; }
      .job:last-child { border: 0; }
      .job:hover { background: color-mix(in srgb, var(--surface-hover) 45%, transparent); }
      .main { display: grid; gap: 6px; min-width: 0; }
      .facts { display: flex; flex-wrap: wrap; gap: 2px var(--space-4); }
      strong { font-weight: 600; }
      @media (max-width: 900px) { .list { grid-template-columns: minmax(0, 1fr); } .job > a { display: none; } .job > cuadro-job-actions { justify-content: start; } header input, header select.state { width: 100%; } }
    `,
  ];
  declare filter: string;
  declare state: string;

  constructor() {
    super();
    this.filter = '';
    this.state = '';
    this.addController(new Watch(this, () => ['jobs']));
  }

  #shown(): JobView[] {
    const text = this.filter.trim().toLowerCase();
    const matching = store.jobs.filter(
      (job) =>
        (text === '' || job.name.toLowerCase().includes(text) || job.id.startsWith(text)) &&
        (this.state === '' || shownState(job) === this.state),
    );
    const past = matching
      .filter(ended)
      .sort((a, b) => (b.changedAt ?? b.submittedAt) - (a.changedAt ?? a.submittedAt));
    return [...matching.filter((job) => !ended(job)), ...past];
  }

  override render(): TemplateResult {
    if (!store.loaded) return html`<p class="quiet">${terms.common.loading}</p>`;
    const shown = this.#shown();
    return html`<header>
        <h1>${terms.jobs.title}</h1>
        <input type="search" placeholder=${terms.jobs.filter} aria-label=${terms.jobs.filter} .value=${this.filter}
          @input=${(event: InputEvent) => {
            this.filter = (event.target as HTMLInputElement).value;
          }} />
        <select class="state" aria-label=${terms.jobs.state} .value=${this.state} @change=${(
          event: Event,
        ) => {
          this.state = (event.target as HTMLSelectElement).value;
        }}>
          <option value="">${terms.common.all}</option>
          ${Object.entries(terms.job.states).map(([value, label]) => (value === 'deleted' ? '' : html`<option value=${value}>${label}</option>`))}
        </select>
      </header>
      ${
        store.jobs.length === 0
          ? html`<cuadro-empty class="panel" icon="jobs" .heading=${terms.jobs.empty} .text=${terms.jobs.emptyText}>
              <button class="primary" @click=${openSubmit}>${terms.submit.title}</button></cuadro-empty>`
          : shown.length === 0
            ? html`<cuadro-empty class="panel" .heading=${terms.jobs.noMatch}></cuadro-empty>`
            : html`<div class="panel list">${repeat(
                shown,
                (job) => job.id,
                (job) => this.#job(job),
              )}</div>`
      }`;
  }

  #job(job: JobView): TemplateResult {
    const { counts, live } = job;
    const [newest] = job.thumbnails;
    const why = job.reason ?? live.waits;
    const left =
      live.remainingMs === undefined || ended(job)
        ? undefined
        : terms.common.left(formatDuration(live.remainingMs));
    return html`<article class="job">
      <a href=${paths.job(job.id)} tabindex="-1" aria-hidden="true"><cuadro-thumbnail .hash=${newest?.blob} .job=${job.id} .task=${newest?.task} .label=${''}></cuadro-thumbnail></a>
      <div class="main">
        <span class="row"><a class="clip" href=${paths.job(job.id)}><strong>${job.name}</strong></a>
          <span class="faint small number">#${job.order}</span>
          <cuadro-state .tone=${jobTone(job)} .label=${terms.job.states[shownState(job)]}></cuadro-state></span>
        <cuadro-job-bar .job=${job}></cuadro-job-bar>
        <span class="facts small quiet number">
          <span>${terms.job.progress(counts.done + counts.rendered, counts.total)}</span>
          ${counts.failed > 0 ? html`<span class="bad">${counts.failed} ${terms.task.states.failed.toLowerCase()}</span>` : ''}
          ${left === undefined ? '' : html`<span>${left}</span>`}
          <span>${terms.job.priority.toLowerCase()} ${job.priority}</span>
          <span>${formatAgo(job.submittedAt)}</span>
          ${why === undefined ? '' : html`<span>${why}</span>`}
        </span>
      </div>
      <cuadro-job-actions .job=${job} compact></cuadro-job-actions>
    </article>`;
  }
}
customElements.define('cuadro-jobs', CuadroJobs);
