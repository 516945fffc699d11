// A question that is asked again when its address changes or data arrives. The last answer stays on the screen, dimmed,
// until the next one is there, so that nothing jumps.
import { ask, Refusal, type Question } from './api';
import { live } from './live.svelte';

export interface Answered<Answer> {
  readonly data: Answer | null;
  readonly loading: boolean;
  readonly refusal: Refusal | null;
  again(): void;
}

/** Called while a component is made; null means that there is nothing to ask yet. */
export function query<Answer>(question: () => Question<Answer> | null): Answered<Answer> {
  let data = $state.raw<Answer | null>(null);
  let loading = $state(false);
  let refused = $state.raw<Refusal | null>(null);
  let round = $state(0);
  let latest = 0;

  $effect(() => {
    void live.version;
    void round;
    const asked = question();
    const turn = ++latest;
    if (!asked) {
      loading = false;
      return;
    }
    loading = true;
    ask(asked).then(
      (answer) => {
        if (turn !== latest) return;
        data = answer;
        refused = null;
        loading = false;
      },
      (error: unknown) => {
        if (turn !== latest) return;
        refused = error instanceof Refusal ? error : new Refusal(0, 'unreachable', String(error), null);
        loading = false;
      },
    );
  });

  return {
    get data() {
      return data;
    },
    get loading() {
      return loading;
    },
    get refusal() {
      return refused;
    },
    again() {
      round += 1;
    },
  };
}
