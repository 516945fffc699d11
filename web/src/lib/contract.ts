// What the server answers. Exact numbers are decimal strings; what is undefined is null, with a note that says why.
// Shapes that the API describes come from its description (`npm run schema`); rows of lists are described here, by the
// columns that the commands of the same names print.
import type { components } from './schema';

type Described = components['schemas'];

/** What may be absent by the description is always told, as null. */
type Told<Value> = Value extends readonly (infer Item)[]
  ? Told<Item>[]
  : Value extends object
    ? { [Key in keyof Value]-?: Told<Exclude<Value[Key], undefined>> }
    : Value;

export type Decimal = string;

export type Kind = Told<Described['KnownKind']>;
export type Session = Told<Described['Asking']>;
export type Metric = Told<Described['Entry']>;
export type Dimension = Told<Described['NamedDimension']>;
export type Catalogue = Told<Described['Dictionary']>;
export type Figure = Told<Described['Said']>;
export type Fact = Told<Described['Fact']>;
export type CustomerPage = Told<Described['CustomerPage']>;
export type Explanation = Told<Described['Explanation']>;
export type Contribution = Told<Described['Contributed']>;
export type Import = Told<Described['Imported']>;
export type KnowableKind = Told<Described['AnyKind']>;
export type Sources = Told<Described['Sources']>;
export type IssueWords = Told<Described['IssueWords']>;
export type ImportReport = Told<Described['Report']>;
export type SavedView = Told<Described['KeptView']>;
export type User = Told<Described['UserRow']>;
export type Pass = Told<Described['PassRow']>;
export type Deed = Told<Described['DeedRow']>;
export type LedgerChange = Told<Described['LedgerChange']>;
export type Movement = Told<Described['Moved']>;
export type Customer = Told<Described['CustomerRow']>;

export type AlertRule = Told<Described['RuleRow']>;
export type AlertChannel = Told<Described['ChannelRow']>;
export type AlertDelivery = Told<Described['Delivery']>;

/** A customer by its id, and by what people call it. */
export interface Named {
  customer: string;
  customer_name: string | null;
}

/** A request for support, as a source states it. */
export interface TicketRow extends Named {
  ticket: string;
  day: string;
  category: string | null;
  opened: string;
  first_response: string | null;
  resolved: string | null;
  source: string;
}

/** An answer to a survey. */
export interface SurveyRow extends Named {
  answer: string;
  day: string;
  survey: string;
  score: Decimal;
  scale: Decimal | null;
  comment: string | null;
  source: string;
}

export interface CohortCell {
  /** The first day of the period in which it began; null for all cohorts together. */
  cohort: string | null;
  /** The part of a split. */
  segment?: Record<string, string>;
  size: Decimal;
  age: number;
  /** What there was a period before, where that is compared with. */
  before?: Decimal;
  value: Decimal;
  ratio: Decimal | null;
}

/** What a customer adds to a cell of the triangle. */
export interface CohortCustomer extends Named {
  /** The day on which they began. */
  start: string;
  size: Decimal;
  before?: Decimal;
  value: Decimal;
  currency: string | null;
}

export interface HealthRow extends Named {
  health: Decimal | null;
  change: Decimal | null;
  segment: string | null;
  at_risk: string;
  mrr: Decimal;
  currency: string;
  reasons: string | null;
}

/** How a customer was doing on a day; null where nothing was known of them. */
export interface HealthDay extends Named {
  day: string;
  health: Decimal | null;
}

/** Who looks after a customer, and the day from which it is looked at again. */
export interface FollowUp extends Named {
  owner: string | null;
  snoozed_until: string | null;
  words: string | null;
  author: string | null;
}

/** What the customers of a month had earned back after some months; without a cost there is no share. */
export interface PaybackRow {
  cohort: string;
  customers: number;
  /** 1 is the month of the first payment. */
  month: number;
  earned: Decimal;
  cac: Decimal | null;
  currency: string;
  share: Decimal | null;
  /** After how many months it was earned back; null while it is not. */
  payback: number | null;
  margin_assumed: string;
  note: string | null;
}

/** Someone who reached a step. */
export interface StepPerson {
  person: string;
  /** customer, user, lead or visitor: the surest that is known. */
  sort: string;
  customer: string | null;
  customer_name: string | null;
  began: string;
  reached: string;
  next: string | null;
  next_on: string | null;
  furthest: string;
}

export interface FunnelRow {
  /** The first day of the period of the first touch, where it is asked for, and why it is not whole: cut or open. */
  period?: string | null;
  partial?: string | null;
  segment: Record<string, string>;
  step: number;
  name: string;
  /** Null where facts are missing. */
  reached: number | null;
  of_first: Decimal | null;
  of_previous: Decimal | null;
  note: string | null;
}

