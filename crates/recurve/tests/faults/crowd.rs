//! F14: more comes than there is room for. Whoever is told to come again (429, `Retry-After`) and does loses nothing, and
//! the memory of the server stays bounded.

use std::{
    collections::BTreeSet,
    io::Write,
    net::TcpStream,
    process::Command,
    sync::{
        Barrier,
        atomic::{AtomicU64, Ordering},
    },
};

use hmac::{Hmac, Mac};
use serde_json::json;
use stripe_simulator::api::webhook;

use crate::{
    crashes::{SECRET, add_secret, event, events, now, versions},
    folder::Folder,
    server::{Reply, Server},
    turns::until_taken,
};

/// The signature of a body, which need be no text.
pub fn signed(body: &[u8], at: i64) -> String {
    let mut keyed = Hmac::<sha2::Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    keyed.update(format!("{at}.").as_bytes());
    keyed.update(body);
    let signature: String = keyed.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={at},v1={signature}")
}

/// The most memory that a server ever had, in MiB.
fn peak(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0 kB");
    line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap() >> 10
}

fn send(server: &Server, body: &[u8]) -> Reply {
    let header = signed(body, now());
    server.bytes("POST", "//webhooks/stripe", &[("stripe-signature", &header)], body.to_vec())
}

/// A server that may open so few files that there are places for 188 connections.
fn narrow(folder: &Folder) -> Server {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 700 && exec \"$0\" serve --port 0 --open editor --now 2024-07-01"]);
    command.arg(env!("CARGO_BIN_EXE_recurve")).env("RECURVE_DATA", folder.data()).current_dir(folder.path());
    Server::of(&mut command)
}

#[test]
fn whoever_finds_no_place_is_told_to_come_again() {
    let folder = Folder::small();
    add_secret(&folder);
    let server = narrow(&folder);
    let idle: Vec<TcpStream> = (0..200)
        .map(|_| {
            let mut stream = TcpStream::connect(&server.address).unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\n").unwrap();
            stream
        })
        .collect();
    let body = event("a", 0, 1).to_string().into_bytes();
    // A connection of its own: the one that is kept has its place.
    let header = signed(&body, now());
    let text = String::from_utf8(body.clone()).unwrap();
    let said = server.raw(&format!(
        "POST /webhooks/stripe HTTP/1.1\r\nhost: {}\r\nstripe-signature: {header}\r\ncontent-length: {}\r\n\r\n{text}",
        server.address,
        text.len()
    ));
    assert!(said.starts_with("HTTP/1.1 429") && said.contains("\"busy\""), "{said}");
    assert!(said.to_ascii_lowercase().contains("retry-after: 1\r\n"), "{said}");
    assert_eq!(events(&folder), [], "what was not taken is not there");
    drop(idle);
    let put_off = AtomicU64::new(0);
    until_taken(&put_off, || send(&server, &body));
    assert_eq!(events(&folder).len(), 1);
}

#[test]
fn ten_times_as_many_as_there_is_room_for_come_again_and_lose_nothing() {
    const SENDERS: u64 = 400;
    let folder = Folder::small();
    add_secret(&folder);
    let server = narrow(&folder);
    let put_off = AtomicU64::new(0);
    let address = &server.address;
    std::thread::scope(|scope| {
        for sender in 0..SENDERS {
            let put_off = &put_off;
            let send = move || {
                // Everybody has connections of their own.
                let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
                for number in 0..5 {
                    until_taken(put_off, || {
                        let (path, headers, body) = if sender % 2 == 0 {
                            let (header, body) = webhook(&event(&format!("of{sender}"), number, 1), now(), &[SECRET]);
                            ("/webhooks/stripe", ("stripe-signature", header), body)
                        } else {
                            let fact = json!({ "kind": "payments", "payment": format!("p-{sender}-{number}"),
                                "customer": "ann", "amount": 1, "currency": "USD", "status": "succeeded",
                                "paid_at": "2024-01-01" });
                            let body = json!({ "facts": [fact] }).to_string().into_bytes();
                            ("/api/v1/facts", ("content-type", "application/json".to_owned()), body)
                        };
                        let request = agent.post(format!("http://{address}{path}")).header(headers.0, headers.1);
                        let mut reply = request.send(&body[..]).unwrap();
                        let retry = reply.headers().get("retry-after").and_then(|value| value.to_str().ok());
                        let headers = retry.map(|retry| ("retry-after".to_owned(), retry.to_owned()));
                        let headers = headers.into_iter().collect();
                        let text = reply.body_mut().read_to_string().unwrap_or_default();
                        Reply { status: reply.status().as_u16(), headers, text }
                    });
                }
            };
            std::thread::Builder::new().stack_size(512 << 10).spawn_scoped(scope, send).unwrap();
        }
    });
    assert!(put_off.load(Ordering::Relaxed) > 0, "all of it found room at once, so this test shows nothing");
    let there: Vec<String> = versions(&folder).into_iter().filter(|row| row.starts_with("payment|p-")).collect();
    let ids: BTreeSet<&str> = there.iter().map(|row| row.split('|').nth(1).unwrap()).collect();
    assert_eq!((there.len(), ids.len()), (1_000, 1_000), "each of them once");
    assert_eq!(events(&folder).len(), 1_000);
    let metrics = server.get("//metrics").is(200).text;
    assert!(metrics.contains("recurve_connections_turned_away_total"), "{metrics}");
    for work in ["stripe_webhook", "stripe_facts"] {
        let line = format!("recurve_last_success_timestamp_seconds{{work=\"{work}\"}}");
        assert!(metrics.contains(&line), "{line}\n{metrics}");
    }
    assert!(peak(&server) < 700, "{} MiB at the peak", peak(&server));
    drop(server);
    folder.run(&["check"]).ends_with(0);
}

/// The room for bodies is bounded too, whatever their number.
#[test]
fn large_events_beyond_the_memory_for_them_come_again() {
    const SENDERS: usize = 40;
    let folder = Folder::small();
    add_secret(&folder);
    let server = Server::open(&folder);
    let put_off = AtomicU64::new(0);
    // All at once: a server that is quick would be done with one before the next one is written.
    let ready = Barrier::new(SENDERS);
    std::thread::scope(|scope| {
        for sender in 0..SENDERS {
            let (server, put_off, ready) = (&server, &put_off, &ready);
            scope.spawn(move || {
                let mut event = event(&format!("of{sender}"), 0, 1);
                event["data"]["object"]["description"] = json!("x".repeat(4 << 20));
                let body = event.to_string().into_bytes();
                ready.wait();
                until_taken(put_off, || send(server, &body));
            });
        }
    });
    assert!(put_off.load(Ordering::Relaxed) > 0, "all of it found room at once, so this test shows nothing");
    assert_eq!(events(&folder).len(), SENDERS);
    assert!(peak(&server) < 1_000, "{} MiB at the peak", peak(&server));
}
