import { formatHours, parseHours } from '@cuadro/protocol/hours';
import { type HeldOnly, heldOnlyBy, heldOnlyText, machineSafety } from '@cuadro/protocol/held-only';
import type { NodeView } from '@cuadro/protocol';
import { LitElement, css, html, type TemplateResult } from 'lit';
import { repeat } from 'lit/directives/repeat.js';
import '../components/activity.ts';
import '../components/departure.ts';
import '../components/door-notice.ts';
import '../components/facts.ts';
import type { Fact } from '../components/facts.ts';
import '../components/machine-actions.ts';
import { attempt, notify } from '../components/notices.ts';
import '../components/progress.ts';
import '../components/state.ts';
import { nodeTone } from '../components/tones.ts';
import { request } from '../data/client.ts';
import { Watch, store } from '../data/controller.ts';
import { formatBytes, formatPercent } from '../data/format.ts';
import { paths } from '../data/router.ts';
import { Settled } from '../data/settled.ts';
import { terms } from '../terms.ts';
import { buttons, fields, shared } from '../theme/shared.ts';
import './machine-here.ts';

/** One machine of the farm: what it does and why it doesn't, what it can do, what only it holds, and when it works. */
export class CuadroMachine extends LitElement {
  static override properties = { machine: {} };
  static override styles = [
    shared,
    buttons,
    fields,
    css`
      :host { display: grid; grid-template-columns: minmax(0, 1fr); gap: var(--space-4); }
      header { display: flex; gap: var(--space-3); align-items: center; flex-wrap: wrap; }
      header h1 { overflow-wrap: anywhere; }
      nav { display: flex; gap: 6px; overflow-x: auto; padding: 2px; }
      nav a { display: inline-flex; align-items: center; gap: 8px; flex: none; min-height: 32px; padding: 0 var(--space-3); border: 1px solid var(--line); border-radius: var(--radius); color: var(--text-quiet); }
      nav cuadro-state { color: inherit; }
      nav a[aria-current='page'] { background: var(--surface-hover); border-color: var(--line-strong); color: var(--text); }
      .badge { padding: 0 7px; border: 1px solid var(--line-strong); border-radius: 9px; color: var(--text-quiet); font-size: 11px; line-height: 18px; white-space: nowrap; }
      .badge.leads { border-color: var(--accent); color: var(--accent-text); }
      .panels { columns: 3 320px; column-gap: var(--space-4); }
      .panel { padding: var(--space-4); display: grid; gap: var(--space-3); break-inside: avoid; margin-bottom: var(--space-4); }
      .task { display: grid; gap: 5px; }
      ul { display: grid; gap: 4px; margin: 0; padding: 0; list-style: none; }
      .hours { display: flex; flex-wrap: wrap; gap: 6px; align-items: end; }
      .hours .field { flex: 1 1 100%; }
      .hours .slots { flex: 1 1 120px; }
    `,
  ];
  /** A peer id; undefined for this machine. */
  declare machine: string | undefined;
  readonly #held = new Settled(this, (held: readonly HeldOnly[]) => held.length === 0);

  constructor() {
    super();
    this.addController(new Watch(this, () => ['door', 'farm', 'here', 'jobs', 'nodes']));
  }

  override render(): TemplateResult {
    if (!store.loaded) return html`<p class="quiet">${terms.common.loading}</p>`;
    const node = this.machine === undefined ? store.nodes.find(({ here }) => here) : store.node(this.machine);
    if (node === undefined) {
      return html`<cuadro-empty .heading=${terms.machine.unknown} .text=${terms.machine.unknownText}>
        <a class="button" href=${paths.machines}>${terms.machine.title}</a></cuadro-empty>`;
    }
    const isOut = node.here && store.door?.state === 'removed';
    return html`${store.nodes.length > 1 ? this.#choice(node) : ''}
      <header>
        <h1>${node.name}</h1>
        ${node.coordinator ? html`<span class="badge leads">${terms.machines.coordinator}</span>` : ''}
        ${node.here ? html`<span class="badge">${terms.machines.here}</span>` : ''}
        <cuadro-state class="grow" .tone=${isOut ? 'bad' : nodeTone(node)} .label=${isOut ? terms.machine.out : terms.nodeState(node)}></cuadro-state>
        <cuadro-machine-actions .node=${node}></cuadro-machine-actions>
      </header>
      ${isOut ? html`<cuadro-door-notice></cuadro-door-notice>` : ''}
      <div class="panels">
        ${this.#now(node)}${this.#activity(node)}${this.#copies(node)}${this.#departure(node)}${this.#limits(node)}${this.#capabilities(node)}
        ${node.here ? html`<cuadro-machine-here></cuadro-machine-here>` : ''}
      </div>`;
  }

