//! What a lever does, and where what is believed of it comes from, in plain words.

use std::collections::BTreeMap;

use revenue::money::Currency;

use super::Effect;
use crate::wording::{Form, Phrase, Sentence, Value, Words};

/// Where a value or a range comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Source {
    /// It is how far the lever is moved.
    Chosen,
    /// The product or the user states it.
    Stated,
    /// Customers who left, in months of customers.
    Left {
        /// Customers who left.
        left: u64,
        /// Months for which customers were seen.
        months: u64,
    },
    /// Renewals of those who pay by the year.
    Renewals {
        /// Those who left at one.
        left: u64,
        /// How many there were.
        renewals: u64,
    },
    /// Too few renewals were seen, so the churn of the others over a year is taken, give or take a half.
    OtherChurn {
        /// How many there were.
        renewals: u64,
    },
    /// The mean of so many past months.
    Months {
        /// How many.
        months: u64,
    },
    /// Past price rises.
    PriceRises {
        /// Customers whose price rose.
        raised: u64,
        /// By how much on average, as a fraction.
        rise: f64,
        /// Customers who left in the same months.
        left: u64,
        /// How many would have left as in other months.
        usual: f64,
    },
}

const CHOSEN: Words = Words::fixed("chosen", "自行设定", "choisi");
const STATED: Words =
    Words::fixed("assumed: the facts do not tell", "假设：现有数据无法判断", "supposé : les faits ne le disent pas");
const LEFT: Words = Words::fixed(
    "seen: {left} customers left in {months} months of customers",
    "实际数据：{months} 个客户月中流失 {left} 位客户",
    "observé : {left} clients partis en {months} mois de clients",
);
const RENEWALS: Words = Words::fixed(
    "seen: {left} of {renewals} renewals were not made",
    "实际数据：{renewals} 次续订中 {left} 次未续",
    "observé : {left} renouvellements sur {renewals} n’ont pas eu lieu",
);
const OTHER_CHURN: Words = Words::fixed(
    "assumed: of only {renewals} renewals nothing can be said, so a year's churn of the others is taken, give or take a half",
    "假设：仅有 {renewals} 次续订，不足以判断，故采用其他客户一年的流失率，上下浮动一半",
    "supposé : {renewals} renouvellements ne suffisent pas ; on prend l’attrition annuelle des autres, à la moitié près",
);
const MONTHS: Words = Words::fixed(
    "seen: the mean of {months} months",
    "实际数据：{months} 个月的平均值",
    "observé : moyenne de {months} mois",
);
const PRICE_RISES: Words = Words::fixed(
    "seen: when prices rose by {rise} for {raised} customers, {left} left where {usual} would have otherwise",
    "实际数据：{raised} 位客户涨价 {rise} 时，流失 {left} 位，平时应为 {usual} 位",
    "observé : lorsque les prix ont monté de {rise} pour {raised} clients, {left} sont partis au lieu de {usual}",
);

const EFFECT: Words = Words::fixed(
    "{lever}: after {months} months {+mrr} of MRR (between {+mrr_lower} and {+mrr_upper}), and {+cash} of cash by then (between \
     {+cash_lower} and {+cash_upper}).",
    "{lever}：{months} 个月后 MRR 变化 {+mrr}（介于 {+mrr_lower} 与 {+mrr_upper} 之间），届时累计现金变化 {+cash}\
     （介于 {+cash_lower} 与 {+cash_upper} 之间）。",
    "{lever} : au bout de {months} mois, {+mrr} de MRR (entre {+mrr_lower} et {+mrr_upper}), et {+cash} de trésorerie d’ici là \
     (entre {+cash_lower} et {+cash_upper}).",
);

