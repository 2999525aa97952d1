// Runs before the first paint, so that the page never flashes in the wrong theme.
(() => {
  let choice = null;
  try {
    choice = localStorage.getItem('cuadro-theme');
  } catch {
    // Storage may be off; the system's choice holds then.
  }
  const light =
    choice === 'light' || (choice !== 'dark' && matchMedia('(prefers-color-scheme: light)').matches);
  document.documentElement.dataset.theme = light ? 'light' : 'dark';
})();
