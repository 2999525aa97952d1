import type { TaskView } from '@cuadro/protocol';
import { LitElement, css, html, type TemplateResult } from 'lit';
import '@lit-labs/virtualizer';
import '../components/dialog.ts';
import { attempt } from '../components/notices.ts';
import '../components/progress.ts';
import '../components/state.ts';
import { taskTone } from '../components/tones.ts';
import { request } from '../data/client.ts';
import { Watch, store } from '../data/controller.ts';
import { formatDuration } from '../data/format.ts';
import { paths } from '../data/router.ts';
import { terms } from '../terms.ts';
import { buttons, fields, shared } from '../theme/shared.ts';

/** All tasks of a job with what became of them; selected ones can be rendered again. */
export class CuadroTaskTable extends LitElement {
  static override properties = {
    job: {},
    selected: { state: true },
    state: { state: true },
    asking: { state: true },
  };
  static override styles = [
    shared,
    buttons,
    fields,
    css`
      :host { display: grid;
        grid-template-columns: minmax(0, 1fr); gap: var(--space-3); }
      .bar { display: flex; gap: var(--space-3); align-items: center; flex-wrap: wrap; min-height: 34px; }
      .bar select { width: 150px; }
      .row { display: grid; grid-template-columns: 28px minmax(90px, 1.2fr) minmax(110px, 1fr) 90px minmax(80px, 1fr) 110px; gap: var(--space-3); align-items: center; width: 100%; min-height: 36px; padding: 0 var(--space-3); border-bottom: 1px solid var(--line); }
      .row:hover { background: color-mix(in srgb, var(--surface-hover) 45%, transparent); }
      .head { color: var(--text-faint); font-size: var(--text-small); }
      @media (max-width: 760px) { .row { grid-template-columns: 28px minmax(0, 1fr) minmax(0, 1fr); } .wide { display: none; } }
    `,
  ];
  declare job: string;
  declare selected: ReadonlySet<number>;
  declare state: string;
  declare asking: boolean;

  constructor() {
    super();
    this.selected = new Set();
    this.state = '';
    this.asking = false;
    this.addController(new Watch(this, () => [`tasks:${this.job}`, 'nodes']));
  }

  #shown(): TaskView[] {
    return store
      .tasks(this.job)
      .list.filter(
        (task) =>
          this.state === '' || (this.state === 'running' ? task.live.running : task.state === this.state),
      );
  }

  #toggle(index: number): void {
    const selected = new Set(this.selected);
    if (!selected.delete(index)) selected.add(index);
    this.selected = selected;
  }

  async #requeue(): Promise<void> {
    this.asking = false;
    const tasks = [...this.selected].map((index) => `#${index}`);
    if (await attempt(() => request('requeue', { params: { job: this.job }, body: { tasks } })))
      this.selected = new Set();
  }

  override render(): TemplateResult {
    const shown = this.#shown();
    const states = { running: terms.task.running, ...terms.task.states };
    const close = (): void => {
      this.asking = false;
    };
    const all = shown.length > 0 && shown.every(({ index }) => this.selected.has(index));
    return html`<div class="bar">
        <select aria-label=${terms.task.state} .value=${this.state} @change=${(event: Event) => {
          this.state = (event.target as HTMLSelectElement).value;
        }}>
          <option value="">${terms.common.all}</option>
          ${Object.entries(states).map(([value, label]) => html`<option value=${value}>${label}</option>`)}
        </select>
        <span class="grow quiet small">${this.selected.size > 0 ? terms.task.selected(this.selected.size) : ''}</span>
        <button ?disabled=${this.selected.size === 0} @click=${() => {
          this.asking = true;
        }}><cuadro-icon name="retry"></cuadro-icon>${this.selected.size === 0 ? terms.job.requeueSelected : terms.job.requeue(this.selected.size)}</button>
      </div>
      <div class="panel">
        <div class="row head">
          <input type="checkbox" aria-label=${terms.task.selectAll} .checked=${all} @change=${() => {
            this.selected = new Set(all ? [] : shown.map(({ index }) => index));
          }} />
          <span>${terms.task.name}</span><span>${terms.task.state}</span>
          <span class="wide">${terms.task.time}</span><span class="wide">${terms.task.machine}</span><span class="wide">${terms.task.attempts}</span>
        </div>
        ${
          shown.length === 0
            ? html`<p class="row quiet">${terms.task.none}</p>`
            : html`<lit-virtualizer .items=${shown} .keyFunction=${(task: TaskView) => task.index} .renderItem=${(task: TaskView) => this.#row(task)}></lit-virtualizer>`
        }
      </div>
      ${
        this.asking
          ? html`<cuadro-dialog open .heading=${terms.job.redoTitle(this.selected.size)} @closed=${close}>
              <p>${terms.job.redoText}</p>
              <button slot="foot" @click=${close}>${terms.common.close}</button>
              <button slot="foot" class="primary" @click=${() => this.#requeue()}>${terms.job.requeue(this.selected.size)}</button>
            </cuadro-dialog>`
          : ''
      }`;
  }

  #row(task: TaskView): TemplateResult {
    const label = task.live.running ? terms.task.running : terms.task.states[task.state];
    return html`<div class="row">
      <input type="checkbox" aria-label=${terms.task.select(task.name)} .checked=${this.selected.has(task.index)} @change=${() => this.#toggle(task.index)} />
      <a class="clip" href=${paths.job(this.job, 'tasks', task.index)}>${task.name}</a>
      <cuadro-state .tone=${taskTone(task)} .label=${task.stale ? `${label}, ${terms.task.stale}` : label}></cuadro-state>
      <span class="wide number quiet">${task.live.running ? html`<cuadro-bar .fraction=${task.live.fraction ?? 0} .label=${task.name}></cuadro-bar>` : task.renderMs === undefined ? terms.common.none : formatDuration(task.renderMs)}</span>
      <span class="wide clip quiet">${task.live.machine ?? task.machine ?? terms.common.none}</span>
      <span class="wide number quiet">${task.failures === 0 ? terms.common.none : task.failures}</span>
    </div>`;
  }
}
customElements.define('cuadro-task-table', CuadroTaskTable);
