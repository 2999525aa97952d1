import { shownState } from '@cuadro/protocol/shown-state';
import type { JobView } from '@cuadro/protocol';
import { LitElement, css, html, type TemplateResult } from 'lit';
import '../components/job-actions.ts';
import '../components/progress.ts';
import '../components/state.ts';
import { ended, jobTone } from '../components/tones.ts';
import { notify } from '../components/notices.ts';
import { blobAddress } from '../data/client.ts';
import { Watch, store } from '../data/controller.ts';
import { formatDuration, formatTime } from '../data/format.ts';
import { JOB_TABS, type JobTab, go, paths } from '../data/router.ts';
import { Settled } from '../data/settled.ts';
import { terms } from '../terms.ts';
import { buttons, shared } from '../theme/shared.ts';
import './job-details.ts';
import './job-times.ts';
import './job-trouble.ts';
import './task-drawer.ts';
import './task-table.ts';
import './wall.ts';

type Copies = Pick<JobView, 'oneCopyOnly' | 'safety'>;

/** One job: its head, and a tab for the frames, the tasks, their times, the film and the details. */
export class CuadroJob extends LitElement {
  static override properties = { job: {}, tab: {}, task: { type: Number }, attempt: {} };
  static override styles = [
    shared,
    buttons,
    css`
      :host { display: grid;
        grid-template-columns: minmax(0, 1fr); gap: var(--space-4); }
      .head { display: grid;
        grid-template-columns: minmax(0, 1fr); gap: var(--space-3); }
      .title { display: flex; gap: var(--space-3); align-items: center; flex-wrap: wrap; }
      .title h1 { overflow-wrap: anywhere; }
      .facts { display: flex; flex-wrap: wrap; gap: 4px var(--space-6); align-items: center; }
      cuadro-job-bar { --bar-height: 10px; }
      .folder { display: inline-flex; align-items: center; gap: 4px; min-width: 0; max-width: 100%; }
      .warn { color: var(--warn); }
      [role='tablist'] { display: flex; gap: var(--space-1); border-bottom: 1px solid var(--line); overflow-x: auto; }
      [role='tab'] { border: 0; border-bottom: 2px solid transparent; border-radius: 0; background: none; color: var(--text-quiet); padding: 0 var(--space-3); min-height: 36px; }
      [role='tab'][aria-selected='true'] { color: var(--text); border-color: var(--accent); }
      video { width: 100%; max-height: 74dvh; background: var(--media-back); border-radius: var(--radius-large); }
      .film { display: grid; gap: var(--space-3); }
    `,
  ];
  declare job: string;
  declare tab: JobTab;
  declare task: number | undefined;
  declare attempt: string | undefined;
  readonly #copies = new Settled(
    this,
    ({ oneCopyOnly, safety }: Copies) => oneCopyOnly === 0 && safety.machines > 0,
  );

  constructor() {
    super();
    this.addController(new Watch(this, () => [`job:${this.job}`, 'jobs', `tasks:${this.job}`]));
  }

  override render(): TemplateResult {
    if (!store.loaded) return html`<p class="quiet">${terms.common.loading}</p>`;
    const job = store.job(this.job) ?? store.jobs.find(({ id }) => id.startsWith(this.job));
    if (job === undefined) {
      return html`<cuadro-empty .heading=${terms.job.missing} .text=${terms.job.missingText}>
        <a class="button" href=${paths.jobs}>${terms.farm.allJobs}</a></cuadro-empty>`;
    }
    return html`${this.#head(job)}${this.#tabs(job)}
      <section role="tabpanel" aria-label=${terms.job.tabs[this.tab]}>${this.#panel(job)}</section>
      <cuadro-task-drawer .job=${job} .task=${this.tab === 'tasks' ? this.task : undefined} .attempt=${this.attempt}
        @closed=${() => go(paths.job(job.id, this.tab))}></cuadro-task-drawer>`;
  }

  #head(job: JobView): TemplateResult {
    const { counts, live } = job;
    const { oneCopyOnly, safety } = this.#copies.show(job.id, job);
    const copy = async (): Promise<void> => {
      await navigator.clipboard.writeText(job.outputFolder);
      notify(terms.job.copied);
    };
    return html`<div class="head">
      <div class="title"><h1>${job.name}</h1><span class="faint number">#${job.order}</span>
        <cuadro-state .tone=${jobTone(job)} .label=${terms.job.states[shownState(job)]}></cuadro-state></div>
      ${job.reason === undefined || job.state === 'skipped' ? '' : html`<p class=${job.state === 'failed' ? 'bad' : 'quiet'}>${job.reason}</p>`}
      <cuadro-job-trouble .job=${job}></cuadro-job-trouble>
      ${live.waits === undefined ? '' : html`<p class="quiet">${live.waits}</p>`}
      <cuadro-job-bar .job=${job}></cuadro-job-bar>
      <div class="facts small quiet number">
        <span>${terms.job.progress(counts.done + counts.rendered, counts.total)}</span>
        ${live.running > 0 ? html`<span>${terms.job.running(live.running)}</span>` : ''}
        ${live.remainingMs === undefined || ended(job) ? '' : html`<span title=${terms.job.forecastHint}>${terms.job.forecast(formatDuration(live.remainingMs), formatTime(Date.now() + live.remainingMs))}</span>`}
        ${oneCopyOnly > 0 ? html`<a href=${paths.job(job.id, 'details')} title=${terms.job.oneCopyText(oneCopyOnly)}>${terms.job.oneCopy(oneCopyOnly)}</a>` : ''}
        ${job.acknowledged ? '' : html`<span>${terms.job.notAccepted}</span>`}
        ${live.collected ? html`<span>${terms.job.collected(live.collected)}</span>` : ''}
        ${live.keptForeign ? html`<span class="warn">${terms.job.kept(live.keptForeign)}</span>` : ''}
        ${live.problem === undefined ? '' : html`<span class="bad">${live.problem}</span>`}
        ${
          job.outputFolder === ''
            ? ''
            : html`<span class="folder"><cuadro-icon name="folder"></cuadro-icon><span class="clip mono">${job.outputFolder}</span>
          <button class="bare icon" aria-label=${terms.job.copyFolder} title=${terms.job.copyFolder} @click=${copy}><cuadro-icon name="copy"></cuadro-icon></button></span>`
        }
      </div>
      <a class="small quiet" href=${paths.job(job.id, 'details')}>${safety.sentence}</a>
      <cuadro-job-actions .job=${job} @removed=${() => go(paths.jobs)}></cuadro-job-actions>
    </div>`;
  }

  #tabs(job: JobView): TemplateResult {
    const move = (event: KeyboardEvent): void => {
      const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
      if (step === 0) return;
      const next = JOB_TABS[
        (JOB_TABS.indexOf(this.tab) + step + JOB_TABS.length) % JOB_TABS.length
      ] as JobTab;
      go(paths.job(job.id, next), true);
      void this.updateComplete.then(() =>
        this.renderRoot.querySelector<HTMLElement>('[aria-selected="true"]')?.focus(),
      );
    };
    return html`<div role="tablist" aria-label=${terms.job.tabsLabel} @keydown=${move}>
      ${JOB_TABS.map(
        (
          tab,
        ) => html`<button role="tab" aria-selected=${tab === this.tab} tabindex=${tab === this.tab ? 0 : -1}
        @click=${() => go(paths.job(job.id, tab), true)}>${terms.job.tabs[tab]}</button>`,
      )}
    </div>`;
  }

  #panel(job: JobView): TemplateResult {
    switch (this.tab) {
      case 'frames':
        return html`<cuadro-wall .job=${job.id} .shown=${this.task}></cuadro-wall>`;
      case 'tasks':
        return html`<cuadro-task-table .job=${job.id}></cuadro-task-table>`;
      case 'times':
        return html`<cuadro-job-times .job=${job}></cuadro-job-times>`;
      case 'film':
        return this.#film(job);
      case 'details':
        return html`<cuadro-job-details .job=${job}></cuadro-job-details>`;
    }
  }

  #film(job: JobView): TemplateResult {
    const { film, filmTask } = job;
    const place = { job: job.id, task: filmTask };
    if (film === undefined)
      return html`<cuadro-empty icon="film" .heading=${terms.job.noFilm}></cuadro-empty>`;
    return html`<div class="film">
      ${job.filmStale ? html`<p class="warn">${terms.job.filmStale}</p>` : ''}
      <video controls preload="metadata" src=${blobAddress(film.blob, place, film.name)}></video>
      <span><a class="button" href=${blobAddress(film.blob, place, film.name, true)} download=${film.name}>
        <cuadro-icon name="down"></cuadro-icon>${terms.job.download} ${film.name}</a></span>
    </div>`;
  }
}
customElements.define('cuadro-job', CuadroJob);
