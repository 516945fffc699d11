//! How long customers stay, from the books: the lives that estimates are made of, and the intervals of figures that rest on
//! them.
//!
//! A life runs from the first paid day to the last, or to the day on which it is looked at; who comes back was never gone.
//! What is estimated from lives is said in [`outlook::survival`] and [`outlook::retention`].

use std::collections::{BTreeMap, BTreeSet};

use num_rational::BigRational;
use outlook::survival::{Estimate, Life, expected_lifetime, is_small_sample};
use revenue::{
    calendar::{Day, Grain},
    movement::Kind,
};

use super::{
    Assumptions, EngineError,
    cube::{Days, Wanted, cube},
    journey, people,
    people::{Attribution, People},
    segment::{Filter, OUTSIDE, Segmentation, stated},
};
use crate::{
    books::Books,
    catalogue::{Measure, Value, Words},
};

/// The level of the intervals of estimates.
pub const INTERVAL_LEVEL: f64 = 0.95;

/// The interval of a figure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interval {
    /// The lower end of the interval of 95 %.
    pub lower: BigRational,
    /// The upper end.
    pub upper: BigRational,
    /// How many lives it rests on.
    pub lives: usize,
    /// How many of them ended.
    pub ended: u64,
}

impl Interval {
    /// Whether so few lives, or ends of them, were seen that the figure should say so.
    #[must_use]
    pub fn is_of_small_sample(&self) -> bool {
        is_small_sample(self.lives, self.ended)
    }
}

/// The monthly discount of a measure that is an estimate from lives; nothing for other measures.
#[must_use]
pub fn monthly_discount(measure: &Measure, assumptions: &Assumptions) -> Option<f64> {
    match measure.id {
        "survival_lifetime_months" => Some(0.0),
        "survival_discounted_months" => Some(assumptions.monthly_discount_rate()),
        _ => None,
    }
}

/// The expected months of paying of some lives; `None` where nobody has left.
#[must_use]
pub fn expected_months(lives: &[Life], monthly_discount: f64) -> Option<Estimate> {
    expected_lifetime(lives, monthly_discount, INTERVAL_LEVEL)
}

/// An estimate as a value, or why there is none.
#[must_use]
pub fn months_of(lives: &[Life], months: Option<f64>) -> Value {
    match months.and_then(quotient) {
        Some(months) => Value::Number(months),
        None if lives.is_empty() => {
            Value::Undefined(Words::fixed("nobody has paid yet", "尚无付费客户", "personne n’a encore payé"))
        }
        None => Value::Undefined(Words::fixed(
            "nobody has left yet, so nothing limits the lifetime",
            "尚无客户流失，生命周期无上限",
            "personne n’est encore parti : rien ne borne la durée de vie",
        )),
    }
}

/// An estimate as a quotient: twelve decimals are more than it deserves, and enough to be the same everywhere. `None`
/// where it is no number.
pub(super) fn quotient(value: f64) -> Option<BigRational> {
    let scaled = BigRational::from_float((value * 1e12).round())?;
    Some(scaled / BigRational::from_integer(1_000_000_000_000i64.into()))
}

/// The customers of some books by dimensions, of which some may be worked out from what brought them. Each of them is in one
/// segment, so that the first touch counts where they would be shared out over all.
///
/// # Errors
/// When facts cannot be read, or a dimension is not known.
pub fn customers_by(
    books: &Books,
    assumptions: &Assumptions,
    by: &[String],
    filters: &[Filter],
) -> Result<Segmentation, EngineError> {
    let dimensions: BTreeSet<String> =
        by.iter().cloned().chain(filters.iter().map(|filter| filter.dimension.clone())).collect();
    let dimensions: Vec<String> = dimensions.into_iter().collect();
    let mut attributes = stated(books, by, filters)?;
    if dimensions.iter().any(|name| people::TOUCHED.contains(&name.as_str())) {
        let attribution = match assumptions.attribution {
            Attribution::Linear => Attribution::FirstTouch,
            whole => whole,
        };
        let people = books.cubes.people.find_or_make((true, dimensions.clone(), attribution), || {
            Ok(People::load(books, true, &dimensions, &|customer| journey::first_paid(books, customer))?)
        })?;
        attributes = people::attributed(books, &people, attributes, &dimensions, attribution);
    }
    let segmentation = Segmentation::of_attributes(books, by, filters, attributes);
    for name in &dimensions {
        segmentation.must_know(name)?;
    }
    Ok(segmentation)
}

/// The lives of the customers of each segment as seen at the end of the day before `end`, in whole months of 365 ÷ 12 days.
/// Who has parts in several segments counts once: where the life ended, or else stands.
#[must_use]
pub fn lives(books: &Books, segmentation: &Segmentation, end: Day) -> Vec<Vec<Life>> {
    let window = Days { start: end.plus_days(-1), end };
    let wanted = Wanted { survival: true, ..Wanted::default() };
    cube(&books.ledger, segmentation, &[window], &wanted, books.view.policy.free_is_customer).survival
}

/// How many customers of a cohort were left after each month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CohortSurvivors {
    /// The segment, as numbered by the segmentation: that of the first part that was paid.
    pub segment: u32,
    /// The month in which they first paid.
    pub month: Day,
    /// How many there were, then how many were left at the end of the next month and of each one after it.
    pub survivors: Vec<u64>,
}

/// The cohorts by month of the first payment with who was left of them, up to the last month that is over at `end`. Who
/// comes back was never gone, so that no cohort grows.
#[must_use]
pub fn cohort_survivors(books: &Books, segmentation: &Segmentation, end: Day) -> Vec<CohortSurvivors> {
    let ledger = &books.ledger;
    // For each cohort the last paid month of each customer, as months after the first; `None` for who is still there.
    let mut cohorts: BTreeMap<(u32, Day), Vec<Option<usize>>> = BTreeMap::new();
    for customer in (0..ledger.customers()).filter(|customer| segmentation.has_customer(*customer)) {
        let rows = || ledger.of_customer(customer).filter(|row| ledger.day[*row] < end.0);
        let Some(first) = rows().find(|row| ledger.kind[*row] == Kind::New) else { continue };
        let segment = segmentation.segment(customer, ledger.offer[first]);
        if segment == OUTSIDE {
            continue;
        }
        let month = Day(ledger.day[first]).first_of(Grain::Month);
        let mut turns = rows().filter(|row| matches!(ledger.kind[*row], Kind::New | Kind::Reactivation | Kind::Churn));
        let left = turns.next_back().filter(|row| ledger.kind[*row] == Kind::Churn).map(|row| Day(ledger.day[row]));
        cohorts.entry((segment, month)).or_default().push(left.map(|day| months_after(month, day)));
    }
    cohorts
        .into_iter()
        .map(|((segment, month), customers)| {
            // The month that holds the last day looked at counts when that is its last day.
            let whole = months_after(month, end).saturating_sub(1);
            let left_after = |months: usize| {
                let stays = |left: &&Option<usize>| left.is_none_or(|left| left > months);
                customers.iter().filter(stays).count() as u64
            };
            let later = (1..=whole).map(left_after);
            let survivors = std::iter::once(customers.len() as u64).chain(later).collect();
            CohortSurvivors { segment, month, survivors }
        })
        .collect()
}

/// How many calendar months the month of a day is after another one, by its first day.
fn months_after(month: Day, day: Day) -> usize {
    let of = |day: Day| {
        let (year, month, _) = day.civil();
        i64::from(year) * 12 + i64::from(month)
    };
    usize::try_from(of(day) - of(month)).unwrap_or(0)
}
