// Notes at a day: price changes, launches, incidents. They stand on every chart over time.
import { ask } from './api';
import type { Note } from './contract';
import { questions } from './questions';

let list = $state.raw<Note[]>([]);

export const notes = {
  get list(): Note[] {
    return list;
  },
  load(): void {
    ask(questions.notes()).then(
      (page) => (list = page.rows),
      // Charts are whole without notes.
      () => (list = []),
    );
  },
};
