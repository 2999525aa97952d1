import type { NodeView } from '@cuadro/protocol';
import { LitElement, css, html, type TemplateResult } from 'lit';
import { repeat } from 'lit/directives/repeat.js';
import { formatBytes, formatPercent } from '../data/format.ts';
import { paths } from '../data/router.ts';
import { machineTerms, nodeStateText } from '../machine-terms.ts';
import { shared } from '../theme/shared.ts';
import './machine-actions.ts';
import './progress.ts';
import './state.ts';
import { nodeTone } from './tones.ts';

/** One machine in brief: what it runs or why it doesn't, what it can do, and what may be done with it. */
export class CuadroMachineCard extends LitElement {
  static override properties = {
    node: { attribute: false },
    jobName: { attribute: false },
  };
  static override styles = [
    shared,
    css`
      :host { display: grid; grid-template-columns: minmax(0, 1fr); grid-template-rows: auto 1fr auto auto; gap: var(--space-3); padding: var(--space-4); }
      .head { display: flex; flex-wrap: wrap; gap: 4px var(--space-2); align-items: center; }
      .head h3 { font-size: var(--text-base); font-weight: 600; overflow-wrap: anywhere; }
      .badge { padding: 0 7px; border: 1px solid var(--line-strong); border-radius: 9px; color: var(--text-quiet); font-size: 11px; line-height: 18px; white-space: nowrap; }
      .badge.leads { border-color: var(--accent); color: var(--accent-text); }
      cuadro-state { margin-left: auto; }
      .doing { display: grid; gap: var(--space-2); align-content: start; }
      .task { display: grid; gap: 5px; }
      ul { display: flex; flex-wrap: wrap; gap: 2px var(--space-3); margin: 0; padding: 0; list-style: none; }
      .warn { color: var(--warn); }
      .tags { margin-top: var(--space-2); display: flex; flex-wrap: wrap; gap: 4px; align-items: center; }
      .tag { padding: 0 7px; border-radius: var(--radius); background: var(--track); font-size: 11px; line-height: 18px; overflow-wrap: anywhere; }
    `,
  ];
  declare node: NodeView;
  /** A job's name by its id. */
  declare jobName: (job: string) => string;

  constructor() {
    super();
    this.jobName = (job) => job;
  }

  override render(): TemplateResult {
    return html`${this.#head()}${this.#doing()}${this.#can()}<cuadro-machine-actions .node=${this.node}></cuadro-machine-actions>`;
  }

  #head(): TemplateResult {
    const { node } = this;
    return html`<div class="head"><h3><a href=${paths.machine(node.peer)}>${node.name}</a></h3>
      ${node.coordinator ? html`<span class="badge leads">${machineTerms.coordinator}</span>` : ''}
      ${node.here ? html`<span class="badge">${machineTerms.here}</span>` : ''}
      <cuadro-state .tone=${nodeTone(node)} .label=${nodeStateText(node)}></cuadro-state></div>`;
  }

  #doing(): TemplateResult {
    const { live, desired, ownerDesired } = this.node;
    if (!live.reachable) {
      const isOut = desired !== 'active' || ownerDesired !== 'active';
      return html`<p class="doing small quiet">${machineTerms.unreachableText} ${isOut ? machineTerms.pausedWhenBack : ''}</p>`;
    }
    if (live.running.length === 0) return html`<p class="doing small quiet">${live.idleReason ?? ''}</p>`;
    return html`<div class="doing">${repeat(
      live.running,
      ({ job, task }) => `${job}/${task}`,
      ({ job, task, name, fraction }) => html`<a class="task small" href=${paths.job(job, undefined, task)}>
        <span class="row"><span class="clip grow">${name} <span class="quiet">${this.jobName(job)}</span></span>
          <span class="number quiet">${formatPercent(fraction)}</span></span>
        <cuadro-bar .fraction=${fraction} .label=${`${name}, ${this.node.name}`}></cuadro-bar></a>`,
    )}</div>`;
  }

  #can(): TemplateResult {
    const { live, slots, tags } = this.node;
    const can = live.capabilities;
    const t = machineTerms;
    if (can === undefined) {
      const text = live.reachable ? html`<p class="small quiet">${t.unknownYet}</p>` : '';
      return html`<div>${text}${this.#tags(tags)}</div>`;
    }
    const { blender, ffmpeg } = can.engines;
    const facts: unknown[] = [
      blender === undefined ? html`<span class="warn">${t.noBlender}</span>` : t.blender(blender),
      ffmpeg === undefined ? html`<span class="warn">${t.noFfmpeg}</span>` : t.ffmpeg(ffmpeg),
      ...can.devices.filter((device) => device !== 'CPU'),
      t.cores(can.cores),
      t.memory(formatBytes(can.memoryBytes)),
      ...(slots > 1 ? [t.slots(slots)] : []),
      ...(live.reachable ? [t.free(formatBytes(live.freeDiskBytes)), t.load(live.load)] : []),
    ];
    return html`<div><ul class="small quiet number" aria-label=${t.can}>${facts.map((fact) => html`<li>${fact}</li>`)}</ul>${this.#tags(tags)}</div>`;
  }

  #tags(tags: readonly string[]): TemplateResult | '' {
    if (tags.length === 0) return '';
    return html`<div class="tags" role="list" aria-label=${machineTerms.tags}>${tags.map((tag) => html`<span class="tag" role="listitem">${tag}</span>`)}</div>`;
  }
}
customElements.define('cuadro-machine-card', CuadroMachineCard);
