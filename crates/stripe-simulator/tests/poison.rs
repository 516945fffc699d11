//! Events in which something was changed at random: what no event says is found, and of all others facts are made or an
//! issue, never a panic. Debug builds stop at every sum that overflows.

// Helpers of tests may stop a test as loudly as the tests themselves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use revenue::{calendar::Zone, policy::Policy};
use serde_json::{Value, json};
use stripe::{
    Catalogue,
    gist::Gist,
    object::{Payments, facts},
    poison::fault,
};
use stripe_simulator::{
    Settings, Shape, World,
    api::Account,
    judge::{Source, movements, rebuild_with},
};

/// A stream of numbers (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, count: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let value = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((value ^ (value >> 31)) % (count.max(1) as u64)).unwrap()
    }
}

/// The pointers of everything in a value that holds nothing else.
fn leaves(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| leaves(value, &format!("{at}/{name}"), found)),
        Value::Array(values) => {
            values.iter().enumerate().for_each(|(n, value)| leaves(value, &format!("{at}/{n}"), found))
        }
        _ => found.push(at.to_owned()),
    }
}

fn odd(dice: &mut Dice) -> Value {
    let all = [
        json!(i64::MAX),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(-1),
        json!(0),
        json!(1),
        json!(9_999_999_999_999_i64),
        json!(-9_999_999_999_999_i64),
        json!(253_402_300_799_i64),
        json!(0.5),
        json!(1e300),
        json!("99999999999999999999999999999999"),
        json!("-1"),
        json!("xxq"),
        json!(""),
        json!(null),
        json!(true),
        json!([]),
        json!({}),
        json!([[[[{"id": {}}]]]]),
    ];
    all[dice.below(all.len())].clone()
}

#[test]
fn whatever_stands_in_an_event_facts_or_issues_are_made_of_it() {
    let (mut poison, mut made) = (0, 0);
    let runs: u64 = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(60);
    for seed in 0..runs {
        let world = World::live(Settings::of(seed));
        let shape = Shape::ALL[usize::try_from(seed % 3).unwrap()];
        let mut dice = Dice(seed);
        let mut spoil = |mut events: Vec<Value>| {
            for _ in 0..6 {
                let place = dice.below(events.len());
                let event = &mut events[place];
                let mut found = Vec::new();
                leaves(&event["data"], "/data", &mut found);
                let pointer = &found[dice.below(found.len())];
                *event.pointer_mut(pointer).unwrap() = odd(&mut dice);
            }
            let before = events.len();
            events.retain(|event| fault(event).is_none());
            poison += before - events.len();
            events
        };
        let mut kept = Vec::new();
        let history = rebuild_with(&world, shape, Source::Events, |events| {
            kept = spoil(events);
            kept.clone()
        });
        made += movements(&history.rows, &Policy::default(), &Zone::utc()).len();
        let (mut payments, mut issues) = (Payments::default(), Vec::new());
        kept.iter().for_each(|event| payments.learn(&Gist::of(&event["data"]["object"])));
        for event in &kept {
            let facts = facts(&Gist::of(event), &Catalogue::default(), &payments, &mut issues);
            made += facts.len();
        }
        for row in &history.rows {
            made += row.fact().values.len();
        }
        let untouched = Account::new(&world, shape).all_events();
        assert!(untouched.iter().all(|event| fault(event).is_none()), "what Stripe says is no poison");
    }
    assert!(poison > 0 && made > 0, "{poison} {made}");
}
