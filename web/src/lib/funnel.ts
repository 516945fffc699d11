// The funnel from a visit to a payment: its steps, by week of the first touch, and which step is opened. An address names a
// step whole: `who=step:3` is the third one over the window, `who=step:3:2026-09-07` that of a week.
import type { Query } from './api';
import { addDays, startOf, type Window } from './period';

export const STEPS = ['visit', 'signup', 'activated', 'trial', 'customer'];
/** How long after the first step the others count. */
const WINDOW = '90d';
/** So many weeks are shown: the people of the last thirteen still have time. */
const WEEKS = 22;

export interface StepName {
  /** 1 is the first. */
  step: number;
  /** The first day of the week of the first touch; null for the whole window. */
  week: string | null;
}

export function overWindow({ from, to }: Window): Query {
  return { step: STEPS, from, to, window: WINDOW };
}

export function byWeek(today: string): Query {
  const from = startOf('week', addDays(today, -7 * (WEEKS - 1)));
  return { step: STEPS, from, to: addDays(today, 1), window: WINDOW, grain: 'week' };
}

/** The people of a step. */
export function askedOf({ step, week }: StepName, window: Window, today: string): Query {
  return { ...(week ? { ...byWeek(today), period: week } : overWindow(window)), people: step };
}

export function writtenStep({ step, week }: StepName): string {
  return week ? `step:${step}:${week}` : `step:${step}`;
}

export function readStep(text: string): StepName | null {
  const [, step, week] = /^step:([1-9]\d?)(?::(\d{4}-\d\d-\d\d))?$/.exec(text) ?? [];
  return step && Number(step) <= STEPS.length ? { step: Number(step), week: week ?? null } : null;
}
