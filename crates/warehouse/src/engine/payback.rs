//! What the customers of each month have earned back of what winning them cost.
//!
//! Each month that they pay adds their MRR at its end, times the gross margin that is known then, as it does in CAC payback
//! and lifetime value.

use num_rational::BigRational;
use num_traits::Zero;
use revenue::calendar::{Day, Grain};

use super::{
    Assumptions, EngineError,
    business::{Business, MARGIN},
    cohorts::of_first_payments,
    cube::Days,
    segment::Filter,
};
use crate::{books::Books, catalogue::measure::find};

/// The customers of a month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cohort {
    /// The month in which they first paid.
    pub month: Day,
    /// How many they are.
    pub customers: u64,
    /// What one of them has earned by the end of each month, that of the first payment on, in major units.
    pub earned: Vec<BigRational>,
    /// Whether the gross margin of some of these months is not known, so that it was taken as 100 %.
    pub margin_is_assumed: bool,
}

impl Cohort {
    /// After how many months a customer had earned what it cost to win one.
    #[must_use]
    pub fn paid_back(&self, cost: &BigRational) -> Option<usize> {
        self.earned.iter().position(|earned| earned >= cost).map(|age| age + 1)
    }

    /// The share of that cost that was earned by the end of an age; nothing where winning them cost nothing.
    #[must_use]
    pub fn share(&self, age: usize, cost: &BigRational) -> Option<BigRational> {
        self.earned.get(age).filter(|_| !cost.is_zero()).map(|earned| earned / cost)
    }
}

/// The months of first payments in a range, as far as they are over by the day `through`.
///
/// # Errors
/// When facts cannot be read, or a dimension is not known.
pub fn cohorts(
    books: &Books,
    assumptions: &Assumptions,
    filters: &[Filter],
    (from, through): (Day, Day),
) -> Result<Vec<Cohort>, EngineError> {
    let triangle = of_first_payments(books, assumptions, &[], filters, Grain::Month, (from, through))?;
    let mut ends: Vec<Day> = Vec::new();
    let mut end = from.first_of(Grain::Month).next_of(Grain::Month);
    while end <= through {
        ends.push(end);
        end = end.next_of(Grain::Month);
    }
    let windows: Vec<Days> = ends.iter().map(|end| Days { start: end.plus_days(-1), end: *end }).collect();
    let measures: Vec<_> = find(MARGIN).into_iter().collect();
    let business = Business::new(books, &windows, &measures, assumptions)?;
    let margin = |end: Day| business.gross_margin(books, end).or_else(|| assumptions.gross_margin.clone());
    let margins: Vec<Option<BigRational>> = ends.iter().map(|end| margin(*end)).collect();
    let mut cohorts: Vec<Cohort> = Vec::new();
    for of_cohort in triangle.cells.chunk_by(|one, next| one.cohort == next.cohort) {
        let Some(first) = of_cohort.first().filter(|first| first.size_customers > 0) else { continue };
        let mut cohort = Cohort {
            month: first.cohort,
            customers: first.size_customers,
            earned: Vec::new(),
            margin_is_assumed: false,
        };
        let begun = ends.partition_point(|end| *end <= first.cohort);
        let size = BigRational::from_integer(first.size_customers.into());
        let mut earned = BigRational::zero();
        for (cell, margin) in of_cohort.iter().zip(margins.iter().skip(begun)) {
            let paid = super::fraction(cell.micros, 1_000_000) / &size;
            cohort.margin_is_assumed |= margin.is_none();
            earned += margin.as_ref().map_or(paid.clone(), |margin| paid * margin);
            cohort.earned.push(earned.clone());
        }
        cohorts.push(cohort);
    }
    Ok(cohorts)
}
