//! Cash by month, from the lists of an account, held against the book of the world itself.

// Helpers of tests may stop a test as loudly as the tests themselves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};

use revenue::{
    calendar::{Day, Grain, Zone},
    money::Currency,
};
use serde_json::Value;
use stripe::{
    amount::picos,
    cash::{Why, collected, months},
    gist::Gist,
};
use stripe_simulator::{
    Booked, Settings, Shape, World,
    api::{Account, Query},
};

const LISTS: &[&str] =
    &["/v1/invoices", "/v1/charges", "/v1/invoice_payments", "/v1/refunds", "/v1/disputes", "/v1/credit_notes"];

/// The objects of every customer: refunds and disputes are those of their charges.
fn by_customer(world: &World, shape: Shape) -> BTreeMap<String, Vec<Value>> {
    let mut account = Account::new(world, shape);
    let query = Query { limit: Some(100), ..Query::default() };
    let all: Vec<Value> = LISTS.iter().flat_map(|path| account.walk(path, &query).unwrap()).collect();
    let owner: BTreeMap<&str, &str> =
        all.iter().filter_map(|object| Some((object["id"].as_str()?, object["customer"].as_str()?))).collect();
    let mut found: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for object in &all {
        let named = ["customer", "charge", "invoice"].iter().find_map(|field| object[*field].as_str()).unwrap();
        found.entry((*owner.get(named).unwrap_or(&named)).to_owned()).or_default().push(object.clone());
    }
    found
}

type Sums = BTreeMap<(String, Day, Currency), i64>;

fn sums(booked: &[Booked]) -> Sums {
    let mut sums = Sums::new();
    for of in booked {
        let month = Zone::utc().day_of_instant(of.second * 1_000_000).first_of(Grain::Month);
        let currency = Currency::parse(of.currency).unwrap();
        let micros = i64::try_from(picos(of.minor, currency) / 1_000_000).unwrap();
        *sums.entry((of.customer.clone(), month, currency)).or_default() += micros;
    }
    sums.retain(|_, micros| *micros != 0);
    sums
}

#[test]
fn cash_by_month_is_that_of_the_world_and_every_difference_has_its_reasons() {
    let mut reasons: BTreeSet<Why> = BTreeSet::new();
    for seed in 700..712 {
        let world = World::live(Settings::of(seed));
        assert!(!world.collected().is_empty());
        for shape in Shape::ALL {
            let (mut asked, mut came, mut went) = (Sums::new(), Sums::new(), Sums::new());
            for (customer, objects) in by_customer(&world, shape) {
                let gists: Vec<Gist> = objects.iter().map(Gist::of).collect();
                let mut left: BTreeMap<Currency, i64> = BTreeMap::new();
                for ((month, currency), of) in months(&gists, &Zone::utc()) {
                    assert_eq!(of.why.values().sum::<i64>(), of.difference_micros(), "seed {seed}, {customer} {month}");
                    reasons.extend(of.why.keys());
                    let key = (customer.clone(), month, currency);
                    // A credit note takes back what was asked for.
                    let credited = of.why.get(&Why::CreditNote).copied().unwrap_or(0);
                    asked.insert(key.clone(), of.asked_micros - credited);
                    came.insert(key.clone(), of.collected_micros);
                    went.insert(key, of.given_back_micros);
                    *left.entry(currency).or_default() += of.cash_micros();
                }
                left.retain(|_, micros| *micros != 0);
                let mut at_once = collected(&gists, 0, world.now + 1);
                at_once.retain(|_, micros| *micros != 0);
                assert_eq!(at_once, left, "seed {seed}, {customer}");
            }
            for (found, book) in [(asked, world.asked()), (came, world.collected()), (went, world.given_back())] {
                let found: Sums = found.into_iter().filter(|(_, micros)| *micros != 0).collect();
                assert_eq!(found, sums(&book), "seed {seed} in {shape:?}");
            }
        }
    }
    // The worlds are rough enough for the reasons to come up.
    for why in [Why::InvoiceOpen, Why::PaidInAnotherMonth, Why::ForAnotherMonth, Why::Refunded, Why::Disputed] {
        assert!(reasons.contains(&why), "{} never came up", why.name());
    }
    assert!(!reasons.contains(&Why::WithoutInvoice) && !reasons.contains(&Why::PaidTooMuch), "{reasons:?}");
}
