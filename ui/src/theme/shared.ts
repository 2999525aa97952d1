import { css } from 'lit';

/** What all elements share: resets, headings, buttons, fields. Semantic tokens only. */
export const shared = css`
  *,
  *::before,
  *::after {
    box-sizing: border-box;
  }
  [hidden] {
    display: none !important;
  }
  h1,
  h2,
  h3,
  p {
    margin: 0;
  }
  h1 {
    font-size: var(--text-title);
    font-weight: 600;
    letter-spacing: -0.01em;
    line-height: 1.25;
  }
  h2 {
    font-size: var(--text-base);
    font-weight: 600;
  }
  a {
    color: inherit;
    text-decoration: none;
  }
  a:hover {
    color: var(--accent-text);
  }
  :focus-visible {
    outline: 2px solid var(--accent);
    outline-offset: 2px;
  }
  @media (max-width: 760px) {
    header > .grow {
      flex-basis: 100%;
    }
  }
  .quiet {
    color: var(--text-quiet);
  }
  .faint {
    color: var(--text-faint);
  }
  .small {
    font-size: var(--text-small);
  }
  .mono {
    font-family: var(--font-mono);
    font-size: 0.92em;
  }
  .number {
    font-variant-numeric: tabular-nums;
  }
  .clip {
    overflow: hidden;
    text-overflow: ellipsis;
    white-space: nowrap;
    min-width: 0;
  }
  .row {
    display: flex;
    align-items: center;
    gap: var(--space-2);
    min-width: 0;
  }
  .grow {
    flex: 1;
    min-width: 0;
  }
  .bad {
    color: var(--bad);
  }
  .panel {
    background: var(--surface);
    border: 1px solid var(--line);
    border-radius: var(--radius-large);
  }
  .unseen {
    position: absolute;
    width: 1px;
    height: 1px;
    overflow: hidden;
    clip-path: inset(50%);
    white-space: nowrap;
  }
`;

export const buttons = css`
  button,
  .button {
    display: inline-flex;
    align-items: center;
    justify-content: center;
    gap: 6px;
    min-height: 30px;
    padding: 0 var(--space-3);
    border: 1px solid var(--line-strong);
    border-radius: var(--radius);
    background: var(--surface-raised);
    color: var(--text);
    font: inherit;
    font-weight: 500;
    white-space: nowrap;
    cursor: pointer;
    transition: background var(--quick);
  }
  button:hover:not(:disabled),
  .button:hover {
    background: var(--surface-hover);
    color: var(--text);
  }
  button:disabled {
    opacity: 0.45;
    cursor: default;
  }
  button.primary {
    background: var(--accent-fill);
    border-color: transparent;
    color: var(--on-accent);
  }
  button.primary:hover:not(:disabled) {
    background: var(--accent-fill);
    filter: brightness(1.08);
    color: var(--on-accent);
  }
  button.danger {
    color: var(--bad);
  }
  button.bare {
    background: transparent;
    border-color: transparent;
    color: var(--text-quiet);
  }
  button.bare:hover:not(:disabled) {
    background: var(--surface-hover);
    color: var(--text);
  }
  button.icon {
    width: 30px;
    padding: 0;
  }
  @media (pointer: coarse) {
    button,
    .button {
      min-height: 38px;
    }
    button.icon {
      width: 38px;
    }
  }
`;

export const fields = css`
  label.field,
  .field {
    display: grid;
    gap: 5px;
    font-size: var(--text-small);
    color: var(--text-quiet);
  }
  input:not([type='checkbox']),
  select,
  textarea {
    width: 100%;
    min-height: 32px;
    padding: 4px 10px;
    border: 1px solid var(--line-strong);
    border-radius: var(--radius);
    background: var(--back);
    color: var(--text);
    font: inherit;
    font-size: var(--text-base);
  }
  select {
    padding-inline: 8px;
  }
  input[type='checkbox'] {
    accent-color: var(--accent);
    width: 15px;
    height: 15px;
    margin: 0;
  }
  label.check {
    display: flex;
    align-items: center;
    gap: var(--space-2);
    cursor: pointer;
  }
  @media (pointer: coarse) {
    input:not([type='checkbox']),
    select {
      min-height: 40px;
      font-size: 16px;
    }
  }
`;
