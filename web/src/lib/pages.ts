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
  /** Whether a shared link may look at it: it names no customer. */
  shared?: boolean;
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
        shared: true,
        load: () => import('../pages/Overview.svelte'),
        heeds: ['range', 'filter', 'compare'],
      },
      {
        path: '/today',
        name: 'today',
        icon: 'sun',
        key: 'd',
        load: () => import('../pages/Today.svelte'),
        heeds: ['filter'],
      },
      {
        path: '/week',
        name: 'weekly',
        icon: 'week',
        key: 'w',
        load: () => import('../pages/Week.svelte'),
        heeds: ['filter'],
      },
      { path: '/month', name: 'monthly', icon: 'doc', key: 'm', load: () => import('../pages/Month.svelte') },
    ],
  },
  {
    name: 'revenueGroup',
    pages: [
      {
        path: '/mrr',
        name: 'movements',
        icon: 'bars',
        key: 'r',
        shared: true,
        load: () => import('../pages/Movements.svelte'),
        heeds: ['range', 'filter', 'compare'],
      },
      {
        path: '/revenue',
        name: 'revenue',
        icon: 'coins',
        key: 'v',
        shared: true,
        load: () => import('../pages/Revenue.svelte'),
        heeds: ['range'],
      },
      {
        path: '/retention',
        name: 'retention',
        icon: 'grid',
        key: 'c',
        shared: true,
        load: () => import('../pages/Retention.svelte'),
        heeds: ['range', 'filter'],
      },
      {
        path: '/customers',
        name: 'customers',
        icon: 'users',
        key: 'u',
        load: () => import('../pages/Customers.svelte'),
        heeds: ['filter'],
      },
      {
        path: '/health',
        name: 'health',
        icon: 'heart',
        key: 'h',
        load: () => import('../pages/Health.svelte'),
        heeds: ['filter'],
      },
    ],
  },
  {
    name: 'growth',
    pages: [
      {
        path: '/funnel',
        name: 'funnel',
        icon: 'funnel',
        key: 'f',
        shared: true,
        load: () => import('../pages/Funnel.svelte'),
        heeds: ['range'],
      },
      {
        path: '/unit',
        name: 'unit',
        icon: 'trend',
        key: 'a',
        shared: true,
        load: () => import('../pages/Unit.svelte'),
        heeds: ['range'],
      },
      {
        path: '/prices',
        name: 'prices',
        icon: 'tag',
        key: 'n',
        load: () => import('../pages/Prices.svelte'),
      },
      {
        path: '/service',
        name: 'service',
        icon: 'smile',
        key: 's',
        shared: true,
        load: () => import('../pages/Service.svelte'),
        heeds: ['range'],
      },
    ],
  },
  {
    name: 'plan',
    pages: [
      {
        path: '/forecast',
        name: 'forecast',
        icon: 'layers',
        key: 'p',
        shared: true,
        load: () => import('../pages/Forecast.svelte'),
      },
      { path: '/levers', name: 'levers', icon: 'lever', key: 'k', load: () => import('../pages/Levers.svelte') },
      {
        path: '/goals',
        name: 'goals',
        icon: 'target',
        key: 'g',
        shared: true,
        load: () => import('../pages/Goals.svelte'),
      },
      {
        path: '/runway',
        name: 'runway',
        icon: 'wallet',
        key: 'y',
        shared: true,
        load: () => import('../pages/Runway.svelte'),
        heeds: ['range'],
      },
      { path: '/alerts', name: 'alerts', icon: 'bell', key: 'e', load: () => import('../pages/Alerts.svelte') },
    ],
  },
  {
    name: 'system',
    pages: [
      {
        path: '/dictionary',
        name: 'metrics',
        icon: 'book',
        key: 'i',
        shared: true,
        load: () => import('../pages/Metrics.svelte'),
      },
      { path: '/data', name: 'data', icon: 'db', key: 'b', load: () => import('../pages/Data.svelte') },
      { path: '/settings', name: 'settings', icon: 'gear', key: ',', load: () => import('../pages/Settings.svelte') },
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