  #choice(shown: NodeView): TemplateResult {
    return html`<nav aria-label=${terms.farm.machines}>${repeat(
      store.nodes,
      ({ peer }) => peer,
      (node) => html`<a href=${paths.machine(node.peer)} aria-current=${node === shown ? 'page' : 'false'}>
        <cuadro-state .tone=${nodeTone(node)} .label=${node.name}></cuadro-state></a>`,
    )}</nav>`;
  }

  #now({ live, name, desired, ownerDesired }: NodeView): TemplateResult {
    const t = terms.machines;
    const isOut = desired !== 'active' || ownerDesired !== 'active';
    const idle = live.reachable
      ? (live.idleReason ?? '')
      : `${t.unreachableText}${isOut ? ` ${t.pausedWhenBack}` : ''}`;
    return html`<section class="panel"><h2>${terms.machine.now}</h2>
      ${
        live.running.length === 0
          ? html`<p class="quiet">${idle}</p>`
          : repeat(
              live.running,
              ({ job, task }) => `${job}/${task}`,
              ({
                job,
                task,
                name: frame,
                fraction,
              }) => html`<a class="task" href=${paths.job(job, undefined, task)}>
                <span class="row"><span class="clip grow">${frame} <span class="quiet">${store.job(job)?.name ?? job}</span></span>
                  <span class="number quiet">${formatPercent(fraction)}</span></span>
                <cuadro-bar .fraction=${fraction} .label=${`${frame}, ${name}`}></cuadro-bar></a>`,
            )
      }
      ${live.reachable ? html`<p class="small quiet number">${t.free(formatBytes(live.freeDiskBytes))} · ${t.load(live.load)}</p>` : ''}
    </section>`;
  }

  #activity(node: NodeView): TemplateResult {
    return html`<section class="panel"><h2>${terms.activity.title}</h2>
      <cuadro-activity .nodes=${[node]}></cuadro-activity></section>`;
  }

  #capabilities({ live, tags, slots, peer }: NodeView): TemplateResult {
    const t = terms.machine;
    const can = live.capabilities;
    const list = (values: readonly string[], none: string): string => values.join(', ') || none;
    const { blender, ffmpeg } = can?.engines ?? {};
    const facts: Fact[] =
      can === undefined
        ? []
        : [
            [t.blender, blender ?? t.missing],
            [t.ffmpeg, ffmpeg ?? t.missing],
            [t.renderEngines, list(can.renderEngines.map(terms.machines.renderEngine), terms.common.none)],
            [t.devices, list(can.devices, terms.common.none)],
            [t.denoisers, list(can.denoisers, t.noDenoisers)],
            [t.cores, can.cores],
            [t.memory, formatBytes(can.memoryBytes)],
            [t.slots, slots],
            [t.commands, list(can.programs, t.noCommands)],
            [t.scripts, can.scripts ? t.allowed : t.notAllowed],
          ];
    return html`<section class="panel"><h2>${t.capabilities}</h2>
      ${can === undefined ? html`<p class="quiet">${terms.machines.unknownYet}</p>` : ''}
      <cuadro-facts .facts=${[
        ...facts,
        [terms.machines.tags, list(tags, terms.machines.noTags)],
        [t.key, html`<span class="mono small">${peer}</span>`],
      ]}></cuadro-facts></section>`;
  }

  /** What would be lost with it (SPEC R58). */
  #copies({ peer, here }: NodeView): TemplateResult {
    const t = terms.machine;
    const held = this.#held.show(peer, heldOnlyBy(store.jobs, peer));
    const { results = 0, jobs = 0, logs = 0 } = (here ? store.here?.copiesToGive : undefined) ?? {};
    const waiting = results + jobs + logs;
    return html`<section class="panel"><h2>${t.copies}</h2>
      <p>${machineSafety(held, store.farm?.members ?? 1)}</p>
      ${
        held.length === 0
          ? ''
          : html`<ul class="small">${held.map(
              (
                only,
              ) => html`<li class="row"><a class="clip" href=${paths.job(only.job.id, 'details')}>${only.job.name}</a>
                <span class="quiet number">${heldOnlyText(only)}</span></li>`,
            )}</ul>`
      }
      ${waiting === 0 ? '' : html`<p class="small quiet number">${t.copiesWait(waiting)}</p>`}
    </section>`;
  }

  /** Out of the farm, with what only it holds moved first. */
  #departure({ peer, here, leaving }: NodeView): TemplateResult | '' {
    const t = terms.departure;
    const { door } = store;
    if (door?.state !== 'member') return '';
    const hint = leaving || door.members.length < 2 ? '' : here ? t.leaveHint : t.removeHint;
    return html`<section class="panel"><h2>${here ? t.leave : t.removeHeading}</h2>
      ${hint === '' ? '' : html`<p class="quiet">${hint}</p>`}
      <cuadro-departure .peer=${peer}></cuadro-departure></section>`;
  }

  /** When it works, and how much at a time: any member may set it. */
  #limits({ peer, hours, slots }: NodeView): TemplateResult {
    const t = terms.machine;
    const save = (event: SubmitEvent): void => {
      event.preventDefault();
      const data = new FormData(event.target as HTMLFormElement);
      const field = data.get('hours');
      const text = typeof field === 'string' ? field.trim() : '';
      const wanted = text === '' ? { spans: [] } : parseHours(text);
      const number = Number(data.get('slots'));
      if (wanted === undefined) {
        notify(t.hoursWrong(text), true);
        return;
      }
      const body = { hours: wanted, ...(number !== slots && { slots: number }) };
      void attempt(() => request('setNode', { params: { node: peer }, body }));
    };
    const written = formatHours(hours);
    return html`<section class="panel"><h2>${t.limits}</h2>
      <p class="quiet">${written === '' ? t.always : t.worksAt(written)}</p>
      <form class="hours" @submit=${save}>
        <label class="field">${t.hoursLabel}<input name="hours" placeholder=${t.hoursHint} .value=${written} /></label>
        <label class="field slots">${t.slotsLabel}<input name="slots" type="number" min="0" max="64" required .value=${String(slots)} /></label>
        <button>${terms.common.save}</button>
      </form>
    </section>`;
  }
}
customElements.define('cuadro-machine', CuadroMachine);
