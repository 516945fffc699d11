// Keys. Two in a row go somewhere (g o), one does something; all are listed under ?.
import { app } from './app.svelte';
import type { Note } from './contract';
import { LANGUAGES } from './format';
import { language } from './language.svelte';
import { shut } from './more';
import { next, RANGES, startOf } from './period';
import { PAGES } from './pages';
import { preference } from './preference.svelte';
import { go, href, parameter, set } from './router.svelte';

/** The dialog of notes: closed, for a new one, or with those that are there already. */
type Noting = 'new' | readonly Note[] | null;

export const overlay = $state({ palette: false, help: false, filter: false, note: null as Noting });

let before = '';
let at = 0;

export function speakNext(): void {
  const following = LANGUAGES[(LANGUAGES.indexOf(language()) + 1) % LANGUAGES.length] ?? 'en';
  preference.keepLanguage(following);
  set({ lang: following }, { replace: true });
}

export function flipTheme(): void {
  const shown = document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark';
  preference.theme = shown;
  set({ theme: null }, { replace: true });
}

/** Moves the window by its own length of periods: one back or forward. */
export function move(steps: number): void {
  const { from, to, grain } = app.window;
  const last = next(grain, startOf(grain, next('day', to, -1)), 1);
  const start = next(grain, from, steps);
  const end = next(grain, last, steps);
  if (steps > 0 && startOf(grain, start) > app.today) return;
  set({ from: start, to: next('day', end, -1), range: null, grain }, { replace: true });
}

export function compareNext(): void {
  const order = ['prev', 'yoy', 'none'];
  set({ cmp: order[(order.indexOf(app.comparison) + 1) % order.length] ?? null }, { replace: true });
}

function typing(event: KeyboardEvent): boolean {
  const target = event.target as HTMLElement | null;
  return target !== null && (/^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) || target.isContentEditable);
}

export function shortcuts(event: KeyboardEvent): void {
  if ((event.metaKey || event.ctrlKey) && event.key.toLowerCase() === 'k') {
    event.preventDefault();
    overlay.palette = !overlay.palette;
    return;
  }
  if (event.key === 'Escape') {
    if (overlay.palette || overlay.help || overlay.filter || overlay.note) {
      overlay.palette = overlay.help = overlay.filter = false;
      overlay.note = null;
    } else if (parameter('drill')) shut();
    else if (parameter('who')) shut('who');
    else if (parameter('tv')) set({ tv: null });
    return;
  }
  // What is typed while a dialog opens is meant for it.
  if (overlay.palette || overlay.help || overlay.note) return;
  if (typing(event) || event.metaKey || event.ctrlKey || event.altKey || !preference.shortcuts) return;
  const key = event.key;
  if (before === 'g' && Date.now() - at < 1500) {
    before = '';
    const page = PAGES.find((entry) => entry.key === key);
    if (page) {
      event.preventDefault();
      go(href(page.path));
    }
    return;
  }
  before = key;
  at = Date.now();
  const preset = RANGES[Number(key) - 1];
  if (/^[1-6]$/.test(key) && preset) set({ range: preset, from: null, to: null, grain: null }, { replace: true });
  else if (key === '[') move(-1);
  else if (key === ']') move(1);
  else if (key === 'c') compareNext();
  else if (key === 'l') speakNext();
  else if (key === '\\') flipTheme();
  else if (key === '.') preference.incognito = !preference.incognito;
  else if (key === '?') overlay.help = true;
  else if (key === '/') overlay.palette = true;
  else if (key === 'f') overlay.filter = true;
  else if (key === 'a') overlay.note = app.mayEdit ? 'new' : null;
  else if (key === 't') set({ view: parameter('view') === 'table' ? null : 'table' }, { replace: true });
  else if (key === 'e') document.querySelector<HTMLButtonElement>('main .csv')?.click();
  else if (key === 'w' && parameter('tv') === null) return;
  else return;
  event.preventDefault();
}
