import { shownState } from '@cuadro/protocol/shown-state';
import type { JobView } from '@cuadro/protocol';
import { LitElement, css, html, type TemplateResult } from 'lit';
import { repeat } from 'lit/directives/repeat.js';
import '../components/activity.ts';
import '../components/coordinators.ts';
import '../components/door-notice.ts';
import '../components/machine-card.ts';
import '../components/progress.ts';
import '../components/state.ts';
import '../components/thumbnail.ts';
import { ended, jobTone } from '../components/tones.ts';
import { Watch, store } from '../data/controller.ts';
import { formatDuration, formatPercent } from '../data/format.ts';
import { paths } from '../data/router.ts';
import { terms } from '../terms.ts';
import { buttons, shared } from '../theme/shared.ts';
import { openSubmit } from '../components/open-submit.ts';

/** Jobs listed on the first page; the rest is one click away. */
const JOBS_SHOWN = 6;
const LATEST_SHOWN = 12;

/** The farm now: what renders, the jobs, the machines, the latest frames. */
export class CuadroFarm extends LitElement {
  static override styles = [
    shared,
    buttons,
    css`
      :host { display: grid;
        grid-template-columns: minmax(0, 1fr); gap: var(--space-6); }
      header { display: flex; align-items: baseline; gap: var(--space-3); flex-wrap: wrap; }
      section > h2 { display: flex; justify-content: space-between; margin-bottom: var(--space-3); color: var(--text-quiet); }
      .links { display: flex; flex-wrap: wrap; gap: 0 var(--space-4); justify-content: end; }
      .columns { display: grid; grid-template-columns: minmax(0, 1.7fr) minmax(0, 1fr); gap: var(--space-6); align-items: start; }
      .now { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 300px), 1fr)); gap: var(--space-3); }
      .running { display: grid; gap: 6px; padding: var(--space-3) var(--space-4); }
      .running strong { font-weight: 600; }
      .rows { display: grid; }
      .job { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 4px var(--space-4); padding: var(--space-3) var(--space-4); border-bottom: 1px solid var(--line); }
      .job:last-child { border: 0; }
      .job:hover { background: var(--surface-hover); color: inherit; }
      .job cuadro-job-bar { grid-column: 1 / -1; }
      .job cuadro-state, .job > .left { justify-self: end; }
      .job .why { grid-column: 1 / -1; }
      .machines { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 330px), 1fr)); gap: var(--space-3); }
      .latest { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(46%, 170px), 1fr)); gap: var(--space-3); }
      .first { display: grid; gap: var(--space-4); justify-items: start; padding: clamp(20px, 4vw, 44px); max-width: 720px; }
      .first h2 { margin: 0; font-size: var(--text-title); color: var(--text); }
      pre { margin: 0; padding: 10px 14px; border: 1px solid var(--line); border-radius: var(--radius); background: var(--back); white-space: pre-wrap; max-width: 100%; }
      .pad { padding: var(--space-4); }
      @media (max-width: 1000px) { .columns { grid-template-columns: minmax(0, 1fr); } }
    `,
  ];

  constructor() {
    super();
    this.addController(new Watch(this, () => ['farm', 'jobs', 'nodes']));
  }

