import type { TaskView } from '@cuadro/protocol';
import '@lit-labs/virtualizer';
import { grid } from '@lit-labs/virtualizer/layouts/grid.js';
import { LitElement, css, html, type TemplateResult } from 'lit';
import '../components/progress.ts';
import '../components/thumbnail.ts';
import { Watch, store } from '../data/controller.ts';
import { formatPercent } from '../data/format.ts';
import { go, paths } from '../data/router.ts';
import { terms } from '../terms.ts';
import { shared } from '../theme/shared.ts';
import './viewer.ts';

const layout = grid({
  itemSize: { width: '176px', height: '132px' },
  gap: '10px',
  flex: true,
  justify: 'start',
  padding: '0px',
});

/** The frame wall: a tile for each frame; thumbnails appear as frames finish, a click shows one in full size. */
export class CuadroWall extends LitElement {
  static override properties = { job: {}, shown: { type: Number } };
  static override styles = [
    shared,
    css`
      :host { display: block; }
      lit-virtualizer { min-height: 200px; }
      .tile { display: grid; grid-template-rows: minmax(0, 1fr) auto; gap: 4px; padding: 0; width: 176px; height: 132px; background: none; border: 0; color: inherit; font: inherit; text-align: left; cursor: pointer; }
      .picture { position: relative; overflow: hidden; border-radius: var(--radius); border: 1px solid var(--line); min-height: 0; }
      .picture cuadro-thumbnail { width: 100%; height: 100%; aspect-ratio: auto; border-radius: 0; }
      .tile:hover .picture { border-color: var(--line-strong); }
      .tile.failed .picture { border-color: var(--bad); }
      .tile.failed .picture::after { content: '!'; position: absolute; inset: 0; display: grid; place-items: center; font-weight: 700; font-size: 26px; color: var(--bad); background: color-mix(in srgb, var(--bad) 12%, var(--track)); }
      .tile.running .picture { border-color: var(--accent); }
      .tile.skipped { opacity: 0.55; }
      .picture cuadro-bar { position: absolute; inset: auto 0 0 0; --bar-height: 4px; }
      .name { display: flex; justify-content: space-between; gap: 6px; font-size: var(--text-small); color: var(--text-quiet); }
    `,
  ];
  declare job: string;
  declare shown: number | undefined;

  constructor() {
    super();
    this.addController(new Watch(this, () => [`tasks:${this.job}`]));
  }

  override render(): TemplateResult {
    const tasks = store.tasks(this.job);
    if (tasks.state === 'failed') return html`<p class="bad">${tasks.error}</p>`;
    if (tasks.state === 'reading' && tasks.list.length === 0)
      return html`<p class="quiet">${terms.common.loading}</p>`;
    const frames = tasks.list.filter(({ group }) => group !== 'film');
    if (frames.length === 0) return html`<p class="quiet">${terms.job.noFrames}</p>`;
    return html`<lit-virtualizer .items=${frames} .layout=${layout} .keyFunction=${(task: TaskView) => task.index}
        .renderItem=${(task: TaskView) => this.#tile(task)}></lit-virtualizer>
      <cuadro-viewer .job=${this.job} .tasks=${frames} .shown=${this.shown}
        @shown=${(event: CustomEvent<number>) => go(paths.job(this.job, 'frames', event.detail), true)}
        @closed=${() => go(paths.job(this.job, 'frames'), true)}></cuadro-viewer>`;
  }

  #tile(task: TaskView): TemplateResult {
    const { running, fraction } = task.live;
    const open = (): void => {
      if (task.files.length > 0) go(paths.job(this.job, 'frames', task.index));
      else go(paths.job(this.job, 'tasks', task.index));
    };
    return html`<button class=${`tile ${running ? 'running' : task.state}`} aria-label=${terms.task.label(task)} @click=${open}>
      <span class="picture">
        <cuadro-thumbnail .hash=${task.thumbnail} .job=${this.job} .task=${task.index} .label=${task.name} .done=${task.state === 'done' || task.state === 'rendered'}></cuadro-thumbnail>
        ${running ? html`<cuadro-bar .fraction=${fraction ?? 0} .label=${task.name}></cuadro-bar>` : ''}
      </span>
      <span class="name"><span class="number">${task.number}</span>
        ${running ? html`<span class="number">${formatPercent(fraction ?? 0)}</span>` : ''}</span>
    </button>`;
  }
}
customElements.define('cuadro-wall', CuadroWall);
