//! Syncs: everything that Stripe has, once; then what happened since. Each step is kept as it is done, so that whatever
//! ends a sync, the next one goes on from there.
//!
//! ```text
//! the time ─▶ walk of all lists (first, or after a month without a sync) ─▶ events since ─▶ facts ─▶ proven until the time
//! ```
//!
//! Objects have no list of what changed, and events are kept for thirty days. So the time is noted before the walk, and
//! events from before it are replayed after it: whatever happened while lists were walked is in one of the two.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    account::{Account, Applied, Stating},
    arrival::Arrival,
    client::{CallError, Client},
    key::Key,
    objects::{Objects, Seen, Span, id_of, kind_of},
    store::{Road, Store, StoreError},
};
use crate::command::CommandError;

const DAY: i64 = 86_400;
/// How long Stripe keeps events.
const EVENTS_KEPT: i64 = 30 * DAY;
/// After so long without a sync events may be gone, and all lists are walked again.
const LISTS_AGAIN: i64 = 29 * DAY;
/// How far events are read again: those of one moment do not appear all at once.
const OVERLAP: i64 = 3_600;
/// How far lists without events are read again.
const OVERLAP_OF_LISTS: i64 = 3 * DAY;
/// Objects on a page: the most that Stripe gives.
const PAGE: usize = 100;
/// Requests on their way at a time.
const WORKERS: usize = 8;
/// Before this there was no Stripe.
const BEGINNING: i64 = 1_293_840_000;
/// How long a key counts as one that cannot write before it is asked again.
const KEY_AGAIN: i64 = 7 * DAY;

/// A list of Stripe's.
pub struct List {
    /// What it is called here.
    pub name: &'static str,
    /// Where it is.
    pub path: &'static str,
    /// The kind of its objects, in Stripe's word.
    pub kind: &'static str,
    /// What is asked to be shown in full.
    expand: &'static [&'static str],
    /// What it is asked besides.
    besides: &'static [(&'static str, &'static str)],
    /// Whether it can be asked for times of creation.
    knows_times: bool,
    /// Whether events tell of changes; else it is read on at each sync.
    has_events: bool,
    /// Whether nothing can be said without it.
    pub is_needed: bool,
}

const fn list(name: &'static str, path: &'static str, kind: &'static str) -> List {
    List { name, path, kind, expand: &[], besides: &[], knows_times: true, has_events: true, is_needed: true }
}

/// Every list that is read, the catalogue first.
#[rustfmt::skip]
pub const LISTS: &[List] = &[
    list("products", "/v1/products", "product"),
    List { expand: &["data.tiers", "data.currency_options"], ..list("prices", "/v1/prices", "price") },
    List { is_needed: false, ..list("coupons", "/v1/coupons", "coupon") },
    List { is_needed: false, ..list("promotion_codes", "/v1/promotion_codes", "promotion_code") },
    List { expand: &["data.discount.source.coupon"], ..list("customers", "/v1/customers", "customer") },
    List { expand: &["data.discounts.source.coupon", "data.items.data.discounts"], besides: &[("status", "all")], ..list("subscriptions", "/v1/subscriptions", "subscription") },
    List { is_needed: false, ..list("subscription_schedules", "/v1/subscription_schedules", "subscription_schedule") },
    List { expand: &["data.discounts.source.coupon", "data.lines.data.discounts"], ..list("invoices", "/v1/invoices", "invoice") },
    List { expand: &["data.discounts.source.coupon"], is_needed: false, ..list("invoice_items", "/v1/invoiceitems", "invoiceitem") },
    List { knows_times: false, has_events: false, is_needed: false, ..list("invoice_payments", "/v1/invoice_payments", "invoice_payment") },
    List { is_needed: false, ..list("charges", "/v1/charges", "charge") },
    List { is_needed: false, ..list("refunds", "/v1/refunds", "refund") },
    List { is_needed: false, ..list("disputes", "/v1/disputes", "dispute") },
    List { knows_times: false, is_needed: false, ..list("credit_notes", "/v1/credit_notes", "credit_note") },
    List { has_events: false, is_needed: false, ..list("balance_transactions", "/v1/balance_transactions", "balance_transaction") },
];

/// The list of events.
const EVENTS: List = list("events", "/v1/events", "event");

