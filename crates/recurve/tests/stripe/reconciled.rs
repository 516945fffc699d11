//! What is kept, set beside what Stripe says now; and a server that syncs by itself.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read},
    process::Stdio,
    time::{Duration, Instant},
};

use serde_json::Value;
use stripe_simulator::{
    Settings,
    server::{Choices, READ_KEY, serve},
};

use super::account::{Synced, ended};

fn rows(text: &str) -> Vec<BTreeMap<String, String>> {
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    let row =
        |line: &str| header.iter().map(|name| (*name).to_owned()).zip(line.split(',').map(str::to_owned)).collect();
    lines.map(row).collect()
}

fn reconcile(synced: &Synced, more: &[&str]) -> Vec<BTreeMap<String, String>> {
    let (key, url) = (synced.folder.path().join("key"), synced.server.url());
    let mut arguments = vec!["reconcile", "stripe", "--key-file", key.to_str().unwrap(), "--api-base", &url];
    arguments.extend(["--requests-a-second", "2000", "--policy", "default"]);
    arguments.extend(more);
    rows(&ended(&synced.run(&arguments), 0))
}

#[test]
fn what_stripe_says_now_is_what_the_facts_say_once_synced() {
    // One plan that is bought and cancelled: nothing can differ.
    let plain =
        Choices { settings: Settings { plain: true, ..Settings::of(4) }, lived_months: Some(14), ..Choices::of(4) };
    let synced = Synced::with(serve(plain).unwrap());
    synced.sync(&[]);
    let lines = reconcile(&synced, &["--all"]);
    assert!(lines.iter().any(|line| line["by_facts"] != "0.00"), "{lines:?}");
    for line in &lines {
        assert_eq!(line["by_subscriptions"], line["by_facts"], "{line:?}");
    }

    let synced = Synced::with(serve(Choices { lived_months: Some(14), ..Choices::of(9) }).unwrap());
    synced.sync(&[]);
    for line in reconcile(&synced, &[]) {
        assert_eq!(line["by_subscriptions"], line["by_facts"], "{line:?}");
        assert!(line["customer"] == "total" || !line["why"].is_empty(), "{line:?}");
    }
    for list in reconcile(&synced, &["--counts"]) {
        assert_eq!(
            (list["kept"].as_str(), list["missing_here"].as_str()),
            (list["listed_by_stripe"].as_str(), "0"),
            "{list:?}"
        );
    }
    // What happened since is told by name.
    synced.server.live_days(60);
    let counts = reconcile(&synced, &["--counts"]);
    let invoices = counts.iter().find(|list| list["list"] == "invoices").unwrap();
    assert_ne!((invoices["missing_here"].as_str(), invoices["first_missing"].as_str()), ("0", ""));
    synced.sync(&["--full"]);
    let counts = reconcile(&synced, &["--counts"]);
    assert!(counts.iter().all(|list| list["missing_here"] == "0"), "{counts:?}");
}

#[test]
fn a_server_syncs_by_itself_and_says_how_it_went() {
    // The server's clock is that of this machine, so the world ends about now.
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let start = i64::try_from(now).unwrap() - 12 * 2_629_746;
    let choices = Choices { settings: Settings { start, ..Settings::of(2) }, lived_months: Some(12), ..Choices::of(2) };
    let synced = Synced::with(serve(choices).unwrap());
    let key = synced.folder.path().join("key");
    ended(&synced.run(&["init", "--set", &format!("stripe_key_file={}", key.display())]), 0);
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_recurve"))
        .args(["--data", synced.data().to_str().unwrap(), "serve", "--port", "0", "--open", "viewer"])
        .env_remove("RECURVE_STRIPE_KEY")
        .env("RECURVE_STRIPE_API_BASE", synced.server.url())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut first).unwrap();
    let address = first.trim().rsplit('/').next().unwrap().to_owned();
    let begun = Instant::now();
    let stands = loop {
        let asked = ureq::get(format!("http://{address}/api/v1/sources/stripe")).call();
        let stands: Value = asked
            .map(|mut answer| serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap())
            .unwrap_or_default();
        if stands["last"].is_object() {
            break stands;
        }
        if begun.elapsed() > Duration::from_secs(90) {
            // It is not left running behind the test.
            let _ = child.kill();
            panic!("no sync within 90 seconds: {stands}");
        }
        std::thread::sleep(Duration::from_millis(300));
    };
    child.kill().unwrap();
    let mut log = String::new();
    child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    child.wait().unwrap();
    assert_eq!((stands["mode"].as_str(), stands["waiting_events"].as_i64()), (Some("test"), Some(0)), "{stands}");
    assert!(stands["proven_until"].is_string() && stands["next_at"].is_string() && stands["failure"].is_null());
    let lists = stands["lists"].as_array().unwrap();
    assert!(lists.iter().any(|list| list["list"] == "invoices" && list["kept"] == list["listed"]), "{stands}");
    assert!(log.contains("proven_until") && !log.contains(READ_KEY), "{log}");
    let metric = ended(&synced.run(&["export", "subscriptions"]), 0);
    assert!(metric.lines().count() > 3);
}
