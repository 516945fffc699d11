// Which triangle of cohorts is asked for, and which of its cells is opened. An address names a cell whole, so that a link
// to it opens the same customers from any page: `who=cohort:revenue:start:month:5:2026-03-01`.
import type { Query } from './api';
import type { CohortCell } from './contract';
import { addMonths, startOf } from './period';

export const MEASURES = ['revenue', 'gross-revenue', 'customers'] as const;
export const AGAINST = ['start', 'before'] as const;
/** What a row is: those who began in a month or a quarter, or all who began with a plan or by a channel. */
export const ROWS = ['month', 'quarter', 'plan', 'channel'] as const;

export interface Triangle {
  measure: (typeof MEASURES)[number];
  against: (typeof AGAINST)[number];
  rows: (typeof ROWS)[number];
}

export interface CellName extends Triangle {
  age: number;
  /** The row: the first day of a period, or the value of a split. */
  row: string;
}

function oneOf<Word extends string>(words: readonly Word[], asked: string | null | undefined): Word | null {
  return words.find((word) => word === asked) ?? null;
}

/** The triangle that an address asks for; what it does not say is as usual. */
export function triangleOf(of: (name: string) => string | null): Triangle {
  return {
    measure: oneOf(MEASURES, of('measure')) ?? 'revenue',
    against: oneOf(AGAINST, of('against')) ?? 'start',
    rows: oneOf(ROWS, of('cohorts')) ?? 'month',
  };
}

export function isSplit(rows: Triangle['rows']): rows is 'plan' | 'channel' {
  return rows === 'plan' || rows === 'channel';
}

/** What is asked of the API; `today` says how far back the cohorts that are shown begin. */
export function asked({ measure, against, rows }: Triangle, today: string): Query {
  const begun = (months: number, grain: 'month' | 'quarter') => startOf(grain, addMonths(today, -months));
  if (isSplit(rows)) return { measure, against, grain: 'month', from: begun(35, 'month'), by: [rows], together: true };
  return { measure, against, grain: rows, from: rows === 'quarter' ? begun(36, 'quarter') : begun(17, 'month') };
}

/** The same for the customers of a cell. */
export function askedOf(cell: CellName, today: string): Query {
  const query = asked(cell, today);
  delete query.together;
  return isSplit(cell.rows)
    ? { ...query, age: cell.age, part: [`${cell.rows}=${cell.row}`] }
    : { ...query, age: cell.age, cohort: cell.row };
}

/** The row of the triangle that a cell stands in. */
export function rowOf(cell: CohortCell, rows: Triangle['rows']): string {
  return isSplit(rows) ? (cell.segment?.[rows] ?? '') : (cell.cohort ?? '');
}

export function written({ measure, against, rows, age, row }: CellName): string {
  return ['cohort', measure, against, rows, age, row].join(':');
}

export function readCell(text: string): CellName | null {
  const [, measure, against, rows, age, row] = /^cohort:([^:]+):([^:]+):([^:]+):(\d+):(.+)$/s.exec(text) ?? [];
  const of = { measure: oneOf(MEASURES, measure), against: oneOf(AGAINST, against), rows: oneOf(ROWS, rows) };
  if (!of.measure || !of.against || !of.rows || row === undefined) return null;
  return { measure: of.measure, against: of.against, rows: of.rows, age: Number(age), row };
}