export interface SurvivalRow {
  /** The part of a split. */
  segment?: Record<string, string>;
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
  customer_name: string | null;
  stage: string;
  channel: string | null;
  created: string;
  score: Decimal;
  raised: string | null;
  lowered: string | null;
}

export interface CheckRow {
  check: string;
  result: 'holds' | 'broken' | 'issue';
  name: string;
  words: string;
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

export interface Note {
  id: string;
  day: string;
  /** annotation, interview, competitor or plan. */
  kind: string;
  title: string | null;
  body: string | null;
  words: string;
  customer: string | null;
  author: string | null;
  /** Whose fact it is. */
  source: string | null;
}

/** What was written to a question of a month, beside what its close kept. */
export interface MonthAnswer {
  question: string;
  words: string | null;
  author: string | null;
  reported: string | null;
  reported_by: string | null;
  /** When the month was closed; null while it is open. */
  closed_at: string | null;
}

/** What a lever does after some months, beside how it goes without it. */
export type LeverRow = {
  rank: number;
  lever: string;
  name: string;
  months: number;
  currency: string;
  says: string | null;
} & Record<`${'mrr' | 'cash'}_${'base' | 'effect' | 'lower' | 'upper'}`, Decimal>;

/** What was chosen or assumed of a lever, or seen of the business. */
export interface LeverSetting {
  lever: string;
  setting: string;
  name: string;
  value: Decimal;
  lower: Decimal | null;
  upper: Decimal | null;
  /** A share, a currency, or a ratio. */
  unit: string;
  /** chosen, stated, assumed or seen. */
  source: string;
  says: string;
}

/** A plan's customers on one side of its list price. */
export interface PriceRow {
  plan: string;
  /** below_list, at_list or above_list. */
  price: string;
  customers: number;
  mrr: Decimal;
  mrr_at_list: Decimal;
  difference: Decimal;
  currency: string;
  customers_before: number;
  left: number;
  churn: Decimal | null;
  churn_lower: Decimal | null;
  churn_upper: Decimal | null;
}

export interface PriceOfCustomer extends Named {
  plan: string;
  price: string;
  unit_price: Decimal;
  list_price: Decimal;
  unit_currency: string;
  interval: string;
  mrr: Decimal;
  difference: Decimal;
  currency: string;
}

/** One measure of one arm of a test. */
export interface ArmRow {
  experiment: string;
  arm: string;
  control: string;
  measure: string;
  people: number;
  value: Decimal | null;
  lower: Decimal | null;
  upper: Decimal | null;
  probability_better: Decimal | null;
  answer: string | null;
  currency: string | null;
  says: string | null;
}

export interface AnomalyRow {
  metric: string;
  variant: string | null;
  dimension: string | null;
  part: string | null;
  first: string;
  last: string;
  peak: string;
  value: Decimal;
  expected: Decimal;
  unit: string;
  deviations: Decimal;
  bad: string | null;
  driver: string | null;
  says: string;
}

/** A month that was closed. */
export interface CloseRow {
  month: string;
  by: string;
  at: string;
  as_known_at: string;
  data_version: string;
  policy: string;
  currency: string;
  mrr: Decimal | null;
  /** How many figures are others now. */
  restated: number;
}

/** What was reported of a month beside what it is now. */
export interface ClosedFigure {
  metric: string;
  reported: Decimal | null;
  now: Decimal | null;
  difference: Decimal | null;
  unit: string;
}

export interface RestatementRow extends Named {
  period: string;
  mrr_before: Decimal;
  mrr_after: Decimal;
  difference: Decimal;
  currency: string;
  files: string | null;
  recorded_at: string | null;
}

/** Everything that the overview shows; its lists are those of their own routes. */
export type OverviewAnswer = Omit<Told<Described['Overview']>, 'cohorts' | 'verdict' | 'targets' | 'annotations'> & {
  cohorts: CohortCell[];
  verdict: JudgedRow[];
  targets: Target[];
  annotations: Note[];
};

export type Review = Told<Described['Review']>;
export type ReviewSection = Review['sections'][number];

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
  /** The line that asked for it, as it was written. */
  line: string | null;
  /** What the rule is called. */
  title: string | null;
}

export interface AdviceRow {
  rank: number;
  stage: string;
  advice: string;
  title: string;
  says: string;
  evidence: string | null;
}

export interface CallRow extends Named {
  group: string;
  mrr: Decimal;
  currency: string;
  day: string | null;
  says: string;
}

/** What a metric should reach by the end of a month, where it should be by now, and how likely it is. */
export interface Target {
  target: string;
  metric: string;
  /** The first day of the month at whose end it should be reached. */
  by: string;
  owner: string | null;
  wanted: Decimal;
  now: Decimal | null;
  pace: Decimal | null;
  on_pace: string | null;
  expected: Decimal | null;
  chance: Decimal | null;
  unit: string;
  /** met, missed, open or not_known. */
  state: string;
  says: string | null;
}
