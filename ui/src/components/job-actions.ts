import type { JobView } from '@cuadro/protocol';
import { LitElement, css, html, type TemplateResult } from 'lit';
import { request } from '../data/client.ts';
import { terms } from '../terms.ts';
import { buttons, fields, shared } from '../theme/shared.ts';
import './dialog.ts';
import './icon.ts';
import { attempt } from './notices.ts';
import { openSubmit } from './open-submit.ts';
import { ended } from './tones.ts';

/** Pause, resume, cancel, requeue, reorder, submit again and delete a job; what destroys asks first. Emits `removed`. */
export class CuadroJobActions extends LitElement {
  static override properties = {
    job: { attribute: false },
    compact: { type: Boolean },
    asking: { state: true },
    busy: { state: true },
  };
  static override styles = [
    shared,
    buttons,
    fields,
    css`
      :host { display: flex; gap: 6px; flex-wrap: wrap; align-items: center; }
      label.priority { display: inline-flex; align-items: center; gap: 6px; margin-inline-start: var(--space-2); color: var(--text-quiet); font-size: var(--text-small); }
      @media (max-width: 760px) { label.priority { margin-inline-start: 0; } }
      label.priority input { width: 66px; }
    `,
  ];
  declare job: JobView;
  declare compact: boolean;
  declare asking: 'cancel' | 'delete' | undefined;
  declare busy: boolean;

  async #do(action: () => Promise<{ message: string }>): Promise<boolean> {
    this.busy = true;
    const worked = await attempt(action);
    this.busy = false;
    return worked;
  }

  #set(body: { desired?: 'active' | 'paused' | 'canceled'; priority?: number }): void {
    void this.#do(() => request('setJob', { params: { job: this.job.id }, body }));
  }

  /** Where its scene lies no event tells: that is known as soon as the job is asked for. */
  #again(): void {
    void attempt(async () => {
      openSubmit(await request('job', { params: { job: this.job.id } }));
      return undefined;
    });
  }

  #button(icon: string, label: string, action: () => void, danger = false): TemplateResult {
    return html`<button class=${`${this.compact ? 'bare icon' : ''} ${danger ? 'danger' : ''}`} title=${label}
      aria-label=${`${label}: ${this.job.name}`} ?disabled=${this.busy} @click=${action}>
      <cuadro-icon name=${icon}></cuadro-icon>${this.compact ? '' : label}</button>`;
  }

  override render(): TemplateResult {
    const { job } = this;
    const over = ended(job);
    return html`
      ${!over && job.state !== 'paused' ? this.#button('pause', terms.job.pause, () => this.#set({ desired: 'paused' })) : ''}
      ${job.state === 'paused' || job.state === 'canceled' ? this.#button('play', terms.job.resume, () => this.#set({ desired: 'active' })) : ''}
      ${
        job.counts.failed > 0
          ? this.#button('retry', terms.job.requeueFailed, () => {
              void this.#do(() => request('requeue', { params: { job: job.id }, body: { tasks: 'failed' } }));
            })
          : ''
      }
      ${
        over
          ? ''
          : this.#button('stop', terms.job.cancel, () => {
              this.asking = 'cancel';
            })
      }
      ${this.compact ? '' : this.#button('copy', terms.again.button, () => this.#again())}
      ${this.#button(
        'trash',
        terms.job.remove,
        () => {
          this.asking = 'delete';
        },
        true,
      )}
      ${
        this.compact || over
          ? ''
          : html`<label class="priority">${terms.job.priority}
              <input type="number" min="0" max="100" .value=${String(job.priority)} @change=${(
                event: Event,
              ) => {
                this.#set({ priority: Number((event.target as HTMLInputElement).value) });
              }} /></label>`
      }
      ${this.asking === undefined ? '' : this.#question(this.asking)}`;
  }

  #question(asking: 'cancel' | 'delete'): TemplateResult {
    const { job } = this;
    const heading = asking === 'cancel' ? terms.job.cancelTitle(job.name) : terms.job.removeTitle(job.name);
    const confirm = async (): Promise<void> => {
      this.asking = undefined;
      if (asking === 'cancel') return this.#set({ desired: 'canceled' });
      if (await this.#do(() => request('deleteJob', { params: { job: job.id } })))
        this.dispatchEvent(new CustomEvent('removed'));
    };
    const close = (): void => {
      this.asking = undefined;
    };
    return html`<cuadro-dialog open .heading=${heading} @closed=${close}>
      <p>${asking === 'cancel' ? terms.job.cancelText : terms.job.removeText}</p>
      <button slot="foot" @click=${close}>${terms.common.close}</button>
      <button slot="foot" class="danger" @click=${confirm}>${asking === 'cancel' ? terms.job.cancel : terms.job.remove}</button>
    </cuadro-dialog>`;
  }
}
customElements.define('cuadro-job-actions', CuadroJobActions);
