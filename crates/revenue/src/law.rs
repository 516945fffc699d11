//! The laws that every ledger keeps. Each is a property test, a `check` on the user's own data and a line on screen.
//!
//! ```text
//! 1  opening MRR + movements = closing MRR, to the micro-unit; for the whole, each customer, each segment
//! 2  the segments of one dimension add up to the whole
//! 3  the same facts in any order, in any batches, any number of times: the same ledger, byte for byte
//! 4  the fast ledger = the naive reference evaluator's ledger
//! 5  what was known at T stays so, whatever arrives later
//! 6  a cohort never grows in customers beyond its start, and the cohorts' MRR adds up to the whole
//! 7  currency totals before conversion are conserved
//! 8  money recognised + money deferred = money billed, for each invoice line and in total
//! ```

use std::fmt;

use crate::{
    fact::Offer,
    ledger::Ledger,
    money::{Currency, MoneyError},
    movement::Kind,
    recognition::{Change, Line, Position, position},
};

/// A law that does not hold, with the customer where it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// The law's number.
    pub law: u8,
    /// The customer, if it is one customer's.
    pub customer: Option<u32>,
    /// What was seen.
    pub seen: Seen,
}

/// What was seen where a law does not hold: a sentence with places, and what stands in them. Whoever shows it says it in the
/// language of the reader; printed, it is English.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The sentence, with places such as `{day}`: one of [`SEEN`], or of whoever judges a law elsewhere.
    pub sentence: &'static str,
    /// What stands in its places.
    pub values: Vec<(&'static str, Value)>,
}

/// What stands in a place of a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A number, a day, an id or a key, alike in every language.
    Alike(String),
    /// Another sentence.
    Said(Seen),
}

impl Seen {
    /// A sentence with what stands in its places.
    #[must_use]
    pub fn of<const N: usize>(sentence: &'static str, values: [(&'static str, &dyn fmt::Display); N]) -> Self {
        let values = values.into_iter().map(|(place, value)| (place, Value::Alike(value.to_string())));
        Self { sentence, values: values.collect() }
    }

    /// The same with another sentence in one more of its places.
    #[must_use]
    pub fn with(mut self, place: &'static str, seen: Seen) -> Self {
        self.values.push((place, Value::Said(seen)));
        self
    }

    /// The sentence in the words that are found for it, and for those in its places.
    #[must_use]
    pub fn say(&self, words: &dyn Fn(&'static str) -> String) -> String {
        self.values.iter().fold(words(self.sentence), |said, (place, value)| {
            let text = match value {
                Value::Alike(text) => text.clone(),
                Value::Said(seen) => seen.say(words),
            };
            said.replace(&format!("{{{place}}}"), &text)
        })
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.say(&str::to_owned))
    }
}

macro_rules! sentences {
    ($($name:ident $sentence:literal;)+) => {
        $(pub(crate) const $name: &str = $sentence;)+
        /// Every sentence about a law that does not hold.
        pub const SEEN: &[&str] = &[$($name,)+];
    };
}

sentences! {
    DAY_BEFORE "day {day} comes after day {before}";
    MRR_BELOW_ZERO "MRR falls to {micros} micro-units on day {day}";
    WRONG_KIND "a movement `{kind}` on day {day} takes MRR from {before} to {after} micro-units";
    SEGMENTS_DIFFER "the segments hold {segments}, the whole {whole}";
    PLAN_BELOW_ZERO "plan `{plan}` holds {micros} micro-units";
    ANOTHER_MOVEMENT "movement {number}: the ledger has {found}, the reference evaluator {wanted}";
    MOVEMENT "{kind} of {micros} micro-units on {day} (subscription {subscription}, offer {offer})";
    NO_MOVEMENT "nothing";
    COHORT_GROWS "of the {size} customers of {cohort} there are {left} left at age {age}";
    COHORTS_MRR "MRR of the cohorts before {day}: {found}, the ledger says {wanted}";
    COHORTS_CUSTOMERS "customers of the cohorts before {day}: {found}, the ledger says {wanted}";
    FIRST_PAYMENTS "first payments before {day}: {found}, the ledger says {wanted}";
    FIRST_PAYMENTS_MRR "MRR of first payments before {day}: {found}, the ledger says {wanted}";
    NO_SUCH_PERIOD "the cohorts speak of a period that ends on {day}, which the ledger does not have";
    CURRENCY_DIFFERS "{currency}: facts state {stated} micro-units, the ledger holds {booked}";
    BILLED_DIFFERS "recognised + deferred + cancelled is {left} micro-units, billed + unbilled is {right}";
    BOOKS_DIFFER "cash + receivables is {left} micro-units, what is owed + what was gained is {right}";
    EARNED_EARLY "{micros} micro-units are earned before the service begins";
    STILL_DEFERRED "{micros} micro-units are still deferred when the service has ended";
    STILL_UNBILLED "{micros} micro-units are still unbilled when the bill is out";
}

