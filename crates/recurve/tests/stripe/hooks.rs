//! Webhooks against a running server, and the ledger that comes of them: whatever their order, however often they come, and
//! with the sync that fetches those that never came.

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader},
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use stripe_simulator::{
    Settings,
    delivery::{Order, Script},
    server::{Choices, Delivery, send, serve},
};

use super::{
    account::{Listed, Synced, differences, ended, said},
    syncs::{choices, expected},
};

const SECRET: &str = "whsec_of_the_tests_0001";
const DAY: i64 = 86_400;

/// A server on the folder, until it is dropped.
struct Serving {
    child: Child,
    address: String,
}

impl Serving {
    fn start(synced: &Synced) -> Self {
        let mut command = synced.command(&["serve", "--port", "0", "--open"]);
        let mut child = command
            .env("RECURVE_STRIPE_WEBHOOK_SECRETS", SECRET)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.next().unwrap().unwrap();
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address: first.rsplit('/').next().unwrap().to_owned() }
    }

    fn delivery(&self) -> Delivery {
        Delivery { at_a_time: 8, ..Delivery::to(format!("http://{}/webhooks/stripe", self.address), SECRET) }
    }

    fn kill(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.kill();
    }
}

fn figures(synced: &Synced) -> std::collections::BTreeMap<String, String> {
    said(&ended(&synced.run(&["webhooks"]), 0))
}

