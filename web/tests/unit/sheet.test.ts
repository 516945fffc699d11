import { expect, it } from 'vitest';
import { csv } from '../../src/lib/sheet';

it('exports exactly what was answered, with what it is at the head', () => {
  const text = csv(
    {
      columns: [{ label: 'Period' }, { label: 'MRR', unit: 'USD' }],
      rows: [
        ['2026-10-01', '259681.767588'],
        ['2026-11-01', null],
      ],
    },
    [['Policy', 'default']],
  );
  expect(text).toBe('# Policy,default\r\nPeriod,MRR (USD)\r\n2026-10-01,259681.767588\r\n2026-11-01,\r\n');
});
it('a name that a spreadsheet would run stays a text; a negative number stays a number', () => {
  const text = csv({ columns: [{ label: 'Customer' }, { label: 'Δ', unit: 'USD' }], rows: [['=cmd()', '-310.5']] }, []);
  expect(text.split('\r\n')[1]).toBe("'=cmd(),-310.5");
});
