// The kinds of movements, in the order in which they stand on a bar.
export const MOVEMENTS = [
  { id: 'new', metric: 'mrr_new', tone: 'c-new' },
  { id: 'expansion', metric: 'mrr_expansion', tone: 'c-expansion' },
  { id: 'reactivation', metric: 'mrr_reactivation', tone: 'c-reactivation' },
  { id: 'contraction', metric: 'mrr_contraction', tone: 'c-contraction' },
  { id: 'churn', metric: 'mrr_churned', tone: 'c-churn' },
  { id: 'fx', metric: 'mrr_fx', tone: 'c-fx' },
  { id: 'transferred_in', metric: 'mrr_transferred_in', tone: 'c-transfer' },
  { id: 'transferred_out', metric: 'mrr_transferred_out', tone: 'c-transfer' },
] as const;

/** What the charts of movements ask for. */
export const MOVEMENT_METRICS: string[] = [...MOVEMENTS.map((kind) => kind.metric), 'mrr_net_new', 'mrr'];
