//! Facts that programs state row by row: answers, keys, limits, and what must hold when things go wrong.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use warehouse::lake::{Access, Lake};

use crate::{
    folder::Folder,
    server::{Reply, Server},
};

/// A customer who pays so much a month from 2024.
fn customer(name: &str, amount: u32) -> Value {
    json!([
        { "kind": "customers", "customer": name, "name": name },
        { "kind": "subscriptions", "subscription": format!("s-{name}"), "customer": name, "currency": "USD",
          "amount": amount, "interval": "month", "start": "2024-01-01" },
    ])
}

fn state(server: &Server, facts: &Value) -> Reply {
    server.post("/facts?wait=true", &json!({ "facts": facts }))
}

fn statuses(reply: &Reply) -> Vec<String> {
    let answers = reply.json()["answers"].as_array().unwrap().clone();
    answers.iter().map(|answer| answer["status"].as_str().unwrap().to_owned()).collect()
}

fn mrr(server: &Server, month: &str, next: &str) -> String {
    let figures = server.get(&format!("/figures?metric=mrr&from={month}-01&to={next}-01")).is(200).json();
    figures["figures"][0]["value"].as_str().unwrap_or_default().to_owned()
}

/// A folder with a currency and nothing else.
fn folder() -> Folder {
    let folder = Folder::empty();
    folder.run(&["init"]).ends_with(0);
    folder
}

#[test]
fn what_is_stated_is_in_the_figures_and_said_again_changes_nothing() {
    let folder = folder();
    let server = Server::open(&folder);
    let told = state(&server, &customer("ann", 20)).is(200);
    assert_eq!(statuses(&told), ["stated", "stated"]);
    assert_eq!((&told.json()["stated"], &told.json()["refused"]), (&json!(2), &json!(0)));
    assert!(told.json()["import"].is_i64() && told.json()["snapshot"].is_i64());
    assert_eq!(mrr(&server, "2024-01", "2024-02"), "20.00");

    let again = state(&server, &customer("ann", 20)).is(200);
    assert_eq!(statuses(&again), ["unchanged", "unchanged"]);
    assert_eq!(again.json()["import"], Value::Null, "nothing was written");
    let newer = state(&server, &customer("ann", 30)).is(200);
    assert_eq!(statuses(&newer), ["unchanged", "restated"]);
    assert_eq!(mrr(&server, "2024-01", "2024-02"), "30.00");

    let gone = json!([{ "kind": "subscriptions", "withdraw": { "subscription": "s-ann", "start": "2024-01-01" } }]);
    assert_eq!(statuses(&state(&server, &gone).is(200)), ["withdrawn"]);
    assert_eq!(mrr(&server, "2024-01", "2024-02"), "0.00");
    assert_eq!(statuses(&state(&server, &gone).is(200)), ["unchanged"]);

    // Where each came from can be asked.
    let facts = server.get("/facts/customers").is(200).text;
    assert!(facts.contains("api (anybody on this machine)"), "{facts}");
    folder.run(&["check"]).ends_with(0);
}

/// What was known after each import is told as it was, where some imports are of several kinds and some of one.
#[test]
fn what_was_known_after_batches_of_several_kinds_is_told_as_it_was() {
    let folder = folder();
    let server = Server::open(&folder);
    let one = |name: &str, amount: u32| json!([customer(name, amount)[1]]);
    for facts in [customer("ann", 20), one("ben", 5), customer("ann", 30), one("cleo", 7), one("ben", 6)] {
        state(&server, &facts).is(200);
    }
    drop(server);
    folder.run(&["check"]).ends_with(0);
}

