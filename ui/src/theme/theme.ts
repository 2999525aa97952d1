/** The choice of theme: the system's, or a person's, kept by this browser. `public/theme.js` reads it first. */
export type ThemeChoice = 'system' | 'dark' | 'light';
const key = 'cuadro-theme';
const light = matchMedia('(prefers-color-scheme: light)');

export function themeChoice(): ThemeChoice {
  try {
    const choice = localStorage.getItem(key);
    return choice === 'dark' || choice === 'light' ? choice : 'system';
  } catch {
    return 'system';
  }
}

export function chooseTheme(choice: ThemeChoice): void {
  try {
    if (choice === 'system') localStorage.removeItem(key);
    else localStorage.setItem(key, choice);
  } catch {
    // Storage may be off; the choice then lasts as long as the page.
  }
  showTheme(choice);
}

export function showTheme(choice: ThemeChoice = themeChoice()): void {
  const theme = choice === 'system' ? (light.matches ? 'light' : 'dark') : choice;
  document.documentElement.dataset['theme'] = theme;
}

light.addEventListener('change', () => showTheme());