/// Kinds of things that a key may not write.
const WRITTEN: &[&str] = &[
    "/v1/customers",
    "/v1/subscriptions",
    "/v1/invoices",
    "/v1/charges",
    "/v1/refunds",
    "/v1/payment_intents",
    "/v1/prices",
    "/v1/coupons",
    "/v1/credit_notes",
    "/v1/disputes",
];

/// Why an account is not read.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The key may write.
    #[error(
        "this key may change {what} in Stripe. Recurve takes a key that can do nothing but read: set every permission of it \
         to Read or None under Developers, API keys, and try again"
    )]
    Writes {
        /// What it may write.
        what: String,
    },
    /// Another sync of the folder is under way.
    #[error("another sync of this data folder is under way; this one would ask for the same")]
    UnderWay,
    /// The folder holds the other mode.
    #[error(
        "this data folder holds {kept} data of Stripe, and the key is one for {given} data; use another data folder (--data)"
    )]
    Mode {
        /// What is kept.
        kept: &'static str,
        /// What was given.
        given: &'static str,
    },
    /// The folder holds another account.
    #[error(
        "this data folder holds the Stripe account {kept}, and the key is one of {given}; use another data folder (--data)"
    )]
    Account {
        /// What is kept.
        kept: String,
        /// What was given.
        given: String,
    },
}

/// How far a sync is.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// What it does.
    pub phase: &'static str,
    /// Objects or events that were read.
    pub objects: u64,
    /// Requests a second.
    pub a_second: f64,
    /// How much of the time to be read was read, from 0 to 1.
    pub share: f64,
    /// The seconds that are left, as far as can be told.
    pub left_seconds: Option<u64>,
    /// Customers made again.
    pub owners: u64,
}

/// What a sync did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Whether all lists were walked.
    pub was_full: bool,
    /// Objects that lists showed.
    pub objects: u64,
    /// Events that had not come yet.
    pub new_events: u64,
    /// Requests that were made.
    pub requests: u64,
    /// Requests that had to be made again.
    pub retries: u64,
    /// Customers that were made again.
    pub customers: u64,
    /// Facts that were stated, newly or anew.
    pub stated: u64,
    /// Facts that were withdrawn.
    pub withdrawn: u64,
    /// Facts that were refused.
    pub refused: u64,
    /// Events in which nothing could be read.
    pub quarantined: u64,
    /// Lists that the key may not read.
    pub forbidden: Vec<String>,
    /// The second up to which everything is known.
    pub proven_until: i64,
    /// The second at which it ended.
    #[serde(default)]
    pub ended_at: i64,
    /// The newest snapshot that came of it.
    pub snapshot: Option<i64>,
}

/// A sync that was begun, as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Run {
    is_full: bool,
    begun: i64,
    events_since: i64,
    phase: Phase,
    #[serde(default)]
    forbidden: BTreeSet<String>,
    #[serde(default)]
    objects: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Phase {
    Lists,
    Events,
    Facts,
}

/// What a walk of a list has counted.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Counted {
    /// Objects that Stripe listed.
    pub objects: i64,
    /// The second at which the walk began.
    pub at: i64,
}

/// How a sync is done.
pub struct Way<'a> {
    /// Who is asked.
    pub client: &'a Client<'a>,
    /// The second that it is.
    pub now: &'a (dyn Fn() -> i64 + Sync),
    /// Whether all lists are walked again.
    pub is_full: bool,
    /// Who hears how far it is.
    pub told: &'a (dyn Fn(&Progress) + Sync),
}

/// Names under which things are remembered.
mod named {
    pub const RUN: &str = "sync";
    pub const PROVEN: &str = "proven_until";
    pub const COUNTED: &str = "counted";
    pub const FORBIDDEN: &str = "forbidden";
    pub const MODE: &str = "mode";
    pub const ACCOUNT: &str = "account";
    pub const KEY: &str = "key";
    pub const RESULT: &str = "last_sync";
}

fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes sure that the key is one of the account that is kept, and can do nothing but read.
pub fn check_key(client: &Client<'_>, key: &Key, objects: &mut Objects, now: i64) -> Result<(), CommandError> {
    let given = if key.is_live() { "live" } else { "test" };
    match objects.note(named::MODE)?.as_deref() {
        Some(kept) if kept != given => {
            let kept = if given == "live" { "test" } else { "live" };
            return Err(SyncError::Mode { kept, given }.into());
        }
        Some(_) => {}
        None => objects.set_notes(&[(named::MODE, given)])?,
    }
    let asked_at = objects.note(named::KEY)?.and_then(|note| {
        let (mark, at) = note.split_once(' ')?;
        Some(at.parse::<i64>().unwrap_or(0)).filter(|_| mark == key.mark())
    });
    if asked_at.is_some_and(|at| (at..at + KEY_AGAIN).contains(&now)) {
        return Ok(());
    }
    match client.get("/v1/account", &[]) {
        Ok(account) => {
            let given = id_of(&account).to_owned();
            match objects.note(named::ACCOUNT)? {
                Some(kept) if kept != given => return Err(SyncError::Account { kept, given }.into()),
                Some(_) => {}
                None => objects.set_notes(&[(named::ACCOUNT, &given)])?,
            }
        }
        // The account is not needed; the objects of another one would not fit those that are kept.
        Err(CallError::Forbidden { .. } | CallError::Gone { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let mut may = Vec::new();
    for list in WRITTEN {
        if client.may_write(list)? {
            may.push(list.trim_start_matches("/v1/").replace('_', " "));
        }
    }
    if !may.is_empty() {
        return Err(SyncError::Writes { what: may.join(", ") }.into());
    }
    Ok(objects.set_notes(&[(named::KEY, &format!("{} {now}", key.mark()))])?)
}

/// Syncs: all lists where that was never done, or too long ago; else the events since. What was begun is gone on with.
pub fn run(account: &mut Account, ledger: &mut dyn Stating, way: &Way<'_>) -> Result<Report, CommandError> {
    let _only = account.only_sync()?.ok_or(SyncError::UnderWay)?;
    let mut run = match account.objects.note(named::RUN)?.and_then(|text| serde_json::from_str::<Run>(&text).ok()) {
        Some(run) if run.is_full || !way.is_full => run,
        _ => begin(account, way)?,
    };
    let mut report = Report { was_full: run.is_full, ..Report::default() };
    if run.phase == Phase::Lists {
        walk(account, way, &mut run, Phase::Lists, &mut report)?;
        if run.is_full {
            let mut counted: BTreeMap<String, Counted> = BTreeMap::new();
            for span in account.objects.spans()? {
                counted.entry(span.list).or_insert(Counted { objects: 0, at: run.begun }).objects += span.objects;
            }
            let counted = serde_json::to_string(&counted).unwrap_or_default();
            let forbidden = run.forbidden.iter().cloned().collect::<Vec<_>>().join(" ");
            account.objects.set_notes(&[(named::COUNTED, &counted), (named::FORBIDDEN, &forbidden)])?;
        }
        run.phase = Phase::Events;
        let until = (way.now)() + 1;
        let spans = spans_of(&EVENTS, Some(run.events_since), until);
        save(account, &run, Some(&spans))?;
    }
    if run.phase == Phase::Events {
        walk(account, way, &mut run, Phase::Events, &mut report)?;
        complete(account, way)?;
        run.phase = Phase::Facts;
        save(account, &run, None)?;
    }
    let until = account.objects.spans()?.iter().map(|span| span.until).max().unwrap_or(run.begun);
    let (requests, retries) = way.client.requests();
    let told = |applied: &Applied| {
        (way.told)(&Progress { phase: "facts", owners: applied.owners, share: 1.0, ..Progress::default() });
    };
    let now_micros = (way.now)().saturating_mul(1_000_000);
    let applied = account.apply(ledger, now_micros, &mut |applied| told(applied))?;
    report.objects += run.objects;
    report.customers = applied.owners;
    report.stated = applied.stated;
    report.withdrawn = applied.withdrawn;
    report.refused = applied.refused;
    report.quarantined = applied.quarantined;
    report.snapshot = applied.snapshot;
    (report.requests, report.retries) = (requests, retries);
    report.proven_until = until - 1;
    report.ended_at = (way.now)();
    report.forbidden =
        account.objects.note(named::FORBIDDEN)?.unwrap_or_default().split_whitespace().map(str::to_owned).collect();
    let result = serde_json::to_string(&report).unwrap_or_default();
    let proven = report.proven_until.to_string();
    account.objects.set_spans(&[], &[(named::RUN, ""), (named::PROVEN, &proven), (named::RESULT, &result)])?;
    Ok(report)
}

fn begin(account: &mut Account, way: &Way<'_>) -> Result<Run, CommandError> {
    let begun = (way.now)();
    let proven: Option<i64> = account.objects.note(named::PROVEN)?.and_then(|text| text.parse().ok());
    let since = proven.filter(|proven| !way.is_full && begun - proven < LISTS_AGAIN);
    let run = Run {
        is_full: since.is_none(),
        begun,
        events_since: since.map_or(begun - EVENTS_KEPT, |since| since - OVERLAP),
        phase: Phase::Lists,
        forbidden: BTreeSet::new(),
        objects: 0,
    };
    let mut spans = Vec::new();
    for list in LISTS {
        match since {
            None => spans.extend(spans_of(list, None, begun + 1)),
            Some(since) if !list.has_events => spans.extend(spans_of(list, Some(since - OVERLAP_OF_LISTS), begun + 1)),
            Some(_) => {}
        }
    }
    save(account, &run, Some(&spans))?;
    Ok(run)
}

fn save(account: &mut Account, run: &Run, spans: Option<&[Span]>) -> Result<(), CommandError> {
    let text = serde_json::to_string(run).unwrap_or_default();
    match spans {
        Some(spans) => account.objects.set_spans(spans, &[(named::RUN, &text)])?,
        None => account.objects.set_notes(&[(named::RUN, &text)])?,
    }
    Ok(())
}

fn spans_of(list: &List, since: Option<i64>, until: i64) -> Vec<Span> {
    vec![Span {
        number: 0,
        list: list.name.to_owned(),
        since,
        until,
        after: None,
        reached: until,
        objects: 0,
        is_done: false,
    }]
}

fn list_of(name: &str) -> &'static List {
    LISTS.iter().find(|list| list.name == name).unwrap_or(&EVENTS)
}

/// What the workers of a walk share.
struct Walk<'a> {
    objects: Mutex<&'a mut Objects>,
    store: Mutex<&'a mut Store>,
    queue: Mutex<Queue>,
    changed: Condvar,
    spans: Mutex<BTreeMap<i64, Span>>,
    forbidden: Mutex<BTreeSet<String>>,
    read: Mutex<(u64, u64)>,
    begun: Instant,
    requests_before: u64,
    told_at: Mutex<Instant>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Span>,
    /// How many spans are worked on.
    busy: usize,
    /// Why the walk ends before its end.
    failure: Option<CommandError>,
}

/// Walks the spans that are still open, several at a time.
fn walk(
    account: &mut Account,
    way: &Way<'_>,
    run: &mut Run,
    phase: Phase,
    report: &mut Report,
) -> Result<(), CommandError> {
    let spans = account.objects.spans()?;
    let walk = Walk {
        objects: Mutex::new(&mut account.objects),
        store: Mutex::new(&mut account.store),
        queue: Mutex::new(Queue {
            waiting: spans.iter().filter(|span| !span.is_done).cloned().collect(),
            ..Queue::default()
        }),
        changed: Condvar::new(),
        spans: Mutex::new(spans.into_iter().map(|span| (span.number, span)).collect()),
        forbidden: Mutex::new(run.forbidden.clone()),
        read: Mutex::new((0, 0)),
        begun: Instant::now(),
        requests_before: way.client.requests().0,
        told_at: Mutex::new(Instant::now()),
    };
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| walk.work(way, phase));
        }
    });
    let (objects, new_events) = *hold(&walk.read);
    let forbidden = hold(&walk.forbidden).clone();
    let failure = hold(&walk.queue).failure.take();
    if phase == Phase::Lists {
        run.objects += objects;
    }
    report.new_events += new_events;
    run.forbidden = forbidden;
    if let Some(failure) = failure {
        save(account, run, None)?;
        return Err(failure);
    }
    Ok(())
}

