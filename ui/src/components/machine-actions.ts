import type { NodeView, RouteBody } from '@cuadro/protocol';
import { LitElement, css, html, type TemplateResult } from 'lit';
import { request } from '../data/client.ts';
import { machineTerms } from '../machine-terms.ts';
import { terms } from '../terms.ts';
import { buttons, fields, shared } from '../theme/shared.ts';
import './icon.ts';
import { attempt } from './notices.ts';

/** Pauses, drains, resumes and tags a machine. */
export class CuadroMachineActions extends LitElement {
  static override properties = {
    node: { attribute: false },
    busy: { state: true },
    tagging: { state: true },
  };
  static override styles = [
    shared,
    buttons,
    fields,
    css`
      :host { display: block; }
      .actions { display: flex; flex-wrap: wrap; gap: 6px; align-items: center; }
      form { display: flex; flex-wrap: wrap; gap: 6px; }
      form input { flex: 1 1 140px; width: auto; }
    `,
  ];
  declare node: NodeView;
  declare busy: boolean;
  declare tagging: boolean;

  constructor() {
    super();
    this.busy = false;
    this.tagging = false;
  }

  async #set(body: RouteBody<'setNode'>): Promise<boolean> {
    this.busy = true;
    const worked = await attempt(() => request('setNode', { params: { node: this.node.peer }, body }));
    this.busy = false;
    return worked;
  }

  override render(): TemplateResult {
    return this.tagging ? this.#tagForm() : this.#actions();
  }

  #button(label: string, hint: string, action: () => void, icon?: string): TemplateResult {
    return html`<button title=${hint} aria-label=${machineTerms.action(label, this.node.name)} ?disabled=${this.busy} @click=${action}>
      ${icon === undefined ? '' : html`<cuadro-icon name=${icon}></cuadro-icon>`}${label}</button>`;
  }

  /** Of this machine its owner speaks; of another, anyone in the farm, and its owner's own pause stays. */
  #actions(): TemplateResult {
    const { here, desired, ownerDesired } = this.node;
    const t = machineTerms;
    const want = (value: 'paused' | 'draining'): void => {
      void this.#set(here ? { ownerDesired: value } : { desired: value });
    };
    const resume = (): void => {
      void this.#set({
        ...(desired !== 'active' && { desired: 'active' }),
        ...(here && ownerDesired !== 'active' && { ownerDesired: 'active' }),
      });
    };
    const works = desired === 'active' && (ownerDesired === 'active' || !here);
    const owners = !here && ownerDesired !== 'active';
    return html`<div><div class="actions">
      ${
        works
          ? html`${this.#button(t.pause, t.pauseHint, () => want('paused'), 'pause')}${this.#button(t.drain, t.drainHint, () => want('draining'))}`
          : this.#button(t.resume, '', resume, 'play')
      }
      ${this.#button(t.editTags, t.tagsHint, () => {
        this.tagging = true;
      })}
      </div>${owners ? html`<p class="small quiet">${t.onlyOwner}</p>` : ''}</div>`;
  }

  #tagForm(): TemplateResult {
    const { tags, live, name } = this.node;
    // What the machine says of itself is no tag that people gave it.
    const given = tags.filter((tag) => live.capabilities?.tags.includes(tag) !== true);
    const save = async (event: SubmitEvent): Promise<void> => {
      event.preventDefault();
      const field = new FormData(event.target as HTMLFormElement).get('tags');
      const words = typeof field === 'string' ? field.split(',') : [];
      const wanted = [...new Set(words.map((word) => word.trim()).filter((word) => word !== ''))];
      if (await this.#set({ tags: wanted })) this.tagging = false;
    };
    return html`<form @submit=${save}>
      <input name="tags" aria-label=${machineTerms.action(machineTerms.tags, name)} placeholder=${machineTerms.tagsHint} .value=${given.join(', ')} />
      <button class="primary" ?disabled=${this.busy}>${terms.common.save}</button>
      <button type="button" @click=${() => {
        this.tagging = false;
      }}>${terms.common.cancel}</button>
    </form>`;
  }
}
customElements.define('cuadro-machine-actions', CuadroMachineActions);
