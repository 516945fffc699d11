//! Sends signed webhooks to a running server as fast as it is told to, and says how long they took: to the answer, which
//! means that they are on the disk, and to the stream, which means that they are in the MRR.
//!
//! ```text
//! recurve serve --port 8080 --open
//! cargo run --release -p stripe-simulator --example load -- --url http://127.0.0.1:8080 --secret whsec_... --rate 2000 --seconds 30
//! ```
//!
//! Every event is one more seat of ten dollars a month, of one of `--customers` in turn: so the MRR on the stream says how
//! many events are in it. The time to the stream is taken in the order of the requests. `--pid` of the server watches its memory.
//!
//! `--at-a-time` requests are on their way at the most, and further ones wait: a server that is slow is asked less. With `--open`
//! each is sent when it is due, whatever became of those before, by up to `--at-a-time` connections: a server that is slow is
//! asked all the same, and says 429. What is not answered with a 2xx is sent again as Stripe would: not before the server
//! wants it (`Retry-After`), and each time after twice as long. Events that come again are late, so give each a customer of its
//! own (`--customers` as many as events) where the MRR is to be counted.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    io::{BufRead, BufReader},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};
use stripe_simulator::api::signature;

struct Plan {
    url: String,
    secret: String,
    rate: usize,
    seconds: usize,
    at_a_time: usize,
    is_open: bool,
    customers: usize,
    pid: Option<u32>,
    token: Option<String>,
    run: String,
}

fn plan() -> Result<Plan, String> {
    let mut plan = Plan {
        url: "http://127.0.0.1:8080".to_owned(),
        secret: String::new(),
        rate: 2_000,
        seconds: 30,
        at_a_time: 64,
        is_open: false,
        customers: 50_000,
        pid: None,
        token: None,
        run: now().to_string(),
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        if name == "--open" {
            plan.is_open = true;
            continue;
        }
        let value = arguments.next().ok_or_else(|| format!("{name} takes a value"))?;
        let count = || value.parse().map_err(|_| format!("{name} takes a number, not `{value}`"));
        match name.as_str() {
            "--url" => plan.url = value,
            "--secret" => plan.secret = value,
            "--rate" => plan.rate = count()?,
            "--seconds" => plan.seconds = count()?,
            "--at-a-time" => plan.at_a_time = count()?,
            "--customers" => plan.customers = count()?,
            "--pid" => plan.pid = u32::try_from(count()?).ok(),
            "--token" => plan.token = Some(value),
            "--run" => plan.run = value,
            _ => return Err(format!("there is no option {name}")),
        }
    }
    if plan.secret.is_empty() || plan.rate == 0 || plan.customers == 0 {
        return Err("say --secret whsec_..., and a --rate and a number of --customers above 0".to_owned());
    }
    Ok(plan)
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(0)
}

/// Where the numbers of the customer and of the event go, and the second at which the subscription began.
const CUSTOMER: &str = "<customer>";
const EVENT: &str = "<event>";
const BEGUN: &str = "1000000007";

/// The text of events: those of a second with as many seats differ by their customer and their number alone, and whoever sends
/// them shall leave the processor to the server.
#[derive(Default)]
struct Text {
    at: i64,
    seats: usize,
    text: String,
}

/// What the texts have in common, and the second at which the first was due.
struct Plot<'a> {
    run: &'a str,
    customers: usize,
    rate: usize,
    begun: i64,
}

impl Text {
    fn of(&mut self, plot: &Plot<'_>, number: usize) -> String {
        let (at, seats, customer) = (now(), number / plot.customers + 1, number % plot.customers);
        if (at, seats) != (self.at, self.seats) {
            *self = Self { at, seats, text: event(plot.run, at, seats).to_string() };
        }
        // The second of its first event, or the one before where that was sent a little late.
        let begun = plot.begun + i64::try_from(customer / plot.rate).unwrap_or(0);
        let text = self.text.replace(CUSTOMER, &customer.to_string()).replace(EVENT, &number.to_string());
        text.replace(BEGUN, &begun.to_string())
    }
}

