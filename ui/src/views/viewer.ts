import type { OutputFile, TaskView } from '@cuadro/protocol';
import { LitElement, css, html, type PropertyValues, type TemplateResult } from 'lit';
import '../components/dialog.ts';
import '../components/icon.ts';
import { attempt } from '../components/notices.ts';
import { type BlobPlace, blobAddress, request } from '../data/client.ts';
import { formatBytes, formatDuration } from '../data/format.ts';
import { terms } from '../terms.ts';
import { buttons, shared } from '../theme/shared.ts';

/** Formats that every browser shows as they are. */
const SHOWN = /\.(png|jpe?g|webp|gif|avif)(?=-?\d*$)/i;

/** A frame in full size, which can be rendered again; left and right go through the finished ones. Emits `shown` (a task's index) and `closed`. */
export class CuadroViewer extends LitElement {
  static override properties = {
    job: {},
    tasks: { attribute: false },
    shown: { type: Number },
    asking: { state: true },
  };
  static override styles = [
    shared,
    buttons,
    css`
      dialog { border: 0; padding: 0; width: 100%; height: 100dvh; max-width: none; max-height: none; background: var(--media-back); color: var(--media-text); }
      dialog[open] { display: grid; grid-template-rows: auto minmax(0, 1fr); }
      header { display: flex; gap: var(--space-3); align-items: center; padding: var(--space-2) var(--space-4); flex-wrap: wrap; }
      header button, header .button { color: inherit; background: transparent; border-color: transparent; }
      header button:hover:not(:disabled), header .button:hover { background: rgb(255 255 255 / 14%); color: inherit; }
      .picture { display: grid; place-items: center; min-height: 0; padding: 0 var(--space-3) var(--space-3); }
      img { max-width: 100%; max-height: 100%; object-fit: contain; min-height: 0; }
      .facts { color: #a4abb9; }
      /* The name and what can be done in one row, however narrow; the facts below. */
      @media (max-width: 760px) { header { gap: 0 var(--space-2); } header strong { flex: 1 1 0; } header > .grow { order: 1; } }
    `,
  ];
  declare job: string;
  declare tasks: readonly TaskView[];
  declare shown: number | undefined;
  /** Whether it asks if the shown frame is to be rendered again. */
  declare asking: boolean;

  #finished(): TaskView[] {
    return this.tasks.filter((task) => task.files.length > 0);
  }

  override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has('shown')) this.asking = false;
  }

  override updated(_changed: PropertyValues<this>): void {
    const dialog = this.renderRoot.querySelector('dialog');
    if (dialog !== null && !dialog.open) dialog.showModal();
    document.documentElement.toggleAttribute('data-covered', dialog !== null);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    document.documentElement.toggleAttribute('data-covered', false);
  }

  #go(step: number): void {
    const finished = this.#finished();
    const at = finished.findIndex(({ index }) => index === this.shown);
    const next = finished[at + step];
    if (next !== undefined) this.dispatchEvent(new CustomEvent('shown', { detail: next.index }));
  }

  /** Its picture is gone with it: the next one is shown, or the one before, or the wall. */
  async #requeue(task: TaskView): Promise<void> {
    this.asking = false;
    const finished = this.#finished();
    const at = finished.indexOf(task);
    const other = finished[at + 1] ?? finished[at - 1];
    const tasks = [`#${task.index}`];
    if (!(await attempt(() => request('requeue', { params: { job: this.job }, body: { tasks } })))) return;
    // Whoever went on meanwhile sees what he chose.
    if (this.shown !== task.index) return;
    this.dispatchEvent(
      other === undefined ? new CustomEvent('closed') : new CustomEvent('shown', { detail: other.index }),
    );
  }

  #key = (event: KeyboardEvent): void => {
    if (this.asking) return;
    if (event.key === 'ArrowLeft') this.#go(-1);
    if (event.key === 'ArrowRight') this.#go(1);
  };

  override render(): TemplateResult {
    const finished = this.#finished();
    const at = finished.findIndex(({ index }) => index === this.shown);
    const task = finished[at];
    const file = task?.files[0];
    if (task === undefined || file === undefined) return html``;
    const close = (): void => {
      this.dispatchEvent(new CustomEvent('closed'));
    };
    return html`<dialog aria-label=${`${terms.viewer.title} ${task.name}`} @close=${close} @keydown=${this.#key}>
      <header>
        <strong class="clip" title=${file.name}>${file.name}</strong>
        <span class="facts small number grow">${this.#facts(task, file)}</span>
        <span class="facts small number">${terms.viewer.position(at + 1, finished.length)}</span>
        <button class="icon" aria-label=${terms.viewer.previous} ?disabled=${at === 0} @click=${() => this.#go(-1)}><cuadro-icon name="left"></cuadro-icon></button>
        <button class="icon" aria-label=${terms.viewer.next} ?disabled=${at === finished.length - 1} @click=${() => this.#go(1)}><cuadro-icon name="right"></cuadro-icon></button>
        <button class="icon" title=${terms.viewer.requeue(task.name)} aria-label=${terms.viewer.requeue(task.name)} @click=${() => {
          this.asking = true;
        }}><cuadro-icon name="retry"></cuadro-icon></button>
        <a class="button icon" aria-label=${`${terms.job.download} ${file.name}`} href=${blobAddress(file.blob, this.#place(task), file.name, true)} download=${file.name}><cuadro-icon name="down"></cuadro-icon></a>
        <button class="icon" aria-label=${terms.common.close} @click=${() => this.renderRoot.querySelector('dialog')?.close()}><cuadro-icon name="close"></cuadro-icon></button>
      </header>
      <div class="picture">${this.#picture(task, file)}</div>
      ${this.asking ? this.#question(task) : ''}
    </dialog>`;
  }

  #question(task: TaskView): TemplateResult {
    const end = (): void => {
      this.asking = false;
    };
    return html`<cuadro-dialog open .heading=${terms.viewer.requeueTitle(task.name)} @closed=${end}>
      <p>${terms.viewer.requeueText}</p>
      <button slot="foot" @click=${end}>${terms.common.close}</button>
      <button slot="foot" class="primary" @click=${() => this.#requeue(task)}>${terms.job.requeue(1)}</button>
    </cuadro-dialog>`;
  }

  #place({ index }: TaskView): BlobPlace {
    return { job: this.job, task: index };
  }

  #facts(task: TaskView, file: OutputFile): string {
    const size =
      file.width !== undefined && file.height !== undefined
        ? terms.viewer.size(file.width, file.height)
        : undefined;
    const time = task.renderMs === undefined ? undefined : formatDuration(task.renderMs);
    return [size, formatBytes(file.sizeBytes), time].filter((part) => part !== undefined).join(' · ');
  }

  #picture(task: TaskView, file: OutputFile): TemplateResult {
    // Where Blender adds no extension of its own, the number follows the one that the user gave: frame.png0001.
    const ending = SHOWN.exec(file.name)?.[0];
    // What no browser shows has a preview, whatever its name says.
    if (ending !== undefined && file.preview === undefined)
      return html`<img src=${blobAddress(file.blob, this.#place(task), `frame${ending}`)} alt=${task.name} />`;
    const preview = file.preview ?? task.thumbnail;
    if (preview === undefined) return html`<p>${terms.viewer.preview}</p>`;
    return html`<img src=${blobAddress(preview, this.#place(task), 'p.webp')} alt=${task.name} title=${terms.viewer.preview} />`;
  }
}
customElements.define('cuadro-viewer', CuadroViewer);