impl Walk<'_> {
    fn work(&self, way: &Way<'_>, phase: Phase) {
        loop {
            let mut span = {
                let mut queue = hold(&self.queue);
                loop {
                    if queue.failure.is_some() {
                        return;
                    }
                    if let Some(span) = queue.waiting.pop_front() {
                        queue.busy += 1;
                        break span;
                    }
                    if queue.busy == 0 {
                        return;
                    }
                    queue = self
                        .changed
                        .wait_timeout(queue, Duration::from_millis(200))
                        .map_or_else(|poisoned| poisoned.into_inner().0, |(queue, _)| queue);
                }
            };
            let done = self.read_span(way, phase, &mut span);
            let mut queue = hold(&self.queue);
            queue.busy -= 1;
            if let Err(error) = done {
                queue.failure.get_or_insert(error);
            }
            self.changed.notify_all();
        }
    }

    /// Reads a span page by page. Where others have nothing to do, they get its older half.
    fn read_span(&self, way: &Way<'_>, phase: Phase, span: &mut Span) -> Result<(), CommandError> {
        let list = list_of(&span.list);
        while !span.is_done {
            if hold(&self.queue).failure.is_some() {
                return Ok(());
            }
            let asked_at = (way.now)();
            let page = match page_of(way.client, list, span.since, Some(span.until), span.after.as_deref()) {
                Ok(page) => page,
                Err(CallError::Forbidden { .. }) if !list.is_needed => {
                    // It stays open on the disk, so that whoever goes on with this sync hears of it too.
                    hold(&self.forbidden).insert(list.name.to_owned());
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            };
            let mut objects = match page.get("data") {
                Some(Value::Array(objects)) => objects.clone(),
                _ => Vec::new(),
            };
            let last = objects.last().map(|object| (id_of(object).to_owned(), created_of(object)));
            let has_more = page.get("has_more").and_then(Value::as_bool) == Some(true);
            span.objects += i64::try_from(objects.len()).unwrap_or(0);
            span.is_done = !has_more;
            if let Some((id, created)) = last {
                span.after = Some(id);
                span.reached = created.min(span.reached);
                // A list that knows no times is read until it says what is known.
                span.is_done |= !list.knows_times && span.since.is_some_and(|since| created < since);
            } else {
                span.is_done = true;
            }
            let mut new_events = 0;
            if phase == Phase::Events {
                self.complete_objects_of(way, &objects)?;
                let arrivals: Vec<Arrival> = objects.iter().map(Arrival::of_event).collect();
                let puts = hold(&self.store).put(&arrivals, Road::Sync, asked_at.saturating_mul(1_000_000))?;
                new_events = puts.iter().filter(|put| matches!(put, super::store::Put::Kept)).count() as u64;
                objects.clear();
            } else if list.kind == "invoice" {
                for invoice in &mut objects {
                    complete_lines(way.client, invoice)?;
                }
            }
            let rest = self.rest_of(list, span);
            let number = hold(&self.objects).take_page(&objects, Seen::Asked(asked_at), span, rest.as_ref())?;
            {
                let mut read = hold(&self.read);
                read.0 += page.get("data").and_then(Value::as_array).map_or(0, |data| data.len() as u64);
                read.1 += new_events;
            }
            hold(&self.spans).insert(span.number, span.clone());
            if let (Some(rest), Some(number)) = (rest, number) {
                let rest = Span { number, ..rest };
                hold(&self.spans).insert(number, rest.clone());
                hold(&self.queue).waiting.push_back(rest);
                self.changed.notify_all();
            }
            self.tell(way, phase);
        }
        Ok(())
    }

    /// The older half of what is left of a span, where somebody has time for it.
    fn rest_of(&self, list: &List, span: &mut Span) -> Option<Span> {
        let since = span.since.unwrap_or(BEGINNING);
        let is_long = span.reached - since > DAY;
        let are_idle = {
            let queue = hold(&self.queue);
            queue.waiting.is_empty() && queue.busy < WORKERS
        };
        if span.is_done || !list.knows_times || !is_long || !are_idle {
            return None;
        }
        let middle = since + (span.reached - since) / 2;
        let rest = Span { number: 0, until: middle, after: None, reached: middle, objects: 0, ..span.clone() };
        span.since = Some(middle);
        Some(rest)
    }

    /// Fetches in full what events show in part, where it is not known yet.
    fn complete_objects_of(&self, way: &Way<'_>, events: &[Value]) -> Result<(), CommandError> {
        let mut wanted: BTreeSet<(&str, &str)> = BTreeSet::new();
        for object in events.iter().filter_map(|event| event.pointer("/data/object")) {
            let is_partial = match kind_of(object) {
                "invoice" => object.pointer("/lines/has_more").and_then(Value::as_bool) == Some(true),
                "price" => object.get("billing_scheme").and_then(Value::as_str) == Some("tiered"),
                _ => false,
            };
            if is_partial {
                wanted.insert((kind_of(object), id_of(object)));
            }
        }
        for (kind, id) in wanted {
            let known = hold(&self.objects).object(kind, id)?;
            let is_known = known.is_some_and(|known| match kind {
                "invoice" => {
                    known.pointer("/lines/has_more").and_then(Value::as_bool) == Some(false)
                        && known.get("status").and_then(Value::as_str).is_some_and(|status| status != "draft")
                }
                _ => known.get("tiers").is_some_and(Value::is_array),
            });
            if !is_known {
                let asked_at = (way.now)();
                if let Some(object) = fetch(way.client, kind, id)? {
                    hold(&self.objects).take(&[object], Seen::Asked(asked_at))?;
                }
            }
        }
        Ok(())
    }

    fn tell(&self, way: &Way<'_>, phase: Phase) {
        {
            let mut told_at = hold(&self.told_at);
            if told_at.elapsed() < Duration::from_millis(500) {
                return;
            }
            *told_at = Instant::now();
        }
        let (mut done, mut all) = (0.0, 0.0);
        for span in hold(&self.spans).values() {
            let since = span.since.unwrap_or(BEGINNING);
            let length = (span.until - since).max(1) as f64;
            all += length;
            done += if span.is_done { length } else { (span.until - span.reached).max(0) as f64 };
        }
        let share = if all > 0.0 { done / all } else { 1.0 };
        let seconds = self.begun.elapsed().as_secs_f64();
        let requests = way.client.requests().0 - self.requests_before;
        let left = (share > 0.02).then(|| (seconds * (1.0 - share) / share) as u64);
        (way.told)(&Progress {
            phase: if phase == Phase::Events { "events" } else { "objects" },
            objects: hold(&self.read).0,
            a_second: requests as f64 / seconds.max(0.1),
            share,
            left_seconds: left,
            owners: 0,
        });
    }
}

