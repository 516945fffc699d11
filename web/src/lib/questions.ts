// Every question that the app asks, and how its answer is read. Nothing else knows the paths of the API.
import { address, type Query, type Question } from './api';
import type {
  Catalogue,
  CheckRow,
  CohortCell,
  Customer,
  CustomerPage,
  Explanation,
  Fact,
  Figure,
  FunnelRow,
  HealthRow,
  Import,
  LeadRow,
  Movement,
  Note,
  Page,
  RecognitionRow,
  ReconcileRow,
  Session,
  SurvivalRow,
} from './contract';

function one<Answer>(path: string, query: Query = {}): Question<Answer> {
  return { address: address(path, query), read: (body) => body as Answer };
}

/** A list: its rows, where the next page begins, and how many there are. */
function rows<Row>(path: string, query: Query = {}): Question<Page<Row>> {
  return {
    address: address(path, query),
    read: (body) => {
      const page = body as Partial<Page<Row>>;
      return { rows: page.rows ?? [], next: page.next ?? null, total: page.total ?? null };
    },
  };
}

export const questions = {
  session: () => one<Session>('/session'),
  catalogue: (query: Query) => one<Catalogue>('/catalogue', query),
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
  sources: () => rows<Import>('/sources'),
  notes: () => rows<Note>('/notes'),
};