#[test]
fn each_row_is_answered_and_what_is_refused_waits_in_the_quarantine() {
    let folder = folder();
    let server = Server::open(&folder);
    let facts = json!([
        { "kind": "customers", "customer": "ann", "hue": "green" },
        { "kind": "payments", "payment": "p1", "customer": "ann", "amount": "many", "currency": "USD",
          "status": "succeeded", "paid_at": "2024-01-01" },
        { "kind": "invoices", "values": { "invoice": "i1", "line": "l1", "customer": "ann", "amount": 5,
          "currency": "USD", "issued": "2024-01-01", "kind": "one_off" } },
        { "kind": "customers", "withdraw": "nobody" },
    ]);
    let told = state(&server, &facts).is(200);
    let json = told.json();
    assert_eq!(statuses(&told)[..2], ["stated", "refused"], "{json}");
    assert_eq!(json["answers"][0]["attributes"], json!(["hue"]));
    assert_eq!(json["answers"][1]["issues"][0]["code"], "number-unreadable");
    assert_eq!(json["answers"][1]["issues"][0]["column"], "amount");
    assert_eq!(json["answers"][3]["issues"][0]["code"], "fact-unknown");
    let refused = json["refused"].as_u64().unwrap();
    let waiting = server.get("/quarantine").is(200).json();
    assert_eq!(waiting["total"].as_u64().unwrap(), refused);
}

/// One bad row never spoils the rest: not even one of which nobody can tell what it is.
#[test]
fn rows_of_which_it_cannot_be_told_what_they_are_are_refused_alone() {
    let folder = folder();
    let server = Server::open(&folder);
    let facts = json!([
        { "kind": "customers", "customer": "ann" },
        { "customer": "ben" },
        { "kind": "nonsense", "source": "somewhere" },
        { "kind": 7 },
        7,
        { "kind": "subscriptions", "withdraw": "s" },
        { "kind": "customers", "withdraw": "s", "name": "x" },
        { "kind": "customers", "customer": "cleo" },
    ]);
    let told = state(&server, &facts).is(200);
    let json = told.json();
    assert_eq!((&json["stated"], &json["refused"]), (&json!(2), &json!(6)), "{json}");
    let code = |row: usize| json["answers"][row]["issues"][0]["code"].as_str().unwrap_or("stated").to_owned();
    let codes: Vec<String> = (0..8).map(code).collect();
    let expected = [
        "stated",
        "kind-unknown",
        "kind-unknown",
        "kind-unknown",
        "json-unreadable",
        "statement-unclear",
        "statement-unclear",
        "stated",
    ];
    assert_eq!(codes, expected);
    assert!(
        json["answers"][2]["issues"][0]["message"].as_str().unwrap().contains("`nonsense`; it is one of"),
        "{json}"
    );
    assert!(json["answers"][5]["issues"][0]["message"].as_str().unwrap().contains("subscription, item, start"));
    assert!(!json["answers"][1]["issues"][0]["help"].as_str().unwrap().is_empty());

    // The same of lines, one of which is no JSON at all, and one that was cut short.
    let lines = "{\"kind\":\"customers\",\"customer\":\"dan\"}\nno JSON\n{\"kind\":\"customers\",\"customer\":\n";
    let media = [("content-type", "application/x-ndjson")];
    let told = server.bytes("POST", "/facts?wait=true", &media, lines.as_bytes().to_vec()).is(200);
    assert_eq!(statuses(&told), ["stated", "refused", "refused"]);
    let twice = "{\"kind\":\"customers\",\"kind\":\"payments\"}";
    let told = server.bytes("POST", "/facts?wait=true", &media, twice.as_bytes().to_vec()).is(200);
    assert_eq!(told.json()["answers"][0]["issues"][0]["code"], "json-key-twice");

    // What was sent waits in the quarantine, as it was sent, and reading it again makes no fact of it.
    let waiting = server.get("/quarantine").is(200);
    assert_eq!(waiting.json()["total"], 9);
    assert!(waiting.text.contains("no JSON") && waiting.text.contains("nonsense"), "{}", waiting.text);
    drop(server);
    folder.run(&["quarantine", "--replay"]).ends_with(1).says(&["9"]);
    let customers = folder.run(&["export", "customers"]).ends_with(0).out;
    assert_eq!(customers.lines().count(), 4, "{customers}");
    folder.run(&["check"]).ends_with(0);
}

