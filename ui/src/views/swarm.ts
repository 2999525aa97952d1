import type { SwarmComing, SwarmView } from '@cuadro/protocol';
import { LitElement, css, html, type TemplateResult } from 'lit';
import { repeat } from 'lit/directives/repeat.js';
import '../components/icon.ts';
import '../components/progress.ts';
import { request } from '../data/client.ts';
import { SWARM_INTERVAL_MS } from '../data/limits.ts';
import { paths } from '../data/router.ts';
import { Reread } from '../data/reread.ts';
import { keep } from '../data/same.ts';
import { swarmTerms } from '../swarm-terms.ts';
import { terms } from '../terms.ts';
import { shared } from '../theme/shared.ts';

/** Sources of one machine that are named in its row; all are among the flows. */
const SOURCES_SHOWN = 3;

/** How scenes and frames travel: who has what, what comes from whom, what is missing and why, what waits for a copy. */
export class CuadroSwarm extends LitElement {
  static override properties = { view: { state: true } };
  static override styles = [
    shared,
    css`
      :host { display: grid; grid-template-columns: minmax(0, 1fr); gap: var(--space-4); }
      header { display: flex; gap: var(--space-1) var(--space-3); align-items: baseline; flex-wrap: wrap; }
      .panel { padding: var(--space-4); display: grid; grid-template-columns: minmax(0, 1fr); gap: var(--space-3); align-content: start; }
      .columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); gap: var(--space-4); align-items: start; }
      ul { display: grid; grid-template-columns: minmax(0, 1fr); gap: var(--space-3); margin: 0; padding: 0; list-style: none; }
      .scenes > ul > li { display: grid; grid-template-columns: minmax(0, 1fr); gap: var(--space-2); }
      .scenes > ul > li + li { border-top: 1px solid var(--line); padding-top: var(--space-3); }
      .coming { gap: var(--space-2); padding-left: var(--space-3); border-left: 2px solid var(--line); }
      .coming li { display: grid; grid-template-columns: minmax(90px, 150px) minmax(0, 1fr) minmax(150px, max-content); gap: 2px var(--space-3); align-items: center; }
      .coming .sums { text-align: right; }
      .coming .rest { grid-column: 2 / -1; }
      .coming cuadro-bar { --bar-height: 8px; }
      .names { display: flex; flex-wrap: wrap; gap: 0 var(--space-3); }
      .names a, .single a { font-weight: 600; }
      .why { display: grid; grid-template-columns: auto minmax(0, 1fr); gap: var(--space-2); color: var(--warn); }
      .why cuadro-icon { margin-top: 2px; }
      table { width: 100%; border-collapse: collapse; }
      th { font-weight: 500; text-align: left; color: var(--text-quiet); font-size: var(--text-small); }
      th, td { padding: 5px 0; vertical-align: top; }
      td { border-top: 1px solid var(--line); overflow-wrap: anywhere; }
      th:not(:first-child), td:not(:first-child) { text-align: right; padding-left: var(--space-3); white-space: nowrap; }
      .flow { display: flex; gap: var(--space-2); align-items: baseline; padding: 5px 0; border-top: 1px solid var(--line); }
      .flow > span:first-child { overflow-wrap: anywhere; }
      .flows ul { gap: 0; }
      @media (max-width: 760px) {
        .coming li { grid-template-columns: minmax(0, 1fr) max-content; }
        .coming cuadro-bar, .coming .rest { grid-column: 1 / -1; }
        .coming .sums { grid-row: 1; grid-column: 2; }
      }
    `,
  ];
  declare view: SwarmView | undefined;

  constructor() {
    super();
    // The stream says when something travels.
    this.addController(
      new Reread({
        topics: ['swarm', 'jobs', 'connection'],
        everyMs: SWARM_INTERVAL_MS,
        read: () => request('swarm'),
        take: (view) => (this.view = keep(this.view, view)),
      }),
    );
  }

  override render(): TemplateResult {
    const { view } = this;
    const t = swarmTerms;
    const head = html`<header><h1>${t.title}</h1><span class="quiet">${t.subtitle}</span></header>`;
    if (view === undefined) return html`${head}<p class="quiet">${terms.common.loading}</p>`;
    return html`${head}${this.#scenes(view)}
      <div class="columns">${this.#flows(view)}${this.#copies(view)}</div>
      ${this.#machines(view)}
      <p class="small quiet">${t.live}</p>`;
  }

