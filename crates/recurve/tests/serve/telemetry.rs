//! What the server says of itself: numbers, its log, and whether it is ready; and that it tells nobody's secrets.

use std::{
    io::Read,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    folder::Folder,
    server::Server,
    sink::{Answer, Sink},
};

#[test]
fn prometheus_is_answered_here_and_nobody_elsewhere() {
    let folder = Folder::small();
    let server = Server::open(&folder);
    server.get("/catalogue").is(200);
    let text = server.get("//metrics").is(200).text;
    for part in [
        "# TYPE recurve_http_request_seconds histogram",
        "recurve_http_request_seconds_count{route=\"/catalogue\",method=\"GET\",status=\"200\"} 1",
        "recurve_facts_accepted_total{kind=\"subscription\"} 3",
        "recurve_imports_total{kind=\"subscription\"} 1",
        "recurve_data_age_seconds",
        "process_resident_memory_bytes",
        "recurve_queue_length{queue=\"questions\"} 0",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    // Every line is one that Prometheus reads.
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, number) = line.rsplit_once(' ').unwrap();
        assert!(
            number.parse::<f64>().is_ok() && name.starts_with(|letter: char| letter.is_ascii_lowercase()),
            "{line}"
        );
    }
    // Whoever comes by a proxy is not here.
    let closed = Server::start(&folder, &[]);
    closed.with("GET", "//metrics", &[("x-forwarded-for", "192.0.2.1")], None).is(404);
    closed.get("//metrics").is(200);
    closed.get("//healthz").is(200);
}

#[test]
fn rules_are_set_over_the_web_and_judged_at_once() {
    let sink = Sink::web();
    let folder = Folder::small();
    let url = sink.url();
    let channel = ["alert", "set-channel", "ops", "--kind", "webhook", "--url", &url, "--secret", "hook"];
    folder.run(&channel).ends_with(0);
    let mut command = folder.command(&["serve", "--port", "0", "--open", "editor", "--now", "2024-03-05"]);
    command.env("RECURVE_SECRET_HOOK", "a-key-of-some-length").env("RECURVE_ALLOW_TARGETS", "127.0.0.1");
    let server = Server::of(&mut command);
    let rule = json!({"id": "low", "metric": "mrr", "below": "20", "channels": ["ops"]});
    server.post("/alerts", &rule).is(200);
    let got = sink.wait_for(1);
    assert!(got[0].body.contains("\"why\":\"fired\""), "{}", got[0].body);
    let begun = Instant::now();
    let row = loop {
        let row = server.get("/alerts").is(200).json()["rows"][0].clone();
        if row["state"] == "fires" || begun.elapsed() > Duration::from_secs(20) {
            break row;
        }
    };
    assert_eq!((&row["state"], &row["number"], &row["period"]), (&"fires".into(), &"10".into(), &"2024-02-01".into()));
    server.post("/channels/ops/test", &json!({})).is(200);
    assert!(sink.wait_for(2)[1].body.contains("recurve.test"));
    let log = server.get("/alerts/deliveries").is(200);
    assert!(log.json()["rows"].as_array().unwrap().len() >= 2);
    // Another process imports facts that came late: February was 60, and that is said.
    folder.file(
        "late.csv",
        "subscription,customer,plan,currency,amount,interval,start,end\n\
         s3,zoe,solo,USD,50,month,2024-02-10,2024-03-10\n",
    );
    folder.run(&["import", "subscriptions", "late.csv"]).ends_with(0);
    assert!(sink.wait_for(3)[2].body.contains("restated_over"));
    let numbers = server.get("//metrics").is(200).text;
    for part in [
        "recurve_alerts_total{rule=\"low\",change=\"fired\"} 1",
        "recurve_deliveries_total{channel=\"ops\",outcome=\"sent\"}",
        "recurve_outbox_messages{channel=\"ops\",state=\"waiting\"} 0",
        "recurve_last_success_timestamp_seconds{work=\"alerts\"}",
        "recurve_stripe_events_total{outcome=\"kept\"} 0",
        "recurve_queue_length{queue=\"facts\"} 0",
    ] {
        assert!(numbers.contains(part), "{part}\n{numbers}");
    }
    // Where a channel leads is shown in part, and editors do not say.
    let channels = server.get("/channels").is(200);
    assert!(!channels.text.contains("t0ken") && channels.text.contains("127.0.0.1"), "{}", channels.text);
    let evil = json!({"id": "x", "kind": "webhook", "url": "https://example.com/", "secret": "hook"});
    assert_eq!(server.post("/channels", &evil).is(403).code(), "forbidden");
    server.post("/alerts", &json!({"id": "x", "metric": "nothing", "below": "1"})).is(404);
    server.with("DELETE", "/alerts/low", &[], None).is(200);
    assert_eq!(server.get("/alerts").json()["rows"], json!([]));
}