#[test]
fn lines_are_taken_too_and_a_source_is_told_by_whom() {
    let folder = folder();
    let server = Server::open(&folder);
    let lines = "{\"kind\":\"customers\",\"customer\":\"ann\"}\n\n{\"kind\":\"customers\",\"customer\":\"ben\"}\n";
    let media = [("content-type", "application/x-ndjson")];
    let send = |path: &str| server.bytes("POST", path, &media, lines.as_bytes().to_vec()).is(200);
    assert_eq!(statuses(&send("/facts")), ["stated", "stated"]);
    assert_eq!(statuses(&send("/facts")), ["unchanged", "unchanged"]);
    // Another source has facts of its own.
    assert_eq!(statuses(&send("/facts?source=crm")), ["stated", "stated"]);
}

#[test]
fn what_cannot_be_a_request_is_refused_whole_in_words() {
    let folder = folder();
    let server = Server::open(&folder);
    let refused = |body: &str, media: &str, status: u16, word: &str| {
        let reply = server.bytes("POST", "/facts", &[("content-type", media)], body.as_bytes().to_vec()).is(status);
        assert!(reply.text.contains(word), "{word}: {}", reply.text);
    };
    let json = "application/json";
    refused("{", json, 400, "facts");
    refused("{\"facts\":[]}", json, 400, "no fact");
    refused("a,b", "text/csv", 415, "application/x-ndjson");
    let many = format!("{{\"facts\":[{}]}}", vec!["{\"kind\":\"customers\"}"; 10_001].join(","));
    refused(&many, json, 413, "10,000 rows");
    refused(&" ".repeat((8 << 20) + 1), json, 413, "8 MiB");
    assert_eq!(server.get("/sources").is(200).json()["rows"].as_array().map(Vec::len), Some(0), "nothing was taken");
}

#[test]
fn a_key_gets_the_answer_that_it_got_and_no_other_body() {
    let folder = folder();
    let mut server = Server::open(&folder);
    let send = |server: &Server, facts: &Value, key: &str| {
        server.with("POST", "/facts", &[("idempotency-key", key)], Some(&json!({ "facts": facts })))
    };
    let first = send(&server, &customer("ann", 20), "k1").is(200);
    assert_eq!(first.header("idempotent-replayed"), None);
    let again = send(&server, &customer("ann", 20), "k1").is(200);
    assert_eq!((again.text.as_str(), again.header("idempotent-replayed")), (first.text.as_str(), Some("true")));
    assert_eq!(send(&server, &customer("ann", 21), "k1").is(409).code(), "key_reused");
    assert_eq!(statuses(&send(&server, &customer("ann", 20), "k2").is(200)), ["unchanged", "unchanged"]);
    assert_eq!(send(&server, &customer("ann", 20), &"k".repeat(256)).status, 400);
    // It is kept over a restart.
    server.end_at_once();
    let server = Server::open(&folder);
    assert_eq!(send(&server, &customer("ann", 20), "k1").is(200).text, first.text);
}

#[test]
fn a_token_states_the_kinds_that_it_is_for() {
    let folder = folder();
    let server = Server::start(&folder, &[]);
    let cookie = server.set_up();
    let make = |body: Value| server.with("POST", "/tokens", &[("cookie", &cookie)], Some(&body));
    let token = |reply: Reply| format!("Bearer {}", reply.is(200).json()["secret"].as_str().unwrap());
    let all = token(make(json!({ "label": "billing" })));
    let some = token(make(json!({ "label": "crm", "facts": ["customers", "leads"] })));
    let reading = token(make(json!({ "label": "reader", "kind": "read" })));
    assert_eq!(make(json!({ "label": "x", "facts": ["nonsense"] })).status, 422);
    assert_eq!(make(json!({ "label": "x", "kind": "read", "facts": ["customers"] })).status, 422);
    let send = |token: &str, facts: &Value| {
        server.with("POST", "/facts?wait=true", &[("authorization", token)], Some(&json!({ "facts": facts })))
    };
    assert_eq!(send("Bearer nonsense", &customer("ann", 1)).status, 401);
    assert_eq!(send(&reading, &customer("ann", 1)).status, 403);
    let refused = send(&some, &customer("ann", 1)).is(403);
    assert!(refused.text.contains("subscriptions"), "{}", refused.text);
    assert_eq!(statuses(&send(&some, &json!([{ "kind": "customers", "customer": "ann" }])).is(200)), ["stated"]);
    assert_eq!(statuses(&send(&all, &customer("ben", 1)).is(200)), ["stated", "stated"]);
    let file = ("subscriptions.csv", "subscription,customer,currency,amount,interval,start\n");
    assert_eq!(server.upload(Some(file), &[], &[("authorization", &some)]).status, 403, "nor by a file");
    let facts = server.with("GET", "/facts/customers", &[("cookie", &cookie)], None).is(200).text;
    assert!(facts.contains("api (token crm)") && facts.contains("api (token billing)"), "{facts}");
    let listed = server.with("GET", "/tokens", &[("cookie", &cookie)], None).is(200).json();
    assert_eq!(listed["passes"][1]["facts"], json!(["customers", "leads"]));
    assert_eq!(server.post("/facts", &json!({ "facts": customer("ann", 1) })).status, 401);
}

