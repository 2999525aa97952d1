import { heldOnlyText } from '@cuadro/protocol/held-only';
import type { JobView } from '@cuadro/protocol';
import { LitElement, css, html, type TemplateResult } from 'lit';
import { attempt } from '../components/notices.ts';
import { ended } from '../components/tones.ts';
import { request } from '../data/client.ts';
import { Watch, store } from '../data/controller.ts';
import { formatTime } from '../data/format.ts';
import { paths } from '../data/router.ts';
import { Settled } from '../data/settled.ts';
import { settingName, settingText } from '../setting-terms.ts';
import { terms } from '../terms.ts';
import { fields, shared } from '../theme/shared.ts';

/** What a job was asked to do; its name, notes and limit can be changed here. */
export class CuadroJobDetails extends LitElement {
  static override properties = { job: { attribute: false } };
  static override styles = [
    shared,
    fields,
    css`
      :host { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 380px), 1fr)); gap: var(--space-4); align-items: start; }
      .panel { padding: var(--space-4); display: grid; gap: var(--space-3); }
      dl { display: grid; grid-template-columns: minmax(120px, auto) minmax(0, 1fr); gap: 8px var(--space-4); margin: 0; }
      dt { color: var(--text-quiet); }
      dd { margin: 0; overflow-wrap: anywhere; }
      textarea { min-height: 96px; resize: vertical; }
    `,
  ];
  declare job: JobView;
  readonly #settled = new Settled(
    this,
    ({ onlyOn, safety }: JobView) => onlyOn.length === 0 && safety.machines > 0,
  );

  constructor() {
    super();
    this.addController(new Watch(this, () => ['nodes']));
  }

  #set(body: { name?: string; notes?: string; machineLimit?: number }): void {
    void attempt(() => request('setJob', { params: { job: this.job.id }, body }));
  }

  override render(): TemplateResult {
    const { job } = this;
    const t = terms.job.details;
    const rows: [string, unknown][] = [
      [t.id, html`<span class="mono">${job.id}</span>`],
      [t.type, job.type],
      [t.submitted, formatTime(job.submittedAt)],
      [t.changed, job.changedAt === undefined ? terms.common.none : formatTime(job.changedAt)],
      [t.submitter, store.machineName(job.submitter)],
      [
        t.after,
        job.after.length === 0
          ? terms.common.none
          : job.after.map((id) => html`<a href=${paths.job(id)}>${store.job(id)?.name ?? id}</a> `),
      ],
    ];
    const value = (event: Event): string => (event.target as HTMLInputElement).value;
    return html`<section class="panel"><dl>${rows.map(([name, text]) => html`<dt>${name}</dt><dd>${text}</dd>`)}</dl></section>
      ${this.#copies()}
      <section class="panel">
        <label class="field">${t.renamed}<input .value=${job.name} @change=${(event: Event) => this.#set({ name: value(event) })} /></label>
        <label class="field">${t.notes}<textarea .value=${job.notes} @change=${(event: Event) => this.#set({ notes: value(event) })}></textarea></label>
        <label class="field">${t.machineLimit}<input type="number" min="0" .value=${String(job.machineLimit)}
          @change=${(event: Event) => this.#set({ machineLimit: Number(value(event)) })} /></label>
      </section>
      <section class="panel"><h2>${t.settings}</h2>
        <dl>${Object.entries(job.settings).map(([name, setting]) => html`<dt>${settingName(name)}</dt><dd>${settingText(name, setting)}</dd>`)}</dl>
      </section>`;
  }

  /** What would be lost with one machine. */
  #copies(): TemplateResult {
    const { holders, oneCopyOnly, counts, acknowledged, safety, onlyOn } = this.#settled.show(
      this.job.id,
      this.job,
    );
    const t = terms.job;
    const finished = counts.done + counts.rendered;
    return html`<section class="panel"><h2>${t.details.copies}</h2>
      <p>${safety.sentence}</p>
      <p>${t.heldText(holders, ended(this.job))} ${acknowledged ? '' : t.notAcceptedText}</p>
      ${finished === 0 ? '' : html`<p>${oneCopyOnly > 0 ? t.oneCopyText(oneCopyOnly) : t.allCopied}</p>`}
      ${
        onlyOn.length === 0
          ? ''
          : html`<dl>${onlyOn.map(
              (only) => html`<dt>${t.onlyOn}</dt><dd><a href=${paths.machine(only.peer)}>${only.machine}</a>
                <span class="quiet number">${heldOnlyText(only)}</span></dd>`,
            )}</dl>`
      }
    </section>`;
  }
}
customElements.define('cuadro-job-details', CuadroJobDetails);
