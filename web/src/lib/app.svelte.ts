// What every page knows: who asks, what the metrics are called, which window and filters the address names.
import type { Query } from './api';
import type { Catalogue, Figure, Metric, Session } from './contract';
import { language } from './language.svelte';
import { pageOf } from './pages';
import { addDays, addMonths, day, isDay, startOf, unreadable, windowOf, type Window } from './period';
import { parameter, route } from './router.svelte';

let session_ = $state.raw<Session | null>(null);
let catalogue_ = $state.raw<Catalogue>({ sections: [], metrics: [], dimensions: [] });

export interface Filter {
  dimension: string;
  value: string;
}

/** `f=plan:is:team` in an address. */
export function readFilters(texts: string[]): { filters: Filter[]; bad: string[] } {
  const filters: Filter[] = [];
  const bad: string[] = [];
  for (const text of texts) {
    const [, dimension, value] = /^([^:]+):is:(.+)$/s.exec(text) ?? [];
    if (dimension && value) filters.push({ dimension, value });
    else bad.push(`f=${text}`);
  }
  return { filters, bad };
}

export type Comparison = 'prev' | 'yoy' | 'none';

/** The day, in the zone of the business, of an instant; a plain date is itself. */
function dayIn(zone: string, at: string): string {
  if (isDay(at)) return at;
  return new Intl.DateTimeFormat('en-CA', { timeZone: zone, dateStyle: 'short' }).format(new Date(at));
}

export const app = {
  get session(): Session | null {
    return session_;
  },
  set session(session: Session | null) {
    session_ = session;
  },
  get catalogue(): Catalogue {
    return catalogue_;
  },
  set catalogue(catalogue: Catalogue) {
    catalogue_ = catalogue;
  },

  /** Whether who looks may write notes, goals and closes, and import. */
  get mayEdit(): boolean {
    return session_?.role === 'editor' || session_?.role === 'owner';
  },
  /** Whether a shared link looks: figures alone, and nobody by name. */
  get isShared(): boolean {
    return session_?.role === 'shared';
  },
  /** The day that counts as today: of the address, else of the server. */
  get today(): string {
    const asked = parameter('now');
    const zone = session_?.time_zone ?? 'UTC';
    if (asked && !Number.isNaN(Date.parse(asked))) return dayIn(zone, asked);
    return session_?.today ?? day(new Date());
  },
  get window(): Window {
    return windowOf(
      { range: parameter('range'), from: parameter('from'), to: parameter('to'), grain: parameter('grain') },
      this.today,
      null,
    );
  },
  /** The window in months, for what is told by month alone. */
  get months(): Window {
    const { from, to } = this.window;
    const first = startOf('month', from);
    const last = startOf('month', addDays(to, -1));
    // Less than three months tell nothing by month.
    const least = addMonths(last, -2);
    return {
      from: first < least ? first : least,
      to: addMonths(last, 1) > this.running.to ? this.running.to : addMonths(last, 1),
      grain: 'month',
    };
  },
  /** Twelve months up to the one that is running, whatever the window says. */
  get running(): Window {
    return windowOf({ range: '12m', grain: 'month' }, this.today, null);
  },
  /** The last month that is over. */
  get lastMonth(): string {
    return addMonths(startOf('month', this.today), -1);
  },
  get filters(): Filter[] {
    return readFilters(route.search.getAll('f')).filters;
  },
  get comparison(): Comparison {
    const asked = parameter('cmp');
    return asked === 'yoy' || asked === 'none' ? asked : 'prev';
  },
  get currency(): string {
    return parameter('cur') ?? session_?.currency ?? 'USD';
  },
  /** Parts of the address that cannot be read; they are said, and otherwise passed over. */
  get unreadable(): string[] {
    const asked = {
      range: parameter('range'),
      from: parameter('from'),
      to: parameter('to'),
      grain: parameter('grain'),
    };
    const bad = [...unreadable(asked), ...readFilters(route.search.getAll('f')).bad];
    const now = parameter('now');
    if (now && Number.isNaN(Date.parse(now))) bad.push(`now=${now}`);
    const compare = parameter('cmp');
    if (compare && !['prev', 'yoy', 'none'].includes(compare)) bad.push(`cmp=${compare}`);
    return bad;
  },
  /** What goes with every question about figures. */
  get view(): Query {
    const now = parameter('now');
    return {
      now: now && !Number.isNaN(Date.parse(now)) ? now : null,
      policy: parameter('policy'),
      as_known_at: parameter('as_known_at'),
      currency: parameter('cur'),
      lang: language(),
    };
  },
  /** The filters as the server reads them. A page that shows none heeds none, though its links keep them. */
  get where(): string[] {
    if (!pageOf(route.path)?.page.heeds?.includes('filter')) return [];
    return this.filters.map((filter) => `${filter.dimension}=${filter.value}`);
  },

  metric(id: string): Metric | undefined {
    return catalogue_.metrics.find((metric) => metric.id === id);
  },
  /** The name of a metric, with its variant where one is asked for: `nrr.month`. */
  name(asked: string): string {
    const [id = '', variant] = split(asked);
    return this.metric(id)?.name ?? (variant ? `${id} ${variant}` : id);
  },
  /** The same where there is little room: a long name that has an abbreviation goes by it. */
  short(asked: string): string {
    return shortened(this.name(asked));
  },
  /** Kinds of facts that are there. */
  has(kind: string): boolean {
    return (session_?.kinds ?? []).some((known) => known.kind === kind && known.facts > 0);
  },
  dimension(id: string): string {
    return catalogue_.dimensions.find((dimension) => dimension.id === id)?.name ?? id;
  },
};

/** `Net revenue retention (NRR)` is NRR where there is little room. */
export function shortened(name: string, room = 22): string {
  const long = /[\u3400-\u9fff]/.test(name) ? 10 : room;
  return name.length > long ? (/[(（]([A-Z]{2,5})[)）]$/.exec(name)?.[1] ?? name) : name;
}

/** `nrr.month` is a metric and a variant. */
export function split(asked: string): [string, string | null] {
  const dot = asked.indexOf('.');
  return dot < 0 ? [asked, null] : [asked.slice(0, dot), asked.slice(dot + 1)];
}

/** The figures of one metric, by period in order. */
export function seriesOf(figures: readonly Figure[] | null, asked: string): Figure[] {
  const [id, variant] = split(asked);
  return (figures ?? [])
    .filter((figure) => figure.metric === id && (variant === null || figure.variant === variant))
    .sort((a, b) => (a.period < b.period ? -1 : a.period > b.period ? 1 : 0));
}

export function figureOf(figures: readonly Figure[] | null, asked: string, period: string): Figure | undefined {
  return seriesOf(figures, asked).find((figure) => figure.period === period);
}