/// Payments by one client: `p-CLIENT-NUMBER`, so many a batch.
fn payments(client: usize, batch: usize, rows: usize) -> (Vec<String>, Value) {
    let ids: Vec<String> = (0..rows).map(|row| format!("p-{client}-{batch}-{row}")).collect();
    let facts: Vec<Value> = ids
        .iter()
        .map(|id| {
            json!({ "kind": "payments", "payment": id, "customer": format!("c{client}"), "amount": 1,
                    "currency": "USD", "status": "succeeded", "paid_at": "2024-01-01" })
        })
        .collect();
    (ids, json!({ "facts": facts }))
}

/// How often each payment stands in the lake, versions and all.
fn kept(folder: &Folder) -> BTreeMap<String, usize> {
    let lake = Lake::open(&folder.data(), Access::Read).unwrap();
    assert_eq!(lake.verify().unwrap(), []);
    let mut kept = BTreeMap::new();
    for batch in lake.read("payment", &["payment"], None).unwrap() {
        let batch = batch.unwrap();
        let ids = batch.column(0).as_any().downcast_ref::<arrow::array::StringArray>().unwrap();
        for id in ids.iter().flatten() {
            *kept.entry(id.to_owned()).or_default() += 1;
        }
    }
    kept
}

#[test]
fn killed_while_four_clients_send_everything_acknowledged_is_there_once() {
    let folder = folder();
    let mut acknowledged: BTreeSet<String> = BTreeSet::new();
    let mut unanswered: Vec<(usize, usize)> = Vec::new();
    for round in 0..3 {
        let server = Server::open(&folder);
        let pid = server.pid();
        // What got no answer is sent again, as a client does that cannot know.
        for (client, batch) in std::mem::take(&mut unanswered) {
            let (ids, body) = payments(client, batch, 5);
            let told = server.post("/facts", &body).is(200);
            assert!(statuses(&told).iter().all(|status| status == "stated" || status == "unchanged"));
            acknowledged.extend(ids);
        }
        let results: Vec<_> = std::thread::scope(|scope| {
            let clients: Vec<_> = (0..4)
                .map(|client| {
                    let server = &server;
                    scope.spawn(move || {
                        let mut answered = Vec::new();
                        for batch in round * 1_000.. {
                            let (ids, body) = payments(client, batch, 5);
                            match server.try_post("/facts", &body) {
                                Some(reply) => {
                                    assert_eq!(statuses(&reply.is(200)), ["stated"; 5]);
                                    answered.extend(ids);
                                }
                                None => return (answered, (client, batch)),
                            }
                        }
                        unreachable!("it is killed before")
                    })
                })
                .collect();
            std::thread::sleep(Duration::from_millis(900 + 317 * round as u64));
            std::process::Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap();
            clients.into_iter().map(|client| client.join().unwrap()).collect()
        });
        for (ids, last) in results {
            acknowledged.extend(ids);
            unanswered.push(last);
        }
    }
    let server = Server::open(&folder);
    for (client, batch) in unanswered {
        let (ids, body) = payments(client, batch, 5);
        server.post("/facts", &body).is(200);
        acknowledged.extend(ids);
    }
    let kept = kept(&folder);
    assert!(acknowledged.len() > 60, "{} facts were acknowledged", acknowledged.len());
    let missing: Vec<_> = acknowledged.iter().filter(|id| !kept.contains_key(*id)).collect();
    assert!(missing.is_empty(), "acknowledged and gone: {missing:?}");
    let twice: Vec<_> = kept.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "there twice: {twice:?}");
    assert_eq!(kept.len(), acknowledged.len());
}

