// The language of the screen: one dictionary at a time is loaded, and `t` and `f` follow it.
import { formatter, LANGUAGES, type Format, type Language } from './format';
import { preference } from './preference.svelte';
import type { Dictionary } from '../words/en';

const DICTIONARIES: Record<Language, () => Promise<{ words: Dictionary }>> = {
  en: () => import('../words/en'),
  zh: () => import('../words/zh'),
  fr: () => import('../words/fr'),
};

let screen = $state.raw({ language: 'en' as Language, words: null as Dictionary | null, currency: 'USD' });

export function isLanguage(text: string | null | undefined): text is Language {
  return (LANGUAGES as readonly string[]).includes(text ?? '');
}

export function language(): Language {
  return screen.language;
}

/** The language that an address, this machine, the browser or the server asks for, in this order. */
export function wanted(fromAddress: string | null, fromServer?: string): Language {
  if (isLanguage(fromAddress)) return fromAddress;
  const kept = preference.language();
  if (isLanguage(kept)) return kept;
  for (const tag of navigator.languages ?? [navigator.language]) {
    const short = tag.slice(0, 2).toLowerCase();
    if (isLanguage(short)) return short;
  }
  return isLanguage(fromServer) ? fromServer : 'en';
}

export async function speak(next: Language): Promise<void> {
  const { words } = await DICTIONARIES[next]();
  screen = { ...screen, language: next, words };
  document.documentElement.lang = next === 'zh' ? 'zh-Hans' : next;
}

export function reportIn(currency: string): void {
  if (currency !== screen.currency) screen = { ...screen, currency };
}

/** The words of the screen. `t.customers` is text, and follows the language. */
export const t: Dictionary = new Proxy({} as Dictionary, {
  get: (_, key) => {
    const { words } = screen;
    return words ? words[key as keyof Dictionary] : '';
  },
});

const formats = $derived.by<Format | null>(() => {
  const { words } = screen;
  if (!words) return null;
  return formatter({
    language: screen.language,
    currency: screen.currency,
    hidden: preference.incognito,
    words: words.units,
  });
});

/** The formats of the screen. */
export const f: Format = new Proxy({} as Format, {
  get: (_, key) => formats?.[key as keyof Format],
});
