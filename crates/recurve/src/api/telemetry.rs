//! Numbers about the server itself, in the text format of Prometheus, at `/metrics`.
//!
//! Whoever has something to count names a [`Family`] and calls [`Telemetry::count`], [`Telemetry::set`] or
//! [`Telemetry::observe`] on the server's; it appears with its first value. What can be looked up is looked up when it is
//! asked for. No label holds anything that people wrote: routes, kinds, states, and names of channels.

use std::{
    collections::BTreeMap,
    fmt::Write,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    time::{Duration, Instant},
};

use axum::{
    Extension,
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{log, people::Role, server::Server};
use crate::{command::CommandError, session::clock, stripe};

/// What a family of numbers is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// A number that only grows.
    Counter,
    /// A number that goes up and down.
    Gauge,
    /// How often something took how long, in seconds.
    Histogram,
}

/// Numbers of one name that differ by their labels.
#[derive(Debug)]
pub struct Family {
    /// The name, with its unit last.
    pub name: &'static str,
    /// What it is.
    pub sort: Sort,
    /// What it says, in a sentence.
    pub help: &'static str,
}

const fn family(name: &'static str, sort: Sort, help: &'static str) -> Family {
    Family { name, sort, help }
}

/// Requests.
pub static REQUESTS: Family =
    family("recurve_http_request_seconds", Sort::Histogram, "How long requests took, by route, method and status.");
/// Connections for which there was no place.
pub static TURNED_AWAY: Family = family(
    "recurve_connections_turned_away_total",
    Sort::Counter,
    "Connections beyond those that there are places for.",
);
/// Looks at the data folder that failed.
pub static LOOKS_FAILED: Family =
    family("recurve_looks_failed_total", Sort::Counter, "Looks for new data that failed.");
/// Whether the last look failed.
pub static LOOK_FAILS: Family =
    family("recurve_look_fails", Sort::Gauge, "1 while new data cannot be looked for, else 0.");
/// How long the steps from events to figures take.
pub static STEPS: Family = family(
    "recurve_step_seconds",
    Sort::Histogram,
    "How long a step towards the figures took, by step: make_facts (facts of all events that waited, with their commit), \
     commit_facts (those facts into the lake), serve (the ledger goes on to what was committed).",
);
/// What deliveries came to.
pub static DELIVERIES: Family =
    family("recurve_deliveries_total", Sort::Counter, "Attempts to deliver messages, by channel and outcome.");
/// Changes of state of rules.
pub static ALERTS: Family =
    family("recurve_alerts_total", Sort::Counter, "Changes of state of rules, by rule and change.");
/// Turns that failed.
pub static TURNS_FAILED: Family =
    family("recurve_alert_turns_failed_total", Sort::Counter, "Turns of judging and sending that failed.");
/// When something last succeeded.
pub static LAST_SUCCESS: Family = family(
    "recurve_last_success_timestamp_seconds",
    Sort::Gauge,
    "When a piece of scheduled or outer work last succeeded, by work: stripe_sync (a sync that came to its end), \
     stripe_webhook (an event was put in), stripe_facts (facts were made of what waited), alerts.",
);
static DATA_AGE: Family =
    family("recurve_data_age_seconds", Sort::Gauge, "Seconds since the newest facts that are served became known.");
static DATA_SNAPSHOT: Family = family("recurve_data_snapshot", Sort::Gauge, "The snapshot that is served.");
static FACTS: Family = family("recurve_facts_accepted_total", Sort::Counter, "Rows that became facts, by kind.");
static REFUSED: Family = family("recurve_rows_refused_total", Sort::Counter, "Rows that were refused, by kind.");
static IMPORTS: Family = family("recurve_imports_total", Sort::Counter, "Imports that were committed, by kind.");
static OUTBOX: Family = family("recurve_outbox_messages", Sort::Gauge, "Messages of the outbox, by channel and state.");
static OUTBOX_AGE: Family =
    family("recurve_outbox_oldest_seconds", Sort::Gauge, "How long the message that is due longest is due.");