/// Ends what others do when it is dropped.
struct Until<'a>(&'a AtomicBool);

impl Drop for Until<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn the_command_line_imports_beside_a_server_that_takes_facts() {
    let folder = folder();
    let server = Server::open(&folder);
    let is_over = AtomicBool::new(false);
    let sent = AtomicU64::new(0);
    std::thread::scope(|scope| {
        // However this ends: those who send are told so, and nobody waits for them for ever.
        let _until = Until(&is_over);
        for client in 0..2 {
            let (server, is_over, sent) = (&server, &is_over, &sent);
            scope.spawn(move || {
                for batch in 0.. {
                    server.post("/facts", &payments(client, batch, 3).1).is(200);
                    sent.fetch_add(3, Ordering::Relaxed);
                    if is_over.load(Ordering::Relaxed) {
                        break;
                    }
                }
            });
        }
        for file in 0..5 {
            let name = format!("customers-{file}.csv");
            folder.file(&name, format!("customer\nfile-{file}\n"));
            folder.run(&["import", "customers", &name]).ends_with(0);
        }
    });
    assert_eq!(kept(&folder).len() as u64, sent.load(Ordering::Relaxed));
    let customers = folder.run(&["export", "customers"]).ends_with(0).out;
    assert_eq!(customers.lines().count(), 6, "{customers}");
}

#[test]
fn more_than_can_be_written_is_refused_and_nothing_is_lost() {
    const CLIENTS: usize = 48;
    const ROWS: usize = 1_000;
    let folder = folder();
    let server = Server::open(&folder);
    let refused = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (server, refused) = (&server, &refused);
            scope.spawn(move || {
                let (_, body) = payments(client, 0, ROWS);
                loop {
                    let reply = server.post("/facts", &body);
                    if reply.status == 200 {
                        assert_eq!(reply.json()["stated"], ROWS);
                        return;
                    }
                    assert_eq!((reply.status, reply.code().as_str()), (429, "busy"), "{}", reply.text);
                    let seconds: u64 = reply.header("retry-after").unwrap().parse().unwrap();
                    refused.fetch_add(1, Ordering::Relaxed);
                    std::thread::sleep(Duration::from_secs(seconds));
                }
            });
        }
    });
    assert!(refused.load(Ordering::Relaxed) > 0, "all of it fitted at once, so this test shows nothing");
    let kept = kept(&folder);
    assert_eq!(kept.len(), CLIENTS * ROWS);
    assert!(kept.values().all(|times| *times == 1));
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kib: u64 = peak.trim().trim_end_matches("kB").trim().parse().unwrap();
    assert!(kib < 700 << 10, "{kib} KiB at the peak");
}

