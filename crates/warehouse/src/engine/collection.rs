//! Collecting what is owed: payments that failed, whether they came in later, and who was lost over it.
//!
//! What failed is an invoice, however often it was tried. It counts in the period of its first failure, so that what is
//! paid later is added to the period in which it went wrong. Where payments name no invoice, a failure goes with the next
//! success of the same customer and amount within [`RETRY_DAYS`]: a month later the next bill is due.

use std::collections::BTreeMap;

use revenue::{fact::Reason, movement::Kind};

use super::{
    EngineError,
    label::Labels,
    segment::Segmentation,
    tally::{Counted, DailySums, classify::Classifier},
};
use crate::{
    books::Books,
    catalogue::Measure,
    observed::{NO_DAY, NO_ID, Observed, Wanted},
};

/// Without an invoice a payment so many days after the first failure is for another bill.
pub const RETRY_DAYS: i32 = 28;

/// The kind of fact that is looked at.
pub const TABLE: &str = "payment";
/// The moment that dates a payment.
pub const AT: &str = "paid_at";

const FAILED: &str = "invoices_failed";
const RECOVERED: &str = "invoices_recovered";
const RECOVERY_DAYS: &str = "recovery_days_sum";
const CHURNED: &str = "movement_churned_failed_payment";

/// Whether a measure is counted here from payments.
#[must_use]
pub fn counts_payments(id: &str) -> bool {
    [FAILED, RECOVERED, RECOVERY_DAYS].contains(&id)
}

/// Whether a row of the ledger is churn over a failed payment.
#[must_use]
pub fn is_involuntary(kind: Kind, reason: Reason) -> bool {
    kind == Kind::Churn && reason == Reason::FailedPayment
}

/// The columns that these measures look at.
#[must_use]
pub fn wanted() -> Wanted {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Wanted {
        days: names(&[AT]),
        instants: names(&[AT]),
        ids: names(&["customer", "invoice"]),
        texts: names(&["status", "currency"]),
        numbers: names(&["amount", "attempt"]),
        origins: false,
    }
}

/// An invoice of which a payment failed, by the places of its facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// The first attempt that failed.
    pub first: usize,
    /// The payment that came in after all.
    pub recovered: Option<usize>,
}

/// What became of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    // On one day a failure comes before the payment that mends it.
    Failed,
    Succeeded,
}

/// Every invoice of which a payment failed, in order of the first failure.
#[must_use]
pub fn failures(observed: &Observed) -> Vec<Failure> {
    let Some(statuses) = observed.texts("status") else { return Vec::new() };
    let (days, instants) = (observed.days(AT), observed.instants(AT));
    let (customers, invoices) = (observed.ids("customer"), observed.ids("invoice"));
    let (amounts, attempts) = (observed.picos("amount"), observed.picos("attempt"));
    let currencies = observed.texts("currency");
    let outcomes: Vec<Option<Outcome>> = statuses
        .texts
        .iter()
        .map(|status| match status.as_str() {
            "failed" => Some(Outcome::Failed),
            "succeeded" => Some(Outcome::Succeeded),
            _ => None,
        })
        .collect();
    let outcome_of = |fact: usize| outcomes.get(*statuses.codes.get(fact)? as usize).copied().flatten();
    let mut attempted: Vec<(usize, Outcome)> = (0..observed.len())
        .filter(|fact| days[*fact] != NO_DAY)
        .filter_map(|fact| Some((fact, outcome_of(fact)?)))
        .collect();
    attempted.sort_by_key(|(fact, outcome)| (instants[*fact], attempts.get(*fact).copied().flatten(), *outcome));
    // Invoices are told apart by customer as well: two sources may number theirs alike.
    let mut of_invoice: BTreeMap<(u32, u32), Option<Failure>> = BTreeMap::new();
    let mut of_amount: BTreeMap<(u32, u32, Option<i128>), Option<Failure>> = BTreeMap::new();
    let mut found = Vec::new();
    for (fact, outcome) in attempted {
        let customer = customers.get(fact).copied().unwrap_or(NO_ID);
        let invoice = invoices.get(fact).copied().unwrap_or(NO_ID);
        let (open, by_amount) = if invoice == NO_ID {
            let currency = currencies.and_then(|coded| coded.codes.get(fact).copied()).unwrap_or_default();
            (of_amount.entry((customer, currency, amounts[fact])).or_default(), true)
        } else {
            (of_invoice.entry((customer, invoice)).or_default(), false)
        };
        let late = |failure: &Failure| by_amount && days[fact] - days[failure.first] >= RETRY_DAYS;
        if open.as_ref().is_some_and(late) {
            found.extend(open.take());
        }
        match (outcome, open.as_mut()) {
            (Outcome::Failed, None) => *open = Some(Failure { first: fact, recovered: None }),
            // An invoice that was recovered may be paid in parts, or fail again: it was recovered all the same.
            (Outcome::Succeeded, Some(failure)) if failure.recovered.is_none() => {
                failure.recovered = Some(fact);
                if by_amount {
                    found.extend(open.take());
                }
            }
            _ => {}
        }
    }
    found.extend(of_invoice.into_values().chain(of_amount.into_values()).flatten());
    found.sort_by_key(|failure| (instants[failure.first], failure.first));
    found
}

/// What an invoice that failed adds to a measure, and the fact that shows it; nothing when it adds none.
#[must_use]
pub fn counted_by(id: &str, failure: &Failure, days: &[i32]) -> Option<(usize, i128)> {
    match (id, failure.recovered) {
        (FAILED, _) => Some((failure.first, 1)),
        (RECOVERED, Some(paid)) => Some((paid, 1)),
        (RECOVERY_DAYS, Some(paid)) => Some((paid, i128::from(days[paid]) - i128::from(days[failure.first]))),
        _ => None,
    }
}

/// Counts the measures of this module.
///
/// # Errors
/// When facts cannot be read.
pub fn count(
    books: &Books,
    segmentation: &Segmentation,
    classifier: &Classifier<'_>,
    labels: &mut Labels,
    measures: &[&'static Measure],
) -> Result<Vec<(&'static str, Counted)>, EngineError> {
    let mut counted = Vec::new();
    let asked: Vec<&'static str> = measures.iter().map(|measure| measure.id).collect();
    if asked.iter().any(|id| counts_payments(id)) && books.has_facts(TABLE)? {
        let mut columns = wanted();
        classifier.want(TABLE, &mut columns);
        let observed = books.shelf.get(books, TABLE, columns)?;
        let classes = classifier.classes(TABLE, &observed, &[], labels);
        let days = observed.days(AT);
        let found = failures(&observed);
        for id in asked.iter().copied().filter(|id| counts_payments(id)) {
            let mut sums = DailySums::of_all_time();
            for failure in &found {
                let value = counted_by(id, failure, days).map_or(0, |(_, value)| value);
                sums.add(classes.of(failure.first), days[failure.first], value);
            }
            counted.push((id, sums.counted(1)));
        }
    }
    if asked.contains(&CHURNED) {
        let ledger = &books.ledger;
        let mut sums = DailySums::of_all_time();
        for customer in 0..ledger.customers() {
            for row in ledger.of_customer(customer) {
                if is_involuntary(ledger.kind[row], ledger.reason[row]) {
                    let segment = segmentation.segment(customer, ledger.offer[row]);
                    sums.add(segment, ledger.day[row], i128::from(ledger.delta_micros[row]));
                }
            }
        }
        counted.push((CHURNED, sums.counted(revenue::money::MICROS)));
    }
    Ok(counted)
}