  #scenes({ bundles }: SwarmView): TemplateResult {
    const t = swarmTerms;
    return html`<section class="panel scenes"><h2>${t.scenes}</h2>
      ${bundles.length === 0 ? html`<p class="quiet">${t.noScenes}</p>` : ''}
      <ul>${repeat(
        bundles,
        ({ bundle }) => bundle,
        ({ jobs, whole, coming }) => html`<li>
          <span class="names">${
            jobs.length === 0
              ? html`<span class="quiet">${t.noJob}</span>`
              : jobs.map(
                  ({ job, order, name }) =>
                    html`<span class="row"><a class="clip" href=${paths.job(job)}>${name}</a><span class="faint small number">#${order}</span></span>`,
                )
          }</span>
          <span class="quiet">${t.whole(whole.machines, whole.names)}</span>
          ${
            coming.length === 0
              ? ''
              : html`<span class="small quiet">${t.coming(coming.length)}</span><ul class="coming">${repeat(
                  coming,
                  ({ peer }) => peer,
                  (each) => this.#coming(each),
                )}</ul>`
          }</li>`,
      )}</ul></section>`;
  }

  #coming(each: SwarmComing): TemplateResult {
    const t = swarmTerms;
    const { name, peer, sizeBytes, doneBytes, files, doneFiles, from, why } = each;
    const left = from.length - SOURCES_SHOWN;
    const sources = from
      .slice(0, SOURCES_SHOWN)
      .map((source) => t.from(source.name, source.bytesPerSecond))
      .concat(left > 0 ? [t.more(left)] : []);
    return html`<li>
      <a class="clip" href=${paths.machine(peer)}>${name}</a>
      <cuadro-bar .fraction=${doneBytes / Math.max(sizeBytes, 1)} .label=${t.barText(name)} tone=${why === undefined ? 'accent' : 'quiet'}></cuadro-bar>
      <span class="sums small number">${t.done(doneBytes, sizeBytes)}</span>
      <span class="rest small quiet number">${[
        ...(files === 0 ? [] : [t.missing(sizeBytes - doneBytes, files - doneFiles)]),
        ...(sources.length === 0 ? [t.quiet] : sources),
      ].join(' · ')}</span>
      ${why === undefined ? '' : html`<span class="rest small why"><cuadro-icon name="warning"></cuadro-icon>${why}</span>`}
    </li>`;
  }

  #flows({ flows, flowsLeftOut }: SwarmView): TemplateResult {
    const t = swarmTerms;
    return html`<section class="panel flows"><h2>${t.flows}</h2>
      ${flows.length === 0 ? html`<p class="quiet">${t.noFlows}</p>` : html`<p class="small quiet">${t.flowsHint}</p>`}
      ${
        flows.length === 0
          ? ''
          : html`<ul>${repeat(
              flows,
              ({ from, to }) => `${from} ${to}`,
              ({ fromName, toName, bytesPerSecond }) =>
                html`<li class="flow"><span class="grow">${fromName} <span aria-hidden="true" class="faint">→</span><span class="unseen"> to </span> ${toName}</span><span class="number">${t.rate(bytesPerSecond)}</span></li>`,
            )}</ul>`
      }
      ${flowsLeftOut > 0 ? html`<p class="small quiet">${t.leftOut(flowsLeftOut)}</p>` : ''}</section>`;
  }

  #copies({ single, machines }: SwarmView): TemplateResult {
    const t = swarmTerms;
    const giving = machines.filter(({ copies: { results, jobs, logs } }) => results + jobs + logs > 0);
    const nothing = single.length === 0 && giving.length === 0;
    return html`<section class="panel single"><h2>${t.copies}</h2>
      ${nothing ? html`<p class="quiet">${machines.length < 2 ? t.copiesAlone : t.copiesDone}</p>` : ''}
      <ul ?hidden=${nothing}>${repeat(
        single,
        ({ job }) => job,
        ({ job, order, name, results, scene, on }) =>
          html`<li><span class="row"><a class="clip" href=${paths.job(job)}>${name}</a><span class="faint small number">#${order}</span></span>
            <span class="small quiet number">${t.single(results, scene)}${on.length === 0 ? '' : html` ${t.singleOn(on)}`}</span></li>`,
      )}${repeat(
        giving,
        ({ peer }) => peer,
        ({ name, copies }) =>
          html`<li class="small quiet number">${t.gives(name, copies)}. ${copies.asked > 0 ? t.asked(copies.asked) : t.askedNone}</li>`,
      )}</ul></section>`;
  }

  #machines({ machines }: SwarmView): TemplateResult {
    const t = swarmTerms;
    const rate = (bytesPerSecond: number): string => (bytesPerSecond === 0 ? t.none : t.rate(bytesPerSecond));
    return html`<section class="panel"><h2>${t.machines}</h2><table>
      <thead><tr><th scope="col">${t.machine}</th><th scope="col">${t.receives}</th><th scope="col">${t.sends}</th></tr></thead>
      <tbody>${repeat(
        machines,
        ({ peer }) => peer,
        ({ peer, name, here, told, receivesPerSecond, sendsPerSecond, notes }) => html`<tr>
          <td><a href=${paths.machine(peer)}>${name}</a>
            ${here ? html`<span class="small faint">${t.here}</span>` : ''}
            ${told ? '' : html`<span class="small faint">${t.untold}</span>`}
            ${notes.map((note) => html`<span class="small why"><cuadro-icon name="warning"></cuadro-icon>${note}</span>`)}</td>
          <td class="number">${rate(receivesPerSecond)}</td><td class="number">${rate(sendsPerSecond)}</td></tr>`,
      )}</tbody></table></section>`;
  }
}
customElements.define('cuadro-swarm', CuadroSwarm);
