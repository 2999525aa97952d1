import type { JobView, TaskView } from '@cuadro/protocol';
import { LitElement, css, html, type TemplateResult } from 'lit';
import '../components/facts.ts';
import type { Fact } from '../components/facts.ts';
import '../components/progress.ts';
import { Watch, store } from '../data/controller.ts';
import { formatDuration, formatMachineTime, formatNumber, formatTime } from '../data/format.ts';
import { paths } from '../data/router.ts';
import { type JobTimes, type Spread, jobTimes } from '../data/render-times.ts';
import { terms } from '../terms.ts';
import { shared } from '../theme/shared.ts';

/** How long a job's frames take, in all and by machine, and how much is left. */
export class CuadroJobTimes extends LitElement {
  static override properties = { job: { attribute: false } };
  static override styles = [
    shared,
    css`
      :host { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 380px), 1fr)); gap: var(--space-4); align-items: start; }
      .panel { display: grid; grid-template-columns: minmax(0, 1fr); gap: var(--space-3); padding: var(--space-4); }
      table { width: 100%; border-collapse: collapse; }
      th { text-align: left; font-weight: 400; font-size: var(--text-small); color: var(--text-quiet); }
      th, td { padding: 6px var(--space-3) 6px 0; }
      td { border-top: 1px solid var(--line); }
      .number { text-align: right; white-space: nowrap; }
      .share { width: 22%; padding-right: 0; }
      td:first-child { overflow-wrap: anywhere; }
      a { text-decoration: underline; text-decoration-color: var(--line-strong); text-underline-offset: 3px; }
      @media (max-width: 760px) { .wide { display: none; } }
    `,
  ];
  declare job: JobView;

  constructor() {
    super();
    this.addController(new Watch(this, () => [`tasks:${this.job.id}`, 'nodes']));
  }

  override render(): TemplateResult {
    const tasks = store.tasks(this.job.id);
    if (tasks.state === 'failed') return html`<p class="bad">${tasks.error}</p>`;
    if (tasks.state === 'reading' && tasks.list.length === 0)
      return html`<p class="quiet">${terms.common.loading}</p>`;
    const times = jobTimes(tasks.list);
    const { frames } = times;
    const t = terms.times;
    if (frames === undefined) return html`<p class="quiet">${t.none}</p>`;
    return html`<section class="panel"><h2>${t.title}</h2>
        <cuadro-facts .facts=${this.#facts(times, frames)}></cuadro-facts>
        <p class="small quiet">${t.counted} ${tasks.total > tasks.list.length ? t.firstOnly(tasks.list.length, tasks.total) : ''}</p>
      </section>
      <section class="panel"><h2 id="machines">${t.machines}</h2>${this.#machines(times, frames)}</section>`;
  }

  #facts({ open, leftMs, filmMs }: JobTimes, frames: NonNullable<JobTimes['frames']>): Fact[] {
    const t = terms.times;
    const { remainingMs } = this.job.live;
    const end =
      open === 0 || remainingMs === undefined
        ? ''
        : html`<br />${terms.job.forecast(formatDuration(remainingMs), formatTime(Date.now() + remainingMs))}`;
    return [
      [t.median, formatDuration(frames.medianMs)],
      [t.fastest, this.#frame(frames.minMs, frames.fastest)],
      [t.slowest, this.#frame(frames.maxMs, frames.slowest)],
      [t.total, t.totalOf(formatMachineTime(frames.totalMs), frames.count)],
      ...(filmMs === undefined ? [] : [[t.film, formatDuration(filmMs)] as const]),
      [
        t.left,
        leftMs === undefined
          ? t.nothingLeft
          : html`<span>${t.leftOf(open, formatMachineTime(leftMs))}${end}</span>`,
      ],
    ];
  }

  #frame(ms: number, { index, name }: TaskView): TemplateResult {
    return html`${formatDuration(ms)} <a class="quiet" href=${paths.job(this.job.id, 'tasks', index)}>${name}</a>`;
  }

  #machines({ machines }: JobTimes, all: Spread): TemplateResult {
    const t = terms.times;
    return html`<table aria-labelledby="machines">
      <thead><tr><th scope="col">${t.machine}</th><th scope="col" class="number">${t.frames}</th><th scope="col" class="number">${t.median}</th>
        <th scope="col" class="number wide">${t.fastest}</th><th scope="col" class="number wide">${t.slowest}</th>
        <th scope="col" class="number">${t.total}</th><th scope="col" class="share">${t.shareHead}</th></tr></thead>
      <tbody>${machines.map((one) => {
        const named = store.nodes.filter(({ name }) => name === one.machine);
        const [node] = named;
        return html`<tr>
          <td>${named.length === 1 && node !== undefined ? html`<a href=${paths.machine(node.peer)}>${one.machine}</a>` : one.machine}</td>
          <td class="number">${formatNumber(one.count)}</td><td class="number">${formatDuration(one.medianMs)}</td>
          <td class="number wide">${formatDuration(one.minMs)}</td><td class="number wide">${formatDuration(one.maxMs)}</td>
          <td class="number">${formatMachineTime(one.totalMs)}</td>
          <td class="share"><cuadro-bar .fraction=${one.count / all.count} .label=${t.share(one.machine)}></cuadro-bar></td></tr>`;
      })}</tbody></table>`;
  }
}
customElements.define('cuadro-job-times', CuadroJobTimes);
