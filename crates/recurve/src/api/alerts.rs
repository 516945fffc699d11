//! Alerts over the web, and the work that the server does for them by itself: judging after each new version of the data
//! and as time goes on, and sending what waits.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Extension, Json,
    extract::{Path, State},
    http::{Method, StatusCode},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    access::Caller,
    company::instant,
    doors, log,
    refusal::Refusal,
    route::{Route, Who},
    server::Server,
    telemetry::{ALERTS, DELIVERIES, LAST_SUCCESS, TURNS_FAILED},
};
use crate::{
    alerts::{self, Channel, Done, Outside, Rule, Store},
    command::{CommandError, alert},
    session::{Session, clock},
};

/// The alerts of a server.
pub struct Alerts {
    /// Rules, channels and the outbox.
    pub store: Store,
    /// What whoever runs the server says of the world outside.
    pub outside: Outside,
}

/// How often it is looked whether something is to be sent.
const TICK: Duration = Duration::from_secs(5);
/// How often rules are judged at the most, while facts stream in.
const PAUSE: Duration = Duration::from_secs(10);

pub fn routes() -> Vec<Route> {
    vec![
        Route::other(Method::GET, "/alerts", Who::Viewer, "Rules that speak, with where they stand", rules)
            .gives::<Rules>(),
        Route::other(Method::POST, "/alerts", Who::Editor, "Set a rule", set_rule).takes::<Rule>().gives::<SetThing>(),
        Route::other(Method::DELETE, "/alerts/{id}", Who::Editor, "Remove a rule", remove_rule).gives::<SetThing>(),
        Route::other(
            Method::GET,
            "/alerts/deliveries",
            Who::Editor,
            "What was sent to which channel, with every attempt, the newest first",
            deliveries,
        )
        .gives::<Deliveries>(),
        Route::other(
            Method::GET,
            "/channels",
            Who::Editor,
            "Channels of alerts, with as much of where they lead as everybody may see",
            channels,
        )
        .gives::<Channels>(),
        Route::other(Method::POST, "/channels", Who::Owner, "Set a channel of alerts", set_channel)
            .takes::<Channel>()
            .gives::<SetThing>(),
        Route::other(
            Method::DELETE,
            "/channels/{id}",
            Who::Owner,
            "Remove a channel with what waits for it",
            remove_channel,
        )
        .gives::<SetThing>(),
        Route::other(Method::POST, "/channels/{id}/test", Who::Editor, "Send a test to a channel", test_channel)
            .gives::<SetThing>(),
    ]
}

/// What was set, removed or sent.
#[derive(Serialize, ToSchema)]
pub struct SetThing {
    id: String,
}

/// Rules.
#[derive(Serialize, ToSchema)]
pub struct Rules {
    rows: Vec<RuleRow>,
}

/// A rule with where it stands.
#[derive(Serialize, ToSchema)]
pub struct RuleRow {
    rule: Rule,
    /// What it watches, in a few words.
    watches: String,
    /// fires, quiet or not_judged.
    state: &'static str,
    /// The first day of the period that was judged last.
    period: Option<String>,
    /// The number by which it was.
    number: Option<String>,
    /// How often its state changed.
    changes: i64,
    /// When it was judged last.
    judged_at: Option<String>,
    /// Why it could not be, where it could not.
    fault: Option<String>,
    set_by: String,
}

/// Channels.
#[derive(Serialize, ToSchema)]
pub struct Channels {
    rows: Vec<ChannelRow>,
}

/// A channel.
#[derive(Serialize, ToSchema)]
pub struct ChannelRow {
    id: String,
    kind: String,
    /// Where it leads, without what only some may know.
    destination: String,
    language: Option<String>,
    quiet: Option<String>,
    digests: Vec<String>,
    digest_at: Option<String>,
    only_digests: bool,
    paused: bool,
    /// How many messages wait for it.
    waiting: i64,
    /// How many were sent to it.
    sent: i64,
    /// How many were given up.
    given_up: i64,
    /// Since when messages to it are given up.
    failing_since: Option<String>,
}

/// The delivery log.
#[derive(Serialize, ToSchema)]
pub struct Deliveries {
    rows: Vec<Delivery>,
}

/// A message with its attempts.
#[derive(Serialize, ToSchema)]
pub struct Delivery {
    id: i64,
    /// What the other side knows it by.
    number: String,
    /// alert, digest, test, notice or bundle.
    kind: String,
    channel: String,
    /// To whom, without the name, where it is e-mail.
    recipient: String,
    subject: String,
    made_at: String,
    /// waiting, sent, given_up or bundled.
    state: String,
    /// When it is tried next, while it waits.
    next_at: Option<String>,
    done_at: Option<String>,
    attempts: Vec<AttemptRow>,
}

/// One attempt.
#[derive(Serialize, ToSchema)]
pub struct AttemptRow {
    begun_at: String,
    /// Nothing where the program ended first.
    ended_at: Option<String>,
    /// `sent`, or why not.
    outcome: Option<String>,
}

