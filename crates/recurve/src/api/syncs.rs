//! Syncs with Stripe while the server runs: now and then, one at a time, and told how they went.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    Json,
    extract::State,
    http::Method,
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    applier::Through,
    log,
    refusal::Refusal,
    route::{Route, Who},
    server::Server,
};
use crate::{
    command::CommandError,
    session::clock,
    stripe::{
        account::Account,
        client::{BASE, BASE_VARIABLE, Client, Manner, chance},
        key::{self, Key, KeyError},
        objects::Objects,
        store::Store,
        sync::{self, Report, Way},
    },
};

/// Minutes between two syncs, unless the setting says otherwise.
const MINUTES: i64 = 60;
/// The setting that says so.
const SETTING: &str = "stripe_sync_minutes";
/// How often it is looked whether it is time, or the settings changed.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// The first wait after a sync that failed, in seconds; each further one is twice as long, up to the time between syncs.
const FIRST_WAIT_SECONDS: i64 = 60;

pub fn routes() -> Vec<Route> {
    vec![
        Route::other(
            Method::GET,
            "/sources/stripe",
            Who::Viewer,
            "What is kept of Stripe, until when it is proven to be all, and how syncs go",
            show,
        )
        .gives::<Synced>(),
    ]
}

/// How syncs go.
#[derive(Default)]
pub struct Syncs(Mutex<Course>);

#[derive(Debug, Clone, Default)]
struct Course {
    is_running: bool,
    next_at: Option<i64>,
    failed_at: Option<i64>,
    failure: Option<String>,
    failures: u32,
}

impl Syncs {
    fn change<T>(&self, change: impl FnOnce(&mut Course) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Starts the thread that syncs. It ends with the server.
pub fn start(server: &Arc<Server>) -> std::io::Result<()> {
    let stop = Arc::new(AtomicBool::new(false));
    let (flag, mut stopping) = (Arc::clone(&stop), server.stopping.subscribe());
    tokio::spawn(async move {
        // Without the server nobody waits for a sync either.
        let _ = stopping.wait_for(|is_stopping| *is_stopping).await;
        flag.store(true, Ordering::Relaxed);
    });
    let server = Arc::clone(server);
    std::thread::Builder::new().name("stripe-sync".to_owned()).spawn(move || sync_for_ever(&server, &stop))?;
    Ok(())
}

fn sync_for_ever(server: &Server, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        std::thread::sleep(LOOK_EVERY);
        let minutes = match due(server) {
            Ok(Some(minutes)) => minutes,
            Ok(None) => continue,
            Err(error) => {
                failed(server, &error.to_string(), MINUTES);
                continue;
            }
        };
        server.syncs.change(|course| course.is_running = true);
        // A panic is a fault of ours; what was read is kept, and the next sync goes on from there.
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| sync_once(server, stop)));
        server.syncs.change(|course| course.is_running = false);
        match done {
            Ok(Ok(report)) => succeeded(server, &report, minutes),
            Ok(Err(_)) if stop.load(Ordering::Relaxed) => {}
            Ok(Err(error)) => failed(server, &error.to_string(), minutes),
            Err(_) => failed(server, "the sync ended in a panic", minutes),
        }
    }
}

/// The minutes between two syncs, where it is time for one; none where it is not, or nobody wants any.
fn due(server: &Server) -> Result<Option<i64>, CommandError> {
    let minutes = server.lake.setting(SETTING)?.and_then(|text| text.parse().ok()).unwrap_or(MINUTES);
    if minutes <= 0 || !server.ingest.is_taking() {
        return Ok(None);
    }
    let has_key = std::env::var(key::VARIABLE).is_ok() || server.lake.setting(key::SETTING)?.is_some();
    if !has_key {
        return Ok(None);
    }
    let now = clock();
    let next_at = server.syncs.change(|course| course.next_at);
    let next_at = match next_at {
        // A clock that ran ahead for a while and was set back must not put the next sync off until then.
        Some(next_at) if next_at > now.saturating_add(longest(minutes)) => {
            server.syncs.change(|course| course.next_at = Some(now));
            now
        }
        Some(next_at) => next_at,
        None => {
            // The first one since the start: at once where the last one is longer ago than that.
            let last = last_report(server)?.map_or(0, |report| report.ended_at.saturating_mul(1_000_000));
            let next_at = (last + between(minutes)).min(now + between(minutes));
            server.syncs.change(|course| course.next_at = Some(next_at));
            next_at
        }
    };
    Ok((now >= next_at).then_some(minutes))
}

fn last_report(server: &Server) -> Result<Option<Report>, CommandError> {
    if !server.options.data.join(Store::FILE).is_file() {
        return Ok(None);
    }
    Ok(sync::last_report(&Objects::open(&server.options.data)?)?)
}

/// Microseconds between two syncs: a tenth more or less, so that not all the world asks at the full hour.
fn between(minutes: i64) -> i64 {
    let micros = minutes.saturating_mul(60_000_000);
    micros - micros / 10 + (micros as f64 * 0.2 * chance()) as i64
}

/// The longest time between two syncs, in microseconds.
fn longest(minutes: i64) -> i64 {
    let micros = minutes.saturating_mul(60_000_000);
    micros.saturating_add(micros / 10)
}

fn sync_once(server: &Server, stop: &AtomicBool) -> Result<Report, CommandError> {
    let key = match Key::find(None, server.lake.setting(key::SETTING)?.as_deref()) {
        Err(KeyError::Missing) => return Ok(Report::default()),
        found => found?,
    };
    let base = std::env::var(BASE_VARIABLE).unwrap_or_else(|_| BASE.to_owned());
    let client = Client::new(key.clone(), Manner { base, ..Manner::default() }, stop)?;
    let mut account = Account::open(&server.options.data)?;
    let now = || clock().div_euclid(1_000_000);
    sync::check_key(&client, &key, &mut account.objects, now())?;
    let way = Way { client: &client, now: &now, is_full: false, told: &|_| {} };
    sync::run(&mut account, &mut Through(server), &way)
}

