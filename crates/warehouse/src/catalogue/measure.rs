//! The measures: what the engine counts and adds up, for a period and a segment.
//!
//! A period runs from s, its opening instant, to e, its closing instant. M(t) is the MRR at
//! t, M_c(t) that of one customer. Metrics are made of measures, in `metrics/*.toml`; this
//! table is the whole list of what they can be made of.

use outlook::wording::Words;

/// What a number is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
    /// An amount in the currency of the report.
    Money,
    /// A share, kept as a fraction: 0.05 is 5 %.
    Percent,
    /// A whole number of things.
    Count,
    /// A number of months.
    Months,
    /// How many times one thing goes into another.
    Ratio,
    /// Points on a scale.
    Points,
    /// A length of time, in seconds.
    Duration,
    /// A number of days.
    Days,
    /// A day of the calendar.
    Date,
}

impl Unit {
    /// Every unit, with its name in the catalogue.
    pub const ALL: [(Unit, &'static str); 9] = [
        (Unit::Money, "money"),
        (Unit::Percent, "percent"),
        (Unit::Count, "count"),
        (Unit::Months, "months"),
        (Unit::Ratio, "ratio"),
        (Unit::Points, "points"),
        (Unit::Duration, "duration"),
        (Unit::Days, "days"),
        (Unit::Date, "date"),
    ];

    /// The name in the catalogue.
    pub fn name(self) -> &'static str {
        Unit::ALL.iter().find(|(unit, _)| *unit == self).map_or("", |(_, name)| name)
    }
}

/// When a measure is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Nature {
    /// At one instant: the opening or the closing one.
    Stock,
    /// From the opening to the closing instant.
    Flow,
}

/// Over which segments a measure may be added up, so that the parts make the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Adds {
    /// Over segments of any dimension, parts of a customer's contract (plan, product) included.
    Anywhere,
    /// Over segments that hold whole customers: who has two plans counts in both, and once in the whole.
    OverCustomers,
    /// Over none: it is to be computed again for the whole.
    Nowhere,
}

/// Something the engine counts or adds up. Two of the same name are the same.
#[derive(Debug)]
pub struct Measure {
    /// The name in expressions.
    pub id: &'static str,
    /// What the number is of.
    pub unit: Unit,
    /// Whether it is a stock or a flow.
    pub nature: Nature,
    /// Over which segments its values add up to the whole.
    pub adds: Adds,
    /// Whether its values over adjacent periods add up to the value over all of them.
    pub adds_over_periods: bool,
    /// The kinds of fact without which it has no value.
    pub needs: &'static [&'static str],
    /// What it is, in words.
    pub words: Words,
    /// How it is counted, when counting facts of one kind is all it takes; the engine has its own way for the others.
    pub tally: Option<Tally>,
}

/// How a measure is counted from the facts of one kind.
#[derive(Debug, Clone, Copy)]
pub struct Tally {
    /// The kind of fact, by its table.
    pub table: &'static str,
    /// The moment that dates a fact.
    pub at: &'static str,
    /// Which facts count; all of these must hold.
    pub only: &'static [Only],
    /// What is counted.
    pub what: What,
    /// Dimensions of the facts themselves that are not told apart: the measure is the same in all their segments.
    pub across: &'static [&'static str],
    /// What is counted instead while there are no such facts: ready-made totals.
    pub instead: Option<&'static Tally>,
    /// What is counted in the calendar months in which there is no such fact: the same thing as another source tells it.
    pub otherwise: Option<&'static Tally>,
}

