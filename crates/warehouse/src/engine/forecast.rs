//! What a forecast of the business is made from: figures of full months, customers by the month in which they came, and
//! what is already agreed for the months ahead.

use std::sync::Arc;

use num_traits::ToPrimitive;
use outlook::forecast::{
    business::{Business, Series, Subject},
    driver::{Agreed, Cohort, Ground},
};
use revenue::{
    calendar::{Day, Grain},
    cohort::triangle,
    fact::NEVER,
    money::MICROS,
    movement::Kind,
};

use super::{Assumptions, EngineError, Figure, Question, answer, billing::due_from, look_ahead, parts, worth};
use crate::{
    books::Books,
    catalogue::{Catalogue, ResolvedMetric, Unit, Value, Words},
};

/// What is forecast unless something else is asked for.
pub const SUBJECTS: [(&str, Subject); 4] = [
    ("mrr", Subject::Mrr),
    ("customers", Subject::Customers),
    ("revenue_recognised", Subject::Recognised),
    ("cash", Subject::Cash),
];
/// Months of history at the most.
const LONGEST: i32 = 240;
/// Months of history where no customer ever paid.
const WITHOUT_CUSTOMERS: i32 = 60;
/// What is agreed is looked at for so many months ahead.
const AGREED_MONTHS: usize = 120;
/// How many trials are kept and contracts renewed is that of so many months.
const YEAR_MONTHS: i32 = 12;

/// What is known for a forecast.
pub struct Known {
    /// The first month ahead, by its first day: the one that is not over.
    pub next: Day,
    /// The business by months.
    pub business: Business,
    /// What is forecast, each with its metric; the values are those of the full months before `next` without a gap.
    pub series: Vec<(Arc<ResolvedMetric>, Series)>,
    /// Why a series has no values, in the order of the series.
    pub lacking: Vec<Option<Words>>,
    /// Cash that is to be left at the lowest point, in major units.
    pub cash_reserve: f64,
}

/// Gathers what forecasts of some metrics need. Only months that are over are looked at.
///
/// # Errors
/// When facts cannot be read, or a metric is not known.
pub fn known(
    books: &Books,
    catalogue: &Catalogue,
    ids: &[String],
    assumptions: &Assumptions,
) -> Result<Known, EngineError> {
    let next = books.first_day_to_come().plus_days(-1).first_of(Grain::Month);
    let begun = books.first_movement().map(|day| day.first_of(Grain::Month));
    let first = begun.unwrap_or_else(|| next.plus_months(-WITHOUT_CUSTOMERS)).max(next.plus_months(-LONGEST)).min(next);
    let metric = |id: &str| match id.split_once('.') {
        Some((id, variant)) => catalogue.resolve(id, Some(variant)),
        None => catalogue.resolve(id, None),
    };
    let asked = ids.iter().map(|id| metric(id)).collect::<Result<Vec<_>, _>>()?;
    const NEEDED: [&str; 5] = ["mrr", "revenue_cash", "costs", "mrr_expansion", "mrr_contraction"];
    let needed = NEEDED.iter().map(|id| metric(id)).collect::<Result<Vec<_>, _>>()?;
    let question = Question {
        metrics: needed.iter().chain(&asked).cloned().collect(),
        grain: Grain::Month,
        from: first,
        to: next,
        by: Vec::new(),
        filters: Vec::new(),
        assumptions: assumptions.clone(),
    };
    let figures = if first < next { answer(books, &question)? } else { Vec::new() };
    let of = |index: usize| {
        let each = figures.len() / question.metrics.len().max(1);
        &figures[index * each..(index + 1) * each]
    };
    let whole =
        |index: usize| -> Vec<f64> { of(index).iter().map(|figure| number(figure).unwrap_or_default()).collect() };
    let business = Business {
        ground: Ground { cohorts: cohorts(books, first, next), expansion: whole(3), contraction: losses(whole(4)) },
        mrr: whole(0),
        received: whole(1),
        // Before the first cost that is known, costs were not nothing.
        costs: whole(2).into_iter().skip_while(|costs| *costs <= 0.0).collect(),
        agreed: agreed(books, next)?,
        trial_conversion: of_last_year(books, metric("trial_conversion.period")?, next, assumptions)?.unwrap_or(0.0),
        // Where no contract came to its end, none is taken to end.
        renewal: of_last_year(books, metric("renewal_rate.count")?, next, assumptions)?.unwrap_or(1.0),
    };
    let (mut series, mut lacking) = (Vec::new(), Vec::new());
    for (place, metric) in asked.into_iter().enumerate() {
        let figures = of(NEEDED.len() + place);
        // The latest months without a gap: what was not known before is no zero.
        let known = figures.iter().rev().map_while(number);
        let mut values: Vec<f64> = known.collect();
        values.reverse();
        let why = figures.last().filter(|_| values.is_empty()).and_then(|figure| figure.note.as_ref());
        lacking.push(why.cloned());
        let of_default = metric.variant.unit == Unit::Money || metric.variant.unit == Unit::Count;
        let subject =
            SUBJECTS.iter().find(|(id, _)| of_default && *id == metric.metric.id).map(|(_, subject)| *subject);
        series.push((metric, Series { subject: subject.unwrap_or(Subject::Other), values }));
    }
    let cash_reserve = assumptions.cash_reserve.to_f64().unwrap_or_default();
    Ok(Known { next, business, series, lacking, cash_reserve })
}

