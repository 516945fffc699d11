import { describe, expect, test } from 'vitest';
import { drillOf, readDrill, spansOf } from '../../src/lib/drill';
import { next } from '../../src/lib/period';

const usual = { last: null, part: null, whole: false };

describe('what is opened', () => {
  test('is read as it is written', () => {
    const opened = { ...usual, metric: 'nrr.month', period: '2026-09-01', grain: 'month' as const };
    expect(drillOf(opened)).toBe('nrr.month:2026-09-01:month');
    for (const one of [
      opened,
      { ...opened, part: { dimension: 'plan', value: 'Team: 50% off' } },
      { ...opened, part: { dimension: 'plan', value: 'a=b' }, whole: true },
      { ...opened, whole: true },
      { ...opened, metric: 'mrr_new', last: '2026-10-01' },
    ]) {
      expect(readDrill(drillOf(one))).toEqual(one);
    }
  });
  test('of one period has no last one', () => {
    expect(drillOf({ metric: 'mrr_new', period: '2026-09-01', last: '2026-09-01', grain: 'month' })).toBe(
      'mrr_new:2026-09-01:month',
    );
  });
  test('is one period of what does not add up over several', () => {
    expect(readDrill('mrr:2026-01-01..2026-03-01:month')).toEqual({
      ...usual,
      metric: 'mrr',
      period: '2026-03-01',
      grain: 'month',
    });
  });
  test('is by month unless it is said', () => {
    expect(readDrill('mrr_new:2026-09-01').grain).toBe('month');
    expect(readDrill('mrr_new:2026-09-01:fortnight').grain).toBe('month');
  });
});

describe('the periods of a window', () => {
  test.each([
    ['2025-11-01', '2026-11-01', 'month month quarter quarter quarter month'],
    ['2025-01-01', '2026-01-01', 'year'],
    ['2026-09-28', '2026-10-02', 'day day day day'],
  ])('from %s to %s', (from, to, grains) => {
    const spans = spansOf(from, to);
    expect(spans.map((one) => one.grain).join(' ')).toBe(grains);
  });
  test('lie one after the other and leave no day out', () => {
    const spans = spansOf('2025-12-29', '2026-10-23');
    let at = '2025-12-29';
    for (const { period, grain } of spans) {
      expect(period).toBe(at);
      at = next(grain, at);
    }
    expect(at).toBe('2026-10-23');
    expect(spans.length).toBeLessThan(30);
  });
});
