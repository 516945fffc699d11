//! What is kept, set beside what Stripe says now; and a server that syncs by itself.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read},
    process::Stdio,
    time::{Duration, Instant},
};

use revenue::{
    calendar::{Day, Grain, Zone},
    money::{Currency, parse_scaled},
};
use serde_json::Value;
use stripe_simulator::{
    Booked, Settings, World,
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

fn micros(line: &BTreeMap<String, String>, column: &str) -> i128 {
    parse_scaled(&line[column], 6).unwrap()
}

/// What the world booked since a second, in all, by month and currency.
fn booked(world: &World, since: i64, of: fn(&World) -> Vec<Booked>) -> BTreeMap<(String, String), i128> {
    let mut sums: BTreeMap<(String, String), i128> = BTreeMap::new();
    for of in of(world).iter().filter(|of| of.second >= since) {
        let month = Zone::utc().day_of_instant(of.second * 1_000_000).first_of(Grain::Month);
        let currency = Currency::parse(of.currency).unwrap();
        let key = (month.to_string(), of.currency.to_owned());
        *sums.entry(key).or_default() += stripe::amount::picos(of.minor, currency) / 1_000_000;
    }
    sums.retain(|_, micros| *micros != 0);
    sums
}

#[test]
fn cash_is_that_of_the_world_and_every_difference_from_what_was_asked_for_has_its_reasons() {
    // A world in which money went back.
    let went_back = |seed: &u64| {
        let mut world = World::begin(Settings::of(*seed));
        world.live_until(world.month(14));
        !world.given_back().is_empty()
    };
    let seed = (9..).find(went_back).unwrap();
    let synced = Synced::with(serve(Choices { lived_months: Some(14), ..Choices::of(seed) }).unwrap());
    synced.sync(&[]);
    let lines = reconcile(&synced, &["--cash", "--all", "--from", "2023-01-01", "--to", "2026-01-01"]);
    let (totals, customers): (Vec<_>, Vec<_>) = lines.into_iter().partition(|line| line["customer"] == "total");
    let column = |name: &str| -> BTreeMap<(String, String), i128> {
        let of = totals.iter().map(|line| ((line["month"].clone(), line["currency"].clone()), micros(line, name)));
        of.filter(|(_, micros)| *micros != 0).collect()
    };
    synced.server.world(|world| {
        assert_eq!(column("collected"), booked(world, 0, World::collected));
        assert_eq!(column("given_back"), booked(world, 0, World::given_back));
        assert!(!column("collected").is_empty() && !column("given_back").is_empty());
    });
    for line in &customers {
        let reasons: i128 = line["why"]
            .split("; ")
            .filter_map(|reason| reason.split_once(' '))
            .map(|(_, amount)| parse_scaled(amount, 6).unwrap())
            .sum();
        assert_eq!(micros(line, "collected") - micros(line, "given_back"), micros(line, "cash"), "{line:?}");
        assert_eq!(micros(line, "invoiced") - micros(line, "cash"), micros(line, "invoiced_less_cash"), "{line:?}");
        assert_eq!(reasons, micros(line, "invoiced_less_cash"), "{line:?}");
    }
    // Only what differs is listed unless all is asked for, and the totals in any case.
    let fewer = reconcile(&synced, &["--cash", "--from", "2023-01-01", "--to", "2026-01-01"]);
    let differ = |line: &&BTreeMap<String, String>| micros(line, "invoiced_less_cash") != 0;
    assert_eq!(fewer.len(), customers.iter().filter(differ).count() + totals.len());

    // Beside MRR as it is now: what came in in twelve months.
    let lines = reconcile(&synced, &["--all"]);
    let year_ago = Zone::utc().day_of_instant(synced.now() * 1_000_000).plus_months(-12);
    let mut wanted: BTreeMap<String, i128> = BTreeMap::new();
    synced.server.world(|world| {
        let since = i64::from(year_ago.0) * 86_400;
        let came = booked(world, since, World::collected).into_iter();
        let went = booked(world, since, World::given_back).into_iter().map(|(key, micros)| (key, -micros));
        came.chain(went).for_each(|((_, currency), micros)| *wanted.entry(currency).or_default() += micros);
    });
    let found: BTreeMap<String, i128> = lines
        .iter()
        .filter(|line| line["customer"] == "total")
        .map(|line| (line["currency"].clone(), micros(line, "collected_in_12_months")))
        .collect();
    assert_eq!(found, wanted);
    assert!(Day::parse(&totals[0]["month"]).is_some());
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
