//! F1: the server is killed at its writes, one after the other: those of its start, of facts and webhooks that it takes, of
//! facts that it makes of events, of files that it merges, of alerts that it sends, of its end. Whatever the instant:
//! what was acknowledged is there, nothing is there twice, and the ledger is the one of a run without a kill.
//!
//! `RECURVE_FULL=1` kills at each write, whole and torn, instead of at some of each thread; `RECURVE_ONLY=thread` at those
//! of one.

use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    path::Path,
    process::Stdio,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use arrow::util::display::array_value_to_string;
use rusqlite::Connection;
use serde_json::{Value, json};
use stripe_simulator::api::webhook;
use warehouse::lake::{Access, Lake};

use crate::{
    folder::Folder,
    server::{Reply, Server},
    shim::{self, Clock, Kill, Point},
    sink::{Request, Sink},
};

pub const SECRET: &str = "whsec_of_the_faults_0001";
/// Seconds by which the clock of the second run is ahead, so that a message that was being sent is sent again.
const LATER: i64 = 400;

pub fn add_secret(folder: &Folder) {
    let mut child = folder
        .command(&["webhooks", "--add-secret"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(SECRET.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

pub fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

/// An event of a subscription with so many seats of ten dollars a month, in the order of their numbers.
pub fn event(customer: &str, number: u64, seats: u64) -> Value {
    let at = 1_700_000_000 + number;
    let price = json!({
        "id": "price_1", "object": "price", "active": true, "billing_scheme": "per_unit", "created": 1_600_000_000,
        "currency": "usd", "product": "prod_1", "type": "recurring", "unit_amount": 1_000, "unit_amount_decimal": "1000",
        "recurring": {"interval": "month", "interval_count": 1, "usage_type": "licensed"}
    });
    json!({
        "id": format!("evt_{customer}_{number}"), "object": "event", "api_version": "2025-09-30.clover", "created": at,
        "livemode": false, "pending_webhooks": 1,
        "type": if number == 0 { "customer.subscription.created" } else { "customer.subscription.updated" },
        "data": {"object": {
            "id": format!("sub_{customer}"), "object": "subscription", "created": 1_700_000_000, "start_date": 1_700_000_000,
            "billing_cycle_anchor": 1_700_000_000, "cancel_at_period_end": false, "collection_method": "charge_automatically",
            "currency": "usd", "customer": format!("cus_{customer}"), "discounts": [], "livemode": false, "status": "active",
            "items": {"object": "list", "has_more": false, "data": [{
                "id": format!("si_{customer}"), "object": "subscription_item", "created": 1_700_000_000, "price": price,
                "current_period_start": 1_700_000_000, "current_period_end": 1_702_592_000, "discounts": [],
                "quantity": seats, "subscription": format!("sub_{customer}")}]}
        }}
    })
}

/// Something that is done with the server.
enum Step {
    /// Facts are stated, under a key.
    Facts(&'static str, Value),
    /// A webhook comes.
    Webhook(Vec<u8>),
    /// It is waited until facts were made of all events.
    Settled,
    /// A rule is set, and it is waited until it has spoken.
    Rule,
    /// It is waited until small files were merged.
    Merged,
}

/// A way to be killed on.
struct Course {
    folder: Folder,
    steps: Vec<Step>,
    sink: Sink<Request>,
}

fn payment(id: &str, amount: u32) -> Value {
    json!({ "kind": "payments", "payment": id, "customer": "ann", "amount": amount, "currency": "USD",
            "status": "succeeded", "paid_at": "2024-01-01" })
}

fn subscription(customer: &str, amount: u32) -> Value {
    json!({ "kind": "subscriptions", "subscription": format!("s-{customer}"), "customer": customer, "currency": "USD",
            "amount": amount, "interval": "month", "start": "2024-01-01" })
}

/// The data of a folder in another one.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Waits until it holds; nothing where the server is gone meanwhile.
fn until(what: &str, mut holds: impl FnMut() -> Option<bool>) -> Option<()> {
    let begun = Instant::now();
    while !holds()? {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}: it does not come");
        std::thread::sleep(Duration::from_millis(30));
    }
    Some(())
}

impl Course {
    fn command(&self, folder: &Folder) -> std::process::Command {
        let mut command = folder.command(&["serve", "--port", "0", "--open", "editor"]);
        command.env("RECURVE_SECRET_HOOK", "a-key-of-some-length").env("RECURVE_ALLOW_TARGETS", "127.0.0.1");
        command
    }

    /// How often the rule of a run spoke: the numbers of the messages, each once.
    fn spoken(&self, rule: &str) -> BTreeSet<String> {
        let got = self.sink.got().into_iter().filter(|request| request.body.contains(&format!("\"{rule}\"")));
        got.map(|request| request.header("webhook-id").to_owned()).collect()
    }

    /// Does a step; nothing where the server is gone before it is done.
    fn take(&self, step: &Step, server: &Server, folder: &Folder, rule: &str, ahead: i64) -> Option<()> {
        let is_200 = |reply: Reply| drop(reply.is(200));
        match step {
            Step::Facts(key, facts) => {
                let headers = [("content-type", "application/json"), ("idempotency-key", *key)];
                let body = json!({ "facts": facts }).to_string().into_bytes();
                // Who sends many rows looks at the figures; who sends one after the other does not.
                let waits = facts.as_array().is_some_and(|facts| facts.len() > 1);
                server.try_bytes("POST", &format!("/facts?wait={waits}"), &headers, body).map(is_200)
            }
            Step::Webhook(body) => {
                let (header, body) = match serde_json::from_slice::<Value>(body) {
                    Ok(event) => webhook(&event, now() + ahead, &[SECRET]),
                    Err(_) => (crate::crowd::signed(body, now() + ahead), body.clone()),
                };
                let headers = [("stripe-signature", header.as_str()), ("content-type", "application/json")];
                server.try_bytes("POST", "//webhooks/stripe", &headers, body).map(is_200)
            }
            Step::Settled => until("facts of events", || {
                Some(server.try_get("/sources/stripe")?.is(200).json()["waiting_events"] == 0)
            }),
            Step::Rule => {
                let rules = server.try_get("/alerts")?.is(200);
                if !rules.text.contains(&format!("\"{rule}\"")) {
                    let body = json!({ "id": rule, "metric": "mrr", "above": "1" });
                    server.try_post("/alerts", &body).map(is_200)?;
                }
                until("the message of a rule", || server.try_get("//healthz").map(|_| !self.spoken(rule).is_empty()))
            }
            Step::Merged => until("merged files", || {
                server.try_get("//healthz")?;
                let lake = Lake::open(&folder.data(), Access::Read).unwrap();
                Some(lake.files("payment", None).unwrap().len() < 50)
            }),
        }
    }

    /// Plays the course in a copy of its folder. What is found at its end, and the writes.
    fn play(&self, name: &str, kill: Option<Kill<'_>>) -> (Found, Vec<Point>) {
        let folder = Folder::empty();
        copy(&self.folder.data(), &folder.data());
        let log = folder.path().join("log");
        let mut command = self.command(&folder);
        shim::watch(&mut command, &folder.data(), &log, kill);
        let mut done = 0;
        if let Some(server) = Server::if_it_starts(&mut command) {
            done = self.steps.iter().take_while(|step| self.take(step, &server, &folder, name, 0).is_some()).count();
            if done == self.steps.len() {
                // Its end is a part of it too; killed there, it ends all the same.
                server.stop();
            }
        }
        // Again, without a fault and later: everything that was acknowledged is there before anything is sent again.
        let clock = Clock::new(folder.path());
        clock.set_ahead(LATER);
        let mut command = self.command(&folder);
        clock.rule(&mut command);
        let begun = Instant::now();
        let server = Server::of(&mut command);
        let until_it_answers = begun.elapsed();
        let (there, known) = (versions(&folder), events(&folder));
        for step in &self.steps[..done] {
            match step {
                Step::Facts(_, facts) => {
                    let whole = facts.as_array().unwrap().iter().filter(|fact| fact["amount"].is_u64());
                    for id in whole.filter_map(|fact| fact["payment"].as_str()) {
                        assert!(there.iter().any(|row| row.contains(&format!("|{id}|"))), "{name}: {id} is lost");
                    }
                }
                Step::Webhook(body) => {
                    let id = serde_json::from_slice::<Value>(body).ok();
                    let id = id.and_then(|event| Some(event["id"].as_str()?.to_owned()));
                    assert!(id.is_none_or(|id| known.iter().any(|(of, _)| *of == id)), "{name}: an event is lost");
                }
                Step::Settled | Step::Rule | Step::Merged => {}
            }
        }
        // What was not acknowledged is sent again, and so is every event, since Stripe may always send one twice.
        for (place, step) in self.steps.iter().enumerate() {
            // Files are merged again once as many commits came as before.
            if (place >= done || !matches!(step, Step::Facts(..))) && !matches!(step, Step::Merged) {
                self.take(step, &server, &folder, name, LATER).expect("without a fault nothing ends it");
            }
        }
        let asked = "metric=mrr&metric=mrr_new&metric=customers&from=2023-01-01&to=2024-07-01&by=plan";
        let served = server.get(&format!("/figures?{asked}")).is(200).json()["figures"].to_string();
        let found = Found { served, events: events(&folder), versions: versions(&folder), ..Found::default() };
        assert_eq!(server.stop().0, Some(0), "{name}: it ends well");
        let words = "metric mrr mrr_new customers --from 2023-01-01 --to 2024-07-01 --by plan --format csv";
        let said = folder.run(&words.split(' ').collect::<Vec<_>>()).ends_with(0).out;
        let mut exported: Vec<String> = Vec::new();
        for kind in ["customers", "subscriptions", "payments"] {
            exported
                .extend(folder.run(&["export", kind]).ends_with(0).out.lines().map(|line| format!("{kind},{line}")));
        }
        exported.sort_unstable();
        folder.run(&["check"]).ends_with(0);
        let lake = Lake::open(&folder.data(), Access::Write).unwrap();
        assert_eq!(lake.verify().unwrap(), [], "{name}");
        drop(lake);
        if !found.events.is_empty() {
            // Made anew of what is kept of Stripe, each fact is as it was stated.
            let rebuilt = folder.run(&["sync", "stripe", "--rebuild", "--format", "csv"]).ends_with(0);
            rebuilt.says(&["facts_stated,0\n", "facts_withdrawn,0\n"]);
        }
        let spoken = self.spoken(name).len();
        (Found { said, exported, spoken, until_it_answers, ..found }, shim::noted(&log))
    }

    /// Kills it here and there, and holds what is found against a run without a kill.
    fn sweep(&self, threads: &[&str], some: usize) {
        let (calm, all) = self.play("calm", None);
        let is_full = std::env::var_os("RECURVE_FULL").is_some();
        let only = std::env::var("RECURVE_ONLY").ok();
        let (mut killed, mut slowest) = (0, Duration::ZERO);
        let writing: BTreeSet<&str> = all.iter().map(|point| point.thread.as_str()).collect();
        for thread in threads {
            assert!(writing.contains(thread), "{thread} writes nothing in this course: {writing:?}");
        }
        // Those of a course that is about one thread are about no other.
        let meant = |thread: &&str| threads.len() > 1 || threads.contains(thread);
        for thread in writing.into_iter().filter(meant).filter(|thread| only.as_ref().is_none_or(|only| only == thread))
        {
            let of: Vec<&Point> = all.iter().filter(|point| point.thread == thread).collect();
            let step = if is_full { 1 } else { of.len().div_ceil(some) };
            // Where it is killed at few writes they lie apart from each other by some other number each time.
            let first = if is_full { 0 } else { of.len() % step.max(1) };
            for point in of.iter().skip(first).step_by(step) {
                let torn = [false, true];
                let manners = if is_full && point.call.ends_with("write") {
                    &torn[..]
                } else {
                    &torn[usize::from(killed % 2 == 1)..][..1]
                };
                for is_torn in manners.iter().copied() {
                    killed += 1;
                    let name = format!("{thread}-{}-{}", point.at, if is_torn { "torn" } else { "whole" });
                    let begun = Instant::now();
                    let (found, noted) = self.play(&name, Some(Kill { thread, at: point.at, is_torn }));
                    let last = noted.iter().rfind(|point| point.thread == thread);
                    let words = format!("{name}, killed at {last:?}");
                    assert_eq!(found.events, calm.events, "{words}");
                    assert_eq!(found.versions, calm.versions, "{words}");
                    assert_eq!(found.exported, calm.exported, "{words}");
                    assert_eq!((&found.served, &found.said), (&calm.served, &calm.said), "{words}");
                    assert_eq!(found.spoken, calm.spoken, "{words}: a rule speaks once");
                    slowest = slowest.max(found.until_it_answers);
                    eprintln!("{words}: {:.1?}", begun.elapsed());
                }
            }
        }
        eprintln!("killed {killed} times at {} writes; it answers again within {slowest:.1?}", all.len());
    }
}

/// What is found at the end of a run.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    /// Events with their states.
    events: Vec<(String, String)>,
    /// Each version of each fact that was stated over the API.
    versions: Vec<String>,
    /// Facts as they are now.
    exported: Vec<String>,
    /// Figures of the server.
    served: String,
    /// Figures of the command line.
    said: String,
    /// How many messages of the rule there are.
    spoken: usize,
    /// How long the server takes to answer after it.
    until_it_answers: Duration,
}

/// Events that are kept, with their states.
pub fn events(folder: &Folder) -> Vec<(String, String)> {
    let file = folder.data().join("stripe.sqlite");
    if !file.exists() {
        return Vec::new();
    }
    let store = Connection::open(file).unwrap();
    let Ok(mut statement) = store.prepare("SELECT id, state FROM event ORDER BY id") else { return Vec::new() };
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

/// Every version of every payment and subscription that was stated over the API, sorted.
pub fn versions(folder: &Folder) -> Vec<String> {
    let lake = Lake::open(&folder.data(), Access::Read).unwrap();
    let mut versions = Vec::new();
    for table in ["payment", "subscription"] {
        let Some(schema) = lake.table_schema(table).unwrap() else { continue };
        // Where they stand says nothing of what they say; instants are none of those that are stated here.
        let says = |field: &&arrow::datatypes::FieldRef| {
            !["import", "row"].contains(&field.name().as_str())
                && !matches!(field.data_type(), arrow::datatypes::DataType::Timestamp(..))
        };
        let names: Vec<&str> = schema.fields().iter().filter(says).map(|field| field.name().as_str()).collect();
        for batch in lake.read(table, &names, None).unwrap().map(Result::unwrap) {
            for row in 0..batch.num_rows() {
                let cells = batch.columns().iter().map(|column| array_value_to_string(column, row).unwrap());
                let cells: Vec<String> = cells.collect();
                if cells.iter().any(|cell| cell == "api") {
                    versions.push(format!("{table}|{}|", cells.join("|")));
                }
            }
        }
    }
    versions.sort_unstable();
    versions
}

#[test]
fn a_server_that_is_killed_at_a_write_loses_and_doubles_nothing() {
    if shim::library().is_none() {
        return;
    }
    let (folder, sink) = (Folder::small(), Sink::web());
    add_secret(&folder);
    let url = sink.url();
    folder.run(&["alert", "set-channel", "ops", "--kind", "webhook", "--url", &url, "--secret", "hook"]).ends_with(0);
    let facts = |facts: &[Value]| Value::Array(facts.to_vec());
    let of = |event: Value| Step::Webhook(event.to_string().into_bytes());
    let gone = json!({ "kind": "payments", "withdraw": "p1" });
    let steps = vec![
        Step::Facts("k1", facts(&[payment("p1", 1), payment("p2", 2), subscription("cleo", 50)])),
        of(event("a", 0, 1)),
        Step::Facts("k2", facts(&[payment("p3", 3), subscription("cleo", 70), gone, subscription("dan", 5)])),
        of(event("b", 0, 2)),
        Step::Webhook(b"{".to_vec()),
        Step::Settled,
        of(event("a", 1, 3)),
        Step::Facts("k3", facts(&[payment("p4", 4), json!({ "kind": "payments", "payment": "p5" })])),
        Step::Settled,
        Step::Rule,
    ];
    let course = Course { folder, steps, sink };
    course.sweep(&["recurve", "recurve-ingest", "stripe-events", "stripe-facts", "recurve-web"], 3);
}

#[test]
fn a_server_that_is_killed_while_it_merges_files_loses_and_doubles_nothing() {
    if shim::library().is_none() {
        return;
    }
    let folder = Folder::small();
    let mut number = 0;
    let mut some = |count: u32| -> Vec<Value> {
        let ids = number..number + count;
        number += count;
        ids.map(|id| payment(&format!("p{id}"), id + 1)).collect()
    };
    let server = Server::open(&folder);
    for one in some(100) {
        server.post("/facts", &json!({ "facts": [one] })).is(200);
    }
    server.stop();
    // Files are looked at after so many commits; there are too few of them before, and enough then.
    let mut steps: Vec<Step> = some(64).into_iter().map(|one| Step::Facts("", json!([one]))).collect();
    for (place, step) in steps.iter_mut().enumerate() {
        if let Step::Facts(key, _) = step {
            *key = Box::leak(format!("k{place}").into_boxed_str());
        }
    }
    steps.push(Step::Merged);
    let course = Course { folder, steps, sink: Sink::web() };
    course.sweep(&["recurve-compact"], 3);
}