fn succeeded(server: &Server, report: &Report, minutes: i64) {
    let next_at = clock() + between(minutes);
    server.syncs.change(|course| *course = Course { next_at: Some(next_at), ..Course::default() });
    log::note(
        "sync",
        &[
            ("source", "stripe"),
            ("objects", &report.objects.to_string()),
            ("events", &report.new_events.to_string()),
            ("facts", &report.stated.to_string()),
            ("requests", &report.requests.to_string()),
            ("proven_until", &stripe::fact::moment(report.proven_until)),
        ],
    );
}

fn failed(server: &Server, words: &str, minutes: i64) {
    let now = clock();
    server.syncs.change(|course| {
        let wait = (FIRST_WAIT_SECONDS << course.failures.min(10)).min(minutes.max(1) * 60);
        course.failures = course.failures.saturating_add(1);
        course.failed_at = Some(now);
        course.failure = Some(words.to_owned());
        course.next_at = Some(now + wait * 1_000_000);
    });
    log::note("sync_failed", &[("source", "stripe"), ("words", words)]);
}

/// What is kept of Stripe, and how syncs go.
#[derive(Serialize, ToSchema)]
pub struct Synced {
    /// The account, where the key may say it.
    account: Option<String>,
    /// live or test; null where nothing was ever read.
    mode: Option<String>,
    /// Everything is known up to this instant.
    proven_until: Option<String>,
    /// Whether a sync runs now in the server.
    is_running: bool,
    /// When the server syncs next; null where it does not.
    next_at: Option<String>,
    /// When the last sync of the server failed, if it was not mended since.
    failed_at: Option<String>,
    /// Why.
    failure: Option<String>,
    /// What the last sync that ended well did.
    last: Option<LastSync>,
    /// The lists.
    lists: Vec<SyncedList>,
    /// Events that are kept.
    events: i64,
    /// Events that are no facts yet.
    waiting_events: i64,
    /// Events in which nothing could be read.
    quarantined_events: i64,
    /// What cannot be known or read, by code, with how often.
    issues: Vec<IssueCount>,
}

/// What a sync did.
#[derive(Serialize, ToSchema)]
pub struct LastSync {
    ended_at: String,
    /// Whether all lists were walked.
    was_full: bool,
    objects: u64,
    new_events: u64,
    requests: u64,
    facts_stated: u64,
    facts_withdrawn: u64,
    facts_refused: u64,
}

/// A list of Stripe.
#[derive(Serialize, ToSchema)]
pub struct SyncedList {
    list: String,
    /// Objects that are kept.
    kept: i64,
    /// Objects that Stripe listed when all lists were last walked.
    listed: Option<i64>,
    listed_at: Option<String>,
    /// Whether the key may not read it.
    is_forbidden: bool,
}

/// How often something is so.
#[derive(Serialize, ToSchema)]
pub struct IssueCount {
    code: String,
    /// What it means.
    words: &'static str,
    count: i64,
}

fn instant(micros: i64) -> String {
    Timestamp::from_microsecond(micros).map(|at| at.to_string()).unwrap_or_default()
}

async fn show(State(server): State<Arc<Server>>) -> Response {
    let looked = tokio::task::spawn_blocking(move || look(&server)).await;
    match looked {
        Ok(Ok(synced)) => Json(synced).into_response(),
        Ok(Err(error)) => Refusal::from(error).into_response(),
        Err(_) => Refusal::failed().into_response(),
    }
}

fn look(server: &Server) -> Result<Synced, CommandError> {
    let data = &server.options.data;
    let status = match data.join(Store::FILE).is_file() {
        true => Some(sync::status(&Objects::open(data)?, &Store::open(data)?)?),
        false => None,
    };
    let course = server.syncs.change(|course| course.clone());
    let mut synced = Synced {
        account: None,
        mode: None,
        proven_until: None,
        is_running: course.is_running,
        next_at: course.next_at.map(instant),
        failed_at: course.failed_at.map(instant),
        failure: course.failure,
        last: None,
        lists: Vec::new(),
        events: 0,
        waiting_events: 0,
        quarantined_events: 0,
        issues: Vec::new(),
    };
    let Some(status) = status else { return Ok(synced) };
    synced.account = status.account;
    synced.mode = status.mode;
    synced.proven_until = status.proven_until.map(stripe::fact::moment);
    synced.last = status.last.map(|last| LastSync {
        ended_at: stripe::fact::moment(last.ended_at),
        was_full: last.was_full,
        objects: last.objects,
        new_events: last.new_events,
        requests: last.requests,
        facts_stated: last.stated,
        facts_withdrawn: last.withdrawn,
        facts_refused: last.refused,
    });
    let listed = status.lists.into_iter().map(|list| SyncedList {
        list: list.list,
        kept: list.kept,
        listed: list.counted.map(|counted| counted.objects),
        listed_at: list.counted.map(|counted| stripe::fact::moment(counted.at)),
        is_forbidden: list.is_forbidden,
    });
    synced.lists = listed.collect();
    synced.events = status.events;
    synced.waiting_events = status.waiting;
    synced.quarantined_events = status.quarantined;
    let words =
        |code: &str| stripe::issue::CODES.iter().find(|listed| listed.name == code).map_or("", |listed| listed.means);
    let issues = status.issues.into_iter().map(|(code, count)| IssueCount { words: words(&code), code, count });
    synced.issues = issues.collect();
    Ok(synced)
}
