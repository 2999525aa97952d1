import { LitElement, css, html, type TemplateResult } from 'lit';
import { blobAddress } from '../data/client.ts';
import './icon.ts';

/** A small picture of a frame, or a quiet placeholder. */
export class CuadroThumbnail extends LitElement {
  static override properties = {
    hash: {},
    job: {},
    task: { type: Number },
    label: {},
    done: { type: Boolean },
  };
  static override styles = css`
    :host { display: block; aspect-ratio: 16 / 9; background: var(--media-back); border-radius: var(--radius); overflow: hidden; }
    img { width: 100%; height: 100%; object-fit: contain; display: block; }
    div { width: 100%; height: 100%; display: grid; place-items: center; color: var(--text-faint); background: var(--track); }
    .done { color: var(--good); }
  `;
  declare hash: string | undefined;
  /** The job that it belongs to, and the task that made it. */
  declare job: string;
  declare task: number | undefined;
  declare label: string;
  /** There is a result, though no picture of it. */
  declare done: boolean;

  override render(): TemplateResult {
    return this.hash === undefined
      ? html`<div class=${this.done ? 'done' : ''}><cuadro-icon name=${this.done ? 'check' : 'image'}></cuadro-icon></div>`
      : html`<img src=${blobAddress(this.hash, this, 'thumbnail.webp')} alt=${this.label} loading="lazy" decoding="async" />`;
  }
}
customElements.define('cuadro-thumbnail', CuadroThumbnail);