async fn aside<T: Send + 'static>(
    server: &Arc<Server>,
    work: impl FnOnce(&Server) -> Result<T, CommandError> + Send + 'static,
) -> Result<T, Refusal> {
    let of = Arc::clone(server);
    Ok(tokio::task::spawn_blocking(move || work(&of)).await.map_err(|_| Refusal::failed())??)
}

async fn rules(State(server): State<Arc<Server>>) -> Result<Json<Rules>, Refusal> {
    let kept = aside(&server, |server| Ok(server.alerts.store.rules()?)).await?;
    let rows = kept.into_iter().map(|kept| {
        let memory = kept.memory.as_ref();
        let is_figure = kept.rule.metric.is_some() && !kept.rule.anomaly;
        RuleRow {
            watches: kept.rule.watches(),
            state: memory.map_or("not_judged", |memory| if memory.standing.fires { "fires" } else { "quiet" }),
            period: memory.map(|memory| memory.period.to_string()),
            number: memory.filter(|_| is_figure).map(|memory| alerts::plain(memory.number)),
            changes: kept.changes,
            judged_at: kept.judged_at.map(instant),
            fault: kept.fault,
            set_by: kept.set_by,
            rule: kept.rule,
        }
    });
    Ok(Json(Rules { rows: rows.collect() }))
}

async fn set_rule(
    State(server): State<Arc<Server>>,
    Extension(caller): Extension<Caller>,
    Json(rule): Json<Rule>,
) -> Result<Json<SetThing>, Refusal> {
    let (id, who) = (rule.id.clone(), caller.name.clone());
    aside(&server, move |server| alert::set_rule(&server.session()?, &server.alerts.store, &rule, &who)).await?;
    doors::note(&server, &caller.name, "set an alert", &id).await?;
    server.judge_now.notify_one();
    Ok(Json(SetThing { id }))
}

