//! F6: several processes on one folder. Servers, imports and a sync take turns at it; of two imports the second says whose
//! turn it is.

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::json;
use stripe_simulator::{
    api::webhook,
    server::{Choices, READ_KEY, serve},
};

use crate::{
    crashes::{SECRET, add_secret, event, events, now, versions},
    folder::Folder,
    server::{Reply, Server},
};

/// Sends something until it is taken, as whoever is told to come again does.
pub fn until_taken(put_off: &AtomicU64, mut send: impl FnMut() -> Reply) -> Reply {
    let begun = Instant::now();
    loop {
        let reply = send();
        if reply.status == 200 {
            return reply;
        }
        assert!([429, 503].contains(&reply.status), "{}: {}", reply.status, reply.text);
        let seconds: u64 = reply.header("retry-after").expect("it is said when to come again").parse().unwrap();
        assert!((1..=60).contains(&seconds) && begun.elapsed() < Duration::from_secs(200), "{}", reply.text);
        put_off.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(Duration::from_secs(seconds));
    }
}

/// Ends what others do when a test ends, well or not: without it a failed test would wait for them for ever.
pub struct Until<'a>(pub &'a AtomicBool);

impl Drop for Until<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn two_servers_imports_and_a_sync_take_turns() {
    let folder = Folder::small();
    add_secret(&folder);
    let account = serve(Choices { lived_months: Some(8), ..Choices::of(5) }).unwrap();
    let servers: [Server; 2] = std::array::from_fn(|_| {
        let (server, log) = Server::of_logged(&mut folder.command(&["serve", "--port", "0", "--open", "editor"]));
        std::thread::spawn(move || {
            BufReader::new(log).lines().map_while(Result::ok).for_each(|line| eprintln!("{line}"))
        });
        server
    });
    let (is_over, put_off) = (AtomicBool::new(false), AtomicU64::new(0));
    let (payments, sent) = (Mutex::new(BTreeSet::new()), Mutex::new(BTreeSet::new()));
    std::thread::scope(|scope| {
        let _until = Until(&is_over);
        for (place, server) in servers.iter().enumerate() {
            let (is_over, put_off, payments, sent) = (&is_over, &put_off, &payments, &sent);
            scope.spawn(move || {
                let mut number = 0;
                while !is_over.load(Ordering::Relaxed) {
                    let id = format!("p-{place}-{number}");
                    let fact = json!({ "kind": "payments", "payment": id, "customer": "ann", "amount": 1,
                        "currency": "USD", "status": "succeeded", "paid_at": "2024-01-01" });
                    until_taken(put_off, || server.post("/facts", &json!({ "facts": [fact.clone()] })));
                    payments.lock().unwrap().insert(id);
                    number += 1;
                }
            });
            scope.spawn(move || {
                let customer = format!("of{place}");
                let mut number = 0;
                while !is_over.load(Ordering::Relaxed) {
                    let event = event(&customer, number, number + 1);
                    until_taken(put_off, || {
                        let (header, body) = webhook(&event, now(), &[SECRET]);
                        let headers = [("stripe-signature", header.as_str())];
                        server.bytes("POST", "//webhooks/stripe", &headers, body)
                    });
                    sent.lock().unwrap().insert(event["id"].as_str().unwrap().to_owned());
                    number += 1;
                    std::thread::sleep(Duration::from_millis(20));
                }
            });
        }
        for file in 0..4 {
            let name = format!("customers-{file}.csv");
            folder.file(&name, format!("customer\nfile-{file}\n"));
            folder.run(&["import", "customers", &name]).ends_with(0);
        }
        let url = account.url();
        let quick = ["--requests-a-second", "2000", "--first-wait-ms", "5"];
        let words = [&["sync", "stripe", "--api-base", &url][..], &quick].concat();
        let said = folder.command(&words).env("RECURVE_STRIPE_KEY", READ_KEY).output().unwrap();
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    });
    for server in &servers {
        let begun = Instant::now();
        while server.get("/sources/stripe").is(200).json()["waiting_events"] != 0 {
            assert!(begun.elapsed() < Duration::from_secs(60), "events wait for ever");
            std::thread::sleep(Duration::from_millis(50));
        }
        assert_eq!(server.get("//readyz").status, 200);
    }
    drop(servers);
    let (payments, sent) = (payments.into_inner().unwrap(), sent.into_inner().unwrap());
    let there: Vec<String> = versions(&folder).into_iter().filter(|row| row.starts_with("payment|p-")).collect();
    let ids: BTreeSet<String> = there.iter().map(|row| row.split('|').nth(1).unwrap().to_owned()).collect();
    assert_eq!((there.len(), &ids), (payments.len(), &payments), "each of them once");
    let of_us: BTreeSet<String> =
        events(&folder).into_iter().map(|(id, _)| id).filter(|id| id.starts_with("evt_of")).collect();
    assert_eq!(of_us, sent);
    assert!(events(&folder).iter().all(|(_, state)| state == "applied"));
    let customers = folder.run(&["export", "customers"]).ends_with(0).out;
    assert_eq!(customers.lines().filter(|line| line.contains("file-")).count(), 4, "{customers}");
    folder.run(&["check", "--currency", "USD"]);
    folder
        .run(&["sync", "stripe", "--rebuild", "--format", "csv"])
        .ends_with(0)
        .says(&["facts_stated,0\n", "facts_withdrawn,0\n"]);
}
