import type { Config, HereView } from '@cuadro/protocol';
import { LitElement, css, html, type TemplateResult } from 'lit';
import '../components/facts.ts';
import type { Fact } from '../components/facts.ts';
import '../components/progress.ts';
import { request } from '../data/client.ts';
import { Watch, store } from '../data/controller.ts';
import { formatBytes, formatDuration, formatTime } from '../data/format.ts';
import { terms } from '../terms.ts';
import { shared } from '../theme/shared.ts';
import './machine-retention.ts';
import './machine-settings.ts';

/** What only this machine's own node knows: its programs, sessions and store, and what its owner set. */
export class CuadroMachineHere extends LitElement {
  static override properties = { config: { state: true } };
  static override styles = [
    shared,
    css`
      :host { display: contents; }
      .panel { padding: var(--space-4); display: grid; gap: var(--space-3); break-inside: avoid; margin-bottom: var(--space-4); }
      .warn { color: var(--warn); }
      cuadro-bar { --bar-height: 8px; }
    `,
  ];
  declare config: Config | undefined;

  constructor() {
    super();
    this.addController(new Watch(this, () => ['here']));
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

  #saved({ detail }: CustomEvent<Config>): void {
    this.config = detail;
  }

  override render(): TemplateResult {
    const { here } = store;
    if (here === undefined) return html`<p class="quiet">${terms.machine.notLoaded}</p>`;
    return html`${this.#programs(here)}${this.#sessions(here)}${this.#storage(here)}${this.#node(here)}
      ${
        this.config === undefined
          ? ''
          : html`<cuadro-machine-settings class="panel" .config=${this.config} @saved=${this.#saved}></cuadro-machine-settings>`
      }`;
  }

  #facts(heading: string, facts: readonly Fact[]): TemplateResult {
    return html`<section class="panel"><h2>${heading}</h2><cuadro-facts .facts=${facts}></cuadro-facts></section>`;
  }

  #programs({ blender, ffmpeg }: HereView): TemplateResult {
    const t = terms.machine;
    const found = (state: string, version: string | undefined): unknown =>
      state === 'ready'
        ? version
        : html`<span class="warn">${state === 'probing' ? t.probing : t.missing}</span>`;
    return this.#facts(t.programs, [
      [t.blender, found(blender.state, blender.version)],
      ...(blender.path === undefined
        ? []
        : [['', html`<span class="mono small">${blender.path}</span>`] satisfies Fact]),
      ...(blender.note === undefined ? [] : [['', blender.note] satisfies Fact]),
      [t.confinement, blender.confinement ?? terms.common.none],
      [t.ffmpeg, found(ffmpeg.state, ffmpeg.version)],
    ]);
  }

  #sessions({ sessions }: HereView): TemplateResult {
    const t = terms.machine;
    if (sessions.length === 0)
      return html`<section class="panel"><h2>${t.sessions}</h2><p class="quiet">${t.noSessions}</p></section>`;
    return this.#facts(
      t.sessions,
      sessions.flatMap((session): Fact[] => [
        [t.session(session.pid), session.state],
        [t.memory, formatBytes(session.memoryBytes)],
        ['', t.sessionText(session.frames, session.loads)],
        [t.devices, session.devices.join(', ')],
      ]),
    );
  }

  #storage({ store: stored }: HereView): TemplateResult {
    const t = terms.machine;
    return html`<section class="panel"><h2>${t.storage}</h2>
      <cuadro-bar .fraction=${stored.usedBytes / Math.max(stored.quotaBytes, 1)} .label=${t.storage} tone=${stored.accepting ? 'accent' : 'bad'}></cuadro-bar>
      <p class="number">${t.storageText(formatBytes(stored.usedBytes), formatBytes(stored.quotaBytes))}</p>
      <p class="quiet small number">${t.diskFree(formatBytes(stored.freeDiskBytes), formatBytes(stored.reserveBytes))}</p>
      ${stored.reason === undefined ? '' : html`<p class="warn">${stored.reason}</p>`}
      ${
        this.config === undefined
          ? ''
          : html`<cuadro-machine-retention .config=${this.config} @saved=${this.#saved}></cuadro-machine-retention>`
      }</section>`;
  }

  #node(here: HereView): TemplateResult {
    const t = terms.machine;
    return this.#facts(t.node, [
      [t.version, here.version],
      [t.address, here.address],
      [t.folder, html`<span class="mono small">${here.dataFolder}</span>`],
      [t.since, formatTime(here.startedAt)],
      [t.nodeMemory, formatBytes(here.memoryBytes)],
      [t.loop, formatDuration(here.loopDelayP99Ms)],
    ]);
  }
}
customElements.define('cuadro-machine-here', CuadroMachineHere);
