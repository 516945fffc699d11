// Exact numbers are decimal strings. They are added without floats; floats are for places on a chart only.

const PLACES = 12;

function scaled(text: string): bigint {
  const [, sign = '', whole = '0', part = ''] = /^([+-]?)(\d+)(?:\.(\d+))?$/.exec(text) ?? [];
  const digits = BigInt(whole + part.padEnd(PLACES, '0').slice(0, PLACES));
  return sign === '-' ? -digits : digits;
}

/** The exact sum of decimal strings. What is undefined makes the sum undefined. */
export function sum(values: readonly (string | null | undefined)[]): string | null {
  let total = 0n;
  for (const value of values) {
    if (value === null || value === undefined) return null;
    total += scaled(value);
  }
  const sign = total < 0n ? '-' : '';
  const digits = (total < 0n ? -total : total).toString().padStart(PLACES + 1, '0');
  const part = digits.slice(-PLACES).replace(/0+$/, '');
  return `${sign}${digits.slice(0, -PLACES)}${part ? `.${part}` : ''}`;
}

/** The place of a number on a chart; undefined stays undefined. */
export function place(value: string | null | undefined): number | null {
  if (value === null || value === undefined || value === '') return null;
  const number = Number(value);
  return Number.isFinite(number) ? number : null;
}
