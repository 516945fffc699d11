// What the server answers. Exact numbers are decimal strings; what is undefined is null, with a note that says why.

export type Decimal = string;

export interface Kind {
  kind: string;
  facts: number;
  last_import_at: string | null;
}

export interface Session {
  version: string;
  /** Who is logged in; null where nobody has to be. */
  user: { name: string; role: string } | null;
  /** What who asks may do. */
  role: string;
  needs_setup: boolean;
  language: string | null;
  currency: string | null;
  time_zone: string;
  policy: string;
  data_version: string;
  data_as_of: string | null;
  has_data: boolean;
  now: string;
  today: string;
  kinds: Kind[];
  policies?: string[];
  /** Why there are no books, where they cannot be opened. */
  trouble?: string | null;
}

export interface Metric {
  id: string;
  name: string;
  definition: string;
  formula: string;
  unit: string;
  better: string;
  section: string;
  kind: string;
  needs: string[];
  /** Those of them that are not known. */
  lacks: string[];
  variants: { id: string; name: string; is_default?: boolean }[];
  /** What it is split by unless something else is asked for. */
  dimensions?: string[];
}

export interface Dimension {
  id: string;
  name: string;
  values?: string[];
}

export interface Catalogue {
  sections?: { id: string; name: string }[];
  metrics: Metric[];
  dimensions: Dimension[];
}

export interface Figure {
  metric: string;
  variant: string | null;
  period: string;
  partial: boolean;
  segment: Record<string, string>;
  value: Decimal | null;
  unit: string;
  note: string | null;
}

export interface Movement {
  customer: string;
  day: string;
  subscription: string;
  plan: string | null;
  kind: string;
  delta: Decimal;
  currency: string;
  mrr_before: Decimal;
  mrr_after: Decimal;
  source: string;
  fact: string;
  confidence: string;
}

export interface Customer {
  customer: string;
  mrr: Decimal;
  currency: string;
  first_paid: string | null;
  last_change: string | null;
  last_kind: string | null;
  left: string | null;
  segment: string | null;
  health: Decimal | null;
}

/** A fact as a source stated it: what it is, when, and which row of which file says so. */
export interface Fact {
  kind: string;
  id: string;
  day: string;
  words: string;
  value: Decimal | null;
  unit: string | null;
  source: string;
}

export interface CustomerPage {
  customer: Customer;
  attributes: Record<string, string>;
  movements: Movement[];
  facts: Fact[];
}

export interface CohortCell {
  cohort: string;
  size: Decimal;
  age: number;
  value: Decimal;
  ratio: Decimal | null;
}

export interface HealthRow {
  customer: string;
  health: Decimal | null;
  change: Decimal | null;
  segment: string | null;
  at_risk: string;
  mrr: Decimal;
  currency: string;
  reasons: string | null;
}

export interface FunnelRow {
  segment: Record<string, string>;
  step: number;
  name: string;
  reached: number;
  of_first: Decimal | null;
  of_previous: Decimal | null;
  note: string | null;
}

export interface SurvivalRow {
  month: number;
  at_risk: number;
  left: number;
  survival: Decimal;
  lower: Decimal | null;
  upper: Decimal | null;
  note: string | null;
}

export interface RecognitionRow {
  billed: string;
  earned: string;
  amount: Decimal;
  currency: string;
}

export interface ReconcileRow {
  month: string;
  mrr: Decimal | null;
  earned: Decimal | null;
  mrr_less_earned: Decimal | null;
  invoiced_recurring: Decimal | null;
  invoiced_other: Decimal | null;
  collected: Decimal | null;
  currency: string;
  bills_without_subscription: number;
  subscriptions_without_bill: number;
  payments_without_bill: number;
}

export interface LeadRow {
  lead: string;
  customer: string | null;
  stage: string;
  channel: string | null;
  created: string;
  score: Decimal;
  raised: string | null;
  lowered: string | null;
}

export interface CheckRow {
  check: string;
  result: string;
  words: string;
}

/** One line under a figure: a movement of a customer, or a fact that was counted. */
export interface Contribution {
  customer: string;
  day: string | null;
  words: string;
  kind: string | null;
  value: Decimal | null;
  unit: string;
  source: string;
  confidence: string | null;
  mrr_before: Decimal | null;
  mrr_after: Decimal | null;
}

