// What is missing for a figure, and where it can be given.
import { app, split } from './app.svelte';

const NAMED: Record<string, string> = {
  invoice_line: 'invoices',
  product_event: 'events',
  survey_answer: 'surveys',
  experiment_arm: 'experiments',
  spend: 'spend',
};

/** The kind of file that facts come in which a metric needs: `product_event` come in `events`. */
export function kindOf(need: string): string {
  return NAMED[need] ?? `${need.replaceAll('_', '-')}s`;
}

/** The kinds of files that would have to come for metrics to have figures. */
export function missingFor(metrics: readonly string[]): string[] {
  const lacks = metrics.flatMap((metric) => app.metric(split(metric)[0])?.lacks ?? []);
  return [...new Set(lacks.map(kindOf))];
}

/** Of some kinds those of which there is no fact. */
export function notThere(kinds: readonly string[]): string[] {
  return app.session?.has_data ? kinds.filter((kind) => !app.has(kind)) : [];
}
