// Numbers and dates in the habits of a language. Pure: the language, the currency and whether to hide are arguments.
import type { Named } from './contract';
import { addDays, date } from './period';

export type Language = 'en' | 'zh' | 'fr';
export const LANGUAGES: readonly Language[] = ['en', 'zh', 'fr'];

const TAGS: Record<Language, string> = { en: 'en-US', zh: 'zh-CN', fr: 'fr-FR' };

export interface Words {
  /** What stands beside a number of that unit. */
  months: (count: string) => string;
  days: (count: string) => string;
  hours: (count: string) => string;
  minutes: (count: string) => string;
  points: (count: string) => string;
}

export interface Habits {
  language: Language;
  /** The currency in which money is reported. */
  currency: string;
  /** Hide amounts, counts and names. */
  hidden: boolean;
  words: Words;
}

type Value = string | number | null | undefined;

/** A number that is not there. It is never shown as 0. */
export const UNDEFINED = '—';

const made = new Map<string, Intl.NumberFormat | Intl.DateTimeFormat>();

function numbers(language: Language, options: Intl.NumberFormatOptions): Intl.NumberFormat {
  const key = `n${language}${JSON.stringify(options)}`;
  let format = made.get(key);
  if (!format) made.set(key, (format = new Intl.NumberFormat(TAGS[language], options)));
  return format as Intl.NumberFormat;
}

function dates(language: Language, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `d${language}${JSON.stringify(options)}`;
  let format = made.get(key);
  if (!format) made.set(key, (format = new Intl.DateTimeFormat(TAGS[language], { timeZone: 'UTC', ...options })));
  return format as Intl.DateTimeFormat;
}

/** ISO 4217 codes are three letters; anything else is a unit of another sort. */
export function isCurrency(unit: string): boolean {
  return /^[A-Z]{3}$/.test(unit);
}