static QUEUE: Family = family("recurve_queue_length", Sort::Gauge, "What waits for its turn, by queue.");
static STRIPE_EVENTS: Family =
    family("recurve_stripe_events_total", Sort::Counter, "Webhooks of Stripe since the server began, by outcome.");
static STRIPE_STORED: Family = family(
    "recurve_stripe_events",
    Sort::Gauge,
    "Events of Stripe that are kept, and of these those that are no facts yet.",
);
static STRIPE_PROVEN: Family = family(
    "recurve_stripe_proven_until_timestamp_seconds",
    Sort::Gauge,
    "The second up to which everything of Stripe is known, as the last sync proved it.",
);
static UPTIME: Family = family("recurve_uptime_seconds", Sort::Gauge, "Seconds since the server started.");
static MEMORY: Family =
    family("process_resident_memory_bytes", Sort::Gauge, "Memory of the process that is in use, in bytes.");
static BUILD: Family = family("recurve_build_info", Sort::Gauge, "The version of the program; always 1.");

/// The ends of the times that are counted, in seconds.
const ENDS: [f64; 11] = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

#[derive(Debug, Clone, Copy, Default)]
struct Times {
    counts: [u64; ENDS.len()],
    all: u64,
    seconds: f64,
}

#[derive(Debug, Clone)]
enum Number {
    Plain(f64),
    Times(Box<Times>),
}

type Labels = Vec<(&'static str, String)>;

/// Numbers by the name of their family and their labels, in the order in which they are written.
type Numbers = BTreeMap<(&'static str, Labels), (&'static Family, Number)>;

/// The numbers of a server.
pub struct Telemetry {
    begun: Instant,
    numbers: Mutex<Numbers>,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self { begun: Instant::now(), numbers: Mutex::default() }
    }
}

/// How many series there may be: labels are few, and a mistake must not fill the memory.
const SERIES: usize = 4_096;

