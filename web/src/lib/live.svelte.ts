// News of the server: which version of the data there is, what came with it, and when it was last heard.
import { address, ask } from './api';
import type { LedgerChange } from './contract';

/** A customer whose movements a commit changed. */
export interface Moved {
  readonly key: number;
  readonly at: number;
  readonly currency: string;
  readonly change: NonNullable<LedgerChange['customers']>[number];
}

const state = $state({ version: '', overview: '', heard: Date.now(), clock: Date.now() });
/** Those who moved since the page was opened, the last first. */
let moved = $state.raw<readonly Moved[]>([]);
let count = 0;

/** As many as are shown; the list of movements has the others. */
const SHOWN = 30;

/** Without a word for so long, what is on the screen may be old. The server speaks every 15 seconds. */
const SILENCE_MS = 45_000;

/** So often the server is asked what there is, while no news comes: something in between may let no stream through. */
const ASK_MS = 60_000;
/** After so long a stream that was given up is begun anew: in front of a server that starts again there may be a proxy. */
const AGAIN_MS = 3_000;

let source: EventSource | null = null;
let asked = 0;

export const live = {
  /** Changes when facts arrive; questions that read it are asked again. */
  get version(): string {
    return state.version;
  },
  /** The version that overviews are answered from, where that is told: making one takes long on large data. */
  get overview(): string {
    return state.overview;
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
    setInterval(() => {
      state.clock = Date.now();
      if (live.stale && state.clock - asked > ASK_MS) inquire();
    }, 5000);
    const hears =
      <Told>(take: (told: Told) => void) =>
      (event: MessageEvent<string>) => {
        state.heard = state.clock = Date.now();
        try {
          take(JSON.parse(event.data) as Told);
        } catch {
          // A heartbeat without words is news enough. Of an overview whoever waits for it asks again after a while, and of
          // movements the version that follows has the figures: only the list of what came is shorter.
        }
      };
    const news = hears(({ data_version: version }: { data_version?: string | number }) => {
      if (version !== undefined) state.version = String(version);
    });
    const overview = hears((told: { data_version: string }) => (state.overview = String(told.data_version)));
    const movements = hears((told: LedgerChange) => {
      const came = (told.customers ?? []).slice(0, SHOWN);
      const added = came.map((change) => ({ key: ++count, at: Date.now(), currency: told.currency, change }));
      moved = [...added, ...moved].slice(0, SHOWN);
    });
    const listen = (): void => {
      // EventSource comes back by itself when the server does, and says which events it has. Of an answer that is no stream
      // it makes an end.
      const opened = (source = new EventSource('/api/v1/stream'));
      opened.addEventListener('open', () => (state.heard = state.clock = Date.now()));
      opened.addEventListener('error', () => {
        if (opened.readyState === EventSource.CLOSED) setTimeout(listen, AGAIN_MS);
      });
      opened.addEventListener('message', news);
      opened.addEventListener('data_version', news);
      opened.addEventListener('heartbeat', news);
      opened.addEventListener('overview', overview);
      opened.addEventListener('movements', movements);
    };
    listen();
  },
};

/** Asks which version there is, where nobody tells. */
function inquire(): void {
  asked = Date.now();
  ask({ address: address('/session'), read: (body) => body as { data_version?: string } }).then(
    ({ data_version: version }) => {
      state.heard = state.clock = Date.now();
      if (version) state.version = version;
    },
    () => undefined,
  );
}
