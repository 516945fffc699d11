// What is opened, as the address says it: `metric[.variant]:period[..last][:grain[:dimension=value[:whole]]]`.
import { MOVEMENT_METRICS } from '../charts/kinds';
import { GRAINS, isDay, next, startOf, type Grain } from './period';

export interface Drill {
  metric: string;
  /** The first day of the period. */
  period: string;
  grain: Grain;
  /** The first day of the last period, where several are opened together. */
  last?: string | null;
  /** The part of a split that is opened. */
  part?: { dimension: string; value: string } | null;
  /** Whether the number is of the whole business, whatever the filters of the page are. */
  whole?: boolean;
}

// A value may hold what parts the address.
const written = (text: string) => text.replaceAll('%', '%25').replaceAll(':', '%3A');
const read = (text: string) => text.replaceAll('%3A', ':').replaceAll('%25', '%');

export function drillOf({ metric, period, grain, last = null, part = null, whole = false }: Drill): string {
  const parts = [metric, last !== null && last !== period ? `${period}..${last}` : period, grain];
  if (part || whole) parts.push(part ? written(`${part.dimension}=${part.value}`) : '');
  if (whole) parts.push('whole');
  return parts.join(':');
}

/** What adds up over periods: of anything else the last period alone is opened. */
const ADDS = MOVEMENT_METRICS.filter((metric) => metric !== 'mrr');

export function readDrill(text: string): Drill {
  const [metric = '', periods = '', grain = 'month', segment = '', whole] = text.split(':');
  const [first = '', last = null] = periods.split('..');
  const [, dimension, value] = /^([^=]+)=(.*)$/s.exec(read(segment)) ?? [];
  const several = isDay(first) && isDay(last) && first < last;
  return {
    metric,
    period: several && !ADDS.includes(metric) ? last : first,
    grain: (GRAINS as readonly string[]).includes(grain) ? (grain as Grain) : 'month',
    last: several && ADDS.includes(metric) ? last : null,
    part: dimension !== undefined && value !== undefined ? { dimension, value } : null,
    whole: whole === 'whole',
  };
}

interface Span {
  period: string;
  grain: Grain;
}

function filled(from: string, to: string, grains: readonly Grain[]): Span[] {
  const spans: Span[] = [];
  for (let at = from; at < to; at = next(spans.at(-1)?.grain ?? 'day', at)) {
    const grain = grains.find((one) => startOf(one, at) === at && next(one, at) <= to) ?? 'day';
    spans.push({ period: at, grain });
  }
  return spans;
}

/** The periods of a calendar that together are the days of a window: as few as there can be, each asked by itself. */
export function spansOf(from: string, to: string): Span[] {
  // Weeks lie across months: it is one or the other.
  const [months, weeks] = [filled(from, to, ['year', 'quarter', 'month']), filled(from, to, ['week'])];
  return weeks.length < months.length ? weeks : months;
}