/// F3: after a write that failed nothing is taken until a restart, even when the disk works again.
#[test]
fn a_failed_sync_stops_the_writing_until_a_restart() {
    let traced = std::process::Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).status();
    if !traced.is_ok_and(|status| status.success()) {
        // Without strace there is nothing to see.
        return;
    }
    let folder = folder();
    let mut server = Server::open(&folder);
    state(&server, &customer("ann", 20)).is(200);
    let mut strace = std::process::Command::new("strace")
        .args(["-f", "-o", "/dev/null", "-e", "trace=fsync,fdatasync"])
        .args(["-e", "inject=fsync,fdatasync:error=EIO", "-p", &server.pid().to_string()])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // It says so when it is there.
    let mut said = std::io::BufRead::lines(std::io::BufReader::new(strace.stderr.take().unwrap()));
    let first = said.next().and_then(Result::ok).unwrap_or_default();
    assert!(first.contains("attached"), "{first}");
    let reply = server.post("/facts", &json!({ "facts": customer("ben", 10) })).is(503);
    assert_eq!(reply.code(), "writing_stopped");
    assert!(reply.header("retry-after").is_some());
    std::process::Command::new("kill").arg(strace.id().to_string()).status().unwrap();
    strace.wait().unwrap();
    assert_eq!(server.post("/facts", &json!({ "facts": customer("cleo", 10) })).is(503).code(), "writing_stopped");
    assert_eq!(server.get("//readyz").status, 503);
    assert_eq!(mrr(&server, "2024-01", "2024-02"), "20.00", "reading goes on");
    server.end_at_once();
    let server = Server::open(&folder);
    assert_eq!(statuses(&state(&server, &customer("ann", 20)).is(200)), ["unchanged", "unchanged"]);
    state(&server, &customer("ben", 10)).is(200);
    assert_eq!(mrr(&server, "2024-01", "2024-02"), "30.00");
    folder.run(&["check"]).ends_with(0);
}

/// F4: on a full disk writing is refused and reading goes on; with room again all goes on, without a restart.
#[test]
fn a_full_disk_refuses_until_there_is_room() {
    let place = tempfile::tempdir().unwrap();
    let mounts = |arguments: &[&str]| {
        let script = "mount -t tmpfs -o size=3m tmpfs \"$0\" && exec \"$@\"";
        let mut command = std::process::Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script]).arg(place.path()).args(arguments);
        command
    };
    if !mounts(&["true"]).stderr(std::process::Stdio::null()).status().is_ok_and(|status| status.success()) {
        // A machine that mounts nothing for us shows nothing.
        return;
    }
    let data = place.path().join("data");
    let data = data.to_str().unwrap();
    let server = Server::of(&mut mounts(&[
        env!("CARGO_BIN_EXE_recurve"),
        "--data",
        data,
        "serve",
        "--port",
        "0",
        "--open",
        "editor",
    ]));
    let inside = format!("/proc/{}/root{}", server.pid(), place.path().display());
    state(&server, &customer("ann", 20)).is(200);
    let fill = std::path::Path::new(&inside).join("fill");
    let mut file = std::fs::File::create(&fill).unwrap();
    while std::io::Write::write_all(&mut file, &[7; 4_096]).is_ok() {}
    let begun = Instant::now();
    let mut refused = server.post("/facts", &payments(0, 0, 200).1);
    // Some room may have been left in what SQLite has already.
    for batch in 1..50 {
        if refused.status != 200 {
            break;
        }
        refused = server.post("/facts", &payments(0, batch, 200).1);
    }
    let refused = refused.is(507);
    assert_eq!((refused.code().as_str(), refused.header("retry-after")), ("disk_full", Some("10")));
    assert!(begun.elapsed() < Duration::from_secs(60));
    assert_eq!(mrr(&server, "2024-01", "2024-02"), "20.00", "reading goes on");
    drop(file);
    std::fs::remove_file(&fill).unwrap();
    assert_eq!(state(&server, &customer("ben", 10)).is(200).json()["stated"], 2);
    assert_eq!(mrr(&server, "2024-01", "2024-02"), "30.00");
}

/// Ten requests at once with one key are one.
#[test]
fn one_key_at_once_is_stated_once() {
    let folder = folder();
    let server = Server::open(&folder);
    let bodies = Arc::new(Mutex::new(BTreeSet::new()));
    std::thread::scope(|scope| {
        for _ in 0..10 {
            scope.spawn(|| {
                let body = json!({ "facts": customer("ann", 20) });
                let reply = server.with("POST", "/facts", &[("idempotency-key", "same")], Some(&body)).is(200);
                bodies.lock().unwrap().insert(reply.text);
            });
        }
    });
    assert_eq!(bodies.lock().unwrap().len(), 1);
}

