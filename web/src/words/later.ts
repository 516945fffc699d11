// Words of what is opened later: pages and panels that are not the first bring them along in all languages.
import type { Language } from '../lib/format';
import { language } from '../lib/language.svelte';

const en = {
  cohortWords: {
    revenue: {
      start: 'What the customers of a row pay at each age, of what they paid a month at first; upgrades count.',
      before: 'Of those who paid one period earlier: what they pay now, of what they paid then; upgrades count.',
    },
    'gross-revenue': {
      start: 'What is left of what each customer paid a month at first; what anybody pays beyond that does not count.',
      before: 'Of those who paid one period earlier: what is left of what each paid then; upgrades do not count.',
    },
    customers: {
      start: 'How many customers of a row pay at each age, of all who began.',
      before: 'Of those who paid one period earlier: how many still pay.',
    },
  },
  cohortsBy: 'Rows',
  netMrr: 'Net MRR',
  grossMrr: 'Gross MRR',
  comparedWith: 'Compared with',
  sinceStart: 'Since the start',
  monthOnMonth: 'Month on month',
  quarterOnQuarter: 'Quarter on quarter',
  number: 'Number',
  ofTheStart: (amount: string) => `of ${amount} at the start`,
  ofThePeriodBefore: (amount: string) => `of ${amount} one period earlier`,
  whoBegan: (row: string, age: string) => `${row}, ${age}`,
  cellSum: (count: string, amount: string) => `${count} customers, ${amount} together`,
  stillThere: 'Still there',
  nothingLeft: 'Nothing left',
  allCustomers: 'All customers',
  survivalBy: (rows: string) => `One line a row: ${rows}. A row of the triangle that is pointed at lights up here.`,
  began: 'Began',
  stillOpen: 'still open',
  weekOfFirstTouch: 'Week of first touch',
  whole: 'Whole',
  funnelByWeek: 'Funnel by week of first touch',
  weeksStillOpen:
    'Each person is in the week in which they first came. Hatched weeks are not over, or their people still have time: 90 days from the first step.',
  stepsOpen: 'A step opens to its people.',
  thenDid: (step: string, day: string) => `then ${step.toLowerCase()}, ${day}`,
  nothingSince: 'no further step since',
  person: 'Person',
  next: 'Next',
  firstTouch: 'First touch',
  furthestStep: 'Furthest step',
  peopleOf: (step: string) => `Who reached: ${step}`,
  firstTouchInWeek: (day: string) => `first touch in the week of ${day}`,
  wentOn: (count: string, share: string) => `${count} of them went on (${share})`,
  whoIsAPerson:
    'Visitors, leads and users whom facts link are one person, and all who belong to one customer are one; each is named by the surest id.',
  unknownPerson: 'without an id',
  nobodyReached: 'Nobody reached this step.',
  sorts: { customer: 'customer', user: 'user', lead: 'lead', visitor: 'visitor' },
  funnelWeeks: 'Do the people of later weeks go as far as those before?',
};

type Words = typeof en;

const zh: Words = {
  cohortWords: {
    revenue: {
      start: '该行客户在每个月龄的月付金额，占最初月付金额的比例；升级计入。',
      before: '上一期付费的客户：现在的月付金额占当时的比例；升级计入。',
    },
    'gross-revenue': {
      start: '每位客户最初月付金额中还剩多少；超出部分不计入。',
      before: '上一期付费的客户：每人当时的月付金额还剩多少；升级不计入。',
    },
    customers: {
      start: '该行客户在每个月龄仍付费的人数，占开始时全部人数的比例。',
      before: '上一期付费的客户：还有多少人仍在付费。',
    },
  },
  cohortsBy: '行',
  netMrr: '净 MRR',
  grossMrr: '毛 MRR',
  comparedWith: '对比',
  sinceStart: '自开始以来',
  monthOnMonth: '逐月',
  quarterOnQuarter: '逐季',
  number: '数量',
  ofTheStart: (amount) => `开始时为 ${amount}`,
  ofThePeriodBefore: (amount) => `上一期为 ${amount}`,
  whoBegan: (row, age) => `${row}，${age}`,
  cellSum: (count, amount) => `${count} 位客户，合计 ${amount}`,
  stillThere: '仍在付费',
  nothingLeft: '已无剩余',
  allCustomers: '全部客户',
  survivalBy: (rows) => `每行一条线：${rows}。指向三角表的一行，对应的线会在此突出显示。`,
  began: '开始',
  stillOpen: '仍未结束',
  weekOfFirstTouch: '首次接触所在周',
  whole: '完整',
  funnelByWeek: '按首次接触周的漏斗',
  weeksStillOpen: '每个人归入其首次到访的那一周。斜线标记的周尚未结束，或其中的人仍有时间：自第一步起 90 天。',
  stepsOpen: '点击步骤可查看其中的人。',
  thenDid: (step, day) => `随后${step}，${day}`,
  nothingSince: '此后没有进一步动作',
  person: '人',
  next: '下一步',
  firstTouch: '首次接触',
  furthestStep: '最远步骤',
  peopleOf: (step) => `到达“${step}”的人`,
  firstTouchInWeek: (day) => `首次接触在 ${day} 当周`,
  wentOn: (count, share) => `其中 ${count} 人继续前进（${share}）`,
  whoIsAPerson: '由事实关联的访客、线索和用户视为同一人，同属一位客户的人也视为同一人；每人以最可靠的编号显示。',
  unknownPerson: '没有编号',
  nobodyReached: '没有人到达这一步。',
  sorts: { customer: '客户', user: '用户', lead: '线索', visitor: '访客' },
  funnelWeeks: '后来几周的人是否走得和之前一样远？',
};

