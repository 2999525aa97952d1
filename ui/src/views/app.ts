import type { JobView } from '@cuadro/protocol';
import { LitElement, css, html, type TemplateResult } from 'lit';
import '../components/icon.ts';
import { type CuadroNotices } from '../components/notices.ts';
import '../components/notices.ts';
import { openSubmit } from '../components/open-submit.ts';
import '../components/state.ts';
import { Watch, store } from '../data/controller.ts';
import { LOST_SHOWN_AFTER_MS } from '../data/limits.ts';
import { type Route, followLinks, go, parsePath, paths } from '../data/router.ts';
import { nightTerms } from '../night-terms.ts';
import { swarmTerms } from '../swarm-terms.ts';
import { terms } from '../terms.ts';
import { buttons, shared } from '../theme/shared.ts';
import { type ThemeChoice, chooseTheme, themeChoice } from '../theme/theme.ts';
import './docs.ts';
import './door.ts';
import './farm.ts';
import './job.ts';
import './jobs.ts';
import './machine.ts';
import './night.ts';
import './swarm.ts';
import './submit.ts';

const themeIcons: Record<ThemeChoice, string> = { system: 'system', dark: 'moon', light: 'sun' };
const nextTheme: Record<ThemeChoice, ThemeChoice> = { system: 'dark', dark: 'light', light: 'system' };