fn number(figure: &Figure) -> Option<f64> {
    match &figure.value {
        Value::Number(number) => number.to_f64(),
        _ => None,
    }
}

/// What was given up, as amounts above zero.
fn losses(values: Vec<f64>) -> Vec<f64> {
    values.into_iter().map(f64::abs).collect()
}

fn units(micros: i128) -> f64 {
    micros as f64 / MICROS as f64
}

/// The customers by the month in which they first paid, at the end of each full month.
fn cohorts(books: &Books, first: Day, next: Day) -> Vec<Cohort> {
    let months = usize::try_from(months_between(first, next)).unwrap_or(0);
    let mut cohorts: Vec<Cohort> = (0..months)
        .map(|begun| Cohort { customers: vec![0.0; months - begun], mrr: vec![0.0; months - begun] })
        .collect();
    for cell in triangle(&books.ledger, Grain::Month, first, next, |_| Some(0)) {
        let Some(cohort) = usize::try_from(months_between(first, cell.cohort)).ok().and_then(|at| cohorts.get_mut(at))
        else {
            continue;
        };
        let age = cell.age as usize;
        if let (Some(customers), Some(mrr)) = (cohort.customers.get_mut(age), cohort.mrr.get_mut(age)) {
            *customers += cell.customers as f64;
            *mrr += units(cell.micros);
        }
    }
    cohorts
}

fn months_between(one: Day, other: Day) -> i32 {
    let of = |day: Day| {
        let (year, month, _) = day.civil();
        year * 12 + month as i32 - 1
    };
    of(other) - of(one)
}

/// What is agreed for the months from `next` on: movements of days to come, those of the running month that have happened,
/// trials that end, and contracts that come up for renewal. What follows a trial is not agreed.
///
/// # Errors
/// When facts cannot be read.
fn agreed(books: &Books, next: Day) -> Result<Vec<Agreed>, EngineError> {
    let mut agreed = vec![Agreed::default(); AGREED_MONTHS];
    let month_of = |day: Day| usize::try_from(months_between(next, day)).ok().filter(|month| *month < AGREED_MONTHS);
    let ledger = &books.ledger;
    for customer in 0..ledger.customers() {
        // A customer comes once in a month, whatever number of items come with it.
        let (mut came, mut left) = (None, None);
        for row in ledger.of_customer(customer) {
            let day = Day(ledger.day[row]);
            let Some(month) = month_of(day).filter(|_| day >= next) else { continue };
            let of_month = &mut agreed[month];
            let amount = units(i128::from(ledger.delta_micros[row]));
            match ledger.kind[row] {
                Kind::New | Kind::Reactivation => {
                    of_month.new_mrr += amount;
                    of_month.new_customers += if came == Some(month) { 0.0 } else { 1.0 };
                    came = Some(month);
                }
                Kind::Churn => {
                    of_month.lost_mrr -= amount;
                    of_month.lost_customers += if left == Some(month) { 0.0 } else { 1.0 };
                    left = Some(month);
                }
                Kind::Expansion => of_month.expansion += amount,
                Kind::Contraction => of_month.contraction -= amount,
                _ => {}
            }
        }
    }
    let ahead = look_ahead(books);
    let to_come = books.first_day_to_come();
    for (_, span) in ahead.after_trial {
        let day = books.ticks.day(span.from);
        if let Some(month) = month_of(day).filter(|_| day >= to_come) {
            agreed[month].new_customers = (agreed[month].new_customers - 1.0).max(0.0);
            agreed[month].new_mrr = (agreed[month].new_mrr - units(worth(books, &span))).max(0.0);
        }
    }
    let at = books.ticks.of_day(to_come);
    for (_, span) in ahead.trials.iter().filter(|(_, span)| span.from < at && span.to >= at && span.to != NEVER) {
        if let Some(month) = month_of(books.ticks.day(span.to)) {
            agreed[month].trials += 1.0;
            agreed[month].trial_mrr += units(worth(books, span));
        }
    }
    for (customer, end) in due_from(books, to_come)? {
        let leaves_then = ledger.of_customer(customer as usize).any(|row| {
            ledger.kind[row] == Kind::Churn
                && Day(ledger.day[row]) >= to_come
                && month_of(Day(ledger.day[row])) == month_of(end)
        });
        // Who has announced to leave is counted already.
        if let Some(month) = month_of(end).filter(|_| !leaves_then) {
            agreed[month].due_customers += 1.0;
            agreed[month].due_mrr += units(books.mrr_before(customer, to_come));
        }
    }
    Ok(agreed)
}

/// A ratio over the twelve months that are over; nothing where there is nothing to divide by.
fn of_last_year(
    books: &Books,
    metric: Arc<ResolvedMetric>,
    next: Day,
    assumptions: &Assumptions,
) -> Result<Option<f64>, EngineError> {
    let question = Question {
        metrics: vec![metric],
        // Twelve months lie in two years at the most.
        grain: Grain::Year,
        from: next.plus_months(-YEAR_MONTHS),
        to: next,
        by: Vec::new(),
        filters: Vec::new(),
        assumptions: assumptions.clone(),
    };
    let (mut above, mut below) = (0.0, 0.0);
    for figure in answer(books, &question)? {
        if let Some((Value::Number(part), Value::Number(whole))) = parts(books, &question, &figure)? {
            above += part.to_f64().unwrap_or_default();
            below += whole.to_f64().unwrap_or_default();
        }
    }
    Ok((below > 0.0).then(|| (above / below).clamp(0.0, 1.0)))
}
