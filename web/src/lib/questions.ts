// Every question that the app asks, and how its answer is read. Nothing else knows the paths of the API.
import { address, type Query, type Question } from './api';
import type {
  AdviceRow,
  AlertChannel,
  AlertDelivery,
  AlertRule,
  BacktestRow,
  CallRow,
  DriverRow,
  ForecastRow,
  JudgedRow,
  Catalogue,
  CheckRow,
  CohortCell,
  Customer,
  CustomerPage,
  Deed,
  Explanation,
  Fact,
  Figure,
  FunnelRow,
  HealthRow,
  LeadRow,
  Movement,
  Note,
  Page,
  Pass,
  Quarantined,
  RecognitionRow,
  ReconcileRow,
  SavedView,
  Session,
  Sources,
  SurvivalRow,
  Target,
  User,
} from './contract';

function one<Answer>(path: string, query: Query = {}): Question<Answer> {
  return { address: address(path, query), read: (body) => body as Answer };
}

/** A list: its rows, where the next page begins, and how many there are. */
function rows<Row>(path: string, query: Query = {}): Question<Page<Row>> {
  return {
    // What is not paged through by hand comes whole.
    address: address(path, { limit: 10_000, ...query }),
    read: (body) => {
      const page = body as Partial<Page<Row>>;
      return { rows: page.rows ?? [], next: page.next ?? null, total: page.total ?? null };
    },
  };
}

export const questions = {
  session: () => one<Session>('/session'),
  alertRules: () => one<{ rows: AlertRule[] }>('/alerts'),
  alertChannels: () => one<{ rows: AlertChannel[] }>('/channels'),
  alertDeliveries: () => one<{ rows: AlertDelivery[] }>('/alerts/deliveries'),
  catalogue: (query: Query) => one<Catalogue>('/catalogue', query),
  values: (dimension: string, query: Query): Question<string[]> => ({
    address: address(`/dimensions/${encodeURIComponent(dimension)}`, query),
    read: (body) => (body as { values: string[] }).values,
  }),
  figures: (query: Query): Question<Figure[]> => ({
    address: address('/figures', query),
    read: (body) => (body as { figures: Figure[] }).figures,
  }),
  movements: (query: Query) => rows<Movement>('/movements', query),
  customers: (query: Query) => rows<Customer>('/customers', query),
  customer: (id: string, query: Query) => one<CustomerPage>(`/customers/${encodeURIComponent(id)}`, query),
  cohorts: (query: Query) => rows<CohortCell>('/cohorts', query),
  explain: (query: Query) => one<Explanation>('/explain', query),
  facts: (kind: string, query: Query) => rows<Fact>(`/facts/${encodeURIComponent(kind)}`, query),
  health: (query: Query) => rows<HealthRow>('/health', query),
  leads: (query: Query) => rows<LeadRow>('/leads', query),
  funnel: (query: Query) => rows<FunnelRow>('/funnel', query),
  survival: (query: Query) => rows<SurvivalRow>('/retention', query),
  recognition: (query: Query) => rows<RecognitionRow>('/recognition', query),
  reconcile: (query: Query) => rows<ReconcileRow>('/reconcile', query),
  check: (query: Query) => rows<CheckRow>('/check', query),
  forecast: (query: Query) => rows<ForecastRow>('/forecast', query),
  backtest: (query: Query) => rows<BacktestRow>('/forecast', query),
  drivers: (query: Query) => rows<DriverRow>('/forecast', query),
  verdict: (query: Query) => rows<JudgedRow>('/verdict', query),
  signals: (query: Query) => rows<JudgedRow>('/signals', query),
  advice: (query: Query) => rows<AdviceRow>('/advice', query),
  calls: (query: Query) => rows<CallRow>('/advice', query),
  sources: (query: Query) => one<Sources>('/sources', query),
  quarantine: (query: Query) => rows<Quarantined>('/quarantine', query),
  notes: () => rows<Note>('/notes'),
  targets: (query: Query) => rows<Target>('/targets', query),
  views: () => one<{ rows: SavedView[] }>('/views'),
  users: () => one<{ users: User[]; roles: string[] }>('/users'),
  shares: () => one<{ passes: Pass[] }>('/shares'),
  tokens: () => one<{ passes: Pass[] }>('/tokens'),
  audit: () => one<{ deeds: Deed[] }>('/audit'),
};