/** The page's shell: navigation, the connection's state, and the view of the address. */
export class CuadroApp extends LitElement {
  static override properties = {
    route: { state: true },
    theme: { state: true },
    submitting: { state: true },
    again: { state: true },
    slow: { state: true },
  };
  static override styles = [
    shared,
    buttons,
    css`
      :host { display: grid; grid-template-columns: 208px minmax(0, 1fr); min-height: 100dvh; }
      nav { position: sticky; top: 0; height: 100dvh; display: flex; flex-direction: column; gap: 2px; padding: var(--space-4) var(--space-3); background: var(--back-side); border-right: 1px solid var(--line); }
      .brand { display: flex; align-items: center; gap: 10px; padding: 4px 8px var(--space-4); font-weight: 700; font-size: 16px; letter-spacing: -0.01em; }
      .brand i { width: 16px; height: 16px; border-radius: 4px; border: 3px solid var(--brand); }
      nav a.item { display: flex; align-items: center; gap: 10px; min-height: 34px; padding: 0 10px; border-radius: var(--radius); color: var(--text-quiet); font-weight: 500; }
      nav a.item:hover { background: var(--surface-hover); color: var(--text); }
      nav a.item[aria-current='page'] { background: var(--surface-hover); color: var(--text); }
      .badge { margin-left: auto; min-width: 18px; padding: 0 5px; border-radius: 9px; background: var(--warn); color: #1b1400; font-size: 11px; line-height: 18px; text-align: center; }
      .wide { display: contents; }
      .foot { margin-top: auto; display: flex; align-items: center; justify-content: space-between; gap: var(--space-2); }
      main { padding: var(--space-6) clamp(var(--space-4), 3vw, 40px) 64px; max-width: 1500px; width: 100%; margin: 0 auto; }
      .lost { position: fixed; z-index: 20; inset: 0 0 auto 0; display: flex; justify-content: center; align-items: center; gap: var(--space-3); padding: 6px; background: var(--warn); color: #1b1400; font-weight: 600; }
      .skip { position: absolute; left: -999px; }
      .skip:focus { left: 8px; top: 8px; z-index: 40; background: var(--surface); padding: 8px; }
      .submit { margin: 0 0 var(--space-3); }
      @media (max-width: 760px) {
        :host { display: block; }
        nav { position: fixed; inset: auto 0 0 0; height: auto; z-index: 10; flex-direction: row; padding: 6px max(8px, env(safe-area-inset-left)) calc(6px + env(safe-area-inset-bottom)); border: 0; border-top: 1px solid var(--line); justify-content: space-around; }
        .brand, .foot cuadro-state, .wide { display: none; }
        nav a.item { flex-direction: column; gap: 2px; font-size: 11px; min-height: 44px; justify-content: center; padding: 0 5px; }
        .badge { position: absolute; margin: -12px 0 0 34px; }
        nav .submit { order: 9; margin: 0; align-self: center; flex-direction: column; gap: 2px; min-height: 44px; padding: 0 var(--space-2); font-size: 11px; }
        .foot { margin: 0; }
        main { padding: var(--space-4) var(--space-4) 96px; }
      }
    `,
  ];
  declare route: Route;
  declare theme: ThemeChoice;
  declare submitting: boolean;
  /** The job that is submitted once more. */
  declare again: JobView | undefined;
  declare slow: boolean;
  #slowTimer: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    super();
    this.route = parsePath(location.pathname, location.search);
    this.theme = themeChoice();
    this.submitting = false;
    this.slow = false;
    this.addController(new Watch(this, () => ['connection', 'door']));
  }

  override connectedCallback(): void {
    super.connectedCallback();
    store.start();
    addEventListener('popstate', this.#routed);
    addEventListener('cuadro-notice', this.#notice);
    addEventListener('cuadro-submit', this.#openSubmit);
    this.addEventListener('click', followLinks);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    store.stop();
    removeEventListener('popstate', this.#routed);
    removeEventListener('cuadro-notice', this.#notice);
    removeEventListener('cuadro-submit', this.#openSubmit);
  }

  #routed = (): void => {
    const before = this.route.page;
    this.route = parsePath(location.pathname, location.search);
    if (before !== this.route.page) scrollTo(0, 0);
  };

  #notice = (event: Event): void => {
    const { text, bad } = (event as CustomEvent<{ text: string; bad: boolean }>).detail;
    this.renderRoot.querySelector<CuadroNotices>('cuadro-notices')?.show(text, bad);
  };

  #openSubmit = (event: Event): void => {
    this.again = (event as CustomEvent<JobView | undefined>).detail ?? undefined;
    this.submitting = true;
  };

  #changeTheme(): void {
    this.theme = nextTheme[this.theme];
    chooseTheme(this.theme);
  }

  /** A short break never flashes: the bar appears only once the connection stayed away. */
  override willUpdate(): void {
    const lost = store.connection.kind === 'lost' || store.connection.kind === 'connecting';
    if (lost && this.#slowTimer === undefined) {
      this.#slowTimer = setTimeout(() => {
        this.slow = true;
      }, LOST_SHOWN_AFTER_MS);
    } else if (!lost) {
      clearTimeout(this.#slowTimer);
      this.#slowTimer = undefined;
      this.slow = false;
    }
  }

  override updated(): void {
    const { page } = this.route;
    const job = this.route.page === 'job' ? store.job(this.route.job)?.name : undefined;
    const titles = {
      farm: terms.farm.title,
      jobs: terms.jobs.title,
      machines: terms.machine.title,
      night: nightTerms.title,
      swarm: swarmTerms.title,
      door: terms.door.title,
      docs: terms.docs.title,
    };
    document.title = `${job ?? (page in titles ? titles[page as keyof typeof titles] : terms.unknown.title)} · ${terms.product}`;
  }

  #item(
    path: string,
    pages: readonly Route['page'][],
    icon: string,
    label: string,
    waiting = 0,
  ): TemplateResult {
    const here = pages.includes(this.route.page);
    return html`<a class="item" href=${path} aria-current=${here ? 'page' : 'false'}><cuadro-icon name=${icon}></cuadro-icon>${label}${
      waiting === 0 ? '' : html`<b class="badge" aria-label=${terms.nav.doorWaiting(waiting)}>${waiting}</b>`
    }</a>`;
  }

  #view(): TemplateResult {
    const { route } = this;
    const { connection } = store;
    if (connection.kind === 'unauthorised') {
      return html`<cuadro-empty icon="machine" .heading=${terms.connection.unauthorised} .text=${connection.message}></cuadro-empty>`;
    }
    switch (route.page) {
      case 'farm':
        return html`<cuadro-farm></cuadro-farm>`;
      case 'jobs':
        return html`<cuadro-jobs .listing=${route.listing}></cuadro-jobs>`;
      case 'job':
        return html`<cuadro-job .job=${route.job} .tab=${route.tab} .task=${route.task} .attempt=${route.attempt}></cuadro-job>`;
      case 'machines':
        return html`<cuadro-machine .machine=${route.machine}></cuadro-machine>`;
      case 'night':
        return html`<cuadro-night></cuadro-night>`;
      case 'swarm':
        return html`<cuadro-swarm></cuadro-swarm>`;
      case 'door':
        return html`<cuadro-door></cuadro-door>`;
      case 'docs':
        return html`<cuadro-docs .name=${route.name}></cuadro-docs>`;
      case 'unknown':
        return html`<cuadro-empty .heading=${terms.unknown.title} .text=${terms.unknown.text}><a class="button" href="/">${terms.unknown.back}</a></cuadro-empty>`;
    }
  }

  override render(): TemplateResult {
    const live = store.connection.kind === 'live';
    return html`<nav aria-label=${terms.nav.label}>
        <button class="skip" @click=${this.#skip}>${terms.nav.skip}</button>
        <a class="brand" href=${paths.farm}><i></i>${terms.product}</a>
        <button class="primary submit" @click=${() => openSubmit()}><cuadro-icon name="plus"></cuadro-icon>${terms.jobs.submit}</button>
        ${this.#item(paths.farm, ['farm'], 'farm', terms.nav.farm)}
        ${this.#item(paths.jobs, ['jobs', 'job'], 'jobs', terms.nav.jobs)}
        ${this.#item(paths.machines, ['machines'], 'machine', terms.nav.machines)}
        <span class="wide">${this.#item(paths.swarm, ['swarm'], 'swarm', swarmTerms.title)}</span>
        ${this.#item(paths.night, ['night'], 'moon', terms.nav.night)}
        ${this.#item(paths.door, ['door'], 'door', terms.nav.door, store.door?.newcomers.length)}
        ${this.#item(paths.docs(), ['docs'], 'docs', terms.nav.docs)}
        <div class="foot">
          <cuadro-state .tone=${live ? 'good' : 'warn'} .label=${live ? terms.connection.live : terms.common.loading}></cuadro-state>
          <button class="bare icon" title=${`${terms.theme.label}: ${terms.theme[this.theme]}`} aria-label=${`${terms.theme.label}: ${terms.theme[this.theme]}`} @click=${this.#changeTheme}>
            <cuadro-icon name=${themeIcons[this.theme]}></cuadro-icon>
          </button>
        </div>
      </nav>
      <main id="main" tabindex="-1">${this.#view()}</main>
      ${
        this.slow && store.connection.kind !== 'unauthorised'
          ? html`<div class="lost" role="status">${store.loaded ? terms.connection.lost : terms.connection.connecting}
              <button @click=${() => store.retryNow()}>${terms.connection.retry}</button></div>`
          : ''
      }
      <cuadro-submit .open=${this.submitting} .again=${this.again} @closed=${() => {
        this.submitting = false;
      }} @submitted=${(event: CustomEvent<string>) => {
        this.submitting = false;
        go(paths.job(event.detail));
      }}></cuadro-submit>
      <cuadro-notices></cuadro-notices>`;
  }

  #skip(event: Event): void {
    event.preventDefault();
    this.renderRoot.querySelector<HTMLElement>('main')?.focus();
  }
}
customElements.define('cuadro-app', CuadroApp);