/// Law 1 for each customer: the sum of what the customer's movements did is never negative, the kinds follow from
/// before and after, and rows come in order.
#[must_use]
pub fn movements_add_up(ledger: &Ledger) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for customer in 0..ledger.customers() {
        let rows = ledger.of_customer(customer);
        let mut mrr: i128 = 0;
        let mut paid_before = false;
        let mut index = rows.start;
        let mut breach = |seen: Seen| {
            breaches.push(Breach { law: 1, customer: u32::try_from(customer).ok(), seen });
        };
        let mut last_day = i32::MIN;
        while index < rows.end {
            let day = ledger.day[index];
            let end = (index..rows.end).find(|row| ledger.day[*row] != day).unwrap_or(rows.end);
            if day <= last_day {
                breach(Seen::of(DAY_BEFORE, [("day", &day), ("before", &last_day)]));
            }
            last_day = day;
            let of = |fx: bool| -> i128 {
                (index..end)
                    .filter(|row| (ledger.kind[*row] == Kind::Fx) == fx)
                    .map(|row| i128::from(ledger.delta_micros[row]))
                    .sum()
            };
            let before = mrr + of(true);
            let after = before + of(false);
            if after < 0 {
                breach(Seen::of(MRR_BELOW_ZERO, [("micros", &after), ("day", &day)]));
            }
            for row in index..end {
                let fits = match ledger.kind[row] {
                    Kind::New => before == 0,
                    Kind::Reactivation => before == 0 && paid_before,
                    Kind::Churn => after == 0,
                    Kind::Expansion => after > before,
                    Kind::Contraction => after < before,
                    Kind::Transfer => after == before,
                    Kind::Fx => true,
                };
                // With windows of minutes one day may hold several changes, so the kinds are judged only where all
                // rows of the day are of one kind.
                let one_kind = (index..end)
                    .filter(|other| ledger.kind[*other] != Kind::Fx)
                    .all(|other| ledger.kind[other] == ledger.kind[row]);
                if one_kind && !fits {
                    let kind = ledger.kind[row].name();
                    breach(Seen::of(
                        WRONG_KIND,
                        [("kind", &kind), ("day", &day), ("before", &before), ("after", &after)],
                    ));
                }
            }
            // Where free customers count, one may have come without any money.
            paid_before |= (index..end).any(|row| ledger.kind[row] == Kind::New);
            mrr = after;
            index = end;
        }
    }
    breaches
}

/// Law 2 at a day: MRR by each offer adds up to MRR of the whole, and no offer falls below zero.
#[must_use]
pub fn segments_add_up(ledger: &Ledger, offers: &[Offer], through_day: i32) -> Vec<Breach> {
    let mut by_offer = vec![0i128; offers.len()];
    let mut whole = 0i128;
    for row in 0..ledger.rows() {
        if ledger.day[row] <= through_day {
            whole += i128::from(ledger.delta_micros[row]);
            if let Some(sum) = by_offer.get_mut(ledger.offer[row] as usize) {
                *sum += i128::from(ledger.delta_micros[row]);
            }
        }
    }
    let mut breaches = Vec::new();
    let sum: i128 = by_offer.iter().sum();
    if sum != whole {
        let seen = Seen::of(SEGMENTS_DIFFER, [("segments", &sum), ("whole", &whole)]);
        breaches.push(Breach { law: 2, customer: None, seen });
    }
    for (offer, sum) in offers.iter().zip(&by_offer) {
        if *sum < 0 {
            let seen = Seen::of(PLAN_BELOW_ZERO, [("plan", &offer.plan), ("micros", sum)]);
            breaches.push(Breach { law: 2, customer: None, seen });
        }
    }
    breaches
}

/// Law 7: for each currency, what spans say and what the ledger in that currency says are the same.
#[must_use]
pub fn currencies_are_conserved(stated: &[(Currency, i128)], booked: &[(Currency, i128)]) -> Vec<Breach> {
    stated
        .iter()
        .filter_map(|(currency, micros)| {
            let found = booked.iter().find(|(other, _)| other == currency).map_or(0, |(_, sum)| *sum);
            (found != *micros).then(|| Breach {
                law: 7,
                customer: None,
                seen: Seen::of(CURRENCY_DIFFERS, [("currency", currency), ("stated", micros), ("booked", &found)]),
            })
        })
        .collect()
}

/// Law 8 for the accounts of a line, of many, or of a period: what was billed or earned ahead of the bill is recognised,
/// deferred or cancelled, and the books balance: what is owned is what is owed and what was gained.
#[must_use]
pub fn billed_is_recognised_or_deferred(position: &Position) -> Vec<Breach> {
    let mut breaches = Vec::new();
    let mut equal = |left: i128, right: i128, sentence: &'static str| {
        if left != right {
            let seen = Seen::of(sentence, [("left", &left), ("right", &right)]);
            breaches.push(Breach { law: 8, customer: None, seen });
        }
    };
    equal(
        position.revenue_micros + position.deferred_micros + position.cancelled_micros,
        position.billed_micros + position.unbilled_micros,
        BILLED_DIFFERS,
    );
    equal(
        position.cash_micros + position.receivable_micros + position.unbilled_micros,
        position.deferred_micros + position.tax_payable_micros + position.net_revenue_micros()
            - position.bad_debt_micros
            + position.recovered_micros
            + position.exchange_gain_micros,
        BOOKS_DIFFER,
    );
    breaches
}

/// Law 8 in time: nothing is earned before the service begins, and when the service has ended and the bill is out,
/// nothing is left deferred or unbilled.
///
/// # Errors
/// When an amount does not fit the ledger.
pub fn service_is_earned_out(line: &Line, changes: &[Change]) -> Result<Vec<Breach>, MoneyError> {
    let start = position(line, changes, line.schedule.start())?;
    let end = position(line, changes, line.schedule.end().max(line.issued.plus_days(1)))?;
    let mut breaches = Vec::new();
    let mut nothing = |micros: i128, sentence: &'static str| {
        if micros != 0 {
            breaches.push(Breach { law: 8, customer: None, seen: Seen::of(sentence, [("micros", &micros)]) });
        }
    };
    nothing(start.revenue_micros, EARNED_EARLY);
    nothing(end.deferred_micros, STILL_DEFERRED);
    nothing(end.unbilled_micros, STILL_UNBILLED);
    Ok(breaches)
}