impl Telemetry {
    fn change(&self, family: &'static Family, labels: &[(&'static str, &str)], change: impl FnOnce(&mut Number)) {
        let key = (family.name, labels.iter().map(|(name, value)| (*name, (*value).to_owned())).collect::<Labels>());
        let mut numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        if numbers.len() >= SERIES && !numbers.contains_key(&key) {
            return;
        }
        let first = match family.sort {
            Sort::Histogram => Number::Times(Box::default()),
            Sort::Counter | Sort::Gauge => Number::Plain(0.0),
        };
        change(&mut numbers.entry(key).or_insert((family, first)).1);
    }

    /// Adds to a counter.
    pub fn count(&self, family: &'static Family, labels: &[(&'static str, &str)], by: f64) {
        self.change(family, labels, |number| {
            if let Number::Plain(number) = number {
                *number += by;
            }
        });
    }

    /// Sets a gauge.
    pub fn set(&self, family: &'static Family, labels: &[(&'static str, &str)], to: f64) {
        self.change(family, labels, |number| {
            if let Number::Plain(number) = number {
                *number = to;
            }
        });
    }

    /// Counts how long something took.
    pub fn observe(&self, family: &'static Family, labels: &[(&'static str, &str)], took: Duration) {
        self.change(family, labels, |number| {
            if let Number::Times(times) = number {
                let seconds = took.as_secs_f64();
                times.all += 1;
                times.seconds += seconds;
                for (count, end) in times.counts.iter_mut().zip(ENDS) {
                    *count += u64::from(seconds <= end);
                }
            }
        });
    }

    /// A gauge as it was set last.
    pub fn gauge(&self, family: &'static Family) -> Option<f64> {
        let numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        match numbers.get(&(family.name, Labels::new())) {
            Some((_, Number::Plain(number))) => Some(*number),
            _ => None,
        }
    }

    /// Everything, as text.
    fn text(&self) -> String {
        let numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut out = String::new();
        let mut last = "";
        for ((name, labels), (family, number)) in &numbers {
            if *name != last {
                let sort = match family.sort {
                    Sort::Counter => "counter",
                    Sort::Gauge => "gauge",
                    Sort::Histogram => "histogram",
                };
                let _ = write!(out, "# HELP {name} {}\n# TYPE {name} {sort}\n", family.help);
                last = name;
            }
            let with = |more: Option<(&str, String)>| {
                let all = labels.iter().map(|(name, value)| (*name, value.clone())).chain(more);
                let all: Vec<String> = all.map(|(name, value)| format!("{name}=\"{}\"", escaped(&value))).collect();
                if all.is_empty() { String::new() } else { format!("{{{}}}", all.join(",")) }
            };
            match number {
                Number::Plain(number) => {
                    let _ = writeln!(out, "{name}{} {number}", with(None));
                }
                Number::Times(times) => {
                    for (count, end) in times.counts.iter().zip(ENDS) {
                        let _ = writeln!(out, "{name}_bucket{} {count}", with(Some(("le", end.to_string()))));
                    }
                    let _ = writeln!(out, "{name}_bucket{} {}", with(Some(("le", "+Inf".to_owned()))), times.all);
                    let _ = writeln!(out, "{name}_sum{} {}", with(None), times.seconds);
                    let _ = writeln!(out, "{name}_count{} {}", with(None), times.all);
                }
            }
        }
        out
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// Measures a route. The path is the one of the table, not the one that was asked for.
pub async fn measured(
    State((server, path)): State<(Arc<Server>, &'static str)>,
    request: Request,
    next: Next,
) -> Response {
    let begun = Instant::now();
    let method = request.method().clone();
    let response = next.run(request).await;
    let took = begun.elapsed();
    let status = response.status().as_u16().to_string();
    let labels = [("route", path), ("method", method.as_str()), ("status", status.as_str())];
    server.telemetry.observe(&REQUESTS, &labels, took);
    if log::tells("request") {
        let milliseconds = took.as_millis().to_string();
        let fields = [labels[0], labels[1], labels[2], ("milliseconds", milliseconds.as_str())];
        log::note("request", &fields);
    }
    response
}

/// Answers Prometheus: on this machine, or with a token; to others there is nothing here.
pub async fn metrics(
    State(server): State<Arc<Server>>,
    Extension(ConnectInfo(peer)): Extension<ConnectInfo<SocketAddr>>,
    headers: HeaderMap,
) -> Response {
    // Whoever comes through a proxy comes from its address.
    let is_here = peer.ip().is_loopback()
        && !server.gate.is_behind_proxy
        && !headers.contains_key("x-forwarded-for")
        && !headers.contains_key("forwarded");
    let may_look =
        is_here || server.gate.caller(&server.people, &headers).is_ok_and(|caller| caller.role >= Role::Viewer);
    if !may_look {
        return (StatusCode::NOT_FOUND, "there is nothing here\n").into_response();
    }
    let of = Arc::clone(&server);
    let gathered = tokio::task::spawn_blocking(move || gather(&of)).await;
    if let Ok(Err(error)) = gathered {
        log::note("error", &[("words", &error.to_string())]);
    }
    let text = server.telemetry.text();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

/// Looks up what is not counted as it happens.
fn gather(server: &Server) -> Result<(), CommandError> {
    let telemetry = &server.telemetry;
    let known = server.version.borrow().known;
    let now = clock();
    let seconds = |micros: i64| micros as f64 / 1e6;
    telemetry.set(&BUILD, &[("version", env!("CARGO_PKG_VERSION"))], 1.0);
    telemetry.set(&UPTIME, &[], telemetry.begun.elapsed().as_secs_f64());
    // A clock that was set back makes nothing younger than now.
    telemetry.set(&DATA_AGE, &[], seconds((now - known.at_micros).max(0)));
    telemetry.set(&DATA_SNAPSHOT, &[], known.snapshot as f64);
    if let Some(bytes) = resident_bytes() {
        telemetry.set(&MEMORY, &[], bytes as f64);
    }
    let (questions, listeners) = server.queues();
    telemetry.set(&QUEUE, &[("queue", "questions")], questions as f64);
    telemetry.set(&QUEUE, &[("queue", "listeners")], listeners as f64);
    telemetry.set(&QUEUE, &[("queue", "facts")], server.ingest.waiting() as f64);
    let tally = server.webhooks.tally();
    for (outcome, count) in [
        ("kept", &tally.kept),
        ("known", &tally.known),
        ("conflict", &tally.conflicts),
        ("quarantined", &tally.quarantined),
        ("not_believed", &tally.not_believed),
        ("put_off", &tally.put_off),
    ] {
        telemetry.set(&STRIPE_EVENTS, &[("outcome", outcome)], count.load(Ordering::Relaxed) as f64);
    }
    // Where nothing ever came from Stripe there is nothing to look at.
    if server.options.data.join(stripe::store::Store::FILE).is_file() {
        let (objects, store) =
            (stripe::objects::Objects::open(&server.options.data)?, stripe::store::Store::open(&server.options.data)?);
        let status = stripe::sync::status(&objects, &store)?;
        telemetry.set(&STRIPE_STORED, &[("state", "all")], status.events as f64);
        telemetry.set(&STRIPE_STORED, &[("state", "waiting")], status.waiting as f64);
        telemetry.set(&STRIPE_STORED, &[("state", "quarantined")], status.quarantined as f64);
        if let Some(proven_until) = status.proven_until {
            telemetry.set(&STRIPE_PROVEN, &[], proven_until as f64);
        }
        // Whichever process synced last, and whenever this one began.
        if let Some(last) = status.last {
            telemetry.set(&LAST_SUCCESS, &[("work", "stripe_sync")], last.ended_at as f64);
        }
        let arrived_at = store.last_webhook()?.max(Some(tally.last_at.load(Ordering::Relaxed)).filter(|at| *at > 0));
        if let Some(arrived_at) = arrived_at {
            telemetry.set(&LAST_SUCCESS, &[("work", "stripe_webhook")], seconds(arrived_at));
        }
    }
    for of in server.lake.imports_by_kind(Some(known.at_micros))? {
        let labels = [("kind", of.kind.as_str())];
        telemetry.set(&IMPORTS, &labels, of.imports as f64);
        telemetry.set(&FACTS, &labels, of.rows_accepted as f64);
        telemetry.set(&REFUSED, &labels, of.rows_refused as f64);
    }
    let states = ["waiting", "sent", "given_up", "bundled"];
    let counts = server.alerts.store.counts()?;
    let channels = server.alerts.store.channels()?;
    for channel in channels.iter().map(|kept| kept.channel.id.as_str()) {
        for state in states {
            let count = counts.iter().find(|(of, known, _)| of == channel && known == state);
            let labels = [("channel", channel), ("state", state)];
            telemetry.set(&OUTBOX, &labels, count.map_or(0.0, |(.., count)| *count as f64));
        }
    }
    let next = server.alerts.store.next_due()?;
    telemetry.set(&OUTBOX_AGE, &[], next.map_or(0.0, |next| seconds((now - next).max(0))));
    Ok(())
}

/// The memory of the process that is in use; not known on systems without `/proc`.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kilobytes * 1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_prometheus_reads_them() {
        let telemetry = Telemetry::default();
        telemetry.count(&DELIVERIES, &[("channel", "a\"b\\c\nd"), ("outcome", "sent")], 2.0);
        telemetry.count(&DELIVERIES, &[("channel", "a\"b\\c\nd"), ("outcome", "sent")], 1.0);
        telemetry.set(&LOOK_FAILS, &[], 1.0);
        for took in [1, 30, 20_000] {
            telemetry.observe(&REQUESTS, &[("route", "/x")], Duration::from_millis(took));
        }
        let text = telemetry.text();
        for line in [
            "# TYPE recurve_deliveries_total counter",
            "recurve_deliveries_total{channel=\"a\\\"b\\\\c\\nd\",outcome=\"sent\"} 3",
            "recurve_look_fails 1",
            "recurve_http_request_seconds_bucket{route=\"/x\",le=\"0.002\"} 1",
            "recurve_http_request_seconds_bucket{route=\"/x\",le=\"0.05\"} 2",
            "recurve_http_request_seconds_bucket{route=\"/x\",le=\"+Inf\"} 3",
            "recurve_http_request_seconds_count{route=\"/x\"} 3",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert_eq!(text.matches("# TYPE recurve_http_request_seconds ").count(), 1);
        assert_eq!(telemetry.gauge(&LOOK_FAILS), Some(1.0));
    }
}
