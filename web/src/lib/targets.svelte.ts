// Goals: what a metric should reach by the end of a month, as the server judges it.
import { ask } from './api';
import { app } from './app.svelte';
import type { Target } from './contract';
import { live } from './live.svelte';
import { addDays, addMonths } from './period';
import { questions } from './questions';

let list = $state.raw<Target[]>([]);

export const targets = {
  get list(): Target[] {
    return list;
  },
  /** What came within another answer. */
  take(found: Target[]): void {
    list = found.toSorted((a, b) => (a.by < b.by ? -1 : a.by > b.by ? 1 : 0));
  },
  /** Asked in an effect, they come again when data does. */
  load(): Promise<void> {
    void live.version;
    return ask(questions.targets(app.view)).then(
      ({ rows }) => this.take(rows),
      () => {
        list = [];
      },
    );
  },
};

/** The last day of a goal. */
export function lastDay(target: Target): string {
  return addDays(addMonths(target.by, 1), -1);
}
