//! A history that goes on from where it was is the one that is made anew of everything, at every step of a world: whatever comes
//! late, and whatever lists are read in between.

// Helpers of tests may stop a test as loudly as the tests themselves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use stripe::{
    Catalogue, Evidence,
    fact::Fact,
    gist::Gist,
    history::{self, History, Past, Row},
};
use stripe_simulator::{
    Settings, Shape, Told, World,
    api::{Account, Query},
};

/// Everything that is kept of one customer: objects in their newest version, events that say more than their objects, and what
/// the history had come to.
#[derive(Default)]
struct Shelf {
    objects: BTreeMap<(String, String), (i64, Gist)>,
    events: Vec<(i64, Gist)>,
    last_event_at: i64,
    past: Option<Past>,
    /// What was over by then.
    over: Vec<Row>,
    trials_over: Vec<Fact>,
}

impl Shelf {
    fn take_object(&mut self, object: &Value, at: i64) {
        let text = |name: &str| object[name].as_str().unwrap_or_default().to_owned();
        let key = (text("object"), text("id"));
        if self.objects.get(&key).is_none_or(|(seen_at, _)| *seen_at <= at) {
            self.objects.insert(key, (at, Gist::of(object)));
        }
    }

    fn take_event(&mut self, event: &Value) {
        let at = event["created"].as_i64().unwrap();
        let object = &event["data"]["object"];
        self.last_event_at = self.last_event_at.max(at);
        if let Some(gist) = Gist::of_event(event) {
            self.events.push((at, gist));
            if self.past.as_ref().is_some_and(|past| at <= past.until) {
                self.past = None;
            }
        }
        if object["object"] != "subscription" {
            self.take_object(object, at);
        }
    }

    fn history(&self, past: Option<&Past>, catalogue: &Catalogue) -> Option<History> {
        let since = past.map_or(i64::MIN, |past| past.until);
        let known_at = self.objects.values().map(|(at, _)| *at).max().unwrap_or(0).max(self.last_event_at);
        let mut catalogue = catalogue.clone();
        let mut evidence = past.map_or_else(Evidence::default, |past| Evidence::since(past, &mut catalogue));
        evidence.events_until = Some(known_at);
        let events = self.events.iter().filter(|(at, _)| *at > since);
        for (at, object) in events.chain(self.objects.values()) {
            evidence.take(object.clone(), *at, &mut catalogue);
        }
        match past {
            Some(past) => history::go_on(past, &evidence, &catalogue, known_at),
            None => Some(history::rebuild(&evidence, &catalogue, known_at)),
        }
    }

    /// Holds the history that goes on against the one that is made anew; whether one did go on.
    fn step(&mut self, catalogue: &Catalogue, words: &str) -> bool {
        let whole = self.history(None, catalogue).unwrap();
        let past = self.past.take().map(|past| Past::from_bytes(&past.to_bytes()).unwrap());
        let further = past.as_ref().and_then(|past| self.history(Some(past), catalogue));
        let has_gone_on = further.is_some();
        let made = match further {
            Some(further) => {
                let mut rows: Vec<Row> = self.over.iter().chain(&further.rows).cloned().collect();
                rows.sort_by(|a, b| (&a.subscription, &a.item, a.start).cmp(&(&b.subscription, &b.item, b.start)));
                let differ = |rows: &[Row], others: &[Row]| -> Vec<Row> {
                    rows.iter().filter(|row| !others.contains(row)).cloned().collect()
                };
                assert_eq!(differ(&rows, &whole.rows), differ(&whole.rows, &rows), "{words}");
                assert_eq!(rows, whole.rows, "{words}");
                assert_eq!(further.issues, whole.issues, "{words}");
                let mut trials: Vec<Fact> = self.trials_over.iter().cloned().chain(further.trials()).collect();
                trials.sort_by(|a, b| a.value("trial").cmp(&b.value("trial")));
                assert_eq!(trials, whole.trials(), "{words}");
                self.past = past;
                further
            }
            None => {
                (self.over, self.trials_over) = (Vec::new(), Vec::new());
                whole
            }
        };
        if let Some(past) = &made.past {
            self.over.extend(made.rows.iter().filter(|row| past.is_over(row)).cloned());
            let over =
                made.trials().into_iter().filter(|trial| past.has_tried(trial.value("trial").unwrap_or_default()));
            self.trials_over.extend(over);
            self.past = made.past;
        }
        has_gone_on
    }
}