fn event(run: &str, at: i64, seats: usize) -> Value {
    let (customer, begun) = (CUSTOMER, BEGUN.parse::<i64>().unwrap_or(0));
    let price = json!({
        "id": "price_load", "object": "price", "active": true, "billing_scheme": "per_unit", "created": 1_600_000_000,
        "currency": "usd", "livemode": false, "lookup_key": null, "metadata": {}, "nickname": "Load", "product": "prod_load",
        "recurring": {"interval": "month", "interval_count": 1, "trial_period_days": null, "usage_type": "licensed"},
        "tax_behavior": "unspecified", "tiers_mode": null, "transform_quantity": null, "type": "recurring",
        "unit_amount": 1_000, "unit_amount_decimal": "1000",
    });
    let item = |seats: usize| {
        json!({
            "id": format!("si_{run}_{customer}"), "object": "subscription_item", "created": begun, "current_period_start": begun,
            "current_period_end": at + 2_592_000, "discounts": [], "metadata": {}, "price": price, "quantity": seats,
            "subscription": format!("sub_{run}_{customer}"), "tax_rates": [],
        })
    };
    let mut data = json!({"object": {
        "id": format!("sub_{run}_{customer}"), "object": "subscription", "application": null, "automatic_tax": {"enabled": false},
        "billing_cycle_anchor": begun, "cancel_at": null, "cancel_at_period_end": false, "canceled_at": null,
        "cancellation_details": {"comment": null, "feedback": null, "reason": null},
        "collection_method": "charge_automatically", "created": begun, "currency": "usd",
        "customer": format!("cus_{run}_{customer}"), "days_until_due": null, "default_payment_method": null,
        "description": null, "discounts": [], "ended_at": null,
        "items": {"object": "list", "data": [item(seats)], "has_more": false, "url": "/v1/subscription_items"},
        "latest_invoice": null, "livemode": false, "metadata": {}, "next_pending_invoice_item_invoice": null,
        "pause_collection": null, "pending_setup_intent": null, "pending_update": null, "schedule": null, "start_date": begun,
        "status": "active", "test_clock": null, "trial_end": null, "trial_start": null,
    }});
    if seats > 1 {
        data["previous_attributes"] = json!({"items": {"data": [item(seats - 1)]}, "quantity": seats - 1});
    }
    json!({
        "id": format!("evt_{run}_{EVENT}"), "object": "event", "api_version": "2025-09-30.clover", "created": at,
        "data": data, "livemode": false, "pending_webhooks": 1, "request": {"id": null, "idempotency_key": null},
        "type": if seats == 1 { "customer.subscription.created" } else { "customer.subscription.updated" },
    })
}

#[derive(Default)]
struct Seen {
    /// For each answered event: when it was to be sent, when it was, and when it was answered.
    answered: Vec<(Instant, Instant, Instant)>,
    statuses: BTreeMap<u16, usize>,
    /// How many were sent again until they were taken, and how many were given up.
    taken_later: usize,
    given_up: usize,
}

/// An event that is to be sent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    at: Instant,
    number: usize,
    /// How often it was sent already.
    attempts: u32,
}

/// What is to be sent again, the next one first.
#[derive(Default)]
struct Again {
    waiting: Mutex<BinaryHeap<Reverse<Due>>>,
    /// Events that are neither taken nor given up.
    open: AtomicUsize,
}

/// After so many attempts it is given up; with the waits below that takes a quarter of an hour.
const ATTEMPTS: u32 = 10;

/// How long it is waited before the next attempt.
fn wait(attempts: u32, retry_after: Option<u64>) -> Duration {
    let doubled = Duration::from_secs(1 << attempts.min(10));
    doubled.max(Duration::from_secs(retry_after.unwrap_or(0)))
}

/// MRR on the stream, in cents, with the time at which it was told.
type Told = Arc<Mutex<Vec<(Instant, i64)>>>;

fn hold<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn cents(text: &str) -> Option<i64> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    let rest: i64 = format!("{rest:0<2}").get(..2)?.parse().ok()?;
    Some(whole.parse::<i64>().ok()? * 100 + rest)
}

fn listen(plan: &Plan, told: &Told, latest: &Arc<AtomicI64>) {
    let (url, token, told, latest) =
        (format!("{}/api/v1/stream", plan.url), plan.token.clone(), Arc::clone(told), Arc::clone(latest));
    std::thread::spawn(move || {
        let agent = ureq::Agent::config_builder().timeout_global(None).build().new_agent();
        let mut request = agent.get(&url);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let Ok(mut answer) = request.call() else {
            eprintln!("the stream cannot be listened to");
            return;
        };
        for line in BufReader::new(answer.body_mut().with_config().limit(u64::MAX).reader()).lines() {
            let Ok(line) = line else { break };
            let Some(data) = line.strip_prefix("data:") else { continue };
            let Ok(data) = serde_json::from_str::<Value>(data) else { continue };
            if let Some(mrr) = data.get("mrr").and_then(Value::as_str).and_then(cents) {
                if let Some(before) = data.get("mrr_before").and_then(Value::as_str).and_then(cents) {
                    // The first one says where it began.
                    let mut told = hold(&told);
                    if told.is_empty() {
                        told.push((Instant::now(), before));
                    }
                }
                hold(&told).push((Instant::now(), mrr));
                latest.store(mrr, Ordering::Relaxed);
            }
        }
    });
}

