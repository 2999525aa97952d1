/** Any view may open the submit dialog, which the page's shell holds. */
export const openSubmit = (): boolean => dispatchEvent(new CustomEvent('cuadro-submit'));
