// Days are texts (2026-10-01); a period is named by its first day. Nothing here reads a clock or a zone.

export type Grain = 'day' | 'week' | 'month' | 'quarter' | 'year';
export const GRAINS: readonly Grain[] = ['day', 'week', 'month', 'quarter', 'year'];

export const RANGES = ['30d', '90d', '12m', '24m', 'ytd', 'all'] as const;
export type Range = (typeof RANGES)[number];

export function isDay(text: string | null | undefined): text is string {
  return typeof text === 'string' && /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(`${text}T00:00:00Z`));
}

export function date(day: string): Date {
  return new Date(`${day}T00:00:00Z`);
}

export function day(date: Date): string {
  return date.toISOString().slice(0, 10);
}

export function addDays(from: string, days: number): string {
  const moved = date(from);
  moved.setUTCDate(moved.getUTCDate() + days);
  return day(moved);
}

/** The same day some months later, or the last of the month where it has no such day. */
export function addMonths(from: string, months: number): string {
  const start = date(from);
  const first = new Date(Date.UTC(start.getUTCFullYear(), start.getUTCMonth() + months, 1));
  const last = new Date(Date.UTC(first.getUTCFullYear(), first.getUTCMonth() + 1, 0)).getUTCDate();
  first.setUTCDate(Math.min(start.getUTCDate(), last));
  return day(first);
}

export function startOf(grain: Grain, of: string): string {
  const start = date(of);
  switch (grain) {
    case 'day':
      return of;
    case 'week':
      return addDays(of, -((start.getUTCDay() + 6) % 7));
    case 'month':
      return `${of.slice(0, 7)}-01`;
    case 'quarter':
      return day(new Date(Date.UTC(start.getUTCFullYear(), Math.floor(start.getUTCMonth() / 3) * 3, 1)));
    case 'year':
      return `${of.slice(0, 4)}-01-01`;
  }
}

export function next(grain: Grain, period: string, steps = 1): string {
  switch (grain) {
    case 'day':
      return addDays(period, steps);
    case 'week':
      return addDays(period, 7 * steps);
    case 'month':
      return addMonths(period, steps);
    case 'quarter':
      return addMonths(period, 3 * steps);
    case 'year':
      return addMonths(period, 12 * steps);
  }
}

export interface Window {
  /** The first day. */
  from: string;
  /** The first day no more. */
  to: string;
  grain: Grain;
}

export interface Asked {
  range?: string | null;
  from?: string | null;
  to?: string | null;
  grain?: string | null;
}

/** What was asked for that cannot be read, so that it can be said rather than swallowed. */
export function unreadable(asked: Asked): string[] {
  const bad: string[] = [];
  if (asked.range && !(RANGES as readonly string[]).includes(asked.range)) bad.push(`range=${asked.range}`);
  if (asked.from && !isDay(asked.from)) bad.push(`from=${asked.from}`);
  if (asked.to && !isDay(asked.to)) bad.push(`to=${asked.to}`);
  if (asked.grain && !(GRAINS as readonly string[]).includes(asked.grain)) bad.push(`grain=${asked.grain}`);
  return bad;
}

/**
 * The window that an address asks for. `today` is the day up to which facts can be, `first` the first day with facts.
 * The period that is running is the last one, unless it has no full day yet.
 */
export function windowOf(asked: Asked, today: string, first: string | null): Window {
  const range = (RANGES as readonly string[]).includes(asked.range ?? '') ? (asked.range as Range) : '12m';
  const usual: Grain = range === '30d' ? 'day' : range === '90d' ? 'week' : 'month';
  const grain = (GRAINS as readonly string[]).includes(asked.grain ?? '') ? (asked.grain as Grain) : usual;
  const running = startOf(grain, today);
  // `to` in an address is the last day that is looked at.
  const to = isDay(asked.to) ? addDays(asked.to, 1) : running === today ? today : next(grain, running);
  let from: string;
  if (isDay(asked.from)) from = asked.from;
  else if (range === '30d') from = addDays(to, -30);
  else if (range === '90d') from = addDays(to, -91);
  else if (range === 'ytd') from = startOf('year', addDays(to, -1));
  else if (range === 'all') from = first ?? addMonths(to, -24);
  else from = addMonths(to, range === '24m' ? -24 : -12);
  from = startOf(grain, from);
  if (from >= to) from = next(grain, startOf(grain, addDays(to, -1)), 0);
  return { from, to, grain };
}

/** The first days of the periods of a window. */
export function periodsOf(window: Window): string[] {
  const periods: string[] = [];
  for (let at = window.from; at < window.to && periods.length < 4000; at = next(window.grain, at)) periods.push(at);
  return periods;
}
