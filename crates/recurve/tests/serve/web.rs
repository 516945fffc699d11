//! What every answer has in common: headers, hosts, origins, and how the server ends.

use std::time::Duration;

use serde_json::json;

use crate::{folder::Folder, server::Server};

#[test]
fn every_answer_carries_the_headers_of_security() {
    let folder = Folder::small();
    let server = Server::open(&folder);
    for path in ["/session", "/overview", "/nothing", "//healthz", "//assets/gone.js"] {
        let reply = server.get(path);
        let policy = reply.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'"), "{path}: {policy}");
        assert!(!policy.contains("unsafe") && policy.contains("frame-ancestors 'none'"), "{policy}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
        ] {
            assert_eq!(reply.header(name), Some(value), "{path}");
        }
        assert_eq!(reply.header("access-control-allow-origin"), None, "{path}");
    }
}

#[test]
fn the_app_is_a_page_for_browsers_and_its_missing_files_are_missing() {
    let folder = Folder::small();
    let server = Server::open(&folder);
    let page = server.with("GET", "//customers/ann", &[("accept", "text/html")], None).is(200);
    assert_eq!(page.header("cache-control"), Some("no-cache"));
    let etag = page.header("etag").unwrap();
    server.with("GET", "//", &[("accept", "text/html"), ("if-none-match", etag)], None).is(304);
    let head = server.with("HEAD", "//", &[("accept", "text/html")], None).is(200);
    assert!(head.text.is_empty() && head.header("content-length").unwrap().parse::<usize>().unwrap() > 100);
    assert_eq!(server.get("//assets/gone.js").is(404).header("cache-control"), Some("no-store"));
    assert_eq!(server.with("POST", "//customers", &[], None).is(405).header("allow"), Some("GET, HEAD"));
    assert_eq!(server.with("GET", "/api/v1/nothing", &[("accept", "text/html")], None).is(404).code(), "not_found");
}

#[test]
fn a_name_that_was_pointed_here_is_refused() {
    let folder = Folder::small();
    let server = Server::start(&folder, &["--open", "--host", "numbers.example"]);
    for (host, status) in [
        ("127.0.0.1", 200),
        ("localhost:1234", 200),
        ("[::1]:80", 200),
        ("numbers.example", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("10.0.0.1", 421),
    ] {
        let said = server.raw(&format!("GET /api/v1/session HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"));
        assert!(said.starts_with(&format!("HTTP/1.1 {status}")), "{host}: {said}");
    }
}

#[test]
fn a_page_of_somebody_else_changes_nothing() {
    let folder = Folder::small();
    let server = Server::open(&folder);
    let note = json!({ "day": "2024-02-01", "words": "planted" });
    for headers in [
        &[("origin", "https://evil.example")][..],
        &[("origin", "null")],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
    ] {
        assert_eq!(server.with("POST", "/notes", headers, Some(&note)).is(403).code(), "foreign_origin");
        assert_eq!(server.upload(Some(("notes.csv", "note,day\n1,2024-01-01\n")), &[], headers).status, 403);
    }
    assert_eq!(server.get("/notes").json()["total"], 0);
    let ours = format!("http://{}", server.address);
    server.with("POST", "/notes", &[("origin", &ours), ("sec-fetch-site", "same-origin")], Some(&note)).is(200);
}

#[test]
fn a_large_answer_is_compressed_for_who_takes_it() {
    let folder = Folder::small();
    let server = Server::open(&folder);
    let ask = |coding: &str| {
        server.raw(&format!(
            "GET /api/v1/catalogue HTTP/1.1\r\nhost: localhost\r\naccept-encoding: {coding}\r\nconnection: close\r\n\r\n"
        ))
    };
    let (plain, compressed) = (ask("identity"), ask("gzip, br"));
    assert!(!plain.contains("content-encoding") && compressed.contains("content-encoding: gzip"));
    assert!(compressed.len() * 2 < plain.len(), "{} of {}", compressed.len(), plain.len());
}

#[test]
fn a_body_that_is_too_large_is_refused() {
    let folder = Folder::small();
    let server = Server::open(&folder);
    let reply = server.post("/notes", &json!({ "day": "2024-02-01", "words": "x".repeat(400_000) }));
    assert_eq!(reply.status, 413);
}

#[test]
fn the_server_says_when_it_is_ready_and_stops_when_told() {
    let folder = Folder::small();
    let server = Server::open(&folder);
    server.get("//healthz").is(200);
    let ready = (0..200).any(|_| {
        std::thread::sleep(Duration::from_millis(50));
        server.get("//readyz").status == 200
    });
    assert!(ready);
    // An open stream keeps nobody from stopping.
    let mut stream = server.listen();
    stream.next().unwrap();
    let (code, took) = server.stop();
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(8), "{took:?}");
    assert!(stream.next().is_none(), "the stream ended");
}