/// A page of a list, newest first: of what was created in `[since, until)` where the list knows times.
pub fn page_of(
    client: &Client<'_>,
    list: &List,
    since: Option<i64>,
    until: Option<i64>,
    after: Option<&str>,
) -> Result<Value, CallError> {
    let mut query = vec![("limit", PAGE.to_string())];
    query.extend(list.besides.iter().map(|(name, value)| (*name, (*value).to_owned())));
    query.extend(list.expand.iter().map(|what| ("expand[]", (*what).to_owned())));
    if list.knows_times {
        query.extend(since.map(|since| ("created[gte]", since.to_string())));
        query.extend(until.map(|until| ("created[lt]", until.to_string())));
    }
    query.extend(after.map(|after| ("starting_after", after.to_owned())));
    client.get(list.path, &query)
}

fn created_of(object: &Value) -> i64 {
    object.get("created").and_then(Value::as_i64).unwrap_or(0)
}

/// Fetches in full what is kept in part: what webhooks brought since the last sync.
fn complete(account: &mut Account, way: &Way<'_>) -> Result<(), CommandError> {
    for kind in ["invoice", "price"] {
        for id in account.objects.partial(kind)? {
            let asked_at = (way.now)();
            match fetch(way.client, kind, &id)? {
                Some(object) => account.objects.take(&[object], Seen::Asked(asked_at))?,
                None => account.objects.leave_partial(kind, &id)?,
            }
        }
    }
    Ok(())
}

