import type { Config } from '@cuadro/protocol';
import { LitElement, css, html, type TemplateResult } from 'lit';
import { attempt, notify } from '../components/notices.ts';
import { request } from '../data/client.ts';
import { terms } from '../terms.ts';
import { buttons, fields, shared } from '../theme/shared.ts';

/** What has a place of its own on the page, is left alone here. */
const settingNames = Object.keys(terms.config) as (keyof typeof terms.config)[];

/** The owner's settings as a form made from their own values. Emits `saved` with the whole configuration. */
export class CuadroMachineSettings extends LitElement {
  static override properties = { config: { attribute: false }, busy: { state: true } };
  static override styles = [
    shared,
    buttons,
    fields,
    css`
      form { display: grid; gap: var(--space-3); }
      textarea { min-height: 60px; resize: vertical; }
    `,
  ];
  declare config: Config;
  declare busy: boolean;

  async #save(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const data = new FormData(event.target as HTMLFormElement);
    const change = Object.fromEntries(
      settingNames.map((name) => [name, fromField(this.config[name], data.get(name))]),
    ) as Partial<Config>;
    this.busy = true;
    const saved = await attempt(async () => {
      const config = await request('setConfig', { body: change });
      this.dispatchEvent(new CustomEvent('saved', { detail: config }));
      return undefined;
    });
    this.busy = false;
    if (saved) notify(terms.machine.settingsSaved);
  }

  override render(): TemplateResult {
    return html`<h2>${terms.machine.settings}</h2>
      <form @submit=${this.#save}>
        ${settingNames.map((name) => this.#field(name))}
        <p class="small quiet">${terms.machine.settingsRestart}</p>
        <span><button class="primary" ?disabled=${this.busy}>${terms.common.save}</button></span>
      </form>`;
  }

  #field(name: keyof typeof terms.config): TemplateResult {
    const value = this.config[name];
    const [label, hint] = terms.config[name] as [string, string];
    const text = hint === '' ? label : html`${label} <span class="faint">(${hint})</span>`;
    if (typeof value === 'boolean') {
      return html`<label class="check"><input type="checkbox" name=${name} .checked=${value} /><span>${text}</span></label>`;
    }
    if (Array.isArray(value)) {
      return html`<label class="field"><span>${text}</span><textarea name=${name} .value=${value.join('\n')}></textarea></label>`;
    }
    const type = typeof value === 'number' ? 'number' : 'text';
    return html`<label class="field"><span>${text}</span><input name=${name} type=${type} step="any" .value=${String(value)} /></label>`;
  }
}
customElements.define('cuadro-machine-settings', CuadroMachineSettings);

/** A field's text as a value of the kind that stands there now. */
function fromField(current: Config[keyof Config], field: FormDataEntryValue | null): unknown {
  const text = typeof field === 'string' ? field.trim() : '';
  if (typeof current === 'boolean') return field !== null;
  if (typeof current === 'number') return Number(text);
  return Array.isArray(current)
    ? text
        .split('\n')
        .map((line) => line.trim())
        .filter((line) => line !== '')
    : text;
}
