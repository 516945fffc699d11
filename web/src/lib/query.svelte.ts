// A question that is asked again when its address changes or data arrives. The last answer stays on the screen until the
// next one is there, dimmed where that is of another question, so that nothing jumps.
import { ask, Refusal, type Question } from './api';
import { live } from './live.svelte';

/** The longest pause before a question that takes long is asked again. */
const PAUSE_MS = 10_000;

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
  // What is shown, and what is on its way: a question is not asked twice at once, however fast facts come.
  let shown = '';
  let underway = '';
  let behind = false;

  function fetch(asked: Question<Answer>): void {
    const turn = ++latest;
    const begun = Date.now();
    underway = asked.address;
    behind = false;
    // News leaves the answer on the screen as it is until the next one is there: only another question dims it.
    loading = asked.address !== shown;
    const done = (): void => {
      shown = asked.address;
      underway = '';
      loading = false;
      if (!behind) return;
      // Facts came meanwhile. What took long is left alone for as long.
      const pause = Math.min(Math.max(Date.now() - begun, 1_000), PAUSE_MS);
      setTimeout(() => turn === latest && fetch(asked), pause);
    };
    ask(asked).then(
      (answer) => {
        if (turn !== latest) return;
        data = answer;
        refused = null;
        // What takes long may be of a version some seconds old, and says so: the newest is being made.
        const { data_version: version } = (answer ?? {}) as { data_version?: string };
        behind ||= version !== undefined && live.version !== '' && version !== live.version;
        done();
      },
      (error: unknown) => {
        if (turn !== latest) return;
        refused = error instanceof Refusal ? error : new Refusal(0, 'unreachable', String(error), null);
        done();
      },
    );
  }

  $effect(() => {
    void live.version;
    void round;
    const asked = question();
    if (!asked) {
      latest += 1;
      underway = '';
      loading = false;
    } else if (asked.address === underway) {
      behind = true;
    } else {
      fetch(asked);
    }
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
