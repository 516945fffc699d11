// Notes at a day: price changes, launches, incidents. They stand on every chart over time.
import type { Mark } from '../charts/scale';
import { ask } from './api';
import type { Note } from './contract';
import { t } from './language.svelte';
import { live } from './live.svelte';
import { startOf, type Grain } from './period';
import { questions } from './questions';
import { overlay } from './shortcuts.svelte';

let list = $state.raw<Note[]>([]);

/** What stands on charts: what was noted of a day. Interviews and the like are read where notes are listed. */
const ON_CHARTS = 'annotation';

export const notes = {
  get onCharts(): Note[] {
    return list.filter((note) => note.kind === ON_CHARTS);
  },
  get list(): Note[] {
    return list;
  },
  /** One flag a period, however many notes it has; where flags may be opened, what was noted can be read and changed. */
  marks(periods: readonly string[], grain: Grain, opens = true): Mark[] {
    const found = new Map<number, Note[]>();
    for (const note of notes.onCharts) {
      const index = periods.indexOf(startOf(grain, note.day));
      if (index >= 0) found.set(index, [...(found.get(index) ?? []), note]);
    }
    return [...found]
      .sort(([a], [b]) => a - b)
      .map(([index, of]) => {
        const first = of[0]?.title ?? of[0]?.words ?? '';
        const words = of.length > 1 ? t.andOthers(first, of.length - 1) : first;
        return { index, words, count: of.length, ...(opens ? { open: () => (overlay.note = of) } : {}) };
      });
  },
  /** What came within another answer. */
  take(found: Note[]): void {
    list = found;
  },
  /** Asked in an effect, they come again when data does. */
  load(): void {
    void live.version;
    ask(questions.notes()).then(
      (page) => (list = page.rows),
      // Charts are whole without notes.
      () => (list = []),
    );
  },
};