/// The examples of a page in one language.
fn examples(page: &str, language: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut current: Option<Vec<&str>> = None;
    for line in page.lines() {
        match &mut current {
            Some(lines) if line == "```" => {
                found.push(lines.join("\n") + "\n");
                current = None;
            }
            Some(lines) => lines.push(line),
            None if line.strip_prefix("```") == Some(language) => current = Some(Vec::new()),
            None => {}
        }
    }
    found
}

/// The TypeScript of a page as JavaScript. The compiler of the dashboard does it where it is there, and else what is known
/// of the pieces of which the example is made: that it is TypeScript is then not shown, but that it runs is.
fn javascript(typescript: &str) -> String {
    let compiler = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web/node_modules/typescript");
    if compiler.is_dir() {
        let script = "const ts = require(process.argv[1]);
            const text = require('fs').readFileSync(0, 'utf8');
            const options = { module: 'esnext', target: 'es2022' };
            process.stdout.write(ts.transpileModule(text, { compilerOptions: options }).outputText);";
        let mut child = std::process::Command::new("node")
            .args(["-e", script, compiler.to_str().unwrap()])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), typescript.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        return String::from_utf8(output.stdout).unwrap();
    }
    let mut text: String =
        typescript.lines().filter(|line| !line.starts_with("type ")).map(|line| line.to_owned() + "\n").collect();
    let types = [
        "Promise<[Fact, Issue[]][]>",
        "Promise<Told>",
        "[Fact, Issue[]][]",
        "Record<string, string>",
        "Response",
        "Fact[]",
        "Answer",
        "Told",
        "string",
        "number",
        "unknown",
        "Fact",
        "Error",
    ];
    for of_type in types {
        for end in [" =", ")", ",", " {"] {
            text = text.replace(&format!(": {of_type}{end}"), end);
        }
        text = text.replace(&format!(" as {of_type}"), "");
    }
    text
}

/// What `docs/api-facts.md` shows is run against the real server, each example twice.
#[test]
fn the_clients_of_the_page_work() {
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/api-facts.md");
    let page = std::fs::read_to_string(page).unwrap();
    let folder = folder();
    let server = Server::start(&folder, &[]);
    let cookie = server.set_up();
    let asked = json!({ "label": "shop", "facts": ["customers", "subscriptions"] });
    let token = server.with("POST", "/tokens", &[("cookie", &cookie)], Some(&asked)).is(200).json();
    let token = token["secret"].as_str().unwrap().to_owned();
    let [curl] = &examples(&page, "sh")[..] else { panic!("one example with curl") };
    let [python] = &examples(&page, "python")[..] else { panic!("one example in Python") };
    let [typescript] = &examples(&page, "typescript")[..] else { panic!("one example in TypeScript") };
    let script = folder.file("client.mjs", javascript(typescript));
    for _ in 0..2 {
        for (program, words) in
            [("sh", vec!["-c", curl]), ("python3", vec!["-c", python]), ("node", vec![script.to_str().unwrap()])]
        {
            let output = std::process::Command::new(program)
                .args(&words)
                .env("RECURVE_URL", format!("http://{}", server.address))
                .env("RECURVE_TOKEN", &token)
                .output()
                .unwrap();
            let (said, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            assert!(output.status.success(), "{program}: {said}\n{error}");
            assert!(said.contains("refused: []") || said.contains("\"refused\":0"), "{program}: {said}\n{error}");
        }
    }
    drop(server);
    let said = folder
        .run(&["--now", "2026-11-01", "metric", "mrr", "customers", "--from", "2026-02", "--to", "2026-03"])
        .ends_with(0)
        .out;
    assert!(said.contains("60.00") && said.contains(",3,"), "{said}");
    // The request that the page begins with is one, too.
    let examples = examples(&page, "json");
    let request: Value = serde_json::from_str(&examples[0]).unwrap();
    let server = Server::open(&folder);
    let told = server.post("/facts", &request).is(200).json();
    assert_eq!((&told["restated"], &told["refused"]), (&json!(2), &json!(1)), "{told}");
    let shown: Value = serde_json::from_str(&examples[1]).unwrap();
    for name in shown.as_object().unwrap().keys() {
        assert!(told.get(name).is_some(), "the answer has no `{name}`: {told}");
    }
}