fn mixed(value: u64) -> u64 {
    let value = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

const LISTS: &[&str] =
    &["/v1/subscriptions", "/v1/subscription_schedules", "/v1/invoices", "/v1/invoiceitems", "/v1/charges"];

/// One world, in which events come from some month on, in steps of some days, a few of them late, and lists are read now and
/// then. How many histories were made, and how many of them went on.
fn live(seed: u64, from_month: i32) -> (usize, usize) {
    let shape = Shape::ALL[usize::try_from(seed % 3).unwrap()];
    let mut world = World::begin(Settings::of(seed));
    let mut shelves: BTreeMap<String, Shelf> = BTreeMap::new();
    let mut known: BTreeSet<String> = BTreeSet::new();
    let mut chance = (0..).map(|number| mixed(seed.wrapping_mul(1_000_003).wrapping_add(number)));
    let mut roll = |sides: u64| chance.next().unwrap() % sides;
    let (mut made, mut went_on) = (0, 0);
    world.live_until(world.month(from_month));
    let first_event = world.now - 30 * 86_400;
    let mut is_first = true;
    while world.now < world.month(world.settings.months) {
        world.live_until(world.now + 86_400 / 2 + i64::try_from(roll(12 * 86_400)).unwrap());
        let mut account = Account::new(&world, Shape::Clover).telling(Told::In(shape));
        let query = |expand: &[&str]| Query {
            limit: Some(100),
            status: Some("all".to_owned()),
            expand: expand.iter().map(|&what| what.to_owned()).collect(),
            ..Query::default()
        };
        let mut catalogue = Catalogue::default();
        for (path, expand) in [("/v1/prices", &["data.tiers"][..]), ("/v1/coupons", &[])] {
            for object in account.walk(path, &query(expand)).unwrap() {
                catalogue.take(&Gist::of(&object), &mut Vec::new());
            }
        }
        let mut touched: BTreeSet<String> = BTreeSet::new();
        let customer = |object: &Value| object["customer"].as_str().map(str::to_owned);
        if is_first && from_month > 0 || roll(8) == 0 {
            for path in LISTS {
                let expand = ["data.discounts.source.coupon", "data.items.data.discounts"];
                for object in account.walk(path, &query(&expand)).unwrap() {
                    if let Some(of) = customer(&object) {
                        shelves.entry(of.clone()).or_default().take_object(&object, world.now);
                        touched.insert(of);
                    }
                }
            }
        }
        is_first = false;
        for event in account.all_events() {
            let of = event["id"].as_str().unwrap().to_owned();
            // One in thirty comes with a later step.
            let is_late = roll(30) == 0;
            let is_old = event["created"].as_i64().unwrap() < first_event;
            if let Some(customer) = customer(&event["data"]["object"]).filter(|_| !is_late && !is_old)
                && known.insert(of)
            {
                shelves.entry(customer.clone()).or_default().take_event(&event);
                touched.insert(customer);
            }
        }
        for customer in touched {
            let words = format!("seed {seed}, {customer}, at {}", world.now);
            made += 1;
            went_on += usize::from(shelves.get_mut(&customer).unwrap().step(&catalogue, &words));
        }
    }
    (made, went_on)
}

#[test]
fn a_history_goes_on_as_if_it_was_made_anew() {
    for from_month in [0, 9] {
        let (mut made, mut went_on) = (0, 0);
        // Many more where that is asked for, in a release build.
        let worlds = std::env::var("RECURVE_WORLDS").ok().and_then(|count| count.parse().ok()).unwrap_or(3);
        for seed in 700..700 + worlds {
            let (more, further) = live(seed, from_month);
            (made, went_on) = (made + more, went_on + further);
        }
        println!("{went_on} of {made} histories went on, from month {from_month} on");
        // Not by making everything anew.
        assert!(went_on * 4 > made, "{went_on} of {made} from month {from_month} on");
    }
}
