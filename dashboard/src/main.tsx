import { render } from 'preact';
import './styles/base.css';
import './styles/layout.css';
import './styles/controls.css';
import './styles/pages.css';
import { Platform } from './api/platform.ts';
import { App } from './app.tsx';
import { Theme } from './ui/theme.ts';
import { Toasts } from './ui/toasts.tsx';

const platform = new Platform(location.origin, sessionStorage);
render(
  <App platform={platform} theme={new Theme(document.documentElement, localStorage)} toasts={new Toasts()} />,
  document.getElementById('app') as HTMLElement,
);
