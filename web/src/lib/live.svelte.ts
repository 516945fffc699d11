// News of the server: which version of the data there is, what came with it, and when it was last heard.
import type { LedgerChange } from './contract';

/** A customer whose movements a commit changed. */
export interface Moved {
  readonly key: number;
  readonly at: number;
  readonly currency: string;
  readonly change: NonNullable<LedgerChange['customers']>[number];
}

const state = $state({ version: '', heard: Date.now(), clock: Date.now() });
/** Those who moved since the page was opened, the last first. */
let moved = $state.raw<readonly Moved[]>([]);
let count = 0;

/** As many as are shown; the list of movements has the others. */
const SHOWN = 30;

/** Without a word for so long, what is on the screen may be old. The server speaks every 15 seconds. */
const SILENCE_MS = 45_000;

let source: EventSource | null = null;

export const live = {
  /** Changes when facts arrive; questions that read it are asked again. */
  get version(): string {
    return state.version;
  },
  get heard(): number {
    return state.heard;
  },
  get stale(): boolean {
    return state.clock - state.heard > SILENCE_MS;
  },
  get clock(): number {
    return state.clock;
  },
  get moved(): readonly Moved[] {
    return moved;
  },
  /** The version that the first answers were of. */
  begin(version: string): void {
    if (!state.version) state.version = version;
  },
  listen(): void {
    if (source) return;
    setInterval(() => (state.clock = Date.now()), 5000);
    const news = (event: MessageEvent<string>) => {
      state.heard = state.clock = Date.now();
      try {
        const { data_version } = JSON.parse(event.data) as { data_version?: string | number };
        if (data_version !== undefined) state.version = String(data_version);
      } catch {
        // A heartbeat without words is news enough.
      }
    };
    const movements = (event: MessageEvent<string>) => {
      state.heard = state.clock = Date.now();
      try {
        const told = JSON.parse(event.data) as LedgerChange;
        const came = (told.customers ?? []).slice(0, SHOWN);
        const added = came.map((change) => ({ key: ++count, at: Date.now(), currency: told.currency, change }));
        moved = [...added, ...moved].slice(0, SHOWN);
      } catch {
        // The version that follows has the figures; only the list of what came is shorter.
      }
    };
    // EventSource comes back by itself when the server does, and says which events it has.
    source = new EventSource('/api/v1/stream');
    source.addEventListener('open', () => (state.heard = state.clock = Date.now()));
    source.addEventListener('message', news);
    source.addEventListener('data_version', news);
    source.addEventListener('heartbeat', news);
    source.addEventListener('movements', movements);
  },
};
