import './theme/raw.css';
import './theme/semantic.css';
import './theme/page.css';
import './views/app.ts';
