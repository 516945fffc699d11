import { beforeEach, describe, expect, test } from 'vitest';
import { readMore, rowsOf, shut, without } from '../../src/lib/more';
import { go, parameter } from '../../src/lib/router.svelte';

describe('more rows', () => {
  beforeEach(() => go('/alerts'));

  test('are as many as the address says, list by list', () => {
    go('/alerts?more=calls:2,off:1');
    expect(rowsOf('calls', 12, 30).count).toBe(72);
    expect(rowsOf('off', 8, 20).count).toBe(28);
    expect(rowsOf('sent', 10, 40).count).toBe(10);
  });
  test('are asked for in the address, and other lists stay', () => {
    rowsOf('calls', 12, 30).more();
    rowsOf('off', 8, 20).more();
    rowsOf('calls', 12, 30).more();
    expect(parameter('more')).toBe('calls:2,off:1');
    expect(without('calls')).toBe('off:1');
    expect(without('off')).toBe('calls:2');
  });
  test('are never more than one question may ask for', () => {
    go('/customers?more=customers:9999');
    expect(rowsOf('customers', 50, 100).count).toBe(10_000);
  });
  test('are none where the address cannot be read', () => {
    expect([...readMore('calls,calls:x,:3,off:0,off:-1')]).toEqual([]);
  });
  test('of what is opened are forgotten when it is shut', () => {
    go('/?drill=mrr:2026-09-01&more=drill:1,calls:2');
    shut();
    expect(location.search).toBe('?more=calls:2');
  });
});