async fn remove_rule(
    State(server): State<Arc<Server>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<SetThing>, Refusal> {
    let name = id.clone();
    aside(&server, move |server| alert::remove_rule(&server.alerts.store, &name)).await?;
    doors::note(&server, &caller.name, "removed an alert", &id).await?;
    Ok(Json(SetThing { id }))
}

async fn channels(State(server): State<Arc<Server>>) -> Result<Json<Channels>, Refusal> {
    let (kept, counts) =
        aside(&server, |server| Ok((server.alerts.store.channels()?, server.alerts.store.counts()?))).await?;
    let rows = kept.into_iter().map(|kept| {
        let count = |state: &str| {
            let found = counts.iter().find(|(name, of, _)| *name == kept.channel.id && of == state);
            found.map_or(0, |(.., count)| *count)
        };
        ChannelRow {
            destination: kept.channel.destination(),
            waiting: count("waiting"),
            sent: count("sent"),
            given_up: count("given_up"),
            failing_since: kept.failing_since.map(instant),
            id: kept.channel.id,
            kind: kept.channel.kind,
            language: kept.channel.language,
            quiet: kept.channel.quiet,
            digests: kept.channel.digests,
            digest_at: kept.channel.digest_at,
            only_digests: kept.channel.only_digests,
            paused: kept.channel.paused,
        }
    });
    Ok(Json(Channels { rows: rows.collect() }))
}

async fn set_channel(
    State(server): State<Arc<Server>>,
    Extension(caller): Extension<Caller>,
    Json(channel): Json<Channel>,
) -> Result<Json<SetThing>, Refusal> {
    let (id, who) = (channel.id.clone(), caller.name.clone());
    aside(&server, move |server| alert::set_channel(&server.alerts.store, &channel, &who, clock())).await?;
    doors::note(&server, &caller.name, "set a channel", &id).await?;
    server.judge_now.notify_one();
    Ok(Json(SetThing { id }))
}

async fn remove_channel(
    State(server): State<Arc<Server>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<SetThing>, Refusal> {
    let name = id.clone();
    aside(&server, move |server| alert::remove_channel(&server.alerts.store, &name, clock())).await?;
    doors::note(&server, &caller.name, "removed a channel", &id).await?;
    Ok(Json(SetThing { id }))
}

async fn test_channel(
    State(server): State<Arc<Server>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<SetThing>, Refusal> {
    let name = id.clone();
    let is_waiting = aside(&server, move |server| {
        let store = &server.alerts.store;
        let channel = alert::channel_of(store, &name)?;
        // A few are enough to see whether it works.
        let counts = store.counts()?;
        if counts.iter().any(|(of, state, count)| *of == name && state == "waiting" && *count >= 100) {
            return Ok(false);
        }
        let language = server.session()?.language()?;
        alerts::test(store, &channel, &server.alerts.outside, language, clock())?;
        Ok(true)
    })
    .await?;
    if !is_waiting {
        let words = "a hundred messages wait for this channel already; look at the delivery log";
        return Err(Refusal::new(StatusCode::CONFLICT, "too_many_waiting", words));
    }
    doors::note(&server, &caller.name, "tested a channel", &id).await?;
    server.judge_now.notify_one();
    Ok(Json(SetThing { id }))
}

/// How many messages the log shows.
const LOG: usize = 200;

async fn deliveries(State(server): State<Arc<Server>>) -> Result<Json<Deliveries>, Refusal> {
    let log = aside(&server, |server| Ok(server.alerts.store.log(LOG)?)).await?;
    let rows = log.into_iter().map(|(message, attempts)| Delivery {
        number: message.number(),
        recipient: if message.recipient.is_empty() { String::new() } else { alerts::masked(&message.recipient) },
        made_at: instant(message.made_at),
        next_at: (message.state == "waiting").then(|| instant(message.due_at)),
        done_at: message.done_at.map(instant),
        id: message.id,
        kind: message.kind,
        channel: message.channel,
        subject: message.subject,
        state: message.state,
        attempts: attempts
            .into_iter()
            .map(|attempt| AttemptRow {
                begun_at: instant(attempt.begun_at),
                ended_at: attempt.ended_at.map(instant),
                outcome: attempt.words.or(attempt.code),
            })
            .collect(),
    });
    Ok(Json(Deliveries { rows: rows.collect() }))
}

/// What rules were judged by: the version of the data, and the hour, in which a period may have ended.
type JudgedBy = (String, i64);

/// Looks after alerts until the server stops.
pub async fn look_after(server: Arc<Server>) {
    let mut version = server.version.subscribe();
    let mut stopping = server.stopping.subscribe();
    let mut judged: Option<JudgedBy> = None;
    let mut judged_at: Option<Instant> = None;
    let mut told = false;
    loop {
        let is_warm = version.borrow_and_update().is_warm;
        let by = (version.borrow().known.version(), clock().div_euclid(3_600_000_000));
        let may_judge = is_warm && judged_at.is_none_or(|at| at.elapsed() >= PAUSE);
        let is_new = judged.as_ref() != Some(&by) && may_judge;
        let of = Arc::clone(&server);
        let turned = tokio::task::spawn_blocking(move || turn(&of, is_new)).await;
        match turned {
            Ok(Ok(did)) => {
                if did && is_new {
                    (judged, judged_at) = (Some(by), Some(Instant::now()));
                }
                told = false;
            }
            Ok(Err(error)) => {
                server.telemetry.count(&TURNS_FAILED, &[], 1.0);
                if !told {
                    log::note("error", &[("work", "alerts"), ("words", &error.to_string())]);
                    told = true;
                }
            }
            Err(_) => log::note("error", &[("work", "alerts"), ("words", "a turn ended in a panic")]),
        }
        tokio::select! {
            () = tokio::time::sleep(TICK) => {}
            // Somebody set something: it is judged at once.
            () = server.judge_now.notified() => (judged, judged_at) = (None, None),
            changed = version.changed() => if changed.is_err() { return },
            _ = stopping.wait_for(|is_stopping| *is_stopping) => return,
        }
    }
}

/// One turn; says whether it was ours, and not that of another process.
fn turn(server: &Server, is_new: bool) -> Result<bool, CommandError> {
    let Alerts { store, outside } = &server.alerts;
    let due = store.has_due(clock())?;
    if !is_new && !due {
        return Ok(true);
    }
    let Some(_lock) = alerts::lock(&server.options.data)? else { return Ok(false) };
    let session: Session = server.session()?;
    let mut done = Vec::new();
    if is_new {
        done.extend(alerts::decide(&session, store, outside, clock())?);
    }
    let goes_on = || !*server.stopping.borrow();
    done.extend(alerts::deliver(store, outside, &session.zone, session.language()?, clock(), &goes_on)?);
    server.telemetry.set(&LAST_SUCCESS, &[("work", "alerts")], clock() as f64 / 1e6);
    for one in &done {
        tell(server, one);
    }
    Ok(true)
}

fn tell(server: &Server, done: &Done) {
    let attempts = done.attempts.to_string();
    match done.what {
        "sent" | "failed" | "given_up" | "held" => {
            let labels = [("channel", done.channel.as_str()), ("outcome", done.what)];
            server.telemetry.count(&DELIVERIES, &labels, 1.0);
            let event = match done.what {
                "given_up" => "gave_up",
                "failed" => "not_delivered",
                other => other,
            };
            let fields = [("channel", done.channel.as_str()), ("attempts", attempts.as_str()), ("words", &done.words)];
            log::note(event, &fields[..if done.words.is_empty() { 2 } else { 3 }]);
        }
        "fault" => log::note("rule_not_judged", &[("rule", done.rule.as_str()), ("words", &done.words)]),
        "digest" => log::note("digest", &[("words", &done.words)]),
        what => {
            server.telemetry.count(&ALERTS, &[("rule", done.rule.as_str()), ("change", what)], 1.0);
            log::note("alert", &[("rule", done.rule.as_str()), ("change", what), ("period", &done.words)]);
        }
    }
}