fn rss_kilobytes(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find(|line| line.starts_with("VmRSS:"))?.split_whitespace().nth(1)?.parse().ok()
}

fn quantile(sorted: &[Duration], part: f64) -> Duration {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    let at = ((sorted.len() as f64 * part).ceil() as usize).clamp(1, sorted.len().max(1)) - 1;
    sorted.get(at).copied().unwrap_or_default()
}

fn show(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    println!(
        "{what}: {} of them, p50 {:?}, p90 {:?}, p99 {:?}, most {:?}",
        times.len(),
        quantile(&times, 0.5),
        quantile(&times, 0.9),
        quantile(&times, 0.99),
        quantile(&times, 1.0)
    );
}

fn main() -> Result<(), String> {
    let plan = plan()?;
    let (told, latest): (Told, _) = (Told::default(), Arc::new(AtomicI64::new(i64::MIN)));
    listen(&plan, &told, &latest);
    std::thread::sleep(Duration::from_millis(300));
    let total = plan.rate * plan.seconds;
    let (next, seen, is_over) = (AtomicUsize::new(0), Mutex::new(Seen::default()), AtomicBool::new(false));
    let (url, idle) = (format!("{}/webhooks/stripe", plan.url), AtomicUsize::new(0));
    let again = Again { open: AtomicUsize::new(total), ..Again::default() };
    let begun = Instant::now();
    let plot = Plot { run: &plan.run, customers: plan.customers, rate: plan.rate, begun: now() };
    let memory = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                if let Some(kilobytes) = plan.pid.and_then(rss_kilobytes) {
                    hold(&memory).push(kilobytes);
                }
                std::thread::sleep(Duration::from_secs(1));
            }
        });
        let (next, seen, again, plan, url, idle, plot) = (&next, &seen, &again, &plan, &url, &idle, &plot);
        // The next one that is due: one that comes again, or a new one.
        let take = move || {
            let mut waiting = hold(&again.waiting);
            let fresh = next.load(Ordering::Relaxed);
            #[allow(clippy::cast_precision_loss)]
            let at = begun + Duration::from_secs_f64(fresh as f64 / plan.rate as f64);
            let is_fresh = fresh < total && waiting.peek().is_none_or(|Reverse(due)| at <= due.at);
            if is_fresh {
                next.store(fresh + 1, Ordering::Relaxed);
                return Some(Due { at, number: fresh, attempts: 0 });
            }
            waiting.pop().map(|Reverse(due)| due)
        };
        let send = move |mine: &mut Seen, text: &mut Text, agent: &ureq::Agent, due: Due| {
            let body = text.of(plot, due.number).into_bytes();
            let header = signature(&body, now(), &[&plan.secret]);
            let sent = Instant::now();
            let request = agent.post(url).header("content-type", "application/json");
            let answer = request.header("stripe-signature", &header).send(&body[..]);
            let (status, retry_after) = answer.map_or((0, None), |mut answer| {
                // The connection goes on with the next one once this is read.
                let _ = answer.body_mut().read_to_vec();
                let retry = answer.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
                (answer.status().as_u16(), retry)
            });
            *mine.statuses.entry(status).or_default() += 1;
            let attempts = due.attempts + 1;
            if status == 200 {
                mine.answered.push((due.at, sent, Instant::now()));
                mine.taken_later += usize::from(attempts > 1);
            } else if attempts < ATTEMPTS {
                let at = Instant::now() + wait(due.attempts, retry_after);
                hold(&again.waiting).push(Reverse(Due { at, number: due.number, attempts }));
                return;
            } else {
                mine.given_up += 1;
            }
            again.open.fetch_sub(1, Ordering::Relaxed);
        };
        let work = move || {
            let agent = ureq::Agent::config_builder()
                .http_status_as_error(false)
                .timeout_global(Some(Duration::from_secs(30)))
                .build()
                .new_agent();
            let (mut mine, mut text) = (Seen::default(), Text::default());
            while again.open.load(Ordering::Relaxed) > 0 {
                idle.fetch_add(1, Ordering::Relaxed);
                let due = take();
                if let Some(due) = due {
                    std::thread::sleep(due.at.saturating_duration_since(Instant::now()));
                }
                idle.fetch_sub(1, Ordering::Relaxed);
                match due {
                    Some(due) => send(&mut mine, &mut text, &agent, due),
                    None => std::thread::sleep(Duration::from_millis(20)),
                }
            }
            let mut seen = hold(seen);
            seen.answered.append(&mut mine.answered);
            seen.taken_later += mine.taken_later;
            seen.given_up += mine.given_up;
            for (status, count) in mine.statuses {
                *seen.statuses.entry(status).or_default() += count;
            }
        };
        let begin = || std::thread::Builder::new().stack_size(256 << 10).spawn_scoped(scope, work);
        let mut senders: Vec<_> =
            (0..if plan.is_open { 64 } else { plan.at_a_time }).filter_map(|_| begin().ok()).collect();
        // Nobody is free to send what is due: another one is.
        while plan.is_open && senders.len() < plan.at_a_time && next.load(Ordering::Relaxed) < total {
            if idle.load(Ordering::Relaxed) == 0 {
                senders.extend((0..16).filter_map(|_| begin().ok()));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        println!("{} connections", senders.len());
        for sender in senders {
            // One that ended early sent less, which the counts say.
            let _ = sender.join();
        }
        is_over.store(true, Ordering::Relaxed);
    });
    let took = begun.elapsed();
    let mut seen = seen.into_inner().unwrap_or_else(PoisonError::into_inner);
    seen.answered.sort_unstable_by_key(|(_, sent, _)| *sent);
    let count = seen.answered.len();
    println!(
        "answers by status: {:?}; {count} events on the disk in {took:.1?}: {:.0} a second",
        seen.statuses,
        rate(count, took)
    );
    println!("{} were taken when they came again, {} were given up", seen.taken_later, seen.given_up);
    show("from request to answer", seen.answered.iter().map(|(_, sent, answered)| *answered - *sent).collect());
    show(
        "from when it was due to the answer",
        seen.answered.iter().map(|(due, _, answered)| *answered - *due).collect(),
    );

    // All of them will be in the MRR, each with ten dollars.
    let waited = Instant::now();
    let all = i64::try_from(count).unwrap_or(0) * 1_000;
    let base = || hold(&told).first().map(|(_, mrr)| *mrr);
    while base().is_none_or(|base| latest.load(Ordering::Relaxed) < base + all)
        && waited.elapsed() < Duration::from_secs(300)
    {
        std::thread::sleep(Duration::from_millis(5));
    }
    let told = hold(&told);
    let base = told.first().map_or(0, |(_, mrr)| *mrr);
    let mut times = Vec::new();
    let mut at = 0;
    for (number, (_, sent, _)) in seen.answered.iter().enumerate() {
        let needed = base + (i64::try_from(number).unwrap_or(0) + 1) * 1_000;
        while told.get(at).is_some_and(|(_, mrr)| *mrr < needed) {
            at += 1;
        }
        if let Some((when, _)) = told.get(at) {
            times.push((*sent, when.saturating_duration_since(*sent)));
        }
    }
    println!(
        "the stream told {} changes; {} of {count} events are in the MRR",
        told.len().saturating_sub(1),
        times.len()
    );
    let memory = hold(&memory);
    minutes(begun, &times, &memory);
    show("from request to the stream", times.into_iter().map(|(_, time)| time).collect());
    if let (Some(first), Some(last), Some(most)) = (memory.first(), memory.last(), memory.iter().max()) {
        println!(
            "memory of the server: {} MB at first, {} MB at last, {} MB at most",
            first >> 10,
            last >> 10,
            most >> 10
        );
    }
    Ok(())
}

/// Of a run of more than a minute, each minute by itself: what gets slower or larger as the store grows is seen here.
fn minutes(begun: Instant, times: &[(Instant, Duration)], memory: &[u64]) {
    let mut by_minute = BTreeMap::<u64, Vec<Duration>>::new();
    for (sent, time) in times {
        by_minute.entry(sent.saturating_duration_since(begun).as_secs() / 60).or_default().push(*time);
    }
    if by_minute.len() < 2 {
        return;
    }
    for (minute, times) in by_minute {
        let second = usize::try_from(minute * 60 + 59).unwrap_or(usize::MAX);
        let megabytes = memory.get(second).or(memory.last()).map_or(0, |kilobytes| kilobytes >> 10);
        show(&format!("to the stream in minute {} ({megabytes} MB at its end)", minute + 1), times);
    }
}

#[allow(clippy::cast_precision_loss)]
fn rate(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}
