// How many rows of a list are shown: some at first, and more each time that they are asked for. How often stands in the address,
// by list, so that a link shows as many: `more=customers:2,drill:1`.
import { parameter, set } from './router.svelte';

/** No list is asked for more rows than this at once. */
const MOST = 10_000;

export function readMore(text: string | null): Map<string, number> {
  const found = new Map<string, number>();
  for (const part of (text ?? '').split(',')) {
    const [, list, times] = /^([a-z]+):(\d{1,4})$/.exec(part) ?? [];
    if (list && Number(times) > 0) found.set(list, Number(times));
  }
  return found;
}

function written(times: Map<string, number>): string | null {
  return [...times].map(([list, often]) => `${list}:${often}`).join(',') || null;
}

/** What the address says of the other lists: this one begins anew. */
export function without(list: string): string | null {
  const times = readMore(parameter('more'));
  times.delete(list);
  return written(times);
}

export function rowsOf(list: string, first: number, step: number) {
  return {
    get count(): number {
      return Math.min(MOST, first + step * (readMore(parameter('more')).get(list) ?? 0));
    },
    more: (): void => {
      const times = readMore(parameter('more'));
      times.set(list, (times.get(list) ?? 0) + 1);
      set({ more: written(times) }, { replace: true });
    },
  };
}

/** Shuts what was opened, a number or people, and forgets how much of it was shown. */
export function shut(opened: 'drill' | 'who' = 'drill'): void {
  set({ [opened]: null, more: without(opened) });
}
