//! What is another in books than in those before: customers, their MRR, and the movements that came and went.

use std::collections::BTreeMap;

use revenue::{calendar::Day, movement::Kind};

use super::{Books, advance::Customers};

/// A movement in words that do not depend on how books number things.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moved {
    /// The day.
    pub day: Day,
    /// The subscription.
    pub subscription: String,
    /// The plan; empty where none is stated.
    pub plan: String,
    /// What happened to the customer.
    pub kind: Kind,
    /// What it adds to MRR, in micro-units of the reporting currency.
    pub delta_micros: i64,
}

/// A customer whose movements are others than before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The customer.
    pub customer: String,
    /// MRR by the books before, up to their *now*, in micro-units.
    pub before_micros: i128,
    /// MRR by these books, up to their *now*, in micro-units.
    pub now_micros: i128,
    /// Movements that there were not before, in order of day.
    pub came: Vec<Moved>,
    /// Movements that there are no more, in order of day.
    pub went: Vec<Moved>,
}

impl Books {
    /// MRR of all customers up to *now*, in micro-units: what the metric says of the running period.
    #[must_use]
    pub fn mrr_now_micros(&self) -> i128 {
        let end = self.first_day_to_come().0;
        let rows = self.ledger.day.iter().zip(&self.ledger.delta_micros);
        rows.filter(|(day, _)| **day < end).map(|(_, delta)| i128::from(*delta)).sum()
    }

    fn moved(&self, row: usize) -> Option<Moved> {
        let movement = self.ledger.movement(row)?;
        let offer = self.facts.offers.get(movement.offer as usize)?;
        Some(Moved {
            day: Day(movement.day),
            subscription: self.subscription_id(movement.subscription),
            plan: offer.plan.clone(),
            kind: movement.kind,
            delta_micros: movement.delta_micros,
        })
    }

    pub(super) fn all_moved(&self, customer: Option<u32>) -> Vec<Moved> {
        let rows = customer.map_or(0..0, |customer| self.ledger.of_customer(customer as usize));
        rows.filter_map(|row| self.moved(row)).collect()
    }

    /// Whether two customers moved alike, as far as can be seen without looking anything up.
    fn moved_alike(&self, customer: u32, other: &Books, of_other: u32) -> bool {
        let (own, others) = (self.ledger.of_customer(customer as usize), other.ledger.of_customer(of_other as usize));
        let (one, two) = (&self.ledger, &other.ledger);
        one.day[own.clone()] == two.day[others.clone()]
            && one.delta_micros[own.clone()] == two.delta_micros[others.clone()]
            && one.kind[own.clone()] == two.kind[others.clone()]
            && one.fact[own] == two.fact[others]
    }
}

/// What is another in `now` than in `before`: of those of `touched` alone, in order of customers. Both must be in one
/// currency.
#[must_use]
pub fn changes(before: &Books, now: &Books, touched: &Customers) -> Vec<Change> {
    let all;
    let pairs = match touched {
        Customers::These(touched) => touched,
        Customers::Any => {
            all = every_pair(before, now);
            &all
        }
    };
    pairs.iter().filter_map(|(was, is)| change(before, now, *was, *is)).collect()
}

/// Each customer of `now` with its number before. Customers do not go: withdrawn facts are facts.
fn every_pair(before: &Books, now: &Books) -> Vec<(Option<u32>, u32)> {
    let mut next = 0;
    let known = before.customers.len() as u32;
    let mut pairs = Vec::with_capacity(now.customers.len());
    for customer in 0..now.customers.len() as u32 {
        let id = now.customer_id(customer);
        while next < known && before.customer_id(next) < id {
            next += 1;
        }
        let found = (next < known && before.customer_id(next) == id).then_some(next);
        if found.is_none_or(|was| !now.moved_alike(customer, before, was)) {
            pairs.push((found, customer));
        }
    }
    pairs
}

fn change(before: &Books, now: &Books, was: Option<u32>, is: u32) -> Option<Change> {
    let (went, came) = (before.all_moved(was), now.all_moved(Some(is)));
    let until = (before.first_day_to_come(), now.first_day_to_come());
    change_of(now.customer_id(is), (&went, until.0), (&came, until.1))
}

/// What is another in a customer's movements than in those before, each with the first day that was to come by then.
pub(super) fn change_of(customer: String, before: (&[Moved], Day), now: (&[Moved], Day)) -> Option<Change> {
    // What is in both, as often as it is, is no news.
    let mut times: BTreeMap<&Moved, i64> = BTreeMap::new();
    before.0.iter().for_each(|moved| *times.entry(moved).or_default() -= 1);
    now.0.iter().for_each(|moved| *times.entry(moved).or_default() += 1);
    let kept = |list: &[Moved], sign: i64| -> Vec<Moved> {
        let mut left = times.clone();
        let is_news = |moved: &&Moved| {
            left.get_mut(*moved).is_some_and(|left| {
                let is_news = *left * sign > 0;
                *left -= sign;
                is_news
            })
        };
        list.iter().filter(is_news).cloned().collect()
    };
    let (came, went) = (kept(now.0, 1), kept(before.0, -1));
    if came.is_empty() && went.is_empty() {
        return None;
    }
    let mrr = |(moved, until): (&[Moved], Day)| -> i128 {
        let past = moved.iter().take_while(|moved| moved.day < until);
        past.map(|moved| i128::from(moved.delta_micros)).sum()
    };
    Some(Change { customer, before_micros: mrr(before), now_micros: mrr(now), came, went })
}