/// Waits until every event is facts, or was put aside.
fn settled(synced: &Synced) {
    let begun = Instant::now();
    while figures(synced)["waiting to become facts"] != "0" {
        assert!(begun.elapsed() < Duration::from_secs(120), "{:?}", figures(synced));
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn column(text: &str, name: &str) -> BTreeSet<String> {
    let mut lines = text.lines();
    let at = lines.next().unwrap().split(',').position(|column| column == name).unwrap();
    lines.map(|line| line.split(',').nth(at).unwrap().to_owned()).collect()
}

#[test]
fn in_any_order_and_repeated_the_ledger_is_that_of_the_events_in_order() {
    let scripts = [
        Script::default(),
        Script { order: Order::Reversed, ..Script::default() },
        Script { order: Order::Shuffled(5), copies: 5, ..Script::default() },
    ];
    for (seed, script) in (20..).zip(scripts) {
        let synced = Synced::with(serve(choices(seed, 22)).unwrap());
        let first = synced.now();
        synced.sync(&[]);
        // What was fetched already comes as a webhook as well: it is known.
        let serving = Serving::start(&synced);
        for days in [3, 60] {
            synced.server.live_days(days);
            let delivered = synced.server.deliver(&Delivery { script, ..serving.delivery() });
            assert_eq!(delivered.answers.keys().copied().collect::<Vec<_>>(), [200], "seed {seed}");
            settled(&synced);
        }
        let wanted = expected(&synced, seed, 0);
        let found = differences(&wanted, &synced.movements());
        assert_eq!(found, Vec::<String>::new(), "seed {seed}, {script:?}, since {first}");
        let figures = figures(&synced);
        assert_eq!(
            (figures["quarantined"].as_str(), figures["came again and said something else"].as_str()),
            ("0", "0")
        );
    }
}

#[test]
fn what_never_came_is_fetched_and_said() {
    let seed = 31;
    let busy = choices(seed, 22);
    let settings = Settings { customers: 25, ..busy.settings };
    let synced = Synced::with(serve(Choices { settings, ..busy }).unwrap());
    let first = synced.now();
    synced.sync(&[]);
    synced.server.skip_events();
    let serving = Serving::start(&synced);
    synced.server.live_days(2);
    let mut lost = Vec::new();
    for (days, one_lost_of) in [(5, None), (20, Some(4))] {
        synced.server.live_days(days);
        let script = Script { one_lost_of, order: Order::Shuffled(1), seed: 2, ..Script::default() };
        lost = synced.server.deliver(&Delivery { script, ..serving.delivery() }).lost;
        settled(&synced);
    }
    assert!(!lost.is_empty(), "nothing was lost");
    let report = synced.sync(&[]);
    assert_eq!(report["new_events"], lost.len().to_string());
    settled(&synced);
    let missed = ended(&synced.run(&["webhooks", "--missed"]), 0);
    assert_eq!(column(&missed, "event"), lost.iter().cloned().collect());
    assert_eq!(figures(&synced)["never came and were fetched"], lost.len().to_string());
    // What left no trace is dated by the list that first showed it, and the judge has seen the last one alone.
    let sure = |mut listed: Listed| {
        listed.retain(|_, (_, confidence)| confidence != "assumed");
        listed
    };
    let wanted = sure(expected(&synced, seed, first - 30 * DAY));
    assert_eq!(differences(&wanted, &sure(synced.movements())), Vec::<String>::new());
    // One that comes days late after all is known, and no longer missing.
    let late: Vec<Value> = synced
        .server
        .all_events()
        .into_iter()
        .filter(|event| lost.iter().any(|id| event["id"] == id.as_str()))
        .collect();
    assert_eq!(send(&late[..1], &serving.delivery()).answers.keys().copied().collect::<Vec<_>>(), [200]);
    assert_eq!(figures(&synced)["never came and were fetched"], (lost.len() - 1).to_string());
    assert_eq!(differences(&wanted, &sure(synced.movements())), Vec::<String>::new());
}

#[test]
fn poison_is_put_aside_and_the_rest_goes_on() {
    let seed = 41;
    let synced = Synced::with(serve(choices(seed, 22)).unwrap());
    synced.sync(&[]);
    let serving = Serving::start(&synced);
    synced.server.live_days(40);
    let good = synced.server.all_events();
    let of = |name: &str| good.iter().rfind(|event| event["type"] == name).unwrap().clone();
    let spoilt = |name: &str, id: &str, pointer: &str, value: Value| {
        let mut event = of(name);
        event["id"] = json!(id);
        *event.pointer_mut(pointer).unwrap() = value;
        event
    };
    let poison = [
        spoilt("invoice.paid", "evt_large", "/data/object/total", json!(i64::MAX)),
        spoilt("invoice.paid", "evt_currency", "/data/object/currency", json!("xxq")),
        spoilt("customer.subscription.updated", "evt_negative", "/data/object/items/data/0/quantity", json!(-5)),
    ];
    let unknown = json!({"id": "evt_unknown", "object": "event", "type": "galaxy.expanded", "created": 1_700_000_000,
        "api_version": "2031-01-01.zinc", "data": {"object": {"object": "galaxy", "id": "gal_1"}}});
    let events: Vec<Value> = poison.iter().cloned().chain([unknown]).chain(good).collect();
    let delivered = send(&events, &serving.delivery());
    assert_eq!(delivered.answers.keys().copied().collect::<Vec<_>>(), [200]);
    settled(&synced);
    let listed = ended(&synced.run(&["webhooks", "--quarantined"]), 0);
    let wanted = ["evt_large", "evt_currency", "evt_negative"].map(str::to_owned);
    assert_eq!(column(&listed, "event"), wanted.into_iter().collect(), "{listed}");
    for words in ["object.total is larger", "object.currency is no currency", "quantity is negative"] {
        assert!(listed.contains(words), "{listed}");
    }
    let again = ended(&synced.run(&["webhooks", "--replay"]), 1);
    assert!(again.contains("3 still cannot be read"), "{again}");
    let wanted = expected(&synced, seed, 0);
    assert_eq!(differences(&wanted, &synced.movements()), Vec::<String>::new());
}

#[test]
fn killed_while_events_come_it_goes_on_where_it_was() {
    let seed = 51;
    let synced = Synced::with(serve(choices(seed, 22)).unwrap());
    synced.sync(&[]);
    synced.server.live_days(60);
    let events = synced.server.all_events();
    for milliseconds in [150, 400, 900, 1_800] {
        let mut serving = Serving::start(&synced);
        let (delivery, events) = (serving.delivery(), events.clone());
        let sender = std::thread::spawn(move || send(&events, &Delivery { at_a_time: 4, ..delivery }));
        std::thread::sleep(Duration::from_millis(milliseconds));
        serving.kill();
        sender.join().unwrap();
    }
    let serving = Serving::start(&synced);
    assert!(send(&events, &Delivery { repeats: 3, ..serving.delivery() }).refused.is_empty());
    settled(&synced);
    let wanted = expected(&synced, seed, 0);
    assert_eq!(differences(&wanted, &synced.movements()), Vec::<String>::new());
    // Nothing is stated twice: made again from what is kept, nothing changes.
    drop(serving);
    let said = synced.sync(&["--rebuild"]);
    assert_eq!((said["facts_stated"].as_str(), said["facts_withdrawn"].as_str()), ("0", "0"));
}
