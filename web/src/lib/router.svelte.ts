// The address is the state: path, range, filters, what is opened. A shared link shows the same screen.

/** Parameters that go along from page to page; all others belong to one page. */
const KEPT = ['range', 'from', 'to', 'grain', 'cmp', 'cur', 'f', 'now', 'policy', 'as_known_at', 'lang', 'theme'];

const location_ = $state({ path: location.pathname, search: location.search });

export const route = {
  get path(): string {
    return location_.path;
  },
  get search(): URLSearchParams {
    return new URLSearchParams(location_.search);
  },
};

function read(): void {
  location_.path = location.pathname;
  location_.search = location.search;
}

addEventListener('popstate', read);

export function parameter(name: string): string | null {
  return route.search.get(name);
}

export type Changes = Record<string, string | string[] | null>;

function changed(search: URLSearchParams, changes: Changes): URLSearchParams {
  for (const [name, value] of Object.entries(changes)) {
    search.delete(name);
    if (Array.isArray(value)) for (const one of value) search.append(name, one);
    else if (value !== null && value !== '') search.set(name, value);
  }
  return search;
}

function written(path: string, search: URLSearchParams): string {
  // Colons and commas are allowed in a query; an address stays readable with them.
  const text = search.toString().replaceAll('%3A', ':').replaceAll('%2C', ',').replaceAll('%3D', '=');
  return text ? `${path}?${text}` : path;
}

/** The address of another page, with the range and filters of this one. */
export function href(path: string, changes: Changes = {}): string {
  const search = new URLSearchParams();
  for (const name of KEPT) for (const value of route.search.getAll(name)) search.append(name, value);
  return written(path, changed(search, changes));
}

/** The address of this page with some parameters changed; null takes one away. */
export function here(changes: Changes): string {
  return written(route.path, changed(route.search, changes));
}

export function go(address: string, how: { replace?: boolean } = {}): void {
  if (how.replace) history.replaceState(null, '', address);
  else history.pushState(null, '', address);
  const moved = location.pathname !== location_.path;
  read();
  if (moved) {
    scrollTo(0, 0);
    // Whoever listens rather than looks begins at the top of the new page.
    requestAnimationFrame(() => document.getElementById('main')?.focus({ preventScroll: true }));
  }
}

export function set(changes: Changes, how: { replace?: boolean } = {}): void {
  go(here(changes), how);
}

/** Links are plain links; a click on one that stays in the app is answered without a new document. */
export function follow(event: MouseEvent): void {
  if (
    event.defaultPrevented ||
    event.button !== 0 ||
    event.metaKey ||
    event.ctrlKey ||
    event.shiftKey ||
    event.altKey
  ) {
    return;
  }
  const link = (event.target as Element | null)?.closest?.('a');
  if (!link || link.target || link.hasAttribute('download') || link.origin !== location.origin) return;
  if (link.pathname.startsWith('/api/') || (link.hash && link.pathname === location.pathname)) return;
  event.preventDefault();
  go(link.pathname + link.search + link.hash);
}