const fr: Words = {
  cohortWords: {
    revenue: {
      start: 'Ce que paient les clients d’une ligne à chaque âge, rapporté à leur premier MRR ; les hausses comptent.',
      before:
        'Des clients payants une période plus tôt : ce qu’ils paient, rapporté à cette période ; les hausses comptent.',
    },
    'gross-revenue': {
      start: 'Ce qui reste du premier MRR de chaque client ; ce qui le dépasse ne compte pas.',
      before: 'Des clients payants une période plus tôt : ce qui reste du MRR de chacun ; les hausses ne comptent pas.',
    },
    customers: {
      start: 'Combien de clients d’une ligne paient à chaque âge, de tous ceux qui ont commencé.',
      before: 'Des clients payants une période plus tôt : combien paient encore.',
    },
  },
  cohortsBy: 'Lignes',
  netMrr: 'MRR net',
  grossMrr: 'MRR brut',
  comparedWith: 'Comparé à',
  sinceStart: 'Depuis le début',
  monthOnMonth: 'D’un mois à l’autre',
  quarterOnQuarter: 'D’un trimestre à l’autre',
  number: 'Nombre',
  ofTheStart: (amount) => `de ${amount} au début`,
  ofThePeriodBefore: (amount) => `de ${amount} une période plus tôt`,
  whoBegan: (row, age) => `${row}, ${age}`,
  cellSum: (count, amount) => `${count} clients, ${amount} ensemble`,
  stillThere: 'Toujours là',
  nothingLeft: 'Plus rien',
  allCustomers: 'Tous les clients',
  survivalBy: (rows) => `Une courbe par ligne : ${rows}. La ligne du triangle que l’on pointe s’éclaire ici.`,
  began: 'Début',
  stillOpen: 'encore ouverte',
  weekOfFirstTouch: 'Semaine du premier contact',
  whole: 'Entière',
  funnelByWeek: 'Entonnoir par semaine du premier contact',
  weeksStillOpen:
    'Chacun est dans la semaine de sa première venue. Les semaines hachurées ne sont pas finies, ou leurs gens ont encore le temps : 90 jours depuis la première étape.',
  stepsOpen: 'Une étape s’ouvre sur ses personnes.',
  thenDid: (step, day) => `puis ${step.toLowerCase()}, ${day}`,
  nothingSince: 'aucune étape depuis',
  person: 'Personne',
  next: 'Suite',
  firstTouch: 'Premier contact',
  furthestStep: 'Étape la plus lointaine',
  peopleOf: (step) => `Qui a atteint : ${step}`,
  firstTouchInWeek: (day) => `premier contact dans la semaine du ${day}`,
  wentOn: (count, share) => `${count} ont continué (${share})`,
  whoIsAPerson:
    'Visiteurs, prospects et utilisateurs que des faits relient sont une personne, et tous ceux d’un client n’en sont qu’une ; chacun est nommé par l’identifiant le plus sûr.',
  unknownPerson: 'sans identifiant',
  nobodyReached: 'Personne n’a atteint cette étape.',
  sorts: { customer: 'client', user: 'utilisateur', lead: 'prospect', visitor: 'visiteur' },
  funnelWeeks: 'Ceux des dernières semaines vont-ils aussi loin que les précédents ?',
};

const DICTIONARIES: Record<Language, Words> = { en, zh, fr };

/** In the language of the screen. */
export function later(): Words {
  return DICTIONARIES[language()];
}
