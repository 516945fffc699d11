//! F7: the clock of the machine jumps. What is known stays known in the order in which it came to be known, nothing is lost
//! or sent to the future, schedules go on, and signatures are judged by the clock as it is.

use std::{
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use rusqlite::Connection;
use serde_json::{Value, json};
use stripe_simulator::{
    api::webhook,
    server::{Choices, READ_KEY, serve},
};

use crate::{
    crashes::{SECRET, add_secret, events, now, versions},
    folder::Folder,
    server::{Reply, Server},
    shim::{self, Clock},
    sink::{Answer, Sink},
};

const TEN_YEARS: i64 = 3_652 * 86_400;

/// The server, which goes by a clock, and not by a day that is given.
fn command(folder: &Folder, clock: &Clock) -> Command {
    let mut command = folder.bare(&["serve", "--port", "0", "--open", "editor"]);
    command.env("RECURVE_DATA", folder.data());
    clock.rule(&mut command);
    command
}

fn pays(customer: &str, amount: u32) -> Value {
    json!([{ "kind": "subscriptions", "subscription": format!("s-{customer}"), "customer": customer, "currency": "USD",
             "amount": amount, "interval": "month", "start": "2024-01-01" }])
}

fn state(server: &Server, customer: &str, amount: u32) -> Reply {
    let headers = [("idempotency-key", customer)];
    server.with("POST", "/facts?wait=true", &headers, Some(&json!({ "facts": pays(customer, amount) })))
}

fn mrr(server: &Server) -> String {
    let asked = "/figures?metric=mrr&from=2024-05-01&to=2024-06-01";
    server.get(asked).is(200).json()["figures"][0]["value"].as_str().unwrap().to_owned()
}

fn deliver(server: &Server, event: &Value, signed_at: i64) -> Reply {
    let (header, body) = webhook(event, signed_at, &[SECRET]);
    server.bytes("POST", "//webhooks/stripe", &[("stripe-signature", &header)], body)
}

/// When the snapshots were recorded, in their order.
fn recorded(folder: &Folder) -> Vec<String> {
    let catalogue = Connection::open(folder.data().join("catalog.sqlite")).unwrap();
    let mut statement = catalogue.prepare("SELECT snapshot_time FROM ducklake_snapshot ORDER BY snapshot_id").unwrap();
    let times = statement.query_map([], |row| row.get(0)).unwrap();
    times.collect::<Result<_, _>>().unwrap()
}

#[test]
fn what_is_known_stays_known_in_its_order_when_the_clock_jumps() {
    if shim::library().is_none() {
        return;
    }
    let folder = Folder::small();
    add_secret(&folder);
    let clock = Clock::new(folder.path());
    let server = Server::of(&mut command(&folder, &clock));
    state(&server, "cleo", 20).is(200);
    assert_eq!(mrr(&server), "50.00");
    // When it was recorded, as the command line takes an instant.
    let then = recorded(&folder).pop().unwrap().replace(' ', "T").replace("+00", "Z");
    let known_then = |folder: &Folder| {
        let words =
            ["metric", "mrr", "--from", "2024-05", "--to", "2024-06", "--as-known-at", &then, "--format", "csv"];
        folder.run(&words).ends_with(0).out
    };
    let before = known_then(&folder);
    assert!(before.contains("50.00"), "{before}");

    let mut expected = 50;
    for (name, ahead) in [("back", -3_600), ("far-back", -TEN_YEARS), ("ahead", TEN_YEARS), ("home", 0)] {
        clock.set_ahead(ahead);
        state(&server, name, 1).is(200);
        expected += 1;
        if ahead > -TEN_YEARS {
            // Ten years ago May 2024 was still to come, and nothing is said of what is to come.
            assert_eq!(mrr(&server), format!("{expected}.00"), "{name}");
        }
        // The same again changes nothing, by whatever clock.
        let again = state(&server, name, 1).is(200).json();
        assert_eq!(again["answers"].as_array().unwrap().len(), 1, "{again}");
        assert_eq!(state(&server, "cleo", 20).is(200).json()["restated"], 0);

        // A signature is judged by the clock as it is: what Stripe signs now is believed by a clock that is right.
        let event = json!({ "id": format!("evt_{name}"), "object": "event", "api_version": "2025-09-30.clover",
            "created": 1_700_000_000, "type": "customer.updated", "data": { "object": {
                "id": format!("cus_{name}"), "object": "customer", "created": 1_690_000_000, "name": name } } });
        if ahead == 0 {
            let early = deliver(&server, &event, now() + TEN_YEARS).is(400);
            assert!(early.text.contains("in the future"), "{}", early.text);
            deliver(&server, &event, now()).is(200);
        } else {
            let reply = deliver(&server, &event, now()).is(400);
            assert_eq!(reply.code(), "signature");
            let words = if ahead > 0 { "s ago" } else { "in the future" };
            assert!(reply.text.contains(words), "{}", reply.text);
            deliver(&server, &event, now() + ahead).is(200);
        }
        let metrics = server.get("//metrics").is(200).text;
        let age = metrics.lines().find_map(|line| line.strip_prefix("recurve_data_age_seconds ")).unwrap();
        assert!(age.parse::<f64>().unwrap() >= 0.0, "{age}");
    }
    let begun = Instant::now();
    while server.get("/sources/stripe").is(200).json()["waiting_events"] != 0 {
        assert!(begun.elapsed() < Duration::from_secs(60), "events wait for ever");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(events(&folder).len(), 4);
    assert_eq!(server.stop().0, Some(0));
    let times = recorded(&folder);
    assert!(times.windows(2).all(|two| two[0] < two[1]), "{times:#?}");
    assert_eq!(versions(&folder).len(), 5, "each fact once");
    assert_eq!(known_then(&folder), before, "what was known then stays as it was");
    folder.run(&["check"]).ends_with(0);
    // Nothing is other than what a server would say that was never told another time.
    let server = Server::open(&folder);
    assert_eq!(mrr(&server), format!("{expected}.00"));
}

#[test]
fn schedules_go_on_when_a_clock_that_ran_ahead_is_set_back() {
    if shim::library().is_none() {
        return;
    }
    let folder = Folder::small();
    let is_deaf = Arc::new(AtomicBool::new(true));
    let deaf = Arc::clone(&is_deaf);
    let sink =
        Sink::web_that(Box::new(move |_, _| Answer::Status(if deaf.load(Ordering::Relaxed) { 500 } else { 204 }, "")));
    let account = serve(Choices { lived_months: Some(3), ..Choices::of(5) }).unwrap();
    let url = sink.url();
    let words =
        ["alert", "set-channel", "ops", "--kind", "webhook", "--url", &url, "--secret", "hook", "--digest", "daily"];
    let mut channel = folder.bare(&words);
    assert!(channel.env("RECURVE_DATA", folder.data()).status().unwrap().success());
    let clock = Clock::new(folder.path());
    clock.set_ahead(TEN_YEARS);
    let mut command = command(&folder, &clock);
    command.env("RECURVE_SECRET_HOOK", "a-key-of-some-length").env("RECURVE_ALLOW_TARGETS", "127.0.0.1");
    command.env("RECURVE_STRIPE_KEY", READ_KEY).env("RECURVE_STRIPE_API_BASE", account.url());
    let server = Server::of(&mut command);
    let wait = |what: &str, holds: &dyn Fn() -> bool| {
        let begun = Instant::now();
        while !holds() {
            assert!(begun.elapsed() < Duration::from_secs(60), "{what}: it does not come");
            std::thread::sleep(Duration::from_millis(100));
        }
    };
    let next_sync = || server.get("/sources/stripe").is(200).json()["next_at"].as_str().unwrap_or_default().to_owned();
    let synced =
        || server.get("/sources/stripe").is(200).json()["last"]["ended_at"].as_str().unwrap_or_default().to_owned();
    wait("the first sync", &|| !synced().is_empty());
    wait("a digest", &|| !sink.got().is_empty());
    let (first, far) = (synced(), next_sync());
    assert!(far.as_str() > "2036", "{far}");
    // The digest could not be delivered, and is to be sent again in ten years: and then the clock is right again.
    is_deaf.store(false, Ordering::Relaxed);
    clock.set_ahead(0);
    wait("the digest", &|| sink.got().len() >= 2);
    wait("the next sync", &|| synced() != first && next_sync().as_str() < "2036");
    std::thread::sleep(Duration::from_secs(6));
    let got = sink.got();
    let numbers: std::collections::BTreeSet<_> = got.iter().map(|one| one.header("webhook-id").to_owned()).collect();
    assert_eq!((got.len(), numbers.len()), (2, 1), "one digest, of the years between none");
    assert!(next_sync() > stripe::fact::moment(now()) && next_sync() < stripe::fact::moment(now() + 2 * 3_600));
}
