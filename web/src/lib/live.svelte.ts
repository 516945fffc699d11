// News of the server: which version of the data there is, and when it was last heard.

const state = $state({ version: '', heard: Date.now(), clock: Date.now() });

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
    // EventSource comes back by itself when the server does.
    source = new EventSource('/api/v1/stream');
    source.addEventListener('open', () => (state.heard = state.clock = Date.now()));
    source.addEventListener('message', news);
    source.addEventListener('data_version', news);
    source.addEventListener('heartbeat', news);
  },
};
