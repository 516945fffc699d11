// The pages: where they are, under which head they stand, by which keys they are reached, and what loads them.
import type { Component } from 'svelte';
import type { IconName } from '../ui/Icon.svelte';
import type { Dictionary } from '../words/en';

type Word = { [Key in keyof Dictionary]: Dictionary[Key] extends string ? Key : never }[keyof Dictionary];

export interface PageEntry {
  path: string;
  name: Word;
  icon: IconName;
  /** The second key after g. */
  key: string | null;
  load: () => Promise<{ default: Component }>;
  /** Which of the controls at the top it heeds. */
  heeds?: ('range' | 'filter' | 'compare')[];
}

export const GROUPS: { name: Word; pages: PageEntry[] }[] = [
  {
    name: 'monitor',
    pages: [
      {
        path: '/',
        name: 'overview',
        icon: 'home',
        key: 'o',
        load: () => import('../pages/Overview.svelte'),
        heeds: ['range', 'filter', 'compare'],
      },
    ],
  },
];

export const PAGES: PageEntry[] = GROUPS.flatMap((group) => group.pages);

/** The page of a path; `/customers/acme` belongs to `/customers`. */
export function pageOf(path: string): { page: PageEntry; rest: string | null } | null {
  const exact = PAGES.find((page) => page.path === path);
  if (exact) return { page: exact, rest: null };
  const parent = PAGES.find((page) => page.path !== '/' && path.startsWith(`${page.path}/`));
  return parent ? { page: parent, rest: decodeURIComponent(path.slice(parent.path.length + 1)) } : null;
}
