// What a person likes, kept on this machine. A shared link wins over it.

export type Theme = 'light' | 'dark';

function kept(name: string): string | null {
  try {
    return localStorage.getItem(`recurve.${name}`);
  } catch {
    return null;
  }
}

function keep(name: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(`recurve.${name}`);
    else localStorage.setItem(`recurve.${name}`, value);
  } catch {
    // A browser that keeps nothing still shows everything.
  }
}

const state = $state({
  theme: (document.documentElement.dataset.theme === 'dark' ? 'dark' : 'light') as Theme,
  incognito: kept('incognito') === 'yes',
  shortcuts: kept('shortcuts') !== 'no',
});

export const preference = {
  get theme(): Theme {
    return state.theme;
  },
  set theme(theme: Theme) {
    state.theme = theme;
    document.documentElement.dataset.theme = theme;
    keep('theme', theme);
  },
  /** Amounts and names are hidden, so that a screen can be shown to others. */
  get incognito(): boolean {
    return state.incognito;
  },
  set incognito(hidden: boolean) {
    state.incognito = hidden;
    keep('incognito', hidden ? 'yes' : null);
  },
  /** Shortcuts of single keys can be switched off (WCAG 2.1.4). */
  get shortcuts(): boolean {
    return state.shortcuts;
  },
  set shortcuts(on: boolean) {
    state.shortcuts = on;
    keep('shortcuts', on ? null : 'no');
  },
  language(): string | null {
    return kept('lang');
  },
  keepLanguage(language: string): void {
    keep('lang', language);
  },
};
