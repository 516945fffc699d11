//! The account of a world behaves as Stripe's API does, and what is read from it fits the kinds of facts.

// Helpers of tests may stop a test as loudly as the tests themselves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};

use stripe::{
    Catalogue,
    gist::Gist,
    object::{Payments, facts},
    signature::{SignatureError, TOLERANCE_SECONDS, verify},
};
use stripe_simulator::{
    Settings, Shape, World,
    api::{Account, Fault, LISTS, Query, webhook},
    judge::{Source, rebuild},
};

/// The table of kinds, as its source says it: the columns of each kind, and those that are needed.
fn kinds() -> BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)> {
    let source = include_str!("../../warehouse/src/kind/table.rs");
    let mut kinds: BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)> = BTreeMap::new();
    let mut name = String::new();
    for line in source.lines().map(str::trim) {
        let quoted = || line.split('"').nth(1).unwrap_or_default().to_owned();
        if line.starts_with("name: \"") {
            name = quoted();
        } else if line.starts_with("column(\"") {
            let kind = kinds.entry(name.clone()).or_default();
            kind.0.insert(quoted());
            if line.contains(", Required,") {
                kind.1.insert(quoted());
            }
        }
    }
    assert!(kinds.len() > 15 && kinds["payments"].1.contains("paid_at"));
    kinds
}

#[test]
fn every_fact_has_the_columns_of_its_kind() {
    let kinds = kinds();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for seed in 0..6 {
        let world = World::live(Settings::of(seed));
        let mut by_shape = Vec::new();
        for shape in Shape::ALL {
            let mut account = Account::new(&world, shape);
            let query = Query {
                limit: Some(100),
                status: Some("all".to_owned()),
                expand: vec!["data.tiers".to_owned(), "data.discounts".to_owned()],
                ..Query::default()
            };
            let walked = LISTS.iter().flat_map(|path| account.walk(path, &query).unwrap());
            let objects: Vec<Gist> = walked.map(|object| Gist::of(&object)).collect();
            let (mut catalogue, mut payments, mut issues) = (Catalogue::default(), Payments::default(), Vec::new());
            for object in &objects {
                catalogue.take(object, &mut issues);
            }
            for _ in 0..2 {
                objects.iter().for_each(|object| payments.learn(object));
            }
            let mut all: Vec<stripe::fact::Fact> =
                objects.iter().flat_map(|object| facts(object, &catalogue, &payments, &mut issues)).collect();
            let history = rebuild(&world, shape, Source::ListsAndEvents);
            all.extend(history.rows.iter().map(stripe::history::Row::fact));
            all.extend(history.trials());
            assert_eq!(issues, [], "seed {seed}");
            for fact in &all {
                let (columns, needed) = &kinds[fact.kind];
                let said: BTreeSet<String> = fact.values.iter().map(|(column, _)| (*column).to_owned()).collect();
                assert_eq!(said.len(), fact.values.len(), "a column twice in {fact:?}");
                assert!(said.is_subset(columns) && needed.is_subset(&said), "{fact:?}");
                *seen.entry(fact.kind).or_default() += 1;
            }
            // Every charge of a subscription names the invoice that it pays, in the old shape and the new ones.
            let charges = all.iter().filter(|fact| fact.kind == "payments" && fact.value("original").is_none());
            assert!(charges.clone().count() > 0 && charges.clone().all(|fact| fact.value("invoice").is_some()));
            by_shape.push(all);
        }
        // Item by item the same is said, whatever the version of the API.
        for (at, fact) in by_shape[0].iter().enumerate() {
            assert_eq!((fact, fact), (&by_shape[1][at], &by_shape[2][at]), "seed {seed}");
        }
        assert!(by_shape.iter().all(|all| all.len() == by_shape[0].len()));
    }
    let kinds: Vec<&str> = seen.keys().copied().collect();
    assert_eq!(kinds, ["customers", "invoices", "payments", "plans", "subscriptions", "trials"]);
}

#[test]
fn pages_give_every_object_once_whatever_their_size() {
    let world = World::live(Settings::of(3));
    for path in LISTS {
        let ids = |limit| -> Vec<String> {
            let query = Query { limit: Some(limit), status: Some("all".to_owned()), ..Query::default() };
            let objects = Account::new(&world, Shape::Clover).walk(path, &query).unwrap();
            objects.iter().map(|object| object["id"].as_str().unwrap().to_owned()).collect()
        };
        let (small, large) = (ids(3), ids(100));
        assert_eq!(small, large, "{path}");
        assert_eq!(large.iter().collect::<BTreeSet<_>>().len(), large.len(), "{path}");
    }
    let of = |status: Option<&str>| {
        let query = Query { limit: Some(100), status: status.map(str::to_owned), ..Query::default() };
        Account::new(&world, Shape::Classic).walk("/v1/subscriptions", &query).unwrap().len()
    };
    assert!(of(None) < of(Some("all")), "those that ended are shown when asked for alone");
}

#[test]
fn faults_befall_the_requests_that_a_script_names() {
    let world = World::live(Settings::of(3));
    let script = vec![(0, Fault::RateLimited(Some(2))), (2, Fault::ServerError), (3, Fault::Timeout)];
    let mut account = Account::new(&world, Shape::Basil).with_faults(script);
    let mut answers =
        (0..5).map(|_| account.list("/v1/invoices", &Query::default()).map(|page| page["has_more"] == true));
    assert_eq!(answers.next(), Some(Err(Fault::RateLimited(Some(2)))));
    assert_eq!(answers.next(), Some(Ok(true)));
    assert_eq!(answers.next(), Some(Err(Fault::ServerError)));
    assert_eq!(answers.next(), Some(Err(Fault::Timeout)));
    assert_eq!(answers.next(), Some(Ok(true)));
    drop(answers);
    assert_eq!(account.requests(), 5);
}

#[test]
fn webhooks_are_signed_with_every_secret() {
    let world = World::live(Settings::of(3));
    let event = Account::new(&world, Shape::Clover).all_events().remove(0);
    let (header, body) = webhook(&event, 1_700_000_000, &["whsec_old", "whsec_new"]);
    let check = |secrets: &[&str], body: &[u8], now| verify(&header, body, secrets, now, TOLERANCE_SECONDS);
    assert_eq!(check(&["whsec_new"], &body, 1_700_000_010), Ok(1_700_000_000));
    assert_eq!(check(&["whsec_old"], &body, 1_700_000_010), Ok(1_700_000_000));
    assert_eq!(check(&["whsec_test"], &body, 1_700_000_010), Err(SignatureError::NoMatch));
    // A body that was read and written again is another body.
    let mut spaced = body.clone();
    spaced.push(b' ');
    assert_eq!(check(&["whsec_new"], &spaced, 1_700_000_010), Err(SignatureError::NoMatch));
}
