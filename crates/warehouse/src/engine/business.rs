//! What the business as a whole earned and spent over months of a measure's own: its gross margin, its burn, and what
//! becomes of its cash if it goes on as it went.
//!
//! These look at the whole whatever a question splits or filters by: costs belong to no customer. So the margin is the
//! same in every segment, and burn and forecast answer only for the whole.

use std::collections::BTreeSet;

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{Signed, ToPrimitive, Zero};
use outlook::runway::{HISTORY_MONTHS, HORIZON_MONTHS, Trend, funding_needed, outlook};
use revenue::calendar::{Day, Grain};

use super::{
    Assumptions, EngineError,
    billing::Billing,
    cube::Days,
    label::Labels,
    people::People,
    segment::Segmentation,
    survival::quotient,
    tally::{Tallies, classify::Classifier},
};
use crate::{
    books::Books,
    catalogue::{Measure, Value, Words, measure::find},
    observed::{NO_DAY, Wanted},
};

/// The gross margin that other measures are worked out with.
pub const MARGIN: &str = "gross_margin_applied";
const BURN: &str = "burn_net_daily";
const CASH_END: &str = "cash_end_day";
const BREAK_EVEN: &str = "break_even_day";
const FUNDING: &str = "funding_needed";

const RECOGNISED: &str = "revenue_recognised_net";
const DELIVERY: &str = "cost_of_revenue";
/// The categories of costs that it is made of.
const DELIVERING: [&str; 2] = [DELIVERY, "support"];
const RECEIVED: &str = "cash_received";
const CASH: &str = "cash_closing";
/// What goes out: all costs, and the tax that came in with the payments of customers.
const COSTS: [&str; 4] = ["costs_marketing", "costs_sales", "costs_else", "taxes_passed_on"];

/// The gross margin is that of so many months.
const MARGIN_MONTHS: i32 = 12;
/// Cash that lasts longer does not end, for all that anybody can say.
const LONGEST_DAYS: i64 = 36_525;

/// The whole business.
#[derive(Default)]
pub struct Business {
    billing: Billing,
    tallies: Tallies,
    /// The segment that everything is in.
    whole: usize,
    /// The first day of a cost.
    first_cost: Option<Day>,
    /// The first day of a cost of delivering the service, where revenue is recognised as well.
    first_delivery: Option<Day>,
    burn_months: i32,
    reserve: BigRational,
}

/// Whether a measure is one of the whole business that no segment has.
#[must_use]
pub fn is_of_the_whole(id: &str) -> bool {
    [BURN, CASH_END, BREAK_EVEN, FUNDING].contains(&id)
}

