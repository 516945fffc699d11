// Goals: values that a metric is to reach by a day.
import { ask } from './api';
import type { Target } from './contract';
import { questions } from './questions';

let list = $state.raw<Target[]>([]);

export const targets = {
  get list(): Target[] {
    return list;
  },
  load(): Promise<void> {
    return ask(questions.targets()).then(
      ({ rows }) => {
        list = [...rows].sort((a, b) => (a.day < b.day ? -1 : 1));
      },
      () => {
        list = [];
      },
    );
  },
};