/// A condition on facts.
#[derive(Debug, Clone, Copy)]
pub enum Only {
    /// A column has one of these values.
    Is(&'static str, &'static [&'static str]),
    /// A column has one of these values, or none.
    IsOrEmpty(&'static str, &'static [&'static str]),
    /// A column has a value.
    Stated(&'static str),
    /// A column has one of the values that the user has set.
    IsSetting(&'static str, Setting),
    /// The column `score` is within these parts of the column `scale`, the ends included.
    Score {
        /// The scale of facts that state none.
        scale: u32,
        /// The least part, as a quotient.
        least: Option<(u32, u32)>,
        /// The largest part, as a quotient.
        most: Option<(u32, u32)>,
    },
}

/// A list of values that users set, because only they know what their product calls things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Setting {
    /// Names of events that are log-ins.
    LoginEvents,
    /// Names of events that count as activity; all of them while none is set.
    ActiveEvents,
    /// Names of events that count as interactions; all of them while none is set.
    InteractionEvents,
    /// Names of events that count as activation.
    ActivationEvents,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum What {
    /// The facts.
    Facts,
    /// Distinct ids of a column. Over segments each id belongs to that of its first fact in the window, so that the
    /// parts make the whole.
    Distinct(&'static str),
    /// Distinct ids of a column, in every segment in which they occur.
    DistinctInEach(&'static str),
    /// Distinct ids of a column on each day, added up over the days.
    DistinctByDay(&'static str),
    /// The sum of a column of numbers.
    Sum(&'static str),
    /// The column `score`, each as a part of the column `scale`.
    Score {
        /// The scale of facts that state none.
        scale: u32,
    },
    /// The sum of a column of money, each amount at the rate of its day; a total of several days counts evenly over them.
    Money(&'static str),
    /// Of a column of money the latest amount of each account, at the end of the window.
    Balance {
        /// The column that tells accounts apart.
        account: &'static str,
        /// The column of money.
        amount: &'static str,
    },
    /// Seconds from one moment to another, added up over the facts that state both.
    Seconds {
        /// The earlier moment.
        from: &'static str,
        /// The later one.
        to: &'static str,
    },
    /// The facts that state both moments.
    Spans {
        /// The earlier moment.
        from: &'static str,
        /// The later one.
        to: &'static str,
    },
    /// A percentile of the seconds from one moment to another, between neighbours in proportion.
    Percentile {
        /// The earlier moment.
        from: &'static str,
        /// The later one.
        to: &'static str,
        /// Which, from 0 to 100.
        percent: u32,
    },
}

impl What {
    /// Whether ids are counted, each once.
    #[must_use]
    pub fn is_distinct(self) -> bool {
        matches!(self, What::Distinct(_) | What::DistinctInEach(_) | What::DistinctByDay(_))
    }
}

impl PartialEq for Measure {
    fn eq(&self, other: &Measure) -> bool {
        self.id == other.id
    }
}

impl Eq for Measure {}

impl std::hash::Hash for Measure {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

/// The measure of that name.
pub fn find(id: &str) -> Option<&'static Measure> {
    MEASURES.iter().find(|measure| measure.id == id)
}

const SUBSCRIPTION: &[&str] = &["subscription"];
const CONTRACT: &[&str] = &["contract"];
const INVOICE_LINE: &[&str] = &["invoice_line"];
const PAYMENT: &[&str] = &["payment"];
const SPEND: &[&str] = &["spend"];
const COST: &[&str] = &["cost"];
const VISIT: &[&str] = &["visit"];
const SIGNUP: &[&str] = &["signup"];
const TICKET: &[&str] = &["ticket"];
const SURVEY: &[&str] = &["survey_answer"];
const EVENT: &[&str] = &["product_event"];
const HEALTH: &[&str] = &["subscription", "product_event"];
const CASH: &[&str] = &["cash_balance"];
const LEAD: &[&str] = &["lead"];
const TRIAL: &[&str] = &["trial"];
const FREE: &[&str] = &["signup", "subscription"];
const REFERRAL: &[&str] = &["referral"];
const ACTIVATED: &[&str] = &["signup", "product_event"];
const BURN: &[&str] = &["cost", "payment"];
const RUNWAY: &[&str] = &["cash_balance", "cost", "payment"];
const NOTHING: &[&str] = &[];

const fn stock(id: &'static str, unit: Unit, adds: Adds, needs: &'static [&'static str], words: Words) -> Measure {
    Measure { id, unit, nature: Nature::Stock, adds, adds_over_periods: false, needs, words, tally: None }
}

/// A flow whose adjacent periods add up.
const fn flow(id: &'static str, unit: Unit, adds: Adds, needs: &'static [&'static str], words: Words) -> Measure {
    Measure { id, unit, nature: Nature::Flow, adds, adds_over_periods: true, needs, words, tally: None }
}

/// A flow that depends on where its period begins or counts each customer once, so that adjacent periods do not add up.
const fn whole(id: &'static str, unit: Unit, adds: Adds, needs: &'static [&'static str], words: Words) -> Measure {
    Measure { id, unit, nature: Nature::Flow, adds, adds_over_periods: false, needs, words, tally: None }
}

/// A measure that is counted from the facts of one kind.
const fn tallied(
    id: &'static str,
    unit: Unit,
    adds: Adds,
    adds_over_periods: bool,
    needs: &'static [&'static str],
    tally: Tally,
    words: Words,
) -> Measure {
    let nature = if matches!(tally.what, What::Balance { .. }) { Nature::Stock } else { Nature::Flow };
    Measure { id, unit, nature, adds, adds_over_periods, needs, words, tally: Some(tally) }
}

const fn tally(table: &'static str, at: &'static str, only: &'static [Only], what: What) -> Tally {
    Tally { table, at, only, what, across: &[], instead: None, otherwise: None }
}

const fn score(scale: u32, least: Option<(u32, u32)>, most: Option<(u32, u32)>) -> Only {
    Only::Score { scale, least, most }
}

const MARKETING_IN_TOOLS: Tally =
    tally("spend", "day", &[Only::IsOrEmpty("category", &["marketing"])], What::Money("amount"));
const SALES_IN_TOOLS: Tally = tally("spend", "day", &[Only::Is("category", &["sales"])], What::Money("amount"));
const MARKETING_IN_ACCOUNTS: Tally =
    tally("cost", "day", &[Only::Is("category", &["marketing"])], What::Money("amount"));
const SALES_IN_ACCOUNTS: Tally = tally("cost", "day", &[Only::Is("category", &["sales"])], What::Money("amount"));
const VISIT_TOTALS: Tally = tally("visit_total", "day", &[], What::Sum("visits"));
const VISITOR_TOTALS: Tally = tally("visit_total", "day", &[], What::Sum("visitors"));

const fn words(en: &'static str, zh: &'static str, fr: &'static str) -> Words {
    Words::fixed(en, zh, fr)
}

use Adds::{Anywhere, Nowhere, OverCustomers};
use Unit::{Count, Duration, Money, Months, Points, Ratio};

/// Every measure. A new one is a line here and an arm in the engine.
pub const MEASURES: &[Measure] = &[
    // What there is at an instant.
    stock(
        "mrr_closing",
        Money,
        Anywhere,
        SUBSCRIPTION,
        words("MRR at the end of the period", "期末 MRR", "MRR à la fin de la période"),
    ),
    stock(
        "mrr_opening",
        Money,
        Anywhere,
        SUBSCRIPTION,
        words("MRR at the start of the period", "期初 MRR", "MRR au début de la période"),
    ),
    stock(
        "customers_closing",
        Count,
        OverCustomers,
        SUBSCRIPTION,
        words("paying customers at the end of the period", "期末付费客户数", "clients payants à la fin de la période"),
    ),
    stock(
        "customers_opening",
        Count,
        OverCustomers,
        SUBSCRIPTION,
        words(
            "paying customers at the start of the period",
            "期初付费客户数",
            "clients payants au début de la période",
        ),
    ),
    stock(
        "subscriptions_closing",
        Count,
        OverCustomers,
        SUBSCRIPTION,
        words(
            "paying subscriptions at the end of the period",
            "期末付费订阅数",
            "abonnements payants à la fin de la période",
        ),
    ),
    stock(
        "trial_mrr_closing",
        Money,
        Anywhere,
        SUBSCRIPTION,
        words(
            "what the trials running at the end of the period would be worth a month",
            "期末进行中的试用若转为付费的月度价值",
            "valeur mensuelle qu’auraient les essais en cours à la fin de la période",
        ),
    ),
    stock(
        "committed_mrr_closing",
        Money,
        Anywhere,
        SUBSCRIPTION,
        words(
            "MRR at the end of the period, with every change already agreed for the months ahead",
            "期末 MRR，计入未来数月内已确定的全部变更",
            "MRR à la fin de la période, changements déjà convenus pour les mois à venir compris",
        ),
    ),
    stock(
        "committed_mrr_annual_closing",
        Money,
        Anywhere,
        SUBSCRIPTION,
        words(
            "the part of committed MRR that is billed yearly or longer",
            "承诺 MRR 中按年或更长周期计费的部分",
            "part du MRR engagé facturée à l’année ou plus",
        ),
    ),
    stock(
        "mrr_annual_closing",
        Money,
        Anywhere,
        SUBSCRIPTION,
        words(
            "the part of MRR at the end of the period that is billed yearly or longer",
            "期末 MRR 中按年或更长周期计费的部分",
            "part du MRR en fin de période facturée à l’année ou plus",
        ),
    ),
    // Movements: signed sums, so that losses are negative.
    flow(
        "movement_new",
        Money,
        Anywhere,
        SUBSCRIPTION,
        words(
            "MRR of customers who pay for the first time",
            "首次付费客户带来的 MRR",
            "MRR des clients qui paient pour la première fois",
        ),
    ),
    flow(
        "movement_expansion",
        Money,
        Anywhere,
        SUBSCRIPTION,
        words(
            "MRR added by customers who were paying",
            "已付费客户增加的 MRR",
            "MRR ajouté par des clients déjà payants",
        ),
    ),
    flow(
        "movement_reactivation",
        Money,
        Anywhere,
        SUBSCRIPTION,
        words("MRR of customers who came back", "回归客户带来的 MRR", "MRR des clients revenus"),
    ),
    flow(
        "movement_contraction",
        Money,
        Anywhere,
        SUBSCRIPTION,
        words(
            "MRR given up by customers who go on paying (negative)",
            "继续付费的客户减少的 MRR（负数）",
            "MRR perdu chez des clients qui restent payants (négatif)",
        ),
    ),
    flow(
        "movement_churned",
        Money,
        Anywhere,
        SUBSCRIPTION,
        words(
            "MRR of customers who stopped paying (negative)",
            "停止付费的客户损失的 MRR（负数）",
            "MRR des clients qui ont cessé de payer (négatif)",
        ),
    ),
    flow(
        "movement_fx",
        Money,
        Anywhere,
        SUBSCRIPTION,
        words(
            "MRR gained or lost by revaluing currencies (signed)",
            "汇率重估造成的 MRR 增减（带符号）",
            "MRR gagné ou perdu par réévaluation des devises (signé)",
        ),
    ),
    flow(
        "movement_transferred_in",
        Money,
        Nowhere,
        SUBSCRIPTION,
        words(
            "MRR that came into the segment with a switch from another one",
            "因切换而从其他分组转入的 MRR",
            "MRR entré dans le segment par un changement depuis un autre",
        ),
    ),
    flow(
        "movement_transferred_out",
        Money,
        Nowhere,
        SUBSCRIPTION,
        words(
            "MRR that left the segment with a switch to another one (negative)",
            "因切换而转出到其他分组的 MRR（负数）",
            "MRR sorti du segment par un changement vers un autre (négatif)",
        ),
    ),
    // Expansion by its cause.
    flow(
        "expansion_upgrade",
        Money,
        Anywhere,
        SUBSCRIPTION,
        words(
            "expansion by a move to a dearer plan",
            "升级到更高套餐带来的扩展",
            "expansion par passage à un forfait supérieur",
        ),
    ),
    flow(
        "expansion_quantity",
        Money,
        Anywhere,
        SUBSCRIPTION,
        words("expansion by a larger quantity", "数量增加带来的扩展", "expansion par augmentation de la quantité"),
    ),
    flow(
        "expansion_cross_sell",
        Money,
        Anywhere,
        SUBSCRIPTION,
        words(
            "expansion by a further product",
            "加购其他产品带来的扩展",
            "expansion par achat d’un produit supplémentaire",
        ),
    ),
    flow(
        "expansion_price_rise",
        Money,
        Anywhere,
        SUBSCRIPTION,
        words(
            "expansion by a higher price for the same thing",
            "同一产品涨价带来的扩展",
            "expansion par hausse de prix à l’identique",
        ),
    ),
    flow(
        "expansion_discount_end",
        Money,
        Anywhere,
        SUBSCRIPTION,
        words("expansion by the end of a discount", "折扣到期带来的扩展", "expansion par fin d’une remise"),
    ),
    // Distinct customers with a movement.
    whole(
        "customers_with_new",
        Count,
        OverCustomers,
        SUBSCRIPTION,
        words("customers who paid for the first time", "首次付费的客户数", "clients ayant payé pour la première fois"),
    ),
    whole(
        "customers_with_expansion",
        Count,
        OverCustomers,
        SUBSCRIPTION,
        words("customers who expanded", "有扩展的客户数", "clients en expansion"),
    ),
    whole(
        "customers_with_contraction",
        Count,
        OverCustomers,
        SUBSCRIPTION,
        words("customers who contracted", "有收缩的客户数", "clients en contraction"),
    ),
    whole(
        "customers_with_churn",
        Count,
        OverCustomers,
        SUBSCRIPTION,
        words(
            "customers who stopped paying at some time in the period",
            "期内曾停止付费的客户数",
            "clients ayant cessé de payer à un moment de la période",
        ),
    ),
    whole(
        "customers_with_reactivation",
        Count,
        OverCustomers,
        SUBSCRIPTION,
        words("customers who came back", "回归的客户数", "clients revenus"),
    ),
    whole(
        "customers_lost",
        Count,
        OverCustomers,
        SUBSCRIPTION,
        words(
            "customers who stopped paying in the period and are not paying at its end",
            "期内停止付费且期末仍未付费的客户数",
            "clients ayant cessé de payer pendant la période et ne payant pas à la fin",
        ),
    ),
    whole(
        "customers_lost_of_opening",
        Count,
        OverCustomers,
        SUBSCRIPTION,
        words(
            "those of them who were paying at the start",
            "其中期初正在付费的客户数",
            "ceux d’entre eux qui payaient au début",
        ),
    ),
    whole(
        "customers_paying_any",
        Count,
        OverCustomers,
        SUBSCRIPTION,
        words(
            "customers paying at any time in the period",
            "期内任一时刻付费的客户数",
            "clients payants à un moment quelconque de la période",
        ),
    ),
    // The customers of the start, looked at again.
    whole(
        "retained_mrr",
        Money,
        Anywhere,
        SUBSCRIPTION,
        words(
            "MRR at the end of the customers who were paying at the start",
            "期初付费客户在期末的 MRR",
            "MRR de fin des clients payants au début",
        ),
    ),
    whole(
        "retained_mrr_capped",
        Money,
        OverCustomers,
        SUBSCRIPTION,
        words(
            "the same, each customer counted for no more than at the start",
            "同上，但每位客户不超过其期初 MRR",
            "de même, chaque client compté au plus pour son MRR de début",
        ),
    ),
    whole(
        "opening_churned",
        Money,
        Anywhere,
        SUBSCRIPTION,
        words(
            "churned MRR of the customers who were paying at the start (negative)",
            "期初付费客户流失的 MRR（负数）",
            "MRR perdu par départ des clients payants au début (négatif)",
        ),
    ),
    whole(
        "opening_contraction",
        Money,
        Anywhere,
        SUBSCRIPTION,
        words(
            "contraction of the customers who were paying at the start (negative)",
            "期初付费客户收缩的 MRR（负数）",
            "contraction des clients payants au début (négative)",
        ),
    ),
    whole(
        "opening_expansion",
        Money,
        Anywhere,
        SUBSCRIPTION,
        words(
            "expansion of the customers who were paying at the start",
            "期初付费客户扩展的 MRR",
            "expansion des clients payants au début",
        ),
    ),
    whole(
        "opening_reactivation",
        Money,
        Anywhere,
        SUBSCRIPTION,
        words(
            "MRR of customers who were paying at the start, left and came back",
            "期初付费、期内离开后又回归的客户的 MRR",
            "MRR des clients payants au début, partis puis revenus",
        ),
    ),
    // Lifetimes.
    stock(
        "lifetime_days_observed_sum",
        Unit::Days,
        OverCustomers,
        SUBSCRIPTION,
        words(
            "days from the first to the last paid day, added up over the customers who have left",
            "已流失客户从首个到最后一个付费日的天数之和",
            "jours du premier au dernier jour payé, additionnés sur les clients partis",
        ),
    ),
    stock(
        "lifetimes_observed_count",
        Count,
        OverCustomers,
        SUBSCRIPTION,
        words(
            "customers who have left by the end of the period",
            "截至期末已流失的客户数",
            "clients partis à la fin de la période",
        ),
    ),
    stock(
        "survival_lifetime_months",
        Months,
        Nowhere,
        SUBSCRIPTION,
        words(
            "expected months of paying under the Kaplan–Meier curve, its tail extrapolated",
            "按 Kaplan–Meier 曲线（尾部外推）估计的预期付费月数",
            "mois de paiement attendus selon la courbe de Kaplan-Meier, queue extrapolée",
        ),
    ),
    stock(
        "survival_discounted_months",
        Months,
        Nowhere,
        SUBSCRIPTION,
        words(
            "expected months of paying under the fitted retention curve, later ones discounted",
            "按拟合留存曲线并折现的预期付费月数",
            "mois de paiement attendus selon la courbe de rétention ajustée, actualisés",
        ),
    ),
    // How the MRR is spread over customers.
    stock(
        "mrr_top_20",
        Money,
        Nowhere,
        SUBSCRIPTION,
        words(
            "MRR of the 20% of customers who pay most",
            "付费最多的 20% 客户的 MRR",
            "MRR des 20 % de clients qui paient le plus",
        ),
    ),
    stock(
        "mrr_largest",
        Money,
        Nowhere,
        SUBSCRIPTION,
        words("MRR of the largest customer", "最大客户的 MRR", "MRR du plus gros client"),
    ),
    stock(
        "mrr_hhi_numerator",
        Money,
        OverCustomers,
        SUBSCRIPTION,
        words(
            "the customers’ MRR, each squared, added up",
            "各客户 MRR 的平方和",
            "somme des carrés du MRR de chaque client",
        ),
    ),
    // Contracts.
    stock(
        "contracts_live",
        Count,
        Anywhere,
        CONTRACT,
        words(
            "contracts running at the end of the period",
            "期末生效的合同数",
            "contrats en cours à la fin de la période",
        ),
    ),
    stock(
        "contract_annual_value",
        Money,
        Anywhere,
        CONTRACT,
        words(
            "total value ÷ years of term, added up over the running contracts",
            "生效合同的总额 ÷ 合同年数之和",
            "valeur totale ÷ durée en années, additionnée sur les contrats en cours",
        ),
    ),
    flow(
        "contracts_due",
        Count,
        Anywhere,
        CONTRACT,
        words("contracts that came up for renewal", "到期待续的合同数", "contrats arrivés à échéance"),
    ),
    flow(
        "contracts_renewed",
        Count,
        Anywhere,
        CONTRACT,
        words("those of them that were renewed", "其中已续约的合同数", "ceux d’entre eux qui ont été renouvelés"),
    ),
    flow(
        "contract_value_due",
        Money,
        Anywhere,
        CONTRACT,
        words(
            "annual value of the contracts that came up for renewal",
            "到期待续合同的年化价值",
            "valeur annuelle des contrats arrivés à échéance",
        ),
    ),
    flow(
        "contract_value_renewed",
        Money,
        Anywhere,
        CONTRACT,
        words(
            "annual value of those of them that were renewed, as it was before",
            "其中已续约合同续约前的年化价值",
            "valeur annuelle, avant renouvellement, de ceux qui ont été renouvelés",
        ),
    ),
    // Recognition and cash.
    flow(
        "revenue_recognised_net",
        Money,
        Anywhere,
        INVOICE_LINE,
        words(
            "invoice lines spread over the days of their service, the days in the period, less what was taken back",
            "发票明细按服务天数分摊后落在期内的收入，减去退回部分",
            "lignes de facture étalées sur leurs jours de service, part de la période, moins ce qui a été repris",
        ),
    ),
    flow(
        "revenue_recognised_gross",
        Money,
        Anywhere,
        INVOICE_LINE,
        words(
            "invoice lines spread over the days of their service, the days in the period, before what was taken back",
            "发票明细按服务天数分摊后落在期内的收入，未减退回部分",
            "lignes de facture étalées sur leurs jours de service, part de la période, avant ce qui a été repris",
        ),
    ),
    stock(
        "revenue_deferred_closing",
        Money,
        Anywhere,
        INVOICE_LINE,
        words(
            "billed and not yet recognised at the end of the period",
            "期末已开票但尚未确认的收入",
            "facturé et non encore reconnu à la fin de la période",
        ),
    ),
    stock(
        "revenue_deferred_paid_closing",
        Money,
        Anywhere,
        INVOICE_LINE,
        words(
            "paid for and not yet recognised at the end of the period",
            "期末已付款但尚未确认的收入",
            "payé et non encore reconnu à la fin de la période",
        ),
    ),
    flow(
        "cash_received",
        Money,
        Anywhere,
        PAYMENT,
        words(
            "payments less refunds and lost disputes, on the day the money moved",
            "付款减去退款与败诉争议，按资金变动日计",
            "paiements moins remboursements et litiges perdus, au jour du mouvement d’argent",
        ),
    ),
    // Spend and costs. Money spent on marketing may be told twice, by the tools (spend) and by the accounts (costs).
    tallied(
        "marketing_cost",
        Money,
        Anywhere,
        true,
        SPEND,
        Tally { otherwise: Some(&MARKETING_IN_ACCOUNTS), ..MARKETING_IN_TOOLS },
        words(
            "spend on marketing; in months without any, the marketing costs of the accounts",
            "营销支出；没有支出记录的月份取账目中的营销成本",
            "dépenses marketing ; les mois où il n’y en a pas, les coûts marketing des comptes",
        ),
    ),
    tallied(
        "sales_cost",
        Money,
        Anywhere,
        true,
        SPEND,
        Tally { otherwise: Some(&SALES_IN_ACCOUNTS), ..SALES_IN_TOOLS },
        words(
            "spend on sales; in months without any, the sales costs of the accounts",
            "销售支出；没有支出记录的月份取账目中的销售成本",
            "dépenses commerciales ; les mois où il n’y en a pas, les coûts commerciaux des comptes",
        ),
    ),
    tallied(
        "cost_of_revenue",
        Money,
        Anywhere,
        true,
        COST,
        tally("cost", "day", &[Only::Is("category", &["cost_of_revenue", "support"])], What::Money("amount")),
        words(
            "costs of delivering the service, support included",
            "交付服务的成本（含客户支持）",
            "coûts de fourniture du service, assistance comprise",
        ),
    ),
    tallied(
        "support_cost",
        Money,
        Anywhere,
        true,
        COST,
        tally("cost", "day", &[Only::Is("category", &["support"])], What::Money("amount")),
        words("costs of supporting customers", "客户支持成本", "coûts d’assistance aux clients"),
    ),
    tallied(
        "costs_marketing",
        Money,
        Anywhere,
        true,
        COST,
        Tally { otherwise: Some(&MARKETING_IN_TOOLS), ..MARKETING_IN_ACCOUNTS },
        words(
            "marketing costs of the accounts; in months without any, the spend on marketing",
            "账目中的营销成本；没有记录的月份取营销支出",
            "coûts marketing des comptes ; les mois où il n’y en a pas, les dépenses marketing",
        ),
    ),
    tallied(
        "costs_sales",
        Money,
        Anywhere,
        true,
        COST,
        Tally { otherwise: Some(&SALES_IN_TOOLS), ..SALES_IN_ACCOUNTS },
        words(
            "sales costs of the accounts; in months without any, the spend on sales",
            "账目中的销售成本；没有记录的月份取销售支出",
            "coûts commerciaux des comptes ; les mois où il n’y en a pas, les dépenses commerciales",
        ),
    ),
    tallied(
        "costs_else",
        Money,
        Anywhere,
        true,
        COST,
        tally(
            "cost",
            "day",
            &[Only::Is("category", &["cost_of_revenue", "support", "development", "general", "other"])],
            What::Money("amount"),
        ),
        words(
            "costs other than those of marketing and sales",
            "营销与销售以外的成本",
            "coûts autres que marketing et vente",
        ),
    ),
    // Getting customers.
    tallied(
        "taxes_passed_on",
        Money,
        Anywhere,
        true,
        COST,
        tally("cost", "day", &[Only::Is("category", &["tax"])], What::Money("amount")),
        words(
            "tax that customers paid, passed on to the state in the period",
            "期内上缴的代收税款",
            "taxe payée par les clients et reversée à l’État pendant la période",
        ),
    ),
    tallied(
        "visits",
        Count,
        Anywhere,
        true,
        VISIT,
        Tally { instead: Some(&VISIT_TOTALS), ..tally("visit", "visited", &[], What::Facts) },
        words("visits to the site", "网站访问次数", "visites du site"),
    ),
    tallied(
        "unique_visitors",
        Count,
        Anywhere,
        false,
        VISIT,
        Tally { instead: Some(&VISITOR_TOTALS), ..tally("visit", "visited", &[], What::Distinct("visitor")) },
        words(
            "people who visited, each in the segment of the first visit in the period",
            "访客人数，归入其期内首次访问所在的分组",
            "visiteurs, chacun dans le segment de sa première visite de la période",
        ),
    ),
    flow("signups", Count, Anywhere, SIGNUP, words("sign-ups", "注册数", "inscriptions")),
    flow(
        "leads_created",
        Count,
        Anywhere,
        LEAD,
        words(
            "leads, on the day of their first fact",
            "线索数，按其首条记录的日期计",
            "prospects, au jour de leur première mention",
        ),
    ),
    stock(
        "leads_open_closing",
        Count,
        Anywhere,
        LEAD,
        words(
            "leads at the end of the period that are neither won nor lost",
            "期末既未成交也未流失的线索数",
            "prospects ni gagnés ni perdus à la fin de la période",
        ),
    ),
    stock(
        "lead_points_closing",
        Points,
        Anywhere,
        LEAD,
        words(
            "their points by the rules of `lead-score.toml`, added up",
            "这些线索按 `lead-score.toml` 规则所得分数之和",
            "leurs points selon les règles de `lead-score.toml`, additionnés",
        ),
    ),
    whole(
        "leads_mql",
        Count,
        Anywhere,
        LEAD,
        words(
            "leads that came to be qualified by marketing in the period, each once",
            "达到营销合格阶段的线索数",
            "prospects qualifiés par le marketing pendant la période, chacun une fois",
        ),
    ),
    whole(
        "leads_sql",
        Count,
        Anywhere,
        LEAD,
        words(
            "leads that came to be qualified by sales in the period, each once",
            "达到销售合格阶段的线索数",
            "prospects qualifiés par la vente pendant la période, chacun une fois",
        ),
    ),
    whole(
        "leads_pql",
        Count,
        Anywhere,
        LEAD,
        words(
            "leads that came to be qualified by their use of the product in the period, each once",
            "达到产品合格阶段的线索数",
            "prospects qualifiés par leur usage du produit pendant la période, chacun une fois",
        ),
    ),
    flow("trials_started", Count, Anywhere, TRIAL, words("trials begun", "开始的试用数", "essais commencés")),
    flow(
        "trials_ended",
        Count,
        Anywhere,
        TRIAL,
        words("trials whose time ran out", "到期的试用数", "essais arrivés à terme"),
    ),
    flow(
        "trials_converted",
        Count,
        Anywhere,
        TRIAL,
        words(
            "trials that turned into paying, on that day",
            "转为付费的试用数，按转化日计",
            "essais devenus payants, au jour de la conversion",
        ),
    ),
    flow(
        "trials_settled",
        Count,
        Anywhere,
        TRIAL,
        words(
            "trials begun that have ended or turned into paying",
            "已开始且已结束或已转化的试用数",
            "essais commencés qui sont terminés ou devenus payants",
        ),
    ),
    flow(
        "trials_settled_paying",
        Count,
        Anywhere,
        TRIAL,
        words(
            "those of them whose customer pays now",
            "其中客户目前付费的试用数",
            "ceux dont le client paie maintenant",
        ),
    ),
    whole(
        "free_users",
        Count,
        Anywhere,
        FREE,
        words(
            "people who had signed up or begun a trial before the end of the period and had not paid before its start",
            "期末前已注册或开始试用、且期初前未付费的人数",
            "personnes inscrites ou en essai avant la fin de la période et n’ayant pas payé avant son début",
        ),
    ),
    flow(
        "free_users_converted",
        Count,
        Anywhere,
        FREE,
        words(
            "those of them who paid for the first time in the period",
            "其中期内首次付费的人数",
            "celles d’entre elles qui ont payé pour la première fois dans la période",
        ),
    ),
    flow(
        "customers_referred",
        Count,
        Anywhere,
        REFERRAL,
        words(
            "new customers whom another customer brought",
            "由其他客户推荐而来的新客户数",
            "nouveaux clients amenés par un autre client",
        ),
    ),
    tallied(
        "invites",
        Count,
        Anywhere,
        true,
        REFERRAL,
        tally("referral", "invited", &[], What::Facts),
        words("invitations sent by customers", "客户发出的邀请数", "invitations envoyées par des clients"),
    ),
    flow(
        "invites_converted",
        Count,
        Anywhere,
        REFERRAL,
        words(
            "invitations of the period that have brought a customer",
            "期内发出且已带来客户的邀请数",
            "invitations de la période ayant amené un client",
        ),
    ),
    flow(
        "reached_visitor",
        Count,
        Anywhere,
        VISIT,
        words(
            "visitors who first came to be so in the period",
            "期内首次成为访客的数量",
            "visiteurs devenus tels dans la période",
        ),
    ),
    flow(
        "reached_activated",
        Count,
        Anywhere,
        ACTIVATED,
        words(
            "activated users who first came to be so in the period",
            "期内首次成为已激活用户的数量",
            "utilisateurs activés devenus tels dans la période",
        ),
    ),
    flow(
        "reached_mql",
        Count,
        Anywhere,
        LEAD,
        words(
            "marketing-qualified leads who first came to be so in the period",
            "期内首次成为营销合格线索（MQL）的数量",
            "prospects MQL devenus tels dans la période",
        ),
    ),
    flow(
        "reached_pql",
        Count,
        Anywhere,
        LEAD,
        words(
            "product-qualified leads who first came to be so in the period",
            "期内首次成为产品合格线索（PQL）的数量",
            "prospects PQL devenus tels dans la période",
        ),
    ),
    flow(
        "reached_sql",
        Count,
        Anywhere,
        LEAD,
        words(
            "sales-qualified leads who first came to be so in the period",
            "期内首次成为销售合格线索（SQL）的数量",
            "prospects SQL devenus tels dans la période",
        ),
    ),
    flow(
        "went_from_visitor_to_signup",
        Count,
        Anywhere,
        &["visit", "signup"],
        words(
            "those of the new visitors who became sign-ups, so far",
            "其中至今已成为注册用户的访客数",
            "parmi les nouveaux visiteurs, ceux devenus inscrits à ce jour",
        ),
    ),
    flow(
        "went_from_visitor_to_activated",
        Count,
        Anywhere,
        &["visit", "signup", "product_event"],
        words(
            "those of the new visitors who became activated users, so far",
            "其中至今已成为已激活用户的访客数",
            "parmi les nouveaux visiteurs, ceux devenus utilisateurs activés à ce jour",
        ),
    ),
    flow(
        "went_from_visitor_to_lead",
        Count,
        Anywhere,
        &["visit", "lead"],
        words(
            "those of the new visitors who became leads, so far",
            "其中至今已成为线索的访客数",
            "parmi les nouveaux visiteurs, ceux devenus prospects à ce jour",
        ),
    ),
    flow(
        "went_from_visitor_to_mql",
        Count,
        Anywhere,
        &["visit", "lead"],
        words(
            "those of the new visitors who became marketing-qualified leads, so far",
            "其中至今已成为营销合格线索（MQL）的访客数",
            "parmi les nouveaux visiteurs, ceux devenus prospects MQL à ce jour",
        ),
    ),
    flow(
        "went_from_visitor_to_pql",
        Count,
        Anywhere,
        &["visit", "lead"],
        words(
            "those of the new visitors who became product-qualified leads, so far",
            "其中至今已成为产品合格线索（PQL）的访客数",
            "parmi les nouveaux visiteurs, ceux devenus prospects PQL à ce jour",
        ),
    ),
    flow(
        "went_from_visitor_to_sql",
        Count,
        Anywhere,
        &["visit", "lead"],
        words(
            "those of the new visitors who became sales-qualified leads, so far",
            "其中至今已成为销售合格线索（SQL）的访客数",
            "parmi les nouveaux visiteurs, ceux devenus prospects SQL à ce jour",
        ),
    ),
    flow(
        "went_from_visitor_to_customer",
        Count,
        Anywhere,
        &["visit", "subscription"],
        words(
            "those of the new visitors who became customers, so far",
            "其中至今已成为客户的访客数",
            "parmi les nouveaux visiteurs, ceux devenus clients à ce jour",
        ),
    ),
    flow(
        "went_from_signup_to_activated",
        Count,
        Anywhere,
        &["signup", "product_event"],
        words(
            "those of the new sign-ups who became activated users, so far",
            "其中至今已成为已激活用户的注册用户数",
            "parmi les nouveaux inscrits, ceux devenus utilisateurs activés à ce jour",
        ),
    ),
    flow(
        "went_from_signup_to_lead",
        Count,
        Anywhere,
        &["signup", "lead"],
        words(
            "those of the new sign-ups who became leads, so far",
            "其中至今已成为线索的注册用户数",
            "parmi les nouveaux inscrits, ceux devenus prospects à ce jour",
        ),
    ),
    flow(
        "went_from_signup_to_mql",
        Count,
        Anywhere,
        &["signup", "lead"],
        words(
            "those of the new sign-ups who became marketing-qualified leads, so far",
            "其中至今已成为营销合格线索（MQL）的注册用户数",
            "parmi les nouveaux inscrits, ceux devenus prospects MQL à ce jour",
        ),
    ),
    flow(
        "went_from_signup_to_pql",
        Count,
        Anywhere,
        &["signup", "lead"],
        words(
            "those of the new sign-ups who became product-qualified leads, so far",
            "其中至今已成为产品合格线索（PQL）的注册用户数",
            "parmi les nouveaux inscrits, ceux devenus prospects PQL à ce jour",
        ),
    ),
    flow(
        "went_from_signup_to_sql",
        Count,
        Anywhere,
        &["signup", "lead"],
        words(
            "those of the new sign-ups who became sales-qualified leads, so far",
            "其中至今已成为销售合格线索（SQL）的注册用户数",
            "parmi les nouveaux inscrits, ceux devenus prospects SQL à ce jour",
        ),
    ),
    flow(
        "went_from_signup_to_customer",
        Count,
        Anywhere,
        &["signup", "subscription"],
        words(
            "those of the new sign-ups who became customers, so far",
            "其中至今已成为客户的注册用户数",
            "parmi les nouveaux inscrits, ceux devenus clients à ce jour",
        ),
    ),
    flow(
        "went_from_activated_to_lead",
        Count,
        Anywhere,
        &["signup", "product_event", "lead"],
        words(
            "those of the new activated users who became leads, so far",
            "其中至今已成为线索的已激活用户数",
            "parmi les nouveaux utilisateurs activés, ceux devenus prospects à ce jour",
        ),
    ),
    flow(
        "went_from_activated_to_mql",
        Count,
        Anywhere,
        &["signup", "product_event", "lead"],
        words(
            "those of the new activated users who became marketing-qualified leads, so far",
            "其中至今已成为营销合格线索（MQL）的已激活用户数",
            "parmi les nouveaux utilisateurs activés, ceux devenus prospects MQL à ce jour",
        ),
    ),
    flow(
        "went_from_activated_to_pql",
        Count,
        Anywhere,
        &["signup", "product_event", "lead"],
        words(
            "those of the new activated users who became product-qualified leads, so far",
            "其中至今已成为产品合格线索（PQL）的已激活用户数",
            "parmi les nouveaux utilisateurs activés, ceux devenus prospects PQL à ce jour",
        ),
    ),
    flow(
        "went_from_activated_to_sql",
        Count,
        Anywhere,
        &["signup", "product_event", "lead"],
        words(
            "those of the new activated users who became sales-qualified leads, so far",
            "其中至今已成为销售合格线索（SQL）的已激活用户数",
            "parmi les nouveaux utilisateurs activés, ceux devenus prospects SQL à ce jour",
        ),
    ),
    flow(
        "went_from_activated_to_customer",
        Count,
        Anywhere,
        &["signup", "product_event", "subscription"],
        words(
            "those of the new activated users who became customers, so far",
            "其中至今已成为客户的已激活用户数",
            "parmi les nouveaux utilisateurs activés, ceux devenus clients à ce jour",
        ),
    ),
    flow(
        "went_from_lead_to_mql",
        Count,
        Anywhere,
        &["lead"],
        words(
            "those of the new leads who became marketing-qualified leads, so far",
            "其中至今已成为营销合格线索（MQL）的线索数",
            "parmi les nouveaux prospects, ceux devenus prospects MQL à ce jour",
        ),
    ),
    flow(
        "went_from_lead_to_pql",
        Count,
        Anywhere,
        &["lead"],
        words(
            "those of the new leads who became product-qualified leads, so far",
            "其中至今已成为产品合格线索（PQL）的线索数",
            "parmi les nouveaux prospects, ceux devenus prospects PQL à ce jour",
        ),
    ),
    flow(
        "went_from_lead_to_sql",
        Count,
        Anywhere,
        &["lead"],
        words(
            "those of the new leads who became sales-qualified leads, so far",
            "其中至今已成为销售合格线索（SQL）的线索数",
            "parmi les nouveaux prospects, ceux devenus prospects SQL à ce jour",
        ),
    ),
    flow(
        "went_from_lead_to_customer",
        Count,
        Anywhere,
        &["lead", "subscription"],
        words(
            "those of the new leads who became customers, so far",
            "其中至今已成为客户的线索数",
            "parmi les nouveaux prospects, ceux devenus clients à ce jour",
        ),
    ),
    flow(
        "went_from_mql_to_pql",
        Count,
        Anywhere,
        &["lead"],
        words(
            "those of the new marketing-qualified leads who became product-qualified leads, so far",
            "其中至今已成为产品合格线索（PQL）的营销合格线索（MQL）数",
            "parmi les nouveaux prospects MQL, ceux devenus prospects PQL à ce jour",
        ),
    ),
    flow(
        "went_from_mql_to_sql",
        Count,
        Anywhere,
        &["lead"],
        words(
            "those of the new marketing-qualified leads who became sales-qualified leads, so far",
            "其中至今已成为销售合格线索（SQL）的营销合格线索（MQL）数",
            "parmi les nouveaux prospects MQL, ceux devenus prospects SQL à ce jour",
        ),
    ),
    flow(
        "went_from_mql_to_customer",
        Count,
        Anywhere,
        &["lead", "subscription"],
        words(
            "those of the new marketing-qualified leads who became customers, so far",
            "其中至今已成为客户的营销合格线索（MQL）数",
            "parmi les nouveaux prospects MQL, ceux devenus clients à ce jour",
        ),
    ),
    flow(
        "went_from_pql_to_sql",
        Count,
        Anywhere,
        &["lead"],
        words(
            "those of the new product-qualified leads who became sales-qualified leads, so far",
            "其中至今已成为销售合格线索（SQL）的产品合格线索（PQL）数",
            "parmi les nouveaux prospects PQL, ceux devenus prospects SQL à ce jour",
        ),
    ),
    flow(
        "went_from_pql_to_customer",
        Count,
        Anywhere,
        &["lead", "subscription"],
        words(
            "those of the new product-qualified leads who became customers, so far",
            "其中至今已成为客户的产品合格线索（PQL）数",
            "parmi les nouveaux prospects PQL, ceux devenus clients à ce jour",
        ),
    ),
    flow(
        "went_from_sql_to_customer",
        Count,
        Anywhere,
        &["lead", "subscription"],
        words(
            "those of the new sales-qualified leads who became customers, so far",
            "其中至今已成为客户的销售合格线索（SQL）数",
            "parmi les nouveaux prospects SQL, ceux devenus clients à ce jour",
        ),
    ),
    // Support.
    tallied(
        "tickets_opened",
        Count,
        Anywhere,
        true,
        TICKET,
        tally("ticket", "opened", &[], What::Facts),
        words("requests for support opened", "新开的支持请求数", "demandes d’assistance ouvertes"),
    ),
    tallied(
        "first_response_time_sum",
        Duration,
        Anywhere,
        true,
        TICKET,
        tally("ticket", "opened", &[], What::Seconds { from: "opened", to: "first_response" }),
        words(
            "seconds from opening until first answered, of the requests opened in the period",
            "期内新开请求从提交到首次回复的秒数之和",
            "secondes de l’ouverture à la première réponse, des demandes ouvertes dans la période",
        ),
    ),
    tallied(
        "first_response_count",
        Count,
        Anywhere,
        true,
        TICKET,
        tally("ticket", "opened", &[], What::Spans { from: "opened", to: "first_response" }),
        words(
            "those of them that were first answered",
            "其中已首次回复的请求数",
            "celles d’entre elles ayant eu leur première réponse",
        ),
    ),
    tallied(
        "first_response_time_p50",
        Duration,
        Nowhere,
        false,
        TICKET,
        tally("ticket", "opened", &[], What::Percentile { from: "opened", to: "first_response", percent: 50 }),
        words(
            "median of the seconds from opening until first answered",
            "从提交到首次回复的秒数的中位数",
            "médiane des secondes de l’ouverture à la première réponse",
        ),
    ),
    tallied(
        "first_response_time_p90",
        Duration,
        Nowhere,
        false,
        TICKET,
        tally("ticket", "opened", &[], What::Percentile { from: "opened", to: "first_response", percent: 90 }),
        words(
            "90th percentile of the seconds from opening until first answered",
            "从提交到首次回复的秒数的第 90 百分位",
            "90e centile des secondes de l’ouverture à la première réponse",
        ),
    ),
    tallied(
        "resolution_time_sum",
        Duration,
        Anywhere,
        true,
        TICKET,
        tally("ticket", "opened", &[], What::Seconds { from: "opened", to: "resolved" }),
        words(
            "seconds from opening until resolved, of the requests opened in the period",
            "期内新开请求从提交到解决的秒数之和",
            "secondes de l’ouverture à la résolution, des demandes ouvertes dans la période",
        ),
    ),
    tallied(
        "resolution_count",
        Count,
        Anywhere,
        true,
        TICKET,
        tally("ticket", "opened", &[], What::Spans { from: "opened", to: "resolved" }),
        words(
            "those of them that were resolved",
            "其中已解决的请求数",
            "celles d’entre elles ayant eu leur résolution",
        ),
    ),
    tallied(
        "resolution_time_p50",
        Duration,
        Nowhere,
        false,
        TICKET,
        tally("ticket", "opened", &[], What::Percentile { from: "opened", to: "resolved", percent: 50 }),
        words(
            "median of the seconds from opening until resolved",
            "从提交到解决的秒数的中位数",
            "médiane des secondes de l’ouverture à la résolution",
        ),
    ),
    tallied(
        "resolution_time_p90",
        Duration,
        Nowhere,
        false,
        TICKET,
        tally("ticket", "opened", &[], What::Percentile { from: "opened", to: "resolved", percent: 90 }),
        words(
            "90th percentile of the seconds from opening until resolved",
            "从提交到解决的秒数的第 90 百分位",
            "90e centile des secondes de l’ouverture à la résolution",
        ),
    ),
    // Satisfaction.
    tallied(
        "nps_answers",
        Count,
        Anywhere,
        true,
        SURVEY,
        tally("survey_answer", "answered", &[Only::Is("survey", &["nps"])], What::Facts),
        words("answers to the NPS question", "NPS 问题的回答数", "réponses à la question NPS"),
    ),
    tallied(
        "nps_promoters",
        Count,
        Anywhere,
        true,
        SURVEY,
        tally(
            "survey_answer",
            "answered",
            &[Only::Is("survey", &["nps"]), score(10, Some((9, 10)), None)],
            What::Facts,
        ),
        words("answers of 9 or 10", "评 9–10 分的回答数", "réponses de 9 ou 10"),
    ),
    tallied(
        "nps_detractors",
        Count,
        Anywhere,
        true,
        SURVEY,
        tally(
            "survey_answer",
            "answered",
            &[Only::Is("survey", &["nps"]), score(10, None, Some((6, 10)))],
            What::Facts,
        ),
        words("answers of 0 to 6", "评 0–6 分的回答数", "réponses de 0 à 6"),
    ),
    tallied(
        "nps_score_sum",
        Ratio,
        Anywhere,
        true,
        SURVEY,
        tally("survey_answer", "answered", &[Only::Is("survey", &["nps"])], What::Score { scale: 10 }),
        words(
            "answers to the NPS question, each as a part of its scale, added up",
            "NPS 各回答占其量表的比例之和",
            "réponses à la question NPS, chacune rapportée à son échelle, additionnées",
        ),
    ),
    tallied(
        "csat_answers",
        Count,
        Anywhere,
        true,
        SURVEY,
        tally("survey_answer", "answered", &[Only::Is("survey", &["csat"])], What::Facts),
        words("answers to the satisfaction question", "满意度问题的回答数", "réponses à la question de satisfaction"),
    ),
    tallied(
        "csat_score_sum",
        Ratio,
        Anywhere,
        true,
        SURVEY,
        tally("survey_answer", "answered", &[Only::Is("survey", &["csat"])], What::Score { scale: 5 }),
        words(
            "their scores, each as a part of its scale, added up",
            "各分数占其量表的比例之和",
            "leurs notes, chacune rapportée à son échelle, additionnées",
        ),
    ),
    tallied(
        "csat_satisfied",
        Count,
        Anywhere,
        true,
        SURVEY,
        tally("survey_answer", "answered", &[Only::Is("survey", &["csat"]), score(5, Some((4, 5)), None)], What::Facts),
        words(
            "answers in the upper fifth of the scale: 4 or 5 of 5",
            "评分处于量表上部（5 分制的 4–5 分）的回答数",
            "réponses dans le haut de l’échelle : 4 ou 5 sur 5",
        ),
    ),
    // Where customers stand, and the health that their use of the product shows.
    stock(
        "customers_in_segments",
        Count,
        OverCustomers,
        SUBSCRIPTION,
        words(
            "customers known by the end of the period, paying or not, by where they then stand",
            "期末已知的客户（无论是否付费），按其当时所处的类别",
            "clients connus à la fin de la période, payants ou non, selon leur situation d’alors",
        ),
    ),
    stock(
        "health_points",
        Unit::Points,
        OverCustomers,
        HEALTH,
        words(
            "health indices of the paying customers at the end of the period, added up",
            "期末付费客户的健康指数之和",
            "somme des indices de santé des clients payants à la fin de la période",
        ),
    ),
    stock(
        "customers_with_health",
        Count,
        OverCustomers,
        HEALTH,
        words(
            "paying customers at the end of the period whose health is known",
            "期末健康指数已知的付费客户数",
            "clients payants à la fin de la période dont la santé est connue",
        ),
    ),
    stock(
        "customers_low_or_falling",
        Count,
        OverCustomers,
        HEALTH,
        words(
            "paying customers at the end of the period whose health is below 40, or fell by 20 points in 28 days",
            "期末健康指数低于 40 或 28 天内下降 20 点以上的付费客户数",
            "clients payants à la fin de la période dont la santé est sous 40 ou a baissé de 20 points en 28 jours",
        ),
    ),
    stock(
        "customers_falling",
        Count,
        OverCustomers,
        HEALTH,
        words(
            "paying customers at the end of the period whose health fell by 20 points in 28 days",
            "期末健康指数在 28 天内下降 20 点以上的付费客户数",
            "clients payants à la fin de la période dont la santé a baissé de 20 points en 28 jours",
        ),
    ),
    // Product.
    tallied(
        "users_active",
        Count,
        Anywhere,
        false,
        EVENT,
        tally("product_event", "occurred", &[Only::IsSetting("name", Setting::ActiveEvents)], What::Distinct("user")),
        words("users with a qualifying event", "有合格事件的用户数", "utilisateurs ayant un événement qualifiant"),
    ),
    tallied(
        "users_active_of_whole",
        Count,
        Nowhere,
        false,
        EVENT,
        Tally {
            across: &["feature", "name"],
            ..tally(
                "product_event",
                "occurred",
                &[Only::IsSetting("name", Setting::ActiveEvents)],
                What::Distinct("user"),
            )
        },
        words("the same, whatever feature they used", "同上，不区分功能", "de même, quelle que soit la fonctionnalité"),
    ),
    tallied(
        "active_user_days",
        Count,
        Anywhere,
        true,
        EVENT,
        tally(
            "product_event",
            "occurred",
            &[Only::IsSetting("name", Setting::ActiveEvents)],
            What::DistinctByDay("user"),
        ),
        words(
            "users active on each day, added up over the days",
            "各日活跃用户数之和",
            "utilisateurs actifs de chaque jour, additionnés",
        ),
    ),
    tallied(
        "log_ins",
        Count,
        Anywhere,
        true,
        EVENT,
        tally("product_event", "occurred", &[Only::IsSetting("name", Setting::LoginEvents)], What::Facts),
        words("log-ins", "登录次数", "connexions"),
    ),
    tallied(
        "log_in_users",
        Count,
        Anywhere,
        false,
        EVENT,
        tally("product_event", "occurred", &[Only::IsSetting("name", Setting::LoginEvents)], What::Distinct("user")),
        words("users who logged in", "登录用户数", "utilisateurs connectés"),
    ),
    tallied(
        "interactions",
        Count,
        Anywhere,
        true,
        EVENT,
        tally(
            "product_event",
            "occurred",
            &[Only::IsSetting("name", Setting::InteractionEvents), Only::Stated("session")],
            What::Facts,
        ),
        words("interactions within sessions", "会话内的互动次数", "interactions dans des sessions"),
    ),
    tallied(
        "sessions",
        Count,
        Anywhere,
        false,
        EVENT,
        tally("product_event", "occurred", &[], What::Distinct("session")),
        words("sessions", "会话数", "sessions"),
    ),
    tallied(
        "feature_users",
        Count,
        Nowhere,
        false,
        EVENT,
        tally("product_event", "occurred", &[Only::Stated("feature")], What::DistinctInEach("user")),
        words(
            "users of a feature, counted in each feature that they used",
            "功能的用户数，在其使用的每个功能中各计一次",
            "utilisateurs d’une fonctionnalité, comptés dans chacune de celles utilisées",
        ),
    ),
    // Payments and cash.
    tallied(
        "payments_failed",
        Count,
        Anywhere,
        true,
        PAYMENT,
        tally("payment", "paid_at", &[Only::Is("status", &["failed"])], What::Facts),
        words("attempts to take money that failed", "失败的扣款次数", "tentatives de paiement échouées"),
    ),
    tallied(
        "payments_attempted",
        Count,
        Anywhere,
        true,
        PAYMENT,
        tally("payment", "paid_at", &[Only::Is("status", &["succeeded", "failed"])], What::Facts),
        words("attempts to take money", "扣款尝试次数", "tentatives de paiement"),
    ),
    flow(
        "invoices_failed",
        Count,
        Anywhere,
        PAYMENT,
        words(
            "invoices whose first failed payment fell in the period",
            "首次付款失败发生在期内的发票数",
            "factures dont le premier paiement échoué est de la période",
        ),
    ),
    flow(
        "invoices_recovered",
        Count,
        Anywhere,
        PAYMENT,
        words("those of them that were paid later", "其中之后已付款的发票数", "celles d’entre elles payées plus tard"),
    ),
    flow(
        "recovery_days_sum",
        Unit::Days,
        Anywhere,
        PAYMENT,
        words(
            "days from their first failure to the payment, added up",
            "从首次失败到付款的天数之和",
            "jours du premier échec au paiement, additionnés",
        ),
    ),
    flow(
        "movement_churned_failed_payment",
        Money,
        Anywhere,
        SUBSCRIPTION,
        words(
            "churned MRR of customers who left because a payment failed (negative)",
            "因付款失败而流失的 MRR（负数）",
            "MRR perdu de clients partis parce qu’un paiement a échoué (négatif)",
        ),
    ),
    tallied(
        "cash_closing",
        Money,
        Anywhere,
        false,
        CASH,
        tally("cash_balance", "day", &[], What::Balance { account: "account", amount: "amount" }),
        words(
            "cash in all accounts at the end of the period",
            "期末全部账户的现金",
            "trésorerie de tous les comptes à la fin de la période",
        ),
    ),
    // What is to come, if it goes on as it went.
    whole(
        "burn_net_daily",
        Money,
        Nowhere,
        BURN,
        words(
            "costs less cash received a day, from the first cost on",
            "自首笔成本起，每日成本减去收款",
            "coûts moins encaissements par jour, depuis le premier coût",
        ),
    ),
    stock(
        "cash_end_day",
        Unit::Date,
        Nowhere,
        RUNWAY,
        words(
            "the day that cash does not cover any more at the burn of the last three months",
            "按近三个月消耗，现金不再够用的日期",
            "le jour que la trésorerie ne couvre plus, au rythme des trois derniers mois",
        ),
    ),
    stock(
        "break_even_day",
        Unit::Date,
        Nowhere,
        BURN,
        words(
            "the first month in which forecast revenue covers forecast costs",
            "预测收入首次覆盖预测成本的月份",
            "le premier mois où le revenu prévu couvre les coûts prévus",
        ),
    ),
    stock(
        "funding_needed",
        Money,
        Nowhere,
        RUNWAY,
        words(
            "what forecast cash lacks at its lowest, the reserve included",
            "预测现金最低时的缺口（含储备）",
            "ce qui manque à la trésorerie prévue au plus bas, réserve comprise",
        ),
    ),
    // The calendar and the settings.
    flow(
        "days_in_period",
        Unit::Days,
        Nowhere,
        NOTHING,
        words("days in the period", "期内天数", "jours de la période"),
    ),
    flow("months_in_period", Months, Nowhere, NOTHING, words("months in the period", "期内月数", "mois de la période")),
    stock(
        "gross_margin_applied",
        Ratio,
        Nowhere,
        NOTHING,
        words(
            "gross margin of the twelve months up to the end, from costs and recognised revenue; as set while these are not known; else 1, with a note",
            "截至期末十二个月的毛利率，按成本与确认收入计算；未知时取所设值；否则取 1 并加注",
            "marge brute des douze mois jusqu’à la fin, d’après coûts et revenu reconnu ; à défaut celle du réglage ; sinon 1, avec une note",
        ),
    ),
];

#[cfg(test)]
mod tests {
    use super::super::need;
    use super::*;

    #[test]
    fn every_measure_has_a_name_of_its_own_words_and_known_needs() {
        let mut seen = std::collections::BTreeSet::new();
        for measure in MEASURES {
            assert!(seen.insert(measure.id), "{} is there twice", measure.id);
            assert_eq!(find(measure.id), Some(measure));
            for text in [&measure.words.en, &measure.words.zh, &measure.words.fr] {
                assert!(!text.is_empty(), "{}", measure.id);
            }
            for id in measure.needs {
                assert!(need::find(id).is_some(), "{} needs {id}", measure.id);
            }
            assert!(
                !(measure.nature == Nature::Stock && measure.adds_over_periods),
                "{}: stocks do not add up over time",
                measure.id
            );
        }
    }
}
