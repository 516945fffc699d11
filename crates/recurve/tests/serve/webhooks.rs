//! Webhooks of Stripe against the real server: what is answered with a 2xx is kept, whatever comes, in whatever order.

use std::{
    collections::BTreeSet,
    io::{Read, Write},
    net::TcpStream,
    process::{Command, Stdio},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use rusqlite::Connection;
use serde_json::{Value, json};
use stripe_simulator::{
    Shape, World,
    api::{Account, webhook},
    delivery::{Order, Script},
    server::{Delivery, send},
};

use crate::{
    folder::Folder,
    server::{Reply, Server},
};

const SECRET: &str = "whsec_of_the_tests_0001";
const OLD_SECRET: &str = "whsec_of_the_tests_0000";

fn add_secret(folder: &Folder, secret: &str) {
    let mut child = folder
        .command(&["webhooks", "--add-secret"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(format!("{secret}\n").as_bytes()).unwrap();
    let said = child.wait_with_output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    assert!(!String::from_utf8_lossy(&said.stdout).contains(secret), "the secret is not said again");
}

/// A folder with a secret.
fn folder() -> Folder {
    let folder = Folder::small();
    add_secret(&folder, SECRET);
    folder
}

fn url(server: &Server) -> String {
    format!("http://{}/webhooks/stripe", server.address)
}

fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

/// Posts a body with a signature of its own.
fn post(server: &Server, signature: &str, body: &[u8]) -> Reply {
    let headers = [("stripe-signature", signature), ("content-type", "application/json")];
    server.bytes("POST", "//webhooks/stripe", &headers, body.to_vec())
}

/// A body as it is signed now.
fn signed(body: &[u8], at: i64, secrets: &[&str]) -> String {
    // The simulator signs what it is given as text; here bytes are signed that are no text.
    use hmac::{Hmac, Mac};
    let mut header = format!("t={at}");
    for secret in secrets {
        let mut keyed = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        keyed.update(format!("{at}.").as_bytes());
        keyed.update(body);
        let signature: String = keyed.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        header += &format!(",v1={signature}");
    }
    header
}

fn post_signed(server: &Server, body: &[u8]) -> Reply {
    post(server, &signed(body, now(), &[SECRET]), body)
}

fn event(id: &str, customer: &str) -> Value {
    json!({"id": id, "object": "event", "api_version": "2025-09-30.clover", "created": 1_700_000_000, "livemode": false,
        "type": "customer.updated", "pending_webhooks": 1,
        "data": {"object": {"id": customer, "object": "customer", "created": 1_690_000_000, "name": "Firm"}}})
}

/// The ids that are kept, with the state of each.
fn kept(folder: &Folder) -> Vec<(String, String)> {
    let store = Connection::open(folder.data().join("stripe.sqlite")).unwrap();
    let mut statement = store.prepare("SELECT id, state FROM event ORDER BY id").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

fn ids(folder: &Folder) -> BTreeSet<String> {
    kept(folder).into_iter().map(|(id, _)| id).collect()
}

#[test]
fn only_what_stripe_signed_in_our_time_is_kept() {
    let folder = folder();
    let server = Server::open(&folder);
    let body = event("evt_1", "cus_1").to_string().into_bytes();
    let at = now();
    let right = signed(&body, at, &[SECRET]);
    let v1 = right.split_once(",v1=").unwrap().1.to_owned();
    for (header, words) in [
        (String::new(), "cannot be read"),
        (format!("v1={v1}"), "cannot be read"),
        (format!("t={at},v0={v1}"), "cannot be read"),
        (format!("t=soon,v1={v1}"), "cannot be read"),
        (signed(&body, at, &["whsec_of_somebody_else"]), "no signature fits"),
        (format!("t={},v1={v1}", at + 1), "no signature fits"),
        (signed(&body, at - 400, &[SECRET]), "s ago"),
        (signed(&body, at + 400, &[SECRET]), "in the future"),
        (signed(&body, at - 3 * 86_400, &[SECRET]), "s ago"),
        (signed(&body, 0, &[SECRET]), "s ago"),
        (signed(&body, i64::MAX, &[SECRET]), "in the future"),
    ] {
        let reply = post(&server, &header, &body).is(400);
        assert_eq!(reply.code(), "signature", "{header}");
        assert!(reply.text.contains(words), "{header}: {}", reply.text);
        assert!(!reply.text.contains(SECRET) && !reply.text.contains(&v1), "{}", reply.text);
    }
    assert!(!folder.data().join("stripe.sqlite").exists(), "nothing was kept");
    // One of two signatures suffices, and so does the edge of the tolerance, on both sides.
    for (number, header) in [
        signed(&body, at, &["whsec_other_other", SECRET]),
        signed(&body, at - 280, &[SECRET]),
        signed(&body, at + 280, &[SECRET]),
    ]
    .iter()
    .enumerate()
    {
        let reply = post(&server, header, &body).is(200);
        assert_eq!(reply.json()["event"], if number == 0 { "kept" } else { "known" });
    }
    assert_eq!(ids(&folder), BTreeSet::from(["evt_1".to_owned()]));
}

#[test]
fn a_secret_is_rolled_without_a_restart() {
    let folder = Folder::small();
    add_secret(&folder, OLD_SECRET);
    let server = Server::open(&folder);
    let body = event("evt_1", "cus_1").to_string().into_bytes();
    post(&server, &signed(&body, now(), &[OLD_SECRET]), &body).is(200);
    post_signed(&server, &body).is(400);
    add_secret(&folder, SECRET);
    std::thread::sleep(Duration::from_millis(1_100));
    post_signed(&server, &body).is(200);
    post(&server, &signed(&body, now(), &[OLD_SECRET]), &body).is(200);
    folder.run(&["webhooks", "--remove-secret", "0000"]).ends_with(0);
    std::thread::sleep(Duration::from_millis(1_100));
    post(&server, &signed(&body, now(), &[OLD_SECRET]), &body).is(400);
    post_signed(&server, &body).is(200);
    let said = folder.run(&["webhooks"]).ends_with(0).says(&["signing secret", "0001"]);
    assert!(!said.out.contains(SECRET));
}

#[test]
fn the_same_event_is_kept_once_and_one_that_says_something_else_is_shown() {
    let folder = folder();
    let server = Server::open(&folder);
    let first = event("evt_1", "cus_1");
    let mut other = first.clone();
    other["data"]["object"]["name"] = json!("Another firm");
    let mut again = first.clone();
    again["pending_webhooks"] = json!(0);
    for (body, what) in [
        (&first, "kept"),
        (&first, "known"),
        (&again, "known"),
        (&other, "conflict"),
        (&other, "conflict"),
        (&first, "known"),
    ] {
        assert_eq!(post_signed(&server, body.to_string().as_bytes()).is(200).json()["event"], what);
    }
    assert_eq!(ids(&folder).len(), 1);
    let said = folder.run(&["webhooks", "--conflicts", "--format", "jsonl"]).ends_with(0);
    assert_eq!(said.out.lines().count(), 1, "{}", said.out);
    assert!(said.out.contains("Another firm"));
}

#[test]
fn what_cannot_be_read_is_kept_aside_and_nothing_waits_for_it() {
    let folder = folder();
    let server = Server::open(&folder);
    let deep = [b"[".repeat(1_000_000), b"]".repeat(1_000_000)].concat();
    let mut large = event("evt_large", "cus_1");
    large["data"]["object"]["description"] = json!("x".repeat(10 << 20));
    let large = large.to_string().into_bytes();
    for (body, what) in [
        (&b"{"[..], "quarantined"),
        (b"7", "quarantined"),
        (b"\xff\xfe\x00", "quarantined"),
        (b"{\"id\":\"evt_x\"}", "quarantined"),
        (&deep, "quarantined"),
        (&large, "kept"),
    ] {
        assert_eq!(post_signed(&server, body).is(200).json()["event"], what, "{:?}", &body[..body.len().min(20)]);
    }
    let huge = format!(
        "POST /webhooks/stripe HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        server.address,
        17 << 20
    );
    let said = server.raw(&huge);
    assert!(said.starts_with("HTTP/1.1 413") && said.contains("too_large"), "{said}");
    assert_eq!(post_signed(&server, event("evt_2", "cus_2").to_string().as_bytes()).is(200).json()["event"], "kept");
    let said = folder.run(&["webhooks", "--quarantined", "--format", "csv"]).ends_with(0);
    assert_eq!(said.out.lines().count(), 6, "{}", said.out);
    said.says(&["no UTF-8", "no JSON", "no type", "no id"]);
}

#[test]
fn whoever_sends_slowly_or_stops_halfway_holds_nobody_up() {
    let folder = folder();
    let server = Server::open(&folder);
    let mut slow: Vec<TcpStream> = (0..64)
        .map(|_| {
            let mut stream = TcpStream::connect(&server.address).unwrap();
            let head = format!(
                "POST /webhooks/stripe HTTP/1.1\r\nhost: {}\r\ncontent-length: 10000000\r\n\r\n[",
                server.address
            );
            stream.write_all(head.as_bytes()).unwrap();
            stream
        })
        .collect();
    let begun = Instant::now();
    let events: Vec<Value> = (0..100).map(|number| event(&format!("evt_{number}"), "cus_1")).collect();
    let delivered = send(&events, &Delivery::to(url(&server), SECRET));
    assert_eq!(delivered.acknowledged.len(), 100);
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    // Whoever was slow is told so, and sent away.
    let mut stream = slow.remove(0);
    stream.set_read_timeout(Some(Duration::from_secs(40))).unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).unwrap();
    assert!(said.starts_with("HTTP/1.1 408"), "{said}");
    assert_eq!(ids(&folder).len(), 100);
}

#[test]
fn in_any_order_and_repeated_the_same_events_are_kept() {
    let world = World::live(stripe_simulator::Settings::of(11));
    let events = Account::new(&world, Shape::Basil).all_events();
    let all: BTreeSet<String> = events.iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect();
    for (order, copies) in [(Order::Reversed, 1), (Order::Shuffled(3), 5)] {
        let folder = folder();
        let server = Server::open(&folder);
        let script = Script { order, copies, ..Script::default() };
        let (sent, _) = script.play(events.clone());
        let delivered = send(&sent, &Delivery { at_a_time: 8, ..Delivery::to(url(&server), SECRET) });
        assert_eq!(delivered.answers.keys().copied().collect::<Vec<_>>(), [200]);
        assert_eq!(delivered.sent, all.len() * copies);
        assert_eq!(ids(&folder), all);
    }
}

#[test]
fn what_was_acknowledged_survives_that_the_server_is_killed() {
    let folder = folder();
    let mut acknowledged: BTreeSet<String> = BTreeSet::new();
    for round in 0..4 {
        let mut server = Server::open(&folder);
        let (address, rounds) = (url(&server), round);
        let events: Vec<Value> = (0..2_000).map(|number| event(&format!("evt_{rounds}_{number}"), "cus_1")).collect();
        let sender =
            std::thread::spawn(move || send(&events, &Delivery { at_a_time: 8, ..Delivery::to(address, SECRET) }));
        std::thread::sleep(Duration::from_millis(150 + 110 * round));
        server.end_at_once();
        acknowledged.extend(sender.join().unwrap().acknowledged);
    }
    assert!(!acknowledged.is_empty());
    let server = Server::open(&folder);
    let body = event("evt_after", "cus_1").to_string();
    post_signed(&server, body.as_bytes()).is(200);
    let lost: Vec<String> = acknowledged.difference(&ids(&folder)).cloned().collect();
    assert_eq!(lost, Vec::<String>::new(), "acknowledged and gone");
}

#[test]
fn the_simulator_signs_as_stripe_does() {
    let folder = folder();
    let server = Server::open(&folder);
    let (header, body) = webhook(&event("evt_1", "cus_1"), now(), &[OLD_SECRET, SECRET]);
    post(&server, &header, &body).is(200);
}

/// A server whose writes to the store's log go wrong as said; none where faults cannot be made here.
fn with_fault(folder: &Folder, fault: &str) -> Option<Server> {
    let can = Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).status();
    if !can.is_ok_and(|status| status.success()) {
        return None;
    }
    let log = folder.data().canonicalize().unwrap().join("stripe.sqlite-wal");
    let calls = fault.split(':').next().unwrap();
    let mut command = Command::new("strace");
    // The program stays the child, so that killing the child ends it.
    command.args(["-D", "-f", "-qq", "-o", "/dev/null", "-P", log.to_str().unwrap()]);
    command.args(["-e", &format!("trace={calls}"), "-e", &format!("inject={fault}")]);
    command.arg(env!("CARGO_BIN_EXE_recurve")).args(["serve", "--port", "0", "--open", "editor"]);
    command.env("RECURVE_DATA", folder.data());
    Some(Server::of(&mut command))
}

/// Posts events one after the other; the statuses, and the ids of those that were acknowledged.
fn post_many(server: &Server, name: &str, count: usize) -> (Vec<u16>, BTreeSet<String>) {
    let (mut statuses, mut acknowledged) = (Vec::new(), BTreeSet::new());
    for number in 0..count {
        let id = format!("evt_{name}_{number}");
        let status = post_signed(server, event(&id, "cus_1").to_string().as_bytes()).status;
        statuses.push(status);
        if status == 200 {
            acknowledged.insert(id);
        }
    }
    (statuses, acknowledged)
}

#[test]
fn after_a_write_that_may_be_lost_nothing_is_acknowledged_until_a_restart() {
    let folder = folder();
    // The store is there, so that what is counted are the events.
    drop(post_many(&Server::open(&folder), "before", 1));
    let Some(server) = with_fault(&folder, "fsync,fdatasync:error=EIO:when=4") else { return };
    let (statuses, acknowledged) = post_many(&server, "during", 30);
    let broken = statuses.iter().position(|status| *status == 503).expect("the fault was not met");
    assert!(statuses[broken..].iter().all(|status| *status == 503), "one failed write, and all after it: {statuses:?}");
    drop(server);
    let server = Server::open(&folder);
    assert!(acknowledged.is_subset(&ids(&folder)));
    assert_eq!(post_many(&server, "after", 3).0, [200, 200, 200]);
}

#[test]
fn on_a_full_disk_events_are_put_off_and_taken_again_once_there_is_room() {
    let folder = folder();
    drop(post_many(&Server::open(&folder), "before", 1));
    let Some(server) = with_fault(&folder, "pwrite64:error=ENOSPC:when=6..30") else { return };
    let (statuses, acknowledged) = post_many(&server, "during", 60);
    let kinds: BTreeSet<u16> = statuses.iter().copied().collect();
    assert_eq!(kinds, BTreeSet::from([200, 507]), "{statuses:?}");
    assert_eq!(statuses.last(), Some(&200), "it goes on by itself: {statuses:?}");
    assert!(acknowledged.is_subset(&ids(&folder)));
}
