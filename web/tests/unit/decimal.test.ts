import { expect, it } from 'vitest';
import { place, sum } from '../../src/lib/decimal';

it('decimals are added exactly', () => {
  expect(sum(['0.1', '0.2'])).toBe('0.3');
  expect(sum(['9007199254740993.000001', '-0.000001'])).toBe('9007199254740993');
  expect(sum(['-0.5', '0.25'])).toBe('-0.25');
  expect(sum([])).toBe('0');
});
it('what is undefined makes the sum undefined', () => {
  expect(sum(['1', null])).toBeNull();
  expect(place(null)).toBeNull();
  expect(place('')).toBeNull();
});