/// The measures that these are worked out from, as far as they are counted from facts of other kinds.
#[must_use]
pub fn needed(measures: &[&'static Measure]) -> Vec<&'static Measure> {
    let uses = |wanted: &dyn Fn(&str) -> bool| measures.iter().any(|measure| wanted(measure.id));
    let mut needed: Vec<&str> = Vec::new();
    if uses(&|id| id == MARGIN) {
        needed.extend([RECOGNISED, DELIVERY]);
    }
    if uses(&is_of_the_whole) {
        needed.extend([RECEIVED, CASH]);
        needed.extend(COSTS);
    }
    needed.into_iter().filter_map(find).collect()
}

impl Business {
    /// Adds up what the measures need for windows that end where those of the question do.
    ///
    /// # Errors
    /// When facts cannot be read or brought to one currency.
    pub fn new(
        books: &Books,
        asked: &[Days],
        measures: &[&'static Measure],
        assumptions: &Assumptions,
    ) -> Result<Business, EngineError> {
        let uses = |id: &str| measures.iter().any(|measure| measure.id == id);
        let of_the_whole = measures.iter().any(|measure| is_of_the_whole(measure.id));
        if !(uses(MARGIN) || of_the_whole) || !books.has_facts("cost")? {
            return Ok(Business::default());
        }
        let mut business = Business {
            burn_months: assumptions.burn_months,
            reserve: assumptions.cash_reserve.clone(),
            ..Business::default()
        };
        business.find_first_costs(books)?;
        if !uses(MARGIN) || !books.has_facts("invoice_line")? {
            business.first_delivery = None;
        }
        let mut windows: BTreeSet<Days> = BTreeSet::new();
        for days in asked {
            windows.extend(business.margin_days(days.end));
            if of_the_whole {
                windows.extend(business.burn_days(days.end));
                windows.extend(history(days.end));
                windows.insert(Days { start: days.start, end: days.end });
            }
        }
        let windows: Vec<Days> = windows.into_iter().collect();
        let mut needed = needed(measures);
        if business.first_delivery.is_none() {
            needed.retain(|measure| ![RECOGNISED, DELIVERY].contains(&measure.id));
        }
        let segmentation = Segmentation::new(books, &[], &[])?;
        let people = People::default();
        let classifier = Classifier::new(&[], &[], &segmentation, &people);
        let mut labels = Labels::new(&segmentation.labels);
        business.whole = labels.number(Vec::new()) as usize;
        business.billing = Billing::new(books, &classifier, &mut labels, &windows, &needed)?;
        business.tallies = Tallies::new(books, &classifier, &mut labels, &windows, &needed, assumptions)?;
        Ok(business)
    }

    fn find_first_costs(&mut self, books: &Books) -> Result<(), EngineError> {
        let mut wanted = Wanted::default();
        wanted.days.insert("day".to_owned());
        wanted.texts.insert("category".to_owned());
        let costs = books.shelf.get(books, "cost", wanted)?;
        let categories = costs.texts("category");
        for (fact, day) in costs.days("day").iter().enumerate().filter(|(_, day)| **day != NO_DAY) {
            let earlier = |first: Option<Day>| Some(first.map_or(Day(*day), |first| first.min(Day(*day))));
            self.first_cost = earlier(self.first_cost);
            if categories.and_then(|coded| coded.of(fact)).is_some_and(|category| DELIVERING.contains(&category)) {
                self.first_delivery = earlier(self.first_delivery);
            }
        }
        Ok(())
    }

    /// The months that the gross margin at a day is that of: those of which costs are known. A cost late in a month is often
    /// that of all its days.
    fn margin_days(&self, end: Day) -> Option<Days> {
        let start = end.plus_months(-MARGIN_MONTHS).max(self.first_delivery?.first_of(Grain::Month));
        (start < end).then_some(Days { start, end })
    }

    /// The months that burn is that of: those of which costs are known.
    fn burn_days(&self, end: Day) -> Option<Days> {
        let start = end.plus_months(-self.burn_months).max(self.first_cost?.first_of(Grain::Month));
        (start < end).then_some(Days { start, end })
    }

    /// The measures, and over which days, that one of these is worked out from; nothing for others.
    #[must_use]
    pub fn made_of(&self, measure: &Measure, days: Days) -> Option<Vec<(&'static Measure, Days)>> {
        let burnt: Vec<&str> = COSTS.into_iter().chain([RECEIVED]).collect();
        let of = |ids: &[&str], days: Days| ids.iter().filter_map(|id| find(id)).map(|id| (id, days)).collect();
        let in_months = || history(days.end).into_iter().flat_map(|month| of(&burnt, month)).collect::<Vec<_>>();
        match measure.id {
            MARGIN => Some(self.margin_days(days.end).map_or_else(Vec::new, |days| of(&[RECOGNISED, DELIVERY], days))),
            BURN => Some(self.burn_days(days.end).map_or_else(Vec::new, |days| of(&burnt, days))),
            CASH_END => {
                let mut parts: Vec<(&'static Measure, Days)> = of(&[CASH], days);
                parts.extend(self.burn_days(days.end).map_or_else(Vec::new, |days| of(&burnt, days)));
                Some(parts)
            }
            BREAK_EVEN => Some(in_months()),
            FUNDING => {
                let mut parts = in_months();
                if let Some(last) = history(days.end).last() {
                    parts.extend::<Vec<_>>(of(&[CASH], *last));
                }
                Some(parts)
            }
            _ => None,
        }
    }

    /// What the whole business adds up to of a measure that these are worked out from; nothing where there is none of it.
    #[must_use]
    pub fn sum(&self, books: &Books, id: &str, days: Days) -> BigRational {
        let Some(measure) = find(id) else { return BigRational::zero() };
        let tallied = self.tallies.measure(books, measure, days, Some(self.whole));
        let value = tallied.or_else(|| self.billing.measure(id, days, self.whole));
        value.as_ref().and_then(Value::number).cloned().unwrap_or_else(BigRational::zero)
    }

    fn costs(&self, books: &Books, days: Days) -> BigRational {
        COSTS.iter().map(|id| self.sum(books, id, days)).sum()
    }

    /// Gross margin of the twelve months up to a day, as a fraction; nothing while costs and revenue are not known.
    #[must_use]
    pub fn gross_margin(&self, books: &Books, end: Day) -> Option<BigRational> {
        let days = self.margin_days(end)?;
        let recognised = self.sum(books, RECOGNISED, days);
        if !recognised.is_positive() {
            return None;
        }
        Some((&recognised - self.sum(books, DELIVERY, days)) / recognised)
    }

    /// A measure of the whole business, over a window of the question.
    #[must_use]
    pub fn measure(&self, books: &Books, id: &str, days: Days) -> Value {
        match id {
            BURN => self.burn_daily(books, days.end).map_or_else(Value::Undefined, Value::Number),
            CASH_END => self.cash_end(books, days),
            BREAK_EVEN => self.ahead(books, days.end, |_, revenue, costs| {
                let month = outlook(0.0, revenue, costs).break_even?;
                let day = days.end.first_of(Grain::Month).plus_months(month as i32 - 1);
                Some(BigRational::from_integer(day.0.into()))
            }),
            _ => self.ahead(books, days.end, |cash, revenue, costs| {
                let reserve = self.reserve.to_f64().unwrap_or_default();
                let needed = funding_needed(&outlook(cash?, revenue, costs), reserve);
                // An estimate of money, in whole micro-units.
                quotient((needed * 1e6).round() / 1e6)
            }),
        }
    }

    fn burn_daily(&self, books: &Books, end: Day) -> Result<BigRational, Words> {
        let days = self.burn_days(end).ok_or(NO_COSTS_YET)?;
        let length = BigInt::from(days.end.0 - days.start.0);
        Ok((self.costs(books, days) - self.sum(books, RECEIVED, days)) / BigRational::from_integer(length))
    }

    fn cash_end(&self, books: &Books, days: Days) -> Value {
        let burn = match self.burn_daily(books, days.end) {
            Ok(burn) if burn.is_positive() => burn,
            Ok(_) => return Value::Undefined(NOT_BURNING),
            Err(reason) => return Value::Undefined(reason),
        };
        let cash = match self.cash(books, days) {
            Value::Number(cash) => cash,
            other => return other,
        };
        let left = (cash / burn).floor().to_integer().to_i64().unwrap_or(LONGEST_DAYS + 1).max(0);
        if left > LONGEST_DAYS {
            return Value::Undefined(Words::fixed(
                "cash lasts more than a hundred years",
                "现金可维持一百年以上",
                "la trésorerie dure plus de cent ans",
            ));
        }
        Value::whole(i64::from(days.end.0) + left)
    }

    fn cash(&self, books: &Books, days: Days) -> Value {
        let found = find(CASH).and_then(|cash| self.tallies.measure(books, cash, days, Some(self.whole)));
        found.unwrap_or_else(|| Value::whole(0))
    }

    /// What comes of six months of history; the cash is that at their end.
    fn ahead(
        &self,
        books: &Books,
        end: Day,
        find: impl Fn(Option<f64>, &Trend, &Trend) -> Option<BigRational>,
    ) -> Value {
        let months = history(end);
        let first = months.first().map_or(end, |days| days.start);
        if self.first_cost.is_none_or(|day| day.first_of(Grain::Month) > first) {
            return Value::Undefined(Words::fixed(
                "a forecast needs costs of the six whole months before",
                "预测需要此前六个完整月份的成本",
                "une prévision demande les coûts des six mois entiers précédents",
            ));
        }
        let series = |sum: &dyn Fn(Days) -> BigRational| {
            let mut amounts = [0.0; HISTORY_MONTHS];
            for (amount, days) in amounts.iter_mut().zip(&months) {
                *amount = sum(*days).to_f64().unwrap_or_default();
            }
            Trend::of(&amounts)
        };
        let revenue = series(&|days| self.sum(books, RECEIVED, days));
        let costs = series(&|days| self.costs(books, days));
        let cash = match months.last().map(|days| self.cash(books, *days)) {
            Some(Value::Number(cash)) => cash.to_f64(),
            _ => None,
        };
        find(cash, &revenue, &costs).map_or(
            Value::Undefined(match cash {
                None => Words::fixed(
                    "no balance was stated by then",
                    "截至此时尚无余额记录",
                    "aucun solde n’était connu à cette date",
                ),
                Some(_) => Words::owned(
                    format!("revenue does not cover costs within {HORIZON_MONTHS} months"),
                    format!("{HORIZON_MONTHS} 个月内收入无法覆盖成本"),
                    format!("le revenu ne couvre pas les coûts en {HORIZON_MONTHS} mois"),
                ),
            }),
            Value::Number,
        )
    }
}

/// Why there is no burn.
const NO_COSTS_YET: Words =
    Words::fixed("no costs are known by then", "截至此时尚无成本记录", "aucun coût n’est connu à cette date");

/// Why cash has no end.
const NOT_BURNING: Words = Words::fixed("not burning cash", "未在消耗现金", "la trésorerie n’est pas consommée");

/// Why a part of the business has no such figure.
pub const ONLY_THE_WHOLE: Words = Words::fixed(
    "cash and what it pays for belong to the whole business, and to no segment; ask without --by and --where",
    "现金及其支出属于整个企业，不属于任何细分；请勿使用 --by 与 --where",
    "la trésorerie et ce qu’elle paie sont de l’entreprise entière, et d’aucun segment ; demandez sans --by ni --where",
);

/// The six whole months before a day, the oldest first.
fn history(end: Day) -> Vec<Days> {
    let last = end.first_of(Grain::Month);
    let months = HISTORY_MONTHS as i32;
    (0..months)
        .map(|month| Days { start: last.plus_months(month - months), end: last.plus_months(month - months + 1) })
        .collect()
}
