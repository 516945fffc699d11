import { describe, expect, test } from 'vitest';
import { addressOf, scenariosOf } from '../../src/lib/scenarios';

const view = (id: string, address: string) => ({ id, name: `view ${id}`, address, created_by: 'ann', created_at: '' });

describe('scenarios', () => {
  test('are the saved views that assume something of the forecast, the newest first', () => {
    const found = scenariosOf([
      view('2', '/forecast?set=churn=0.03&set=new_customers=40&lang=fr'),
      view('10', '/runway?set=churn%3D0.01'),
      view('11', '/forecast?horizon=12'),
      view('12', '/levers?set=price.change=0.2'),
    ]);
    expect(found).toEqual([
      { id: '10', name: 'view 10', set: ['churn=0.01'] },
      { id: '2', name: 'view 2', set: ['churn=0.03', 'new_customers=40'] },
    ]);
  });
  test('are written so that they are read again', () => {
    const set = ['churn=0.03', 'price=1&2'];
    expect(scenariosOf([view('1', addressOf(set))])[0]?.set).toEqual(set);
  });
});