/// An object in full; none where it is gone.
fn fetch(client: &Client<'_>, kind: &str, id: &str) -> Result<Option<Value>, CommandError> {
    let Some(list) = LISTS.iter().find(|list| list.kind == kind) else { return Ok(None) };
    let expand = list.expand.iter().map(|what| ("expand[]", what.trim_start_matches("data.").to_owned()));
    match client.get(&format!("{}/{id}", list.path), &expand.collect::<Vec<_>>()) {
        Ok(mut object) => {
            complete_lines(client, &mut object)?;
            Ok(Some(object))
        }
        Err(CallError::Gone { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Gives an invoice all its lines.
fn complete_lines(client: &Client<'_>, invoice: &mut Value) -> Result<(), CommandError> {
    if kind_of(invoice) != "invoice" || invoice.pointer("/lines/has_more").and_then(Value::as_bool) != Some(true) {
        return Ok(());
    }
    let path = format!("/v1/invoices/{}/lines", id_of(invoice));
    let mut lines: Vec<Value> = Vec::new();
    loop {
        let mut query = vec![("limit", PAGE.to_string()), ("expand[]", "data.discounts".to_owned())];
        query.extend(lines.last().map(|line| ("starting_after", id_of(line).to_owned())));
        let page = match client.get(&path, &query) {
            Ok(page) => page,
            // A draft that was thrown away meanwhile.
            Err(CallError::Gone { .. }) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let data = page.get("data").and_then(Value::as_array).cloned().unwrap_or_default();
        let is_last = data.is_empty() || page.get("has_more").and_then(Value::as_bool) != Some(true);
        lines.extend(data);
        if is_last {
            break;
        }
    }
    if let Some(shown) = invoice.get_mut("lines") {
        shown["data"] = Value::Array(lines);
        shown["has_more"] = json!(false);
    }
    Ok(())
}

/// How things stand: of one list, or of the events.
#[derive(Debug, Clone, Serialize)]
pub struct Standing {
    /// The list.
    pub list: String,
    /// Objects that are kept.
    pub kept: i64,
    /// Objects that Stripe listed when all lists were last walked.
    pub counted: Option<Counted>,
    /// Whether the key may not read it.
    pub is_forbidden: bool,
    /// Objects that are nobody's who is known, such as payments of guests.
    pub without_owner: i64,
}

/// What is kept of Stripe, and until when it is proven to be all.
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    /// The account, where it could be asked for.
    pub account: Option<String>,
    /// `live` or `test`; none where nothing was ever read.
    pub mode: Option<String>,
    /// The second up to which everything is known.
    pub proven_until: Option<i64>,
    /// Whether a sync was begun and not ended.
    pub is_under_way: bool,
    /// What the last sync did.
    pub last: Option<Report>,
    /// The lists.
    pub lists: Vec<Standing>,
    /// Events that are kept.
    pub events: i64,
    /// Events that are no facts yet.
    pub waiting: i64,
    /// Events in which nothing could be read.
    pub quarantined: i64,
    /// How often each issue is there.
    pub issues: Vec<(String, i64)>,
}

/// What the last sync did that ended well.
pub fn last_report(objects: &Objects) -> Result<Option<Report>, StoreError> {
    Ok(objects.note(named::RESULT)?.and_then(|text| serde_json::from_str(&text).ok()))
}

/// Looks at how things stand.
pub fn status(objects: &Objects, store: &Store) -> Result<Status, StoreError> {
    let counts = objects.counts()?;
    let counted: BTreeMap<String, Counted> =
        objects.note(named::COUNTED)?.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let forbidden = objects.note(named::FORBIDDEN)?.unwrap_or_default();
    let forbidden: BTreeSet<&str> = forbidden.split_whitespace().collect();
    let of_events = store.counts()?;
    Ok(Status {
        account: objects.note(named::ACCOUNT)?,
        mode: objects.note(named::MODE)?,
        proven_until: objects.note(named::PROVEN)?.and_then(|text| text.parse().ok()),
        is_under_way: objects.note(named::RUN)?.is_some_and(|text| !text.is_empty()),
        last: last_report(objects)?,
        lists: LISTS
            .iter()
            .map(|list| {
                let kept = counts.iter().find(|count| count.kind == list.kind);
                Standing {
                    list: list.name.to_owned(),
                    kept: kept.map_or(0, |count| count.objects),
                    counted: counted.get(list.name).copied(),
                    is_forbidden: forbidden.contains(list.name),
                    without_owner: kept.map_or(0, |count| count.without_owner),
                }
            })
            .collect(),
        events: of_events.events,
        waiting: of_events.waiting,
        quarantined: of_events.quarantined,
        issues: objects.issue_counts()?,
    })
}