export interface Explanation {
  metric: string;
  variant: string | null;
  period: { from: string; to: string; grain: string; partial: boolean };
  name: string;
  definition: string;
  formula: string;
  policy: string;
  settings: { name: string; value: string }[];
  value: Decimal | null;
  unit: string;
  note: string | null;
  opening: Decimal | null;
  closing: Decimal | null;
  numerator: Decimal | null;
  denominator: Decimal | null;
  contributions: Contribution[];
  count: number;
  next: string | null;
}

export interface Import {
  id: number;
  file: string;
  kind: string;
  source: string;
  rows: number;
  accepted: number;
  refused: number;
  at: string;
}

/** A kind of facts that can be imported. */
export interface KnowableKind {
  kind: string;
  words: string;
  columns: { name: string; words: string; is_required: boolean }[];
}

export interface Sources {
  rows: Import[];
  all_kinds: KnowableKind[];
}

/** What an import did, or would do. */
export interface ImportReport {
  /** The number by which it is asked for; nothing for a look. */
  id: number | null;
  /** running, done, unchanged, stopped, failed or previewed. */
  state: string;
  /** The file, for the next request. */
  upload: string | null;
  kind: string;
  file: string;
  mapping: { column: string; words: string; is_required: boolean; header: string | null; constant: string | null }[];
  attributes: string[];
  habits: string[];
  read: number;
  accepted: number;
  refused: number;
  withdrawn: number;
  issues: { row: number; column: string | null; code: string; message: string; help: string }[];
  counts: { code: string; count: number }[];
  odd: string[];
  preview_columns: string[];
  preview: (string | null)[][];
  progress: { phase: string; bytes: number; bytes_total: number; rows: number } | null;
  error: { code: string; message: string; help: string } | null;
}

/** A row that could not be read, and is kept. */
export interface Quarantined {
  import: string | number;
  file: string;
  row: string | number;
  column: string | null;
  code: string;
  message: string;
  help: string | null;
}

/** A value that a metric is to reach by a day. */
export interface Target {
  id: string;
  metric: string;
  day: string;
  value: Decimal;
  words: string | null;
  created_by: string;
}

/** A name for an address of the app. */
export interface SavedView {
  id: string;
  name: string;
  address: string;
}

export interface User {
  id: number;
  name: string;
  role: string;
  created_at: string;
  is_disabled: boolean;
}

/** A link or a token. */
export interface Pass {
  id: number;
  kind: string;
  label: string;
  created_by: string;
  created_at: string;
  expires_at: string | null;
  revoked_at: string | null;
  used_at: string | null;
}

export interface Deed {
  at: string;
  who: string;
  action: string;
  object: string;
}

export interface Note {
  id: string;
  day: string;
  /** annotation, interview, competitor or plan. */
  kind: string;
  title: string | null;
  words: string;
  author: string | null;
}

export interface Page<Row> {
  rows: Row[];
  next: string | null;
  total: number | null;
}

/** A month ahead; `lower_80` and `upper_80` are the ends of the interval of 80 %. */
export type ForecastRow = {
  metric: string;
  model: string;
  period: string;
  mean: Decimal | null;
  unit: string;
  note: string | null;
} & { [End in `${'lower' | 'upper'}_${'50' | '80' | '95'}`]?: Decimal | null } & Record<
    string,
    string | null | undefined
  >;

/** How a model did on the past. */
export interface BacktestRow {
  metric: string;
  model: string;
  origins: number;
  smape: Decimal | null;
  mase: Decimal | null;
  held_50: Decimal | null;
  held_80: Decimal | null;
  held_95: Decimal | null;
  best: string | null;
  note: string | null;
}

export interface DriverRow {
  driver: string;
  value: Decimal;
  unit: string;
  note: string | null;
}

/** A rule, and whether it fired. */
export interface JudgedRow {
  kind: string;
  rule: string;
  state: string;
  months: number | null;
  says: string | null;
  fired: number | null;
  judged: number | null;
  followed: number | null;
  of: number | null;
  anyway: number | null;
  all: number | null;
  evidence: string | null;
}

export interface AdviceRow {
  rank: number;
  stage: string;
  advice: string;
  title: string;
  says: string;
  evidence: string | null;
}

export interface CallRow {
  group: string;
  customer: string;
  mrr: Decimal;
  currency: string;
  day: string | null;
  says: string;
}
