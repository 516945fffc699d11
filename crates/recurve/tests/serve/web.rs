//! What every answer has in common: headers, hosts, origins, and how the server ends.

use std::time::Duration;

use serde_json::{Value, json};

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

#[test]
fn a_refusal_speaks_the_language_of_the_request_and_its_code_stays() {
    let folder = Folder::small();
    let server = Server::open(&folder);
    let asked: [(&str, &str, Option<Value>); 9] = [
        ("GET", "/figures?metric=mr", None),
        ("GET", "/figures?metric=mrr&colour=red", None),
        ("GET", "/figures?metric=mrr&from=soon", None),
        ("GET", "/customers/nobody", None),
        ("GET", "/nothing", None),
        ("GET", "/customers?limit=0", None),
        ("POST", "/closes", Some(json!({ "month": "2999-01" }))),
        ("POST", "/targets", Some(json!({ "metric": "mrr", "wanted": "much", "by": "2030-01" }))),
        ("POST", "/notes", Some(json!({ "day": "soon", "words": "x" }))),
    ];
    for (method, path, body) in &asked {
        let said = |language: &str| {
            let reply = server.with(method, path, &[("accept-language", language)], body.as_ref());
            let error = reply.json()["error"].clone();
            let keys: Vec<_> = error.as_object().unwrap().keys().cloned().collect();
            assert_eq!(keys, ["code", "message", "help"], "{path}");
            (reply.status, error["code"].clone(), error["message"].as_str().unwrap().to_owned())
        };
        let [english, chinese, french] = ["en", "zh-CN,zh;q=0.9", "fr-FR,fr;q=0.9,en;q=0.8"].map(said);
        assert_eq!((english.0, &english.1), (chinese.0, &chinese.1), "{path}");
        assert_eq!((english.0, &english.1), (french.0, &french.1), "{path}");
        assert!(chinese.2.chars().any(|letter| letter >= '\u{4e00}'), "{path}: {}", chinese.2);
        assert!(french.2 != english.2, "{path}: {}", french.2);
    }
    // The parameter comes before the header, and a program that says neither hears the language of the folder.
    let message = |path: &str, headers: &[(&str, &str)]| {
        server.with("GET", path, headers, None).json()["error"]["message"].clone()
    };
    assert_eq!(message("/nothing?lang=fr", &[("accept-language", "zh")]), "il n’y a pas une telle route");
    assert_eq!(message("/nothing", &[]), "there is no such route");
    folder.run(&["init", "--set", "language=zh"]).ends_with(0);
    assert_eq!(message("/nothing", &[]), "没有此路径");
}

#[test]
fn what_cannot_be_read_is_refused_in_the_same_shape() {
    let folder = Folder::small();
    let server = Server::open(&folder);
    for (path, body, status, code) in [
        ("/notes", "{", 400, "usage"),
        ("/notes", "{\"day\": 5}", 422, "usage"),
        ("/notes", &format!("{{\"words\": \"{}\"}}", "x".repeat(400_000)), 413, "too_large"),
    ] {
        let headers = [("content-type", "application/json"), ("accept-language", "fr")];
        let reply = server.try_bytes("POST", path, &headers, body.as_bytes().to_vec()).unwrap().is(status);
        assert_eq!(reply.code(), code);
        assert!(reply.json()["error"]["message"].as_str().unwrap().contains("requête"), "{}", reply.text);
    }
    assert_eq!(server.with("DELETE", "/views/none", &[], None).is(400).code(), "usage");
}
