import type { JobView } from '@cuadro/protocol';

/** Any view may open the submit dialog, which the page's shell holds; with a job it is filled as that was submitted. */
export const openSubmit = (again?: JobView): boolean =>
  dispatchEvent(new CustomEvent('cuadro-submit', { detail: again }));