export function formatter(habits: Habits) {
  const { language, hidden, words } = habits;
  // A minus is as wide as a plus, and is read out as one.
  const minus = (text: string) => text.replaceAll('-', '−');
  const hide = (text: string) => (hidden ? text.replace(/[\d.,  ]*\d[\d.,  ]*[KMB万亿kMd]*/g, '•••') : text);
  const number = (value: Value, options: Intl.NumberFormatOptions): string => {
    if (value === null || value === undefined || value === '') return UNDEFINED;
    // Decimal strings are formatted exactly; the type of TypeScript knows numbers only.
    const text = numbers(language, options).format(value as number);
    return minus(text);
  };
  const money = (unit: string): Intl.NumberFormatOptions => ({
    style: 'currency',
    currency: isCurrency(unit) ? unit : habits.currency,
    // The sign that CLDR names for the language, as the sentences of the server write it.
    currencyDisplay: 'symbol',
  });
  const signed = { signDisplay: 'exceptZero' } as const;

  const format = {
    /** The sign of a currency alone. */
    symbol(unit: string): string {
      const parts = numbers(language, money(unit)).formatToParts(0);
      return parts.find((part) => part.type === 'currency')?.value ?? unit;
    },
    /** Whole money: $12,345. Small amounts keep their decimals. */
    money(value: Value, unit = habits.currency): string {
      const small = Math.abs(Number(value)) < 100 && !Number.isInteger(Number(value));
      return hide(number(value, { ...money(unit), ...(small ? {} : { maximumFractionDigits: 0 }) }));
    },
    /** Money to the last place that the currency has. */
    exact(value: Value, unit = habits.currency): string {
      return hide(number(value, money(unit)));
    },
    /** The same with its sign: what stands in a column has as many decimals as the others. */
    signedExact(value: Value, unit = habits.currency): string {
      return hide(number(value, { ...money(unit), ...signed }));
    },
    signedMoney(value: Value, unit = habits.currency): string {
      const small = Math.abs(Number(value)) < 100 && !Number.isInteger(Number(value));
      return hide(number(value, { ...money(unit), ...signed, ...(small ? {} : { maximumFractionDigits: 0 }) }));
    },
    /** For axes: $25K, 2.5万. */
    compactMoney(value: Value, unit = habits.currency): string {
      return hide(
        number(value, {
          ...money(unit),
          notation: 'compact',
          minimumFractionDigits: 0,
          maximumFractionDigits: language === 'zh' ? 2 : 1,
        }),
      );
    },
    compact(value: Value): string {
      return number(value, { notation: 'compact', maximumFractionDigits: 1 });
    },
    count(value: Value): string {
      return hide(number(value, { maximumFractionDigits: Math.abs(Number(value)) < 10 ? 1 : 0 }));
    },
    plain(value: Value, digits = 0): string {
      return number(value, { minimumFractionDigits: digits, maximumFractionDigits: digits });
    },
    /** A number of no unit, with as many digits as tell it from another. */
    number(value: Value): string {
      return number(value, { maximumSignificantDigits: 4 });
    },
    /** A number with its sign. */
    signed(value: Value, digits = 0): string {
      return number(value, { minimumFractionDigits: digits, maximumFractionDigits: digits, ...signed });
    },
    /** A number as it stands in a field, to four figures: what `decimalOf` reads again. */
    typed(value: Value): string {
      return number(value, { maximumSignificantDigits: 4 });
    },
    /** A sentence that the server made: with amounts, and whatever else holds a digit, hidden where they are to be. */
    words(text: string): string {
      const shown = text.replace(/(^|[\s(（：])-(?=\D{0,3}\d)/g, '$1−');
      return hidden ? shown.replace(/\S*\d\S*/g, '•••') : shown;
    },
    percent(value: Value, digits = 1): string {
      return number(value, { style: 'percent', minimumFractionDigits: digits, maximumFractionDigits: digits });
    },
    signedPercent(value: Value, digits = 1): string {
      return number(value, {
        style: 'percent',
        minimumFractionDigits: digits,
        maximumFractionDigits: digits,
        ...signed,
      });
    },
    /** The difference of two shares, in percentage points. */
    signedPoints(difference: number, digits = 1): string {
      return words.points(
        number(difference * 100, { minimumFractionDigits: digits, maximumFractionDigits: digits, ...signed }),
      );
    },
    duration(seconds: Value): string {
      const length = Number(seconds);
      if (seconds === null || seconds === undefined || seconds === '' || !Number.isFinite(length)) return UNDEFINED;
      if (length < 5400) return words.minutes(number(length / 60, { maximumFractionDigits: 0 }));
      if (length < 48 * 3600) return words.hours(number(length / 3600, { maximumFractionDigits: 1 }));
      return words.days(number(length / 86400, { maximumFractionDigits: 1 }));
    },
    /** A figure in the unit that it came with. */
    value(value: Value, unit: string): string {
      if (value === null || value === undefined || value === '') return UNDEFINED;
      switch (unit) {
        case 'percent':
          return format.percent(value);
        case 'count':
          return format.count(value);
        case 'ratio':
          return number(value, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
        case 'points':
          return number(value, { maximumFractionDigits: 1 });
        case 'months':
          return words.months(number(value, { maximumFractionDigits: 1 }));
        case 'days':
          return words.days(number(value, { maximumFractionDigits: 0 }));
        case 'duration':
          return format.duration(value);
        case 'date':
          return format.day(String(value));
        case 'month':
          return format.monthYear(String(value));
        case 'money':
          return format.money(value);
        case 'text':
          return String(value);
        default:
          return isCurrency(unit) ? format.money(value, unit) : String(value);
      }
    },
    /** The same for an axis, where room is scarce. */
    axis(value: number, unit: string, end = value): string {
      if (unit === 'money' || isCurrency(unit)) return format.compactMoney(value, unit);
      if (unit === 'percent') return number(value, { style: 'percent', maximumFractionDigits: 1 });
      if (unit === 'count') return hide(format.compact(value));
      if (unit === 'months') return words.months(number(value, { maximumFractionDigits: 1 }));
      if (unit === 'duration') {
        const [seconds, say] =
          end < 5400 ? [60, words.minutes] : end < 4 * 86_400 ? [3600, words.hours] : [86_400, words.days];
        return say(number(value / seconds, { maximumFractionDigits: 1 }));
      }
      return number(value, { maximumFractionDigits: 2 });
    },
    /** How far it is from one figure to another, as people say it: in per cent, or points for shares. */
    change(now: Value, before: Value, unit: string): string | null {
      const [a, b] = [Number(now), Number(before)];
      if (now === null || before === null || now === undefined || before === undefined) return null;
      if (!Number.isFinite(a) || !Number.isFinite(b)) return null;
      if (unit === 'percent') return format.signedPoints(a - b);
      if (unit === 'points') return number(a - b, { maximumFractionDigits: 1, ...signed });
      if (b === 0) return null;
      // Of losses, and between a gain and a loss, a percentage can be read both ways; the distance cannot.
      if (a < 0 || b < 0) {
        return isCurrency(unit)
          ? format.signedMoney(a - b, unit)
          : number(a - b, { maximumFractionDigits: 2, ...signed });
      }
      return format.signedPercent((a - b) / Math.abs(b));
    },
    /** Names of customers and people: shown, or hidden with the rest. */
    name(text: string): string {
      return hidden ? `•••${text.slice(-2)}` : text;
    },
    /** A customer by what people call it, or by its id where nobody said. */
    who({ customer, customer_name: name }: Named): string {
      return format.name(name ?? customer);
    },
    month(day: string): string {
      return dates(language, { month: 'short' }).format(date(day));
    },
    monthYear(day: string): string {
      return dates(language, { month: 'short', year: 'numeric' }).format(date(day));
    },
    longMonth(day: string): string {
      return dates(language, { month: 'long', year: 'numeric' }).format(date(day));
    },
    /** A month with its year, which can be taken for no day: Jan ’26, 26年1月. */
    shortMonth(day: string): string {
      const year = day.slice(2, 4);
      if (language === 'zh') return `${year}年${Number(day.slice(5, 7))}月`;
      return `${format.month(day)} ${language === 'en' ? '’' : ''}${year}`;
    },
    dayMonth(day: string): string {
      return dates(language, { month: 'short', day: 'numeric' }).format(date(day));
    },
    day(day: string): string {
      return dates(language, { year: 'numeric', month: 'short', day: 'numeric' }).format(date(day.slice(0, 10)));
    },
    weekday(day: string): string {
      return dates(language, { weekday: 'long', month: 'long', day: 'numeric' }).format(date(day));
    },
    days(first: string, last: string): string {
      // As narrow as it can be read: it stands below numbers.
      return dates(language, { month: 'short', day: 'numeric' })
        .formatRange(date(first), date(last))
        .replace(/\s*–\s*/, '–');
    },
    range(first: string, last: string): string {
      return dates(language, { year: 'numeric', month: 'short', day: 'numeric' }).formatRange(date(first), date(last));
    },
    instant(at: string, zone?: string): string {
      const when = new Date(at);
      if (Number.isNaN(when.getTime())) return at;
      const options: Intl.DateTimeFormatOptions = { dateStyle: 'medium', timeStyle: 'short' };
      return dates(language, zone ? { ...options, timeZone: zone } : options).format(when);
    },
    clock(at: string, zone: string): string {
      return dates(language, { timeStyle: 'short', timeZone: zone }).format(new Date(at));
    },
    /** A period by its first day, in the words of its grain. */
    period(day: string, grain: string): string {
      if (grain === 'year') return day.slice(0, 4);
      if (grain === 'quarter') {
        const quarter = Math.floor(date(day).getUTCMonth() / 3) + 1;
        const year = day.slice(0, 4);
        return { en: `Q${quarter} ${year}`, fr: `T${quarter} ${year}`, zh: `${year}年第${quarter}季` }[language];
      }
      if (grain === 'month') return format.monthYear(day);
      return format.day(day);
    },
    /** The same above a column and below a number, where the year is known: a week by its days. */
    columnOf(day: string, grain: string): string {
      if (grain === 'week') return format.days(day, addDays(day, 6));
      return grain === 'day' ? format.dayMonth(day) : format.period(day, grain);
    },
    /** The same below an axis. */
    tick(day: string, grain: string): string {
      if (grain === 'year') return day.slice(0, 4);
      if (grain === 'quarter') return format.shortMonth(day);
      if (grain === 'month') return day.slice(5, 7) === '01' ? format.shortMonth(day) : format.month(day);
      return format.dayMonth(day);
    },
    list(items: string[]): string {
      return new Intl.ListFormat(TAGS[language], { type: 'conjunction' }).format(items);
    },
  };
  return format;
}

/**
 * What somebody typed, as a plain decimal: `1 234,5` in French, `1,234.5` elsewhere, with or without a sign of a currency
 * or of per cent. Null when it is no number.
 */
export function decimalOf(text: string, language: Language): string | null {
  const bare = text.replace(/[\s%\u00a0\u202f\p{Sc}]/gu, '').replace('−', '-');
  // A comma is the decimal sign in French, and wherever it cannot part thousands.
  const isDecimal = language === 'fr' || !/^-?\d{1,3}(,\d{3})+(\.\d+)?$/.test(bare);
  const plain = isDecimal ? bare.replace(/,(?=\d*$)/, '.') : bare.replaceAll(',', '');
  return /^-?(\d+\.?\d*|\.\d+)$/.test(plain) ? plain : null;
}

export type Format = ReturnType<typeof formatter>;
