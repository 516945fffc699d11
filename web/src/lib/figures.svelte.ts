// Figures of the window, and what the last of them is compared with.
import { app, figureOf, seriesOf } from './app.svelte';
import type { Figure } from './contract';
import { f, t } from './language.svelte';
import { addDays, addMonths, next, periodsOf, startOf, type Window } from './period';
import { query, type Answered } from './query.svelte';
import { questions } from './questions';

export interface Figures extends Answered<Figure[]> {
  /** The figures of a metric (`nrr.month`) by period. */
  of(metric: string): Figure[];
  at(metric: string, period: string): Figure | undefined;
  last(metric: string): Figure | undefined;
}

/** Figures of some metrics over a window, under the filters of the address. */
export function figures(
  metrics: () => readonly string[],
  window: () => Window,
  more: () => { by?: string[]; where?: string[] } = () => ({}),
): Figures {
  const answer = query(() => {
    if (!app.session?.has_data || metrics().length === 0) return null;
    const { from, to, grain } = window();
    const { by = [], where = app.where } = more();
    return questions.figures({ ...app.view, metric: metrics(), from, to, grain, by, where });
  });
  return reading(answer, (found) => found);
}

/** Figures that came within another answer, read like those that were asked for by themselves. */
export function reading<Answer>(answer: Answered<Answer>, pick: (found: Answer) => Figure[]): Figures {
  const data = () => (answer.data === null ? null : pick(answer.data));
  return {
    get data() {
      return data();
    },
    get loading() {
      return answer.loading;
    },
    get refusal() {
      return answer.refusal;
    },
    again: answer.again,
    of: (metric) => seriesOf(data(), metric),
    at: (metric, period) => figureOf(data(), metric, period),
    last: (metric) => seriesOf(data(), metric).at(-1),
  };
}

/** Whether a period is still running. */
export function isRunning(window: Window, period: string): boolean {
  return next(window.grain, period) > app.today;
}

/**
 * What the last period of a window is compared with. A running period is compared with the same days of the one before,
 * never with all of it.
 */
export function partBefore(window: Window): Window | null {
  const { grain } = window;
  const last = periodsOf(window).at(-1);
  if (!last || app.comparison === 'none') return null;
  const from = app.comparison === 'yoy' ? startOf(grain, addMonths(last, -12)) : next(grain, last, -1);
  const whole = next(grain, from);
  if (!isRunning(window, last)) return { from, to: whole, grain };
  // Figures reach to the end of today, whatever of it is over.
  const days = Math.round((Date.parse(app.today) - Date.parse(last)) / 86_400_000) + 1;
  const same = addDays(from, days);
  const part = { from, to: same < whole ? same : whole, grain };
  return part.from < part.to ? part : null;
}

/** The same in words. */
export function beforeWords(part: Window | null): string {
  if (!part) return '';
  const full = part.to === next(part.grain, part.from);
  return t.against(full ? f.columnOf(part.from, part.grain) : f.days(part.from, addDays(part.to, -1)));
}

/** The figures of what the last period of a window is compared with. */
export function before(metrics: () => readonly string[], window: () => Window) {
  const part = $derived.by<Window | null>(() => partBefore(window()));
  const answer = query(() => {
    if (!part || !app.session?.has_data) return null;
    return questions.figures({ ...app.view, metric: metrics(), ...part, where: app.where });
  });
  return {
    of: (metric: string): Figure | undefined => (part ? seriesOf(answer.data, metric).at(-1) : undefined),
    get words(): string {
      return beforeWords(part);
    },
  };
}
