import './app.css';
import { mount } from 'svelte';
import App from './App.svelte';

// After an update the files that an old tab would fetch are gone: it starts anew, once.
addEventListener('vite:preloadError', (event) => {
  const key = 'recurve.reloaded';
  if (sessionStorage.getItem(key) === document.title) return;
  sessionStorage.setItem(key, document.title);
  event.preventDefault();
  location.reload();
});

mount(App, { target: document.getElementById('app') as HTMLElement });
