import { shownState } from '@cuadro/protocol/shown-state';
import type { JobView } from '@cuadro/protocol';
import { LitElement, css, html, type TemplateResult } from 'lit';
import { live } from 'lit/directives/live.js';
import { repeat } from 'lit/directives/repeat.js';
import '../components/icon.ts';
import '../components/job-actions.ts';
import '../components/jobs-selected.ts';
import '../components/progress.ts';
import '../components/state.ts';
import '../components/thumbnail.ts';
import { ended, jobTone } from '../components/tones.ts';
import { Watch, store } from '../data/controller.ts';
import { formatAgo, formatDuration } from '../data/format.ts';
import { type JobListing, JOB_SORTS, listJobs, withRange } from '../data/job-list.ts';
import { go, paths } from '../data/router.ts';
import { terms } from '../terms.ts';
import { buttons, fields, shared } from '../theme/shared.ts';
import { openSubmit } from '../components/open-submit.ts';

/** All jobs, as they run or sorted otherwise; what is done to one can be done to several at once. */
export class CuadroJobs extends LitElement {
  static override properties = {
    listing: { attribute: false },
    filter: { state: true },
    selected: { state: true },
  };
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
      header select { width: 140px; }
      .sort { display: flex; gap: 6px; }
      .sort button[aria-pressed='true'] { border-color: var(--accent); }
      /* One grid for all jobs: as wide as the most actions of one, so that all bars end at one line. */
      .list { display: grid; grid-template-columns: auto 144px minmax(0, 1fr) auto; column-gap: var(--space-4); }
      .bar { grid-column: 1 / -1; display: flex; flex-wrap: wrap; align-items: center; gap: var(--space-2) var(--space-4); min-height: 46px; padding: var(--space-2) var(--space-4); border-bottom: 1px solid var(--line); border-radius: var(--radius-large) var(--radius-large) 0 0; background: var(--surface); }
      .bar.acts { position: sticky; top: 0; z-index: 5; }
      .bar cuadro-jobs-selected { margin-inline-start: auto; }
      .pick { display: grid; place-items: center; align-self: stretch; min-width: 24px; margin-inline: -5px; cursor: pointer; }
      .job { display: grid; grid-column: 1 / -1; grid-template-columns: subgrid; row-gap: var(--space-2); align-items: center; padding: var(--space-3) var(--space-4); border-bottom: 1px solid var(--line); }
      .job > cuadro-job-actions { justify-content: end; }
      .job:last-child { border: 0; }
      .job:hover { background: color-mix(in srgb, var(--surface-hover) 45%, transparent); }
      .main { display: grid; gap: 6px; min-width: 0; }
      .facts { display: flex; flex-wrap: wrap; gap: 2px var(--space-4); }
      strong { font-weight: 600; }
      @media (max-width: 900px) {
        .list { grid-template-columns: auto minmax(0, 1fr); }
        .job > a { display: none; }
        .job > cuadro-job-actions { grid-column: 2; justify-content: start; }
        .bar cuadro-jobs-selected { margin-inline-start: 0; }
        header input[type='search'] { width: 100%; }
        header > select { flex: 1 1 120px; }
        .sort { flex: 1 1 170px; }
        .sort select { flex: 1; width: auto; }
      }
    `,
  ];
  declare listing: JobListing;
  declare filter: string;
  /** Ids; of those that are not shown nothing is done. */
  declare selected: ReadonlySet<string>;
  /** The one that was clicked before: with the shift key the range from it follows. */
  #clicked: string | undefined;

  constructor() {
    super();
    this.filter = '';
    this.selected = new Set();
    this.addController(new Watch(this, () => ['jobs']));
  }

  #list(change: Partial<JobListing>): void {
    go(paths.jobList({ ...this.listing, ...change }), true);
  }

  #pick(shown: readonly JobView[], id: string, event: MouseEvent): void {
    const ids = shown.map((job) => job.id);
    const from = event.shiftKey ? this.#clicked : undefined;
    this.selected = withRange(ids, this.selected, { from, to: id, chosen: !this.selected.has(id) });
    this.#clicked = id;
  }

  override render(): TemplateResult {
    if (!store.loaded) return html`<p class="quiet">${terms.common.loading}</p>`;
    const { listing } = this;
    const shown = listJobs(store.jobs, this.filter, listing);
    const t = terms.jobList;
    const value = (event: Event): string => (event.target as HTMLSelectElement).value;
    return html`<header>
        <h1>${terms.jobs.title}</h1>
        <input type="search" placeholder=${terms.jobs.filter} aria-label=${terms.jobs.filter} .value=${this.filter}
          @input=${(event: InputEvent) => {
            this.filter = (event.target as HTMLInputElement).value;
          }} />
        <select aria-label=${terms.jobs.state} @change=${(event: Event) => this.#list({ state: value(event) })}>
          <option value="" ?selected=${listing.state === ''}>${terms.common.all}</option>
          ${Object.entries(terms.job.states).map(([state, label]) => (state === 'deleted' ? '' : html`<option value=${state} ?selected=${listing.state === state}>${label}</option>`))}
        </select>
        <span class="sort">
          <select aria-label=${t.sort} @change=${(event: Event) => this.#list({ sort: value(event) as JobListing['sort'], reversed: false })}>
            ${JOB_SORTS.map((sort) => html`<option value=${sort} ?selected=${listing.sort === sort}>${t.sorts[sort]}</option>`)}
          </select>
          <button class="icon" title=${t.reverse} aria-label=${t.reverse} aria-pressed=${listing.reversed ? 'true' : 'false'}
            @click=${() => this.#list({ reversed: !listing.reversed })}><cuadro-icon name=${listing.reversed ? 'reversed' : 'ordered'}></cuadro-icon></button>
        </span>
      </header>
      ${
        store.jobs.length === 0
          ? html`<cuadro-empty class="panel" icon="jobs" .heading=${terms.jobs.empty} .text=${terms.jobs.emptyText}>
              <button class="primary" @click=${() => openSubmit()}>${terms.submit.title}</button></cuadro-empty>`
          : shown.length === 0
            ? html`<cuadro-empty class="panel" .heading=${terms.jobs.noMatch}></cuadro-empty>`
            : html`<div class="panel list">${this.#bar(shown)}${repeat(
                shown,
                (job) => job.id,
                (job) => this.#job(job, shown),
              )}</div>`
      }`;
  }

  #bar(shown: readonly JobView[]): TemplateResult {
    const t = terms.jobList;
    const chosen = shown.filter(({ id }) => this.selected.has(id));
    const all = chosen.length === shown.length;
    return html`<div class=${chosen.length > 0 ? 'bar acts' : 'bar'}>
      <label class="check"><input type="checkbox" .checked=${live(all)} .indeterminate=${!all && chosen.length > 0}
        @click=${() => {
          this.selected = new Set(all ? [] : shown.map(({ id }) => id));
        }} /><span class="small quiet">${t.selectAll}</span></label>
      <span class="small quiet number" role="status">${chosen.length === 0 ? '' : t.selected(chosen.length)}</span>
      <cuadro-jobs-selected role="group" aria-label=${t.selectedLabel} .jobs=${chosen}
        @changed=${(event: CustomEvent<string[]>) => {
          this.selected = new Set(event.detail);
        }}></cuadro-jobs-selected>
    </div>`;
  }

  #job(job: JobView, shown: readonly JobView[]): TemplateResult {
    const { counts, live: now } = job;
    const [newest] = job.thumbnails;
    const why = job.reason ?? now.waits;
    const left =
      now.remainingMs === undefined || ended(job)
        ? undefined
        : terms.common.left(formatDuration(now.remainingMs));
    return html`<article class="job">
      <label class="pick"><input type="checkbox" aria-label=${terms.jobList.select(job.name)} .checked=${live(this.selected.has(job.id))}
        @click=${(event: MouseEvent) => this.#pick(shown, job.id, event)} /></label>
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