/// Secrets, keys and names that are planted wherever something may be planted; none may be found in what is logged.
const PLANTED: [&str; 6] = [
    "canary@example.com",
    "whsec_c2VjcmV0LWNhbmFyeQ",
    "sk_live_canary0123456789",
    "canary-password",
    "canary-token",
    "Canary Corp",
];

#[test]
fn the_log_holds_no_secret_and_nobody() {
    for format in ["json", "text"] {
        let sink = Sink::web_that(Box::new(|_, _| Answer::Status(500, "x-canary: canary-token\r\n")));
        let folder = Folder::small();
        let url = format!("http://127.0.0.1:{}/canary-token?key=sk_live_canary0123456789", sink.port);
        let hook = ["alert", "set-channel", "ops", "--kind", "webhook", "--url", &url, "--secret", "hook"];
        folder.run(&hook).ends_with(0);
        let mail = [
            "alert",
            "set-channel",
            "mail",
            "--kind",
            "email",
            "--to",
            "canary@example.com",
            "--from",
            "canary@example.com",
            "--smtp",
            "127.0.0.1:9",
            "--security",
            "none",
            "--user",
            "canary@example.com",
            "--secret",
            "mail",
        ];
        folder.run(&mail).ends_with(0);
        let rule = ["alert", "set", "low", "--metric", "mrr", "--below", "20", "--title", "Canary Corp"];
        folder.run(&rule).ends_with(0);
        let words = [
            "serve",
            "--port",
            "0",
            "--open",
            "editor",
            "--now",
            "2024-03-05",
            "--log",
            format,
            "--log-level",
            "debug",
        ];
        let mut command = folder.command(&words);
        command
            .env("RECURVE_SECRET_HOOK", "whsec_c2VjcmV0LWNhbmFyeQ==")
            .env("RECURVE_SECRET_MAIL", "canary-password")
            .env("RECURVE_ALLOW_TARGETS", "127.0.0.1");
        let (server, mut log) = Server::of_logged(&mut command);
        sink.wait_for(1);
        // What people send comes back to them, and not into the log.
        server.get("//canary-token?key=sk_live_canary0123456789");
        server.get("/customers?where=name%3DCanary%20Corp");
        server.get("/customers/canary%40example.com");
        server.post("/login", &json!({"name": "canary@example.com", "password": "canary-password"}));
        server.post("/alerts", &json!({"id": "y", "metric": "canary@example.com", "below": "1"}));
        server.post("/notes", &json!({"day": "canary@example.com", "words": "Canary Corp"}));
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(20) {
            let rows: Value = server.get("/alerts/deliveries").json()["rows"].clone();
            let tried =
                |row: &Value| row["attempts"].as_array().is_some_and(|attempts| attempts[0]["ended_at"].is_string());
            if rows.as_array().is_some_and(|rows| rows.len() == 2 && rows.iter().all(tried)) {
                break;
            }
        }
        server.stop();
        let mut told = String::new();
        log.read_to_string(&mut told).unwrap();
        // The log is not blind: it tells of requests and of deliveries.
        assert!(told.contains("not_delivered") && told.contains("request"), "{told}");
        for planted in PLANTED {
            assert!(!told.contains(planted), "{planted} in the log:\n{told}");
        }
        if format == "json" {
            for line in told.lines() {
                let line: Value = serde_json::from_str(line).unwrap();
                assert!(line["at"].is_string() && line["level"].is_string() && line["event"].is_string(), "{line}");
            }
        }
    }
}
