// A question that is asked again when its address changes or data arrives. The last answer stays on the screen until the
// next one is there, dimmed where that is of another question, so that nothing jumps.
import { untrack } from 'svelte';
import { ask, Refusal, type Question } from './api';
import { live } from './live.svelte';

/** The longest pause before a question that takes long is asked again. */
const PAUSE_MS = 10_000;
/** After this an answer of an older version is asked again, though nobody said that the newer one is there. */
const UNTOLD_MS = 30_000;

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
  // What was answered of an older version, until the newer one is there.
  let waiting: Question<Answer> | null = null;

  function fetch(asked: Question<Answer>): void {
    const turn = ++latest;
    const begun = Date.now();
    const made = untrack(() => live.overview);
    underway = asked.address;
    behind = false;
    waiting = null;
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
        const lags = version !== undefined && live.version !== '' && version !== live.version;
        done();
        if (!lags || behind) return;
        if (live.overview !== made) {
          // It was made while this answer was on its way.
          fetch(asked);
          return;
        }
        waiting = asked;
        setTimeout(() => turn === latest && fetch(asked), UNTOLD_MS);
      },
      (error: unknown) => {
        if (turn !== latest) return;
        refused = error instanceof Refusal ? error : new Refusal(0, 'unreachable', String(error), null);
        done();
      },
    );
  }

  // Which question was asked last, of which version, for which time.
  let last = '';
  $effect(() => {
    const asked = question();
    const now = asked ? `${live.version} ${round} ${asked.address}` : '';
    // What a question is made of may be told anew and be as it was.
    if (asked && now === last) return;
    last = now;
    if (!asked) {
      latest += 1;
      underway = '';
      waiting = null;
      loading = false;
    } else if (asked.address === underway) {
      behind = true;
    } else {
      fetch(asked);
    }
  });

  $effect(() => {
    void live.overview;
    const asked = waiting;
    if (asked) untrack(() => fetch(asked));
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
