import type { NightEvent, NightJobView, NightMachine, NightTone, NightView } from '@cuadro/protocol';
import { LitElement, css, html, type TemplateResult } from 'lit';
import { repeat } from 'lit/directives/repeat.js';
import '../components/icon.ts';
import { nightStates } from '../components/night-timeline.ts';
import '../components/night-timeline.ts';
import '../components/state.ts';
import type { Tone } from '../components/state.ts';
import { request } from '../data/client.ts';
import { store, Watch } from '../data/controller.ts';
import { formatTime } from '../data/format.ts';
import { NIGHT_INTERVAL_MS } from '../data/limits.ts';
import { Reread } from '../data/reread.ts';
import { paths } from '../data/router.ts';
import { nightPlaces, nightTerms } from '../night-terms.ts';
import { terms } from '../terms.ts';
import { buttons, shared } from '../theme/shared.ts';

const SPANS = [8, 12, 24];
type Shown = keyof typeof nightTerms.shown;
const tones: Record<NightTone, Tone> = { good: 'good', note: 'quiet', odd: 'warn', bad: 'bad' };
const icons: Record<NightTone, string> = { good: 'check', note: 'note', odd: 'warning', bad: 'error' };

/** What happened since the evening: what needs a person first, then jobs, machines, and everything in its order. */
export class CuadroNight extends LitElement {
  static override properties = { hours: { state: true }, shown: { state: true }, view: { state: true } };
  static override styles = [
    shared,
    buttons,
    nightStates,
    css`
      /* Sentences hold paths and names of any length. */
      :host { display: grid; grid-template-columns: minmax(0, 1fr); gap: var(--space-4); overflow-wrap: anywhere; }
      header { display: flex; gap: var(--space-2) var(--space-3); align-items: baseline; flex-wrap: wrap; }
      .choice { display: inline-flex; gap: 2px; }
      .choice button[aria-pressed='true'] { background: var(--surface-hover); border-color: var(--accent); }
      .summary { font-size: var(--text-large); }
      .panel { padding: var(--space-4); display: grid; grid-template-columns: minmax(0, 1fr); gap: var(--space-3); align-content: start; }
      .needs { border-color: var(--warn); }
      ul, ol { display: grid; grid-template-columns: minmax(0, 1fr); margin: 0; padding: 0; list-style: none; }
      .needs ul, .jobs ul { gap: var(--space-3); }
      .needs li { display: grid; grid-template-columns: auto minmax(0, 1fr); gap: var(--space-2); align-items: start; }
      .needs cuadro-icon { color: var(--warn); margin-top: 2px; }
      .jobs li { display: grid; gap: 2px; }
      .jobs .number { white-space: nowrap; }
      a.name { font-weight: 600; }
      p a, li a.about { text-decoration: underline; text-decoration-color: var(--line-strong); text-underline-offset: 3px; }
      .columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); gap: var(--space-4); align-items: start; }
      .machine { display: grid; gap: 4px; padding-bottom: var(--space-3); }
      .scale { display: flex; justify-content: space-between; }
      .legend { display: flex; flex-wrap: wrap; gap: var(--space-1) var(--space-4); }
      .legend i { display: inline-block; width: 18px; height: 10px; border-radius: 2px; margin-right: 6px; }
      h3 { font-size: var(--text-small); font-weight: 600; color: var(--text-quiet); padding: var(--space-3) 0 var(--space-1); }
      .event { display: grid; grid-template-columns: minmax(44px, max-content) 18px minmax(0, 1fr); gap: 0 var(--space-2); padding: 5px 0; border-top: 1px solid var(--line); }
      .event cuadro-icon { margin-top: 2px; color: var(--text-faint); }
      .event time { white-space: nowrap; }
      .event.is-good cuadro-icon { color: var(--good); }
      .event.is-odd cuadro-icon { color: var(--warn); }
      .event.is-bad cuadro-icon { color: var(--bad); }
      .until { margin-right: var(--space-2); white-space: nowrap; }
      .about { display: inline-block; margin-right: var(--space-3); color: var(--accent-text); }
    `,
  ];
  declare hours: number;
  declare shown: Shown;
  declare view: NightView | undefined;
  readonly #reread: Reread<NightView>;

