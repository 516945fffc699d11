// The words of the screen in English. The other languages have the same keys: the type checker holds them to it.
// Names and definitions of metrics are not here: they come from the catalogue, in the language asked for.
export const words = {
  units: {
    months: (count: string) => `${count} mo`,
    days: (count: string) => (count === '1' ? '1 day' : `${count} days`),
    hours: (count: string) => `${count} h`,
    minutes: (count: string) => `${count} min`,
    points: (count: string) => `${count} pt`,
  },

  // The shell.
  overview: 'Overview',
  today: 'Today',
  weekly: 'Weekly review',
  monthly: 'Monthly close',
  movements: 'MRR movements',
  revenue: 'Revenue',
  retention: 'Retention & cohorts',
  customers: 'Customers',
  health: 'Customer health',
  funnel: 'Funnel & channels',
  unit: 'Unit economics',
  service: 'Service & satisfaction',
  forecast: 'Forecast',
  goals: 'Goals',
  runway: 'Cash & runway',
  alerts: 'Verdicts & alerts',
  metrics: 'Metric dictionary',
  data: 'Data sources',
  settings: 'Settings',
  wall: 'Wall screen',
  monitor: 'Monitor',
  revenueGroup: 'Revenue',
  growth: 'Growth',
  plan: 'Plan',
  system: 'System',
  pages: 'Pages',
  search: 'Search or jump to…',
  skip: 'Skip to content',
  close: 'Close',
  theme: 'Theme',
  language: 'Language',
  incognito: 'Hide amounts and names',
  keys: 'Keyboard shortcuts',
  notFound: 'There is no such page',
  stale: 'No word from the server for a while: what you see may be old. It comes back by itself.',
  unreadable: (what: string) => `Part of the address could not be read and was passed over: ${what}`,
  factsOf: (day: string) => `Facts of ${day}`,
  noFacts: 'No facts yet',
  loading: 'Loading…',
  again: 'Try again',
  unreachable: 'The server could not be reached.',
  notAnswered: 'This server does not answer this question.',
  show: 'Show',
  save: 'Save',
  cancel: 'Cancel',
  remove: 'Remove',
  more: 'Show more',
  viewAll: 'View all',
  print: 'Print or save as PDF',

  page: 'Page',
  action: 'Action',
  noteWords: 'What happened?',

  // Keys.
  earlier: 'Earlier',
  later: 'Later',
  rangePreset: 'Range',
  nextComparison: 'Next comparison',
  chartOrTable: 'Charts or tables',
  insideChart: 'Inside a chart: period by period',
  openNumber: 'Open the number',
  singleKeys: 'Shortcuts of single keys',

  // The window.
  period: 'Period',
  from: 'From',
  to: 'To',
  grain: 'By',
  ranges: { '30d': '30D', '90d': '90D', '12m': '12M', '24m': '24M', ytd: 'YTD', all: 'All' },
  grains: { day: 'Day', week: 'Week', month: 'Month', quarter: 'Quarter', year: 'Year' },
  comparisons: { prev: 'vs previous period', yoy: 'vs last year', none: 'No comparison' },
  against: (what: string) => `vs ${what}`,
  noComparison: 'nothing to compare with',
  toDate: 'to date',
  filter: 'Filter',
  filters: 'Filters',
  dimension: 'Dimension',
  none: 'none',
  all: 'All',

  // Charts and tables.
  chart: 'Chart',
  table: 'Table',
  csv: 'CSV',
  title: 'Title',
  policy: 'Policy',
  timeZone: 'Time zone',
  asOf: 'As of',
  dataVersion: 'Data version',
  definition: 'Definition',
  noData: 'No data',
  noRows: 'Nothing matches.',
  undefinedHere: 'undefined here',
  annotate: 'Annotate',
  step: 'Step',
  amount: 'Amount',
  value: 'Value',
  customer: 'Customer',
  date: 'Date',
  kind: 'Kind',
  source: 'Source',
  confidence: 'Confidence',
  metric: 'Metric',
  formula: 'Formula',
  net: 'Net',
  opening: 'Opening',
  closing: 'Closing',
  todayWord: 'Today',
  start: 'Start',
  cohort: 'Cohort',
  age: (months: number) => `Month ${months}`,
  shrinking: 'Below 100 %: shrinking',
  growing: 'Above 100 %: growing',
  kinds: {
    new: 'New',
    expansion: 'Expansion',
    reactivation: 'Reactivation',
    contraction: 'Contraction',
    churn: 'Churn',
    fx: 'Exchange rates',
    transferred_in: 'Entered segment',
    transferred_out: 'Left segment',
  },
  bridgeOf: (period: string) => `From opening to closing, ${period}`,
  cohortsOfRevenue: 'MRR retention by cohort',
  cohortsOfCustomers: 'Customer retention by cohort',
  noCohorts: 'No cohort has begun in this window. A triangle needs two months with new customers.',

  // The drawer.
  madeOf: (customers: number, lines: number) =>
    `Made of ${lines} ${lines === 1 ? 'line' : 'lines'} of ${customers} ${customers === 1 ? 'customer' : 'customers'}. Open one to see the facts.`,
  madeOfNothing: 'No movement and no fact lies under this figure in this period.',
  factsBehind: 'Facts behind this number',
  openCustomer: 'Open customer',
  unattributed: 'Not of one customer',

  // Customers at risk.
  atRisk: 'Customers at risk',
  nobodyAtRisk: 'Nobody looks like those who left.',
  healthScore: 'Health',
  signals: 'Signals',
  trend: 'trend',
  pointsOfHealth: 'points of health that this signal adds or takes',
  segments: {
    champion: 'Champion',
    core: 'Core',
    healthy: 'Healthy',
    new: 'New',
    'at-risk': 'At risk',
    whale: 'Whale',
    churned: 'Gone',
  },

  // Empty states.
  welcome: 'Bring your first facts',
  welcomeWords:
    'Recurve works out every figure from facts: what customers pay for, what was invoiced and paid, and whatever else you have. There are none yet.',
  stepImport: '1. Import a file',
  stepImportWords:
    'A CSV of subscriptions is enough for MRR, churn, cohorts and retention. Odd rows are shown, never guessed.',
  stepConnect: '2. Or from the command line',
  stepConnectWords: 'The same import, for scripts and large files.',
  stepDemo: '3. Or look around first',
  stepDemoWords: 'A demo company of 2,000 sign-ups over two years. Keep it in a data folder of its own.',
  importData: 'Import data',
  isThere: 'there',
  isMissing: 'missing',

  questions: {
    movements: 'Where did MRR growth come from?',
    bridge: 'How did the period get from opening to closing?',
    cohorts: 'Do customers keep paying us, and do they grow?',
    atRisk: 'Who needs a call this week?',
    stock: 'How much is there at the end of each period?',
  },

  verdicts: {
    overview: (sign: number, mrr: string, net: string, won: string, lost: string, period: string, running: boolean) =>
      sign === 0
        ? `MRR stands at ${mrr}, unchanged in ${period}${running ? ' so far' : ''}.`
        : `MRR stands at ${mrr}, ${net} in ${period}${running ? ' so far' : ''}: ${won} won against ${lost} lost.`,
  },
};

type Widened<Value> = Value extends string
  ? string
  : Value extends (...given: infer Given) => string
    ? (...given: Given) => string
    : { [Key in keyof Value]: Widened<Value[Key]> };

export type Dictionary = Widened<typeof words>;
