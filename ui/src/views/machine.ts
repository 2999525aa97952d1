import type { Config, HereView, NodeView } from '@cuadro/protocol';
import { LitElement, css, html, type TemplateResult } from 'lit';
import { attempt } from '../components/notices.ts';
import '../components/progress.ts';
import '../components/state.ts';
import { nodeTone } from '../components/tones.ts';
import { request } from '../data/client.ts';
import { Watch, store } from '../data/controller.ts';
import { formatBytes, formatDuration, formatTime } from '../data/format.ts';
import { terms } from '../terms.ts';
import { buttons, shared } from '../theme/shared.ts';
import './machine-settings.ts';

type Row = [string, unknown];

/** This machine: what it can do, what it does, what it stores, and what its owner set. */
export class CuadroMachine extends LitElement {
  static override properties = { config: { state: true } };
  static override styles = [
    shared,
    buttons,
    css`
      :host { display: grid;
        grid-template-columns: minmax(0, 1fr); gap: var(--space-4); }
      header { display: flex; gap: var(--space-3); align-items: center; flex-wrap: wrap; }
      .grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 340px), 1fr)); gap: var(--space-4); align-items: start; }
      .panel { padding: var(--space-4); display: grid; gap: var(--space-3); }
      dl { display: grid; grid-template-columns: minmax(110px, auto) minmax(0, 1fr); gap: 8px var(--space-4); margin: 0; }
      dt { color: var(--text-quiet); }
      dd { margin: 0; overflow-wrap: anywhere; }
      .warn { color: var(--warn); }
      cuadro-bar { --bar-height: 8px; }
    `,
  ];
  declare config: Config | undefined;

  constructor() {
    super();
    this.addController(new Watch(this, () => ['here', 'nodes']));
  }

  override connectedCallback(): void {
    super.connectedCallback();
    void request('config').then(
      (config) => {
        this.config = config;
      },
      () => undefined,
    );
  }

  /** Going on also ends a pause that somebody else in the farm asked for. */
  #want(ownerDesired: 'active' | 'draining' | 'paused', desired?: 'active'): void {
    const body = { ownerDesired, ...(desired !== undefined && { desired }) };
    void attempt(() => request('setNode', { params: { node: 'here' }, body }));
  }

  override render(): TemplateResult {
    const { here } = store;
    const node = store.nodes.find((entry) => entry.here);
    if (here === undefined || node === undefined)
      return html`<p class="quiet">${store.loaded ? terms.machine.notLoaded : terms.common.loading}</p>`;
    const working = node.ownerDesired === 'active' && node.desired === 'active';
    return html`<header>
        <h1>${here.name}</h1>
        <cuadro-state class="grow" .tone=${nodeTone(node)} .label=${terms.nodeState(node)}></cuadro-state>
        ${
          working
            ? html`<button @click=${() => this.#want('draining')}>${terms.machine.drain}</button>
          <button @click=${() => this.#want('paused')}><cuadro-icon name="pause"></cuadro-icon>${terms.machine.pause}</button>`
            : html`<button class="primary" @click=${() => this.#want('active', 'active')}><cuadro-icon name="play"></cuadro-icon>${terms.machine.resume}</button>`
        }
      </header>
      ${node.live.idleReason === undefined ? '' : html`<p class="quiet">${node.live.idleReason}</p>`}
      <div class="grid">${this.#programs(here)}${this.#sessions(here)}${this.#storage(here)}${this.#capabilities(node)}${this.#node(here)}
        ${
          this.config === undefined
            ? ''
            : html`<cuadro-machine-settings class="panel" .config=${this.config} @saved=${(
                event: CustomEvent<Config>,
              ) => {
                this.config = event.detail;
              }}></cuadro-machine-settings>`
        }
      </div>`;
  }

  #rows(rows: readonly Row[]): TemplateResult {
    return html`<dl>${rows.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`;
  }

  #programs({ blender, ffmpeg }: HereView): TemplateResult {
    const t = terms.machine;
    const found = (state: string, version: string | undefined): unknown =>
      state === 'ready'
        ? version
        : html`<span class="warn">${state === 'probing' ? t.probing : t.missing}</span>`;
    return html`<section class="panel"><h2>${t.programs}</h2>${this.#rows([
      [t.blender, found(blender.state, blender.version)],
      ...(blender.path === undefined
        ? []
        : [['', html`<span class="mono small">${blender.path}</span>`] as Row]),
      ...(blender.note === undefined ? [] : [['', blender.note] as Row]),
      [t.confinement, blender.confinement ?? terms.common.none],
      [t.ffmpeg, found(ffmpeg.state, ffmpeg.version)],
    ])}</section>`;
  }

  #sessions({ sessions }: HereView): TemplateResult {
    const t = terms.machine;
    return html`<section class="panel"><h2>${t.sessions}</h2>
      ${
        sessions.length === 0
          ? html`<p class="quiet">${t.noSessions}</p>`
          : sessions.map((session) =>
              this.#rows([
                [t.session(session.pid), session.state],
                [t.memory, formatBytes(session.memoryBytes)],
                ['', t.sessionText(session.frames, session.loads)],
                [t.devices, session.devices.join(', ')],
              ]),
            )
      }</section>`;
  }

  #storage({ store: stored }: HereView): TemplateResult {
    const t = terms.machine;
    return html`<section class="panel"><h2>${t.storage}</h2>
      <cuadro-bar .fraction=${stored.usedBytes / Math.max(stored.quotaBytes, 1)} .label=${t.storage} tone=${stored.accepting ? 'accent' : 'bad'}></cuadro-bar>
      <p class="number">${t.storageText(formatBytes(stored.usedBytes), formatBytes(stored.quotaBytes))}</p>
      <p class="quiet small number">${t.diskFree(formatBytes(stored.freeDiskBytes), formatBytes(stored.reserveBytes))}</p>
      ${stored.reason === undefined ? '' : html`<p class="warn">${stored.reason}</p>`}</section>`;
  }

  #capabilities({ live, tags }: NodeView): TemplateResult {
    const t = terms.machine;
    const can = live.capabilities;
    if (can === undefined)
      return html`<section class="panel"><h2>${t.capabilities}</h2><p class="quiet">${t.probing}</p></section>`;
    return html`<section class="panel"><h2>${t.capabilities}</h2>${this.#rows([
      [t.renderEngines, can.renderEngines.join(', ') || terms.common.none],
      [t.devices, can.devices.join(', ') || terms.common.none],
      [t.denoisers, can.denoisers.join(', ') || t.noDenoisers],
      [t.cores, can.cores],
      [t.memory, formatBytes(can.memoryBytes)],
      ...(tags.length === 0 ? [] : [[terms.machines.tags, tags.join(', ')] as Row]),
    ])}</section>`;
  }

  #node(here: HereView): TemplateResult {
    const t = terms.machine;
    return html`<section class="panel"><h2>${t.node}</h2>${this.#rows([
      [t.version, here.version],
      [t.address, here.address],
      [t.folder, html`<span class="mono small">${here.dataFolder}</span>`],
      [t.since, formatTime(here.startedAt)],
      [t.nodeMemory, formatBytes(here.memoryBytes)],
      [t.loop, formatDuration(here.loopDelayP99Ms)],
    ])}</section>`;
  }
}
customElements.define('cuadro-machine', CuadroMachine);
