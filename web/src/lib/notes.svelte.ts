// Notes at a day: price changes, launches, incidents. They stand on every chart over time.
import { ask } from './api';
import type { Note } from './contract';
import { live } from './live.svelte';
import { questions } from './questions';

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
