import { describe, expect, it } from 'vitest';
import { decimalOf, formatter, type Language } from '../../src/lib/format';
import { words } from '../../src/words/en';

const of = (language: Language, hidden = false, currency = 'USD') =>
  formatter({ language, currency, hidden, words: words.units });

describe('numbers', () => {
  const en = of('en');
  it('decimal strings are shown exactly, whatever their length', () => {
    expect(en.exact('9007199254740993.07')).toBe('$9,007,199,254,740,993.07');
    expect(en.money('259681.767588')).toBe('$259,682');
    expect(en.money('22.5')).toBe('$22.50');
  });
  it('a minus is a minus sign', () => {
    expect(en.signedMoney('-310')).toBe('−$310');
    expect(en.signedMoney('1460')).toBe('+$1,460');
  });
  it('undefined is a dash and never zero', () => {
    for (const unit of ['percent', 'count', 'USD', 'days', 'date', 'duration', 'ratio']) {
      expect(en.value(null, unit)).toBe('—');
    }
    expect(en.value('0', 'count')).toBe('0');
  });
  it('shares differ in points, amounts in per cent', () => {
    expect(en.change('0.052', '0.039', 'percent')).toBe('+1.3 pt');
    expect(en.change('110', '100', 'USD')).toBe('+10.0%');
    expect(en.change('110', '0', 'USD')).toBeNull();
    expect(en.change(null, '1', 'USD')).toBeNull();
    // Between a gain and a loss there is a distance and no percentage.
    expect(en.change('110', '-579', 'USD')).toBe('+$689');
    // Nor between two losses, of which a percentage could be read both ways.
    expect(en.change('-5.05', '-579', 'USD')).toBe('+$574');
  });
  it('each language has its habits', () => {
    expect(of('fr').percent(0.034)).toMatch(/^3,4\s%$/);
    expect(of('fr').money('14320')).toMatch(/^14\s320\s\$US$/);
    expect(of('zh').compactMoney(25000)).toBe('US$2.5万');
    expect(of('en', false, 'JPY').exact('1200')).toBe('¥1,200');
  });
  it('hidden amounts and names show nothing', () => {
    const hidden = of('en', true);
    expect(hidden.money('259681.77')).not.toMatch(/\d/);
    expect(hidden.count('583')).not.toMatch(/\d/);
    expect(hidden.name('c00000090')).not.toContain('c0000');
    expect(hidden.percent('0.05')).toBe('5.0%');
  });
  it('lengths of time are said in what fits', () => {
    expect(en.value('900', 'duration')).toBe('15 min');
    expect(en.value('16470.0', 'duration')).toBe('4.6 h');
    expect(en.value('259200', 'duration')).toBe('3 days');
  });
});

describe('dates', () => {
  it('days do not move with the zone of the machine', () => {
    expect(of('en').day('2026-10-01')).toBe('Oct 1, 2026');
    expect(of('zh').day('2026-10-01')).toBe('2026年10月1日');
    expect(of('fr').monthYear('2026-10-01')).toBe('oct. 2026');
  });
  it('quarters are named', () => {
    expect(of('en').period('2026-04-01', 'quarter')).toBe('Q2 2026');
    expect(of('fr').period('2026-04-01', 'quarter')).toBe('T2 2026');
  });
});

describe('what is typed', () => {
  it('is read as the language writes it', () => {
    for (const [text, language, plain] of [
      ['1,234.5', 'en', '1234.5'],
      ['0,5', 'en', '0.5'],
      ['12.5%', 'en', '12.5'],
      ['$15,000', 'en', '15000'],
      ['1\u202f234,5', 'fr', '1234.5'],
      ['0,5 %', 'fr', '0.5'],
      ['0.5', 'fr', '0.5'],
      ['−3,25', 'fr', '-3.25'],
      ['12,345', 'zh', '12345'],
    ] as const) {
      expect(decimalOf(text, language), text).toBe(plain);
    }
    for (const text of ['', 'twelve', '1.2.3', '-']) expect(decimalOf(text, 'en'), text).toBeNull();
  });
  it('a field shows what is read again', () => {
    for (const language of ['en', 'zh', 'fr'] as const) {
      for (const value of ['0.06242', '270000', '-1.5']) {
        expect(Number(decimalOf(of(language).typed(value), language))).toBe(Number(value));
      }
    }
  });
});

describe('dates', () => {
  it('a month with its year can be taken for no day', () => {
    expect(of('en').shortMonth('2026-01-01')).toBe('Jan ’26');
    expect(of('zh').shortMonth('2026-01-01')).toBe('26年1月');
  });
  it('a week is said by its days', () => {
    expect(of('en').columnOf('2026-10-12', 'week')).toBe('Oct 12–18');
    expect(of('en').columnOf('2026-10-01', 'month')).toBe('Oct 2026');
  });
  it('the sentences of the server have a minus as well', () => {
    expect(of('en').words('contraction -$679.12, churned -$2 (-3%)')).toBe('contraction −$679.12, churned −$2 (−3%)');
    expect(of('en').words('x-12 and 2026-10-01')).toBe('x-12 and 2026-10-01');
  });
});
