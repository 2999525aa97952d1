import { LitElement, css, html, type TemplateResult } from 'lit';
import { unsafeHTML } from 'lit/directives/unsafe-html.js';
import { paths } from '../data/router.ts';
import { terms } from '../terms.ts';
import { shared } from '../theme/shared.ts';

interface Page {
  name: string;
  title: string;
  html: string;
}

/** The project's own pages, turned to HTML at build time; numbers in their file names give the order. */
const pages: Page[] = Object.values(
  import.meta.glob<Page>('../../docs/*.md', { eager: true, import: 'default' }),
)
  .sort((a, b) => a.name.localeCompare(b.name))
  .map((page) => ({ ...page, name: page.name.replace(/^\d+-/, '') }));

export class CuadroDocs extends LitElement {
  static override properties = { name: {} };
  static override styles = [
    shared,
    css`
      :host { display: grid; grid-template-columns: 220px minmax(0, 76ch); gap: var(--space-8); align-items: start; }
      nav { position: sticky; top: var(--space-6); display: grid; gap: 2px; }
      nav h2 { color: var(--text-faint); font-size: var(--text-small); padding: 0 10px 6px; }
      nav a { padding: 6px 10px; border-radius: var(--radius); color: var(--text-quiet); }
      nav a:hover, nav a[aria-current='page'] { background: var(--surface-hover); color: var(--text); }
      article { line-height: 1.6; overflow-wrap: anywhere; }
      article h1 { margin-bottom: var(--space-4); }
      article h2 { font-size: var(--text-large); margin: var(--space-6) 0 var(--space-2); }
      article p, article ul { margin: var(--space-3) 0; }
      article ul { padding-left: 20px; }
      article li { margin: 4px 0; }
      article a { color: var(--accent-text); text-decoration: underline; }
      code { font-family: var(--font-mono); font-size: 0.92em; background: var(--surface-hover); border-radius: 4px; padding: 1px 5px; -webkit-box-decoration-break: clone; box-decoration-break: clone; }
      pre { background: var(--surface); border: 1px solid var(--line); border-radius: var(--radius); padding: var(--space-3) var(--space-4); overflow: auto; }
      pre code { background: none; padding: 0; }
      .table { overflow: auto; }
      table { border-collapse: collapse; width: 100%; }
      td, th { text-align: left; padding: 6px 14px 6px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
      /* A name of a file is one word; a command breaks at its spaces. */
      td code { overflow-wrap: normal; }
      /* A browser breaks a command within --tasks, too: where there is room, none breaks. */
      @media (min-width: 901px) { td:first-child code { white-space: nowrap; } }
      thead:not(:has(th:not(:empty))) { display: none; }
      @media (max-width: 900px) { :host { grid-template-columns: minmax(0, 1fr); gap: var(--space-4); } nav { position: static; } }
    `,
  ];
  declare name: string;

  override render(): TemplateResult {
    const page = pages.find(({ name }) => name === this.name);
    return html`<nav aria-label=${terms.docs.contents}>
        <h2>${terms.docs.contents}</h2>
        ${pages.map(({ name, title }) => html`<a href=${paths.docs(name)} aria-current=${name === this.name ? 'page' : 'false'}>${title}</a>`)}
      </nav>
      <article>${page === undefined ? html`<p>${terms.docs.missing}</p>` : unsafeHTML(page.html)}</article>`;
  }
}
customElements.define('cuadro-docs', CuadroDocs);
