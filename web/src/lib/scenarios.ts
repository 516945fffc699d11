// A scenario is what is assumed otherwise of the drivers. It is kept as a saved view: the address of the forecast with it.
import type { SavedView } from './contract';

/** As the drivers were learnt from the past, and as the address of the page says. */
export const LEARNT = 'learnt';
export const ABOVE = 'above';

export interface Scenario {
  /** The id of the saved view, or one of the two above. */
  id: string;
  name: string;
  /** What is assumed: `churn=0.03`. */
  set: string[];
}

/** Pages whose assumptions are those of the forecast. */
const PATHS = ['/forecast', '/runway'];

/** The saved views that are scenarios, the newest first. */
export function scenariosOf(views: readonly SavedView[]): Scenario[] {
  return views
    .flatMap((view) => {
      const [path = '', search = ''] = view.address.split('?');
      const set = new URLSearchParams(search).getAll('set');
      return PATHS.includes(path) && set.length > 0 ? [{ id: String(view.id), name: view.name, set }] : [];
    })
    .sort((a, b) => Number(b.id) - Number(a.id));
}

export function addressOf(set: readonly string[]): string {
  return `/forecast?${new URLSearchParams(set.map((one) => ['set', one])).toString()}`;
}