/// What a lever does by a month, as a sentence. Whole units of the currency: an estimate has no cents.
#[must_use]
pub fn of_effect(lever: &Words, effect: &Effect, currency: Currency) -> Option<Sentence> {
    let money = |units: f64| Value::Money { micros: units.round() as i128 * 1_000_000, currency };
    let values = [
        ("lever", Value::Words(lever.clone())),
        ("months", Value::Count(effect.months.into())),
        ("mrr", money(effect.mrr.likely)),
        ("mrr_lower", money(effect.mrr.lower)),
        ("mrr_upper", money(effect.mrr.upper)),
        ("cash", money(effect.cash.likely)),
        ("cash_lower", money(effect.cash.lower)),
        ("cash_upper", money(effect.cash.upper)),
    ];
    filled(&EFFECT, &values)
}

/// A sentence of these values; nothing where one is missing, which tests rule out.
fn filled(words: &Words, values: &[(&str, Value)]) -> Option<Sentence> {
    let places: Vec<(&str, Form)> = values.iter().map(|(place, value)| (*place, value.form())).collect();
    let values: BTreeMap<String, Value> =
        values.iter().map(|(place, value)| ((*place).to_owned(), value.clone())).collect();
    Phrase::parse(words, &places).ok()?.with(&values).ok()
}

impl Source {
    /// A word for it: `chosen`, `assumed` or `seen`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Source::Chosen => "chosen",
            Source::Stated | Source::OtherChurn { .. } => "assumed",
            _ => "seen",
        }
    }

    /// It in plain words.
    #[must_use]
    pub fn sentence(&self) -> Option<Sentence> {
        let count = |number: u64| Value::Count(number.into());
        let (words, values) = match *self {
            Source::Chosen => (CHOSEN, vec![]),
            Source::Stated => (STATED, vec![]),
            Source::Left { left, months } => (LEFT, vec![("left", count(left)), ("months", count(months))]),
            Source::Renewals { left, renewals } => {
                (RENEWALS, vec![("left", count(left)), ("renewals", count(renewals))])
            }
            Source::OtherChurn { renewals } => (OTHER_CHURN, vec![("renewals", count(renewals))]),
            Source::Months { months } => (MONTHS, vec![("months", count(months))]),
            Source::PriceRises { raised, rise, left, usual } => {
                let usual = Value::decimal((usual * 10.0).round() / 10.0);
                (
                    PRICE_RISES,
                    vec![
                        ("rise", Value::share(rise)),
                        ("raised", count(raised)),
                        ("left", count(left)),
                        ("usual", usual),
                    ],
                )
            }
        };
        filled(&words, &values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{lever::Spread, wording::Language};

    #[test]
    fn an_effect_can_be_said() {
        let spread = |likely: f64| Spread { likely, lower: likely - 10.0, upper: likely + 10.0 };
        let effect = Effect { months: 12, base_mrr: 0.0, base_cash: 0.0, mrr: spread(-5.2), cash: spread(1_300.7) };
        let name = Words::fixed("Annual plans", "年度订阅计划", "Abonnements annuels");
        let said = of_effect(&name, &effect, Currency::USD).unwrap();
        assert_eq!(
            said.say(Language::English),
            "Annual plans: after 12 months -$5 of MRR (between -$15 and +$5), and +$1,301 of cash by then (between \
             +$1,291 and +$1,311)."
        );
        assert!(
            said.say(Language::Chinese).starts_with("年度订阅计划：12 个月后")
                && said.say(Language::French).contains("de trésorerie")
        );
    }

    #[test]
    fn every_source_can_be_said() {
        let said = |source: Source, language| source.sentence().unwrap().say(language);
        for source in [
            Source::Chosen,
            Source::Stated,
            Source::Left { left: 3, months: 100 },
            Source::Renewals { left: 3, renewals: 40 },
            Source::OtherChurn { renewals: 4 },
            Source::Months { months: 12 },
            Source::PriceRises { raised: 50, rise: 0.15, left: 7, usual: 3.12 },
        ] {
            for language in Language::ALL {
                assert!(!said(source, language).is_empty());
            }
        }
        assert_eq!(
            said(Source::PriceRises { raised: 50, rise: 0.15, left: 7, usual: 3.12 }, Language::English),
            "seen: when prices rose by 15% for 50 customers, 7 left where 3.1 would have otherwise"
        );
    }
}
