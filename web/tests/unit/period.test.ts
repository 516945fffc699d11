import { describe, expect, it } from 'vitest';
import { addMonths, next, periodsOf, startOf, unreadable, windowOf } from '../../src/lib/period';

describe('windows', () => {
  it('twelve months up to the running one, which is the last', () => {
    const window = windowOf({}, '2026-10-22', null);
    expect(window).toEqual({ from: '2025-11-01', to: '2026-11-01', grain: 'month' });
    expect(periodsOf(window).at(-1)).toBe('2026-10-01');
    expect(periodsOf(window)).toHaveLength(12);
  });
  it('on the first day of a month there is nothing of it yet', () => {
    expect(periodsOf(windowOf({}, '2026-11-01', null)).at(-1)).toBe('2026-10-01');
  });
  it('what an address names is taken, and its last day is counted', () => {
    const window = windowOf({ from: '2026-01-15', to: '2026-03-31', grain: 'month' }, '2026-10-22', null);
    expect(window).toEqual({ from: '2026-01-01', to: '2026-04-01', grain: 'month' });
  });
  it('short ranges go by day and by week', () => {
    expect(windowOf({ range: '30d' }, '2026-10-22', null)).toEqual({
      from: '2026-09-22',
      to: '2026-10-22',
      grain: 'day',
    });
    expect(windowOf({ range: '90d' }, '2026-10-22', null).grain).toBe('week');
  });
  it('malformed parts are passed over, and said', () => {
    const asked = { range: '13m', from: 'yesterday', grain: 'fortnight' };
    expect(windowOf(asked, '2026-10-22', null)).toEqual(windowOf({}, '2026-10-22', null));
    expect(unreadable(asked)).toEqual(['range=13m', 'from=yesterday', 'grain=fortnight']);
  });
});

describe('calendar', () => {
  it('months keep their day, or end on their last', () => {
    expect(addMonths('2026-01-31', 1)).toBe('2026-02-28');
    expect(addMonths('2024-01-31', 1)).toBe('2024-02-29');
    expect(addMonths('2026-03-15', -3)).toBe('2025-12-15');
  });
  it('weeks begin on Monday', () => {
    expect(startOf('week', '2026-10-22')).toBe('2026-10-19');
    expect(next('week', '2026-10-19')).toBe('2026-10-26');
  });
  it('quarters begin in January, April, July and October', () => {
    expect(startOf('quarter', '2026-06-30')).toBe('2026-04-01');
  });
});