  constructor() {
    super();
    this.hours = 12;
    this.shown = 'all';
    // Links need the names that the store has read by now.
    this.addController(new Watch(this, () => ['connection']));
    // The stream says when something was written down or a job came to an end.
    this.#reread = new Reread({
      topics: ['night', 'connection'],
      everyMs: NIGHT_INTERVAL_MS,
      read: () => request('night', { query: { hours: this.hours } }),
      take: (view) => (this.view = view),
    });
    this.addController(this.#reread);
  }

  #choose(hours: number): void {
    this.hours = hours;
    void this.#reread.now();
  }

  override render(): TemplateResult {
    const { view } = this;
    const t = nightTerms;
    const head = html`<header>
      <h1>${t.title}</h1>
      <span class="grow small quiet number">${view === undefined ? '' : t.range(formatTime(view.from), formatTime(view.to))}</span>
      <span class="choice" role="group" aria-label=${t.span}>${SPANS.map(
        (hours) =>
          html`<button aria-pressed=${hours === this.hours ? 'true' : 'false'} @click=${() => this.#choose(hours)}>${t.hours(hours)}</button>`,
      )}</span>
    </header>`;
    if (view === undefined) return html`${head}<p class="quiet">${terms.common.loading}</p>`;
    return html`${head}
      <p class="summary">${view.summary}</p>
      ${view.needs.length === 0 ? '' : this.#needs(view)}
      <div class="columns">${this.#jobs(view)}${this.#machines(view)}</div>
      ${this.#events(view)}`;
  }

  #needs({ needs }: NightView): TemplateResult {
    return html`<section class="panel needs"><h2>${nightTerms.needs}</h2><ul>${repeat(
      needs,
      ({ id }) => id,
      ({ sentence, job, machine }) => html`<li><cuadro-icon name="warning"></cuadro-icon>
        <span>${sentence} ${this.#links(job, machine === undefined ? [] : [machine])}</span></li>`,
    )}</ul></section>`;
  }

  #jobs({ jobs }: NightView): TemplateResult {
    const t = nightTerms;
    return html`<section class="panel jobs"><h2>${t.jobs}</h2>
      ${jobs.length === 0 ? html`<p class="quiet">${t.noJobs}</p>` : ''}
      <ul>${repeat(
        jobs,
        ({ job }) => job,
        ({ job, order, name, state, sentence, tone }: NightJobView) => html`<li>
          <span class="row"><a class="name" href=${paths.job(job)}>${name}</a><span class="faint small number">#${order}</span>
            <cuadro-state .tone=${state === 'active' ? 'live' : tones[tone]} .label=${terms.job.states[state]}></cuadro-state></span>
          <span class="quiet">${sentence}</span></li>`,
      )}</ul></section>`;
  }

  #machines({ machines, from, to }: NightView): TemplateResult {
    const t = nightTerms;
    const states = new Set(machines.flatMap(({ spans }) => spans.map(({ state }) => state)));
    return html`<section class="panel"><h2>${t.machines}</h2><div>${repeat(
      machines,
      ({ peer }) => peer,
      (machine: NightMachine) => html`<div class="machine">
        <a class="name clip" href=${paths.machine(machine.peer)}>${machine.name}</a>
        <cuadro-night-timeline .machine=${machine}></cuadro-night-timeline>
        <span class="small quiet">${machine.sentence}</span></div>`,
    )}
      <div class="scale small faint number"><span>${formatTime(from)}</span><span>${formatTime((from + to) / 2)}</span><span>${formatTime(to)}</span></div></div>
      <div class="legend small quiet" role="group" aria-label=${t.legend}>${Object.entries(t.states)
        .filter(([state]) => states.has(state as keyof typeof t.states))
        .map(([state, word]) => html`<span><i class=${state}></i>${word}</span>`)}</div></section>`;
  }

  #events({ events, leftOut }: NightView): TemplateResult {
    const t = nightTerms;
    const shown = events.filter(({ kind }) => this.shown === 'all' || nightPlaces[kind] === this.shown);
    const groups = Map.groupBy(shown, ({ at }) => hourOf(at));
    return html`<section class="panel">
      <header><h2 class="grow">${t.events}</h2>
        <span class="choice" role="group" aria-label=${t.show}>${Object.entries(t.shown).map(
          ([value, label]) =>
            html`<button aria-pressed=${value === this.shown ? 'true' : 'false'} @click=${() => {
              this.shown = value as Shown;
            }}>${label}</button>`,
        )}</span></header>
      ${leftOut > 0 ? html`<p class="small quiet">${t.leftOut(leftOut)}</p>` : ''}
      ${shown.length === 0 ? html`<p class="quiet">${t.noEvents}</p>` : ''}
      <div>${repeat(
        [...groups],
        ([hour]) => hour,
        ([hour, group]) =>
          html`<h3 class="number">${formatTime(hour)}</h3><ol>${repeat(
            group,
            ({ id }) => id,
            (event) => this.#event(event),
          )}</ol>`,
      )}</div></section>`;
  }

  #event({ at, until, lasts, sentence, tone, machines, job, task }: NightEvent): TemplateResult {
    const t = nightTerms;
    const end = lasts ? t.lasts : until === undefined ? undefined : t.until(endOf(at, until));
    return html`<li class="event is-${tone}">
      <time class="number quiet" datetime=${new Date(at).toISOString()}>${clockOf(at)}</time>
      <cuadro-icon name=${icons[tone]}></cuadro-icon>
      <span><span class="unseen">${t.tones[tone]}</span> <span>${sentence}</span>
        <span class="small quiet">${end === undefined ? '' : html`<span class="until">${end}</span>`}${this.#links(job, machines, task)}</span></span></li>`;
  }

  #links(job: string | undefined, machines: readonly string[], task?: number): TemplateResult {
    const view = job === undefined ? undefined : store.job(job);
    const known = machines.filter((peer) => store.node(peer) !== undefined);
    return html`${
      view === undefined
        ? ''
        : html`<a class="about" href=${paths.job(view.id, task === undefined ? undefined : 'tasks', task)}>${`#${view.order} ${view.name}`}</a>`
    }${known.map((peer) => html`<a class="about" href=${paths.machine(peer)}>${store.machineName(peer)}</a>`)}`;
  }
}
customElements.define('cuadro-night', CuadroNight);

const HOUR_MS = 3_600_000;
/** Of the place in which the page is read: not every zone is whole hours away. */
function hourOf(at: number): number {
  const shift = new Date(at).getTimezoneOffset() * 60_000;
  return Math.floor((at - shift) / HOUR_MS) * HOUR_MS + shift;
}

/** The date is said where it isn't that of the begin, under whose hour it stands. */
const endOf = (at: number, until: number): string =>
  new Date(at).toDateString() === new Date(until).toDateString() ? clockOf(until) : formatTime(until);

const clockTime = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const clockOf = (at: number): string => clockTime.format(at);