  override render(): TemplateResult {
    if (!store.loaded) return html`<p class="quiet">${terms.common.loading}</p>`;
    const running = store.nodes.reduce((sum, node) => sum + node.live.running.length, 0);
    return html`<header>
        <h1>${store.farm?.name || terms.farm.title}</h1>
        <span class="quiet">${terms.farm.summary(store.nodes.length, running)}</span>
      </header>
      <cuadro-door-notice></cuadro-door-notice>
      ${
        store.jobs.length === 0
          ? html`${this.#first()}${store.nodes.length > 1 ? html`${this.#machines()}${this.#coordinator()}` : ''}`
          : html`${this.#now()}
        <div class="columns">${this.#jobs()}${this.#coordinator()}</div>
        ${this.#machines()}${this.#activity()}${this.#latest()}`
      }`;
  }

  #first(): TemplateResult {
    return html`<section class="panel first">
      <h2>${terms.farm.firstTitle}</h2>
      <p class="quiet">${terms.farm.firstText}</p>
      <button class="primary" @click=${() => openSubmit()}><cuadro-icon name="plus"></cuadro-icon>${terms.submit.title}</button>
      <p class="small quiet">${terms.farm.firstOr}</p>
      <pre class="mono" tabindex="0">${terms.farm.firstCommand}</pre>
      <a class="small quiet" href=${paths.docs()}>${terms.farm.firstDocs} →</a>
    </section>`;
  }

  #now(): TemplateResult {
    const running = store.nodes.flatMap((node) => node.live.running.map((task) => ({ node, task })));
    const open = store.jobs.filter((job) => !ended(job)).length;
    return html`<section>
      <h2>${terms.farm.now}</h2>
      ${
        running.length === 0
          ? html`<div class="panel pad quiet">${terms.farm.idle}. ${terms.farm.idleNext(open)}</div>`
          : html`<div class="now">${repeat(
              running,
              ({ node, task }) => `${node.peer}/${task.job}/${task.task}`,
              ({
                node,
                task,
              }) => html`<a class="panel running" href=${paths.job(task.job, undefined, task.task)}>
                <span class="row"><strong class="clip grow">${store.job(task.job)?.name ?? task.job}</strong>
                  <span class="number quiet">${formatPercent(task.fraction)}</span></span>
                <cuadro-bar .fraction=${task.fraction} .label=${task.name}></cuadro-bar>
                <span class="row small quiet"><span class="grow clip">${task.name}</span><span class="clip">${node.name}</span></span>
              </a>`,
            )}</div>`
      }
    </section>`;
  }

  #jobs(): TemplateResult {
    const open = store.jobs.filter((job) => !ended(job));
    const past = store.jobs
      .filter(ended)
      .sort((a, b) => (b.changedAt ?? b.submittedAt) - (a.changedAt ?? a.submittedAt));
    const shown = [...open, ...past].slice(0, JOBS_SHOWN);
    return html`<section>
      <h2>${terms.farm.jobs}<a class="small" href=${paths.jobs}>${terms.farm.allJobs} →</a></h2>
      <div class="panel rows">${repeat(
        shown,
        (job) => job.id,
        (job) => this.#job(job),
      )}</div>
    </section>`;
  }

  #job(job: JobView): TemplateResult {
    const { counts, live } = job;
    const why = job.reason ?? live.waits;
    const left =
      live.remainingMs === undefined || ended(job) ? '' : terms.common.left(formatDuration(live.remainingMs));
    return html`<a class="job" href=${paths.job(job.id)}>
      <strong class="clip">${job.name}</strong>
      <cuadro-state .tone=${jobTone(job)} .label=${terms.job.states[shownState(job)]}></cuadro-state>
      <cuadro-job-bar .job=${job}></cuadro-job-bar>
      <span class="small quiet number">${terms.job.progress(counts.done + counts.rendered, counts.total)}${
        counts.failed > 0
          ? html` · <span class="bad">${counts.failed} ${terms.task.states.failed.toLowerCase()}</span>`
          : ''
      }</span>
      <span class="left small quiet number">${left}</span>
      ${why === undefined || ended(job) ? '' : html`<span class="why small quiet clip">${why}</span>`}
    </a>`;
  }

  #machines(): TemplateResult {
    const jobName = (job: string): string => store.job(job)?.name ?? job;
    return html`<section>
      <h2>${terms.farm.machines}<span class="links small"><a href=${paths.swarm}>${terms.farm.swarm} →</a><a href=${paths.door}>${terms.farm.addMachines} →</a></span></h2>
      <div class="machines">${repeat(
        store.nodes,
        (node) => node.peer,
        (node) =>
          html`<cuadro-machine-card class="panel" .node=${node} .jobName=${jobName}></cuadro-machine-card>`,
      )}</div>
    </section>`;
  }

  #activity(): TemplateResult {
    return html`<section>
      <h2>${terms.activity.title}</h2>
      <cuadro-activity class="panel pad" named .nodes=${store.nodes}></cuadro-activity>
    </section>`;
  }

  #coordinator(): TemplateResult | '' {
    const { farm } = store;
    if (farm === undefined) return '';
    return html`<section>
      <h2>${terms.coordinator.title}</h2>
      <cuadro-coordinators class="panel" .farm=${farm}></cuadro-coordinators>
    </section>`;
  }

  #latest(): TemplateResult {
    const frames = [...store.jobs]
      .sort((a, b) => (b.changedAt ?? 0) - (a.changedAt ?? 0))
      .flatMap((job) => job.thumbnails.map(({ blob, task }) => ({ job, blob, task })))
      .slice(0, LATEST_SHOWN);
    if (frames.length === 0) return html`<p class="quiet">${terms.farm.noFrames}</p>`;
    return html`<section>
      <h2>${terms.farm.latest}</h2>
      <div class="latest">${frames.map(
        ({ job, blob, task }) => html`<a href=${paths.job(job.id)} title=${job.name}>
        <cuadro-thumbnail .hash=${blob} .job=${job.id} .task=${task} .label=${job.name}></cuadro-thumbnail></a>`,
      )}</div>
    </section>`;
  }
}
customElements.define('cuadro-farm', CuadroFarm);
