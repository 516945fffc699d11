// What the server answers. Exact numbers are decimal strings; what is undefined is null, with a note that says why.

export type Decimal = string;

export interface Kind {
  kind: string;
  facts: number;
  last_import_at: string | null;
}

export interface Session {
  version: string;
  user: { name: string; role: string } | null;
  roles: string[];
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
  variants: { id: string; name: string }[];
}

export interface Dimension {
  id: string;
  name: string;
  values?: string[];
}

export interface Catalogue {
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
  id: string;
  file: string;
  kind: string;
  source: string;
  rows: number;
  refused: number;
  at: string;
}

export interface Note {
  id: string;
  day: string;
  words: string;
  author: string | null;
}

export interface Page<Row> {
  rows: Row[];
  next: string | null;
  total: number | null;
}
