//! The account over HTTP, as near to Stripe's API as a client can tell: keys with permissions, versions, pages, limits,
//! the shapes of errors. Time passes when it is told to, and webhooks are sent when it is told to.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use axum::{
    Router,
    body::to_bytes,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::{
    api::{Account, Fault, LISTS, Query, webhook},
    delivery::{Order, Script},
    goods::DAY,
    life::{Settings, World},
    render::{Shape, Told},
};

/// A restricted key that may read everything.
pub const READ_KEY: &str = "rk_test_reads";
/// A restricted key that may write too.
pub const WRITE_KEY: &str = "rk_test_writes";
/// A secret key, which may do everything.
pub const SECRET_KEY: &str = "sk_test_everything";
/// A restricted key that may read everything but disputes and credit notes.
pub const NARROW_KEY: &str = "rk_test_narrow";

/// What the account is called.
pub const ACCOUNT: &str = "acct_1Simulated";

/// How a server of an account is made.
#[derive(Debug, Clone)]
pub struct Choices {
    /// The world behind it.
    pub settings: Settings,
    /// How many of its months have passed when the server begins; all unless told.
    pub lived_months: Option<i32>,
    /// The account's own version: of events, and of answers to requests that name none.
    pub events_in: Told,
    /// Requests beyond so many in a second are refused.
    pub requests_a_second: Option<usize>,
    /// Faults by the number of the request that they befall, from 0.
    pub faults: Vec<(usize, Fault)>,
    /// How long a request that gets no answer is held before its connection is closed.
    pub silence: Duration,
    /// The port; 0 takes a free one.
    pub port: u16,
}

impl Choices {
    /// A server of the world of a seed that has lived all its months, without limits or faults.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        Self {
            settings: Settings::of(seed),
            lived_months: None,
            events_in: Told::In(Shape::Clover),
            requests_a_second: None,
            faults: Vec::new(),
            silence: Duration::from_secs(30),
            port: 0,
        }
    }
}

/// Where webhooks go, and how.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The address of the endpoint.
    pub url: String,
    /// Secrets to sign with: two while one is being rolled.
    pub secrets: Vec<String>,
    /// In which order, how often, which never.
    pub script: Script,
    /// How many are on their way at a time.
    pub at_a_time: usize,
    /// How often one is sent again that was not answered with a 2xx.
    pub repeats: usize,
    /// Seconds by which the clock that signs is off.
    pub clock_seconds_off: i64,
}

impl Delivery {
    /// Each once, as they came, signed with one secret.
    #[must_use]
    pub fn to(url: impl Into<String>, secret: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            secrets: vec![secret.into()],
            script: Script::default(),
            at_a_time: 4,
            repeats: 0,
            clock_seconds_off: 0,
        }
    }
}

/// What became of webhooks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delivered {
    /// How many requests were made.
    pub sent: usize,
    /// Answers by their status; 0 where there was none.
    pub answers: BTreeMap<u16, usize>,
    /// The events that were answered with a 2xx at least once.
    pub acknowledged: BTreeSet<String>,
    /// The events that were sent, and never so answered.
    pub refused: BTreeSet<String>,
    /// The events that were never sent.
    pub lost: Vec<String>,
}

struct Inner {
    world: Mutex<World>,
    choices: Choices,
    requests: AtomicUsize,
    faults: Mutex<BTreeMap<usize, Fault>>,
    /// When the requests of the last second were made.
    lately: Mutex<VecDeque<Instant>>,
    /// Events that were sent, or lost on their way.
    told: Mutex<BTreeSet<String>>,
    paths: Mutex<BTreeMap<String, usize>>,
}

/// An account that answers over HTTP, until it is dropped.
pub struct Server {
    inner: Arc<Inner>,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Serves the account of a world on this machine.
///
/// # Errors
/// The port cannot be listened on.
pub fn serve(choices: Choices) -> io::Result<Server> {
    let mut world = World::begin(choices.settings);
    world.live_until(world.month(choices.lived_months.unwrap_or(choices.settings.months)));
    let inner = Arc::new(Inner {
        world: Mutex::new(world),
        requests: AtomicUsize::new(0),
        faults: Mutex::new(choices.faults.iter().copied().collect()),
        lately: Mutex::default(),
        told: Mutex::default(),
        paths: Mutex::default(),
        choices,
    });
    let listener = std::net::TcpListener::bind(("127.0.0.1", inner.choices.port))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let (stop, stopped) = oneshot::channel();
    let router = Router::new().fallback(answer).with_state(Arc::clone(&inner));
    let thread = std::thread::spawn(move || {
        runtime.block_on(async move {
            let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
            tokio::select! {
                // It ends when it is dropped, and not before.
                _ = axum::serve(listener, router) => {}
                _ = stopped => {}
            }
        });
        runtime.shutdown_background();
    });
    Ok(Server { inner, address, stop: Some(stop), thread: Some(thread) })
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // A server that has ended already need not be told.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            // What went wrong in it was seen by who asked it.
            let _ = thread.join();
        }
    }
}

impl Server {
    /// Where it answers: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many requests there were, but for those that steer it.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.inner.requests.load(Ordering::Relaxed)
    }

    /// How many requests there were of each path that was asked for.
    #[must_use]
    pub fn requests_by_path(&self) -> BTreeMap<String, usize> {
        hold(&self.inner.paths).clone()
    }

    /// Asks the world something: for its truth, for example.
    pub fn world<T>(&self, ask: impl FnOnce(&World) -> T) -> T {
        ask(&hold(&self.inner.world))
    }

    /// Lets time pass.
    pub fn live_days(&self, days: i64) {
        let mut world = hold(&self.inner.world);
        let until = world.now + days * DAY;
        world.live_until(until);
    }

    /// Every event that ever was, in the order in which they came about.
    #[must_use]
    pub fn all_events(&self) -> Vec<Value> {
        self.world(|world| self.inner.account(world).all_events())
    }

    /// Lets the next requests go wrong: by how many come before each.
    pub fn add_faults(&self, faults: &[(usize, Fault)]) {
        let next = self.requests();
        hold(&self.inner.faults).extend(faults.iter().map(|(after, fault)| (next + after, *fault)));
    }

    /// Sends webhooks for every event that none was sent for yet.
    #[must_use]
    pub fn deliver(&self, delivery: &Delivery) -> Delivered {
        self.inner.deliver(delivery)
    }

    /// Takes events as sent, so that [`Server::deliver`] begins with what comes after.
    pub fn skip_events(&self) {
        let ids: Vec<String> = self.all_events().iter().filter_map(id_of).map(str::to_owned).collect();
        hold(&self.inner.told).extend(ids);
    }
}

fn id_of(object: &Value) -> Option<&str> {
    object.get("id").and_then(Value::as_str)
}

/// The second that the clock of this machine says.
fn now_seconds() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// Sends events as webhooks, whatever they are of, and says what became of them.
#[must_use]
pub fn send(events: &[Value], delivery: &Delivery) -> Delivered {
    let next = AtomicUsize::new(0);
    let all = Mutex::new(Delivered::default());
    let secrets: Vec<&str> = delivery.secrets.iter().map(String::as_str).collect();
    std::thread::scope(|scope| {
        for _ in 0..delivery.at_a_time.max(1) {
            scope.spawn(|| {
                let agent = ureq::Agent::config_builder()
                    .http_status_as_error(false)
                    .timeout_global(Some(Duration::from_secs(30)))
                    .build()
                    .new_agent();
                while let Some(event) = events.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let id = id_of(event).unwrap_or_default().to_owned();
                    for _ in 0..=delivery.repeats {
                        let (header, body) = webhook(event, now_seconds() + delivery.clock_seconds_off, &secrets);
                        let request = agent.post(&delivery.url).header("content-type", "application/json");
                        let answer = request.header("stripe-signature", &header).send(&body[..]);
                        let status = answer.map_or(0, |answer| answer.status().as_u16());
                        let mut all = hold(&all);
                        all.sent += 1;
                        *all.answers.entry(status).or_default() += 1;
                        if (200..300).contains(&status) {
                            all.acknowledged.insert(id.clone());
                            break;
                        }
                    }
                    let mut all = hold(&all);
                    if !all.acknowledged.contains(&id) {
                        all.refused.insert(id);
                    }
                }
            });
        }
    });
    let mut all = all.into_inner().unwrap_or_else(PoisonError::into_inner);
    all.refused = all.refused.difference(&all.acknowledged).cloned().collect();
    all
}

impl Inner {
    /// The account as whoever names no version sees it.
    fn account<'w>(&self, world: &'w World) -> Account<'w> {
        let told = self.choices.events_in;
        Account::new(world, told.at(world.now)).telling(told)
    }

    fn deliver(&self, delivery: &Delivery) -> Delivered {
        let mut events = self.account(&hold(&self.world)).all_events();
        {
            let mut told = hold(&self.told);
            events.retain(|event| id_of(event).is_some_and(|id| told.insert(id.to_owned())));
        }
        let (sent, lost) = delivery.script.play(events);
        Delivered { lost, ..send(&sent, delivery) }
    }

    /// Whether another request is one too many in this second.
    fn is_too_fast(&self) -> bool {
        let Some(limit) = self.choices.requests_a_second else { return false };
        let (now, mut lately) = (Instant::now(), hold(&self.lately));
        while lately.front().is_some_and(|at| now.duration_since(*at) >= Duration::from_secs(1)) {
            lately.pop_front();
        }
        if lately.len() >= limit {
            return true;
        }
        lately.push_back(now);
        false
    }
}

/// An error in Stripe's shape.
fn error(status: StatusCode, kind: &str, code: Option<&str>, param: Option<&str>, message: &str) -> Response {
    let mut error = json!({"message": message, "type": kind});
    if let Some(code) = code {
        error["code"] = json!(code);
        error["doc_url"] = json!(format!("https://stripe.com/docs/error-codes/{}", code.replace('_', "-")));
    }
    if let Some(param) = param {
        error["param"] = json!(param);
    }
    (status, axum::Json(json!({"error": error}))).into_response()
}

fn bad(code: &str, param: &str, message: &str) -> Response {
    error(StatusCode::BAD_REQUEST, "invalid_request_error", Some(code), Some(param), message)
}

fn unknown_path(method: &Method, path: &str) -> Response {
    let message = format!(
        "Unrecognized request URL ({method}: {path}). Please see https://stripe.com/docs or we can help at \
         https://support.stripe.com/."
    );
    error(StatusCode::NOT_FOUND, "invalid_request_error", None, None, &message)
}

/// A key as Stripe shows it in messages: its beginning and its last letters.
fn redacted(key: &str) -> String {
    let count = key.chars().count();
    let (start, end) = (8.min(count), count.saturating_sub(4).max(8.min(count)));
    let shown = |from: usize, to: usize| key.chars().skip(from).take(to - from).collect::<String>();
    format!("{}{}{}", shown(0, start), "*".repeat(end - start), shown(end, count))
}

/// Whether a key may do this, or how Stripe refuses.
fn permission(headers: &HeaderMap, list: &str, writes: bool) -> Result<(), Box<Response>> {
    let refuse = |status, message: &str| Box::new(error(status, "invalid_request_error", None, None, message));
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some(key) = given.and_then(|text| text.strip_prefix("Bearer ")).map(str::trim) else {
        let message = "You did not provide an API key. You need to provide your API key in the Authorization header, \
                       using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').";
        return Err(refuse(StatusCode::UNAUTHORIZED, message));
    };
    let may = match key {
        SECRET_KEY | WRITE_KEY => true,
        READ_KEY => !writes,
        NARROW_KEY => !writes && !matches!(list, "/v1/disputes" | "/v1/credit_notes"),
        _ => {
            let message = format!("Invalid API Key provided: {}", redacted(key));
            return Err(refuse(StatusCode::UNAUTHORIZED, &message));
        }
    };
    if may {
        return Ok(());
    }
    let thing = list.trim_start_matches("/v1/").trim_end_matches('s');
    let message = format!(
        "The provided key '{}' does not have the required permissions for this endpoint on account '{ACCOUNT}'. Having \
         the 'rak_{thing}_{}' permission would allow this request to continue.",
        redacted(key),
        if writes { "write" } else { "read" },
    );
    Err(refuse(StatusCode::FORBIDDEN, &message))
}

/// The shape that a request asks for.
fn shape_of(headers: &HeaderMap, own: Shape) -> Result<Shape, Box<Response>> {
    let Some(version) = headers.get("stripe-version").and_then(|value| value.to_str().ok()) else { return Ok(own) };
    let is_day = version.len() >= 10 && version.bytes().take(10).all(|byte| byte.is_ascii_digit() || byte == b'-');
    if !is_day {
        let message = format!("Invalid Stripe API version: {version}");
        return Err(Box::new(error(StatusCode::BAD_REQUEST, "invalid_request_error", None, None, &message)));
    }
    Ok(match &version[..10] {
        day if day < "2025-03-31" => Shape::Classic,
        day if day < "2025-09-30" => Shape::Basil,
        _ => Shape::Clover,
    })
}

/// The fields that lists can be asked for by.
const FIELDS: &[&str] =
    &["subscription", "invoice", "charge", "price", "product", "type", "status", "payment_intent", "schedule"];

/// What a list is asked for, or what of it Stripe would not know.
fn query_of(pairs: &[(String, String)], list: &str) -> Result<Query, Box<Response>> {
    let mut query = Query::default();
    for (name, value) in pairs {
        let number = || {
            let message = format!("Invalid integer: {value}");
            value.parse::<i64>().map_err(|_| Box::new(bad("parameter_invalid_integer", name, &message)))
        };
        match name.as_str() {
            "limit" => match number()? {
                limit @ 1..=100 => query.limit = usize::try_from(limit).ok(),
                limit if limit > 100 => {
                    let message = "This value must be less than or equal to 100.";
                    return Err(Box::new(bad("parameter_invalid_integer", "limit", message)));
                }
                _ => {
                    let message = "This value must be greater than or equal to 1.";
                    return Err(Box::new(bad("parameter_invalid_integer", "limit", message)));
                }
            },
            "starting_after" => query.starting_after = Some(value.clone()),
            "ending_before" => query.ending_before = Some(value.clone()),
            "created[gte]" => query.created_gte = Some(number()?),
            "created[gt]" => query.created_gte = Some(number()?.saturating_add(1)),
            "created[lt]" => query.created_lt = Some(number()?),
            "created[lte]" => query.created_lt = Some(number()?.saturating_add(1)),
            "created" => {
                query.created_gte = Some(number()?);
                query.created_lt = Some(number()?.saturating_add(1));
            }
            "customer" => query.customer = Some(value.clone()),
            "status" if list == "/v1/subscriptions" && value == "all" => query.status = Some(value.clone()),
            "active" => {}
            name if name.starts_with("expand[") => query.expand.push(value.clone()),
            name if FIELDS.contains(&name) => {
                if list == "/v1/subscriptions" && name == "status" {
                    query.status = Some("all".to_owned());
                }
                query.fields.push((name.to_owned(), value.clone()));
            }
            name => {
                let message = format!("Received unknown parameter: {name}");
                return Err(Box::new(bad("parameter_unknown", name, &message)));
            }
        }
    }
    Ok(query)
}

/// The kind of thing that a list holds, as messages call it.
fn thing_of(list: &str) -> String {
    list.trim_start_matches("/v1/").trim_end_matches('s').replace('_', " ")
}

fn missing(list: &str, id: &str, param: &str, status: StatusCode) -> Response {
    let message = format!("No such {}: '{id}'", thing_of(list));
    error(status, "invalid_request_error", Some("resource_missing"), Some(param), &message)
}

fn pairs_of(text: &str) -> Vec<(String, String)> {
    serde_urlencoded::from_str(text).unwrap_or_default()
}

async fn answer(State(inner): State<Arc<Inner>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let (method, path) = (parts.method, parts.uri.path().to_owned());
    let mut pairs = pairs_of(parts.uri.query().unwrap_or_default());
    let body = to_bytes(body, 1 << 20).await.unwrap_or_default();
    if let Some(what) = path.strip_prefix("/control/") {
        pairs.extend(pairs_of(&String::from_utf8_lossy(&body)));
        return control(&inner, what, pairs).await;
    }
    let number = inner.requests.fetch_add(1, Ordering::Relaxed);
    *hold(&inner.paths).entry(path.clone()).or_default() += 1;
    let fault = hold(&inner.faults).remove(&number);
    let mut response = match fault {
        Some(Fault::Timeout) => {
            tokio::time::sleep(inner.choices.silence).await;
            // Whoever is still there sees the connection break.
            return error(StatusCode::GATEWAY_TIMEOUT, "api_error", None, None, "The request took too long.");
        }
        Some(Fault::ServerError) => {
            let message = "An unknown error occurred";
            error(StatusCode::INTERNAL_SERVER_ERROR, "api_error", None, None, message)
        }
        Some(Fault::RateLimited(after)) => too_fast(after),
        None if inner.is_too_fast() => too_fast(None),
        None => api(&inner, &method, &path, &pairs, &parts.headers, &body),
    };
    if let Ok(id) = HeaderValue::from_str(&format!("req_{number:014}")) {
        response.headers_mut().insert("request-id", id);
    }
    response
}

fn too_fast(after: Option<u32>) -> Response {
    let message = "Request rate limit exceeded. You can learn more about rate limits here \
                   https://stripe.com/docs/rate-limits.";
    let kind = "invalid_request_error";
    let mut response = error(StatusCode::TOO_MANY_REQUESTS, kind, Some("rate_limit"), None, message);
    response.headers_mut().insert("stripe-rate-limited-reason", HeaderValue::from_static("global-rate"));
    if let Some(after) = after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(after));
    }
    response
}

/// The list that a path is of, and what stands behind it.
fn list_of(path: &str) -> Option<(&'static str, Option<&str>)> {
    LISTS.iter().find_map(|list| match path.strip_prefix(list)? {
        "" => Some((*list, None)),
        rest => Some((*list, Some(rest.strip_prefix('/')?))),
    })
}

fn api(
    inner: &Inner,
    method: &Method,
    path: &str,
    pairs: &[(String, String)],
    headers: &HeaderMap,
    body: &[u8],
) -> Response {
    let path = path.trim_end_matches('/');
    let known = list_of(path);
    let writes = method != Method::GET;
    if let Err(refusal) = permission(headers, known.map_or("/v1/account", |(list, _)| list), writes) {
        return *refusal;
    }
    let own = inner.choices.events_in.at(hold(&inner.world).now);
    let shape = match shape_of(headers, own) {
        Ok(shape) => shape,
        Err(refusal) => return *refusal,
    };
    if path == "/v1/account" && !writes {
        return with_version(axum::Json(account()).into_response(), shape);
    }
    let Some((list, rest)) = known else { return unknown_path(method, path) };
    if writes {
        // Nothing is ever written here: who may write hears of the first thing that it said.
        let said = pairs_of(&String::from_utf8_lossy(body)).into_iter().next();
        let name = said.map_or_else(|| "name".to_owned(), |(name, _)| name);
        return bad("parameter_unknown", &name, &format!("Received unknown parameter: {name}"));
    }
    let world = hold(&inner.world);
    let mut account = Account::new(&world, shape).telling(inner.choices.events_in);
    let query = match query_of(pairs, list) {
        Ok(query) => query,
        Err(refusal) => return *refusal,
    };
    let body = match rest {
        Some(id) if !id.contains('/') => match account.object(list, id, &query.expand) {
            Some(object) => object,
            None => return missing(list, id, "id", StatusCode::NOT_FOUND),
        },
        Some(of) if list != "/v1/invoices" || !of.ends_with("/lines") => return unknown_path(method, path),
        _ => {
            let cursors = [("starting_after", &query.starting_after), ("ending_before", &query.ending_before)];
            for (name, cursor) in cursors {
                if let Some(id) = cursor.as_deref().filter(|_| rest.is_none())
                    && account.object(list, id, &[]).is_none()
                {
                    return missing(list, id, name, StatusCode::BAD_REQUEST);
                }
            }
            // Faults were the request's, and have been seen to.
            account.list(path, &query).unwrap_or_default()
        }
    };
    with_version(axum::Json(body).into_response(), shape)
}

fn with_version(mut response: Response, shape: Shape) -> Response {
    response.headers_mut().insert("stripe-version", HeaderValue::from_static(shape.version()));
    response
}

fn account() -> Value {
    json!({
        "id": ACCOUNT, "object": "account", "business_profile": {"name": "Simulated", "url": null}, "business_type": null,
        "capabilities": {"card_payments": "active", "transfers": "active"}, "charges_enabled": true, "country": "US",
        "default_currency": "usd", "details_submitted": true, "email": "owner@example.com", "livemode": false,
        "metadata": {}, "payouts_enabled": true, "settings": {"dashboard": {"display_name": "Simulated",
        "timezone": "Etc/UTC"}}, "type": "standard",
    })
}

/// A script of faults: `3:429`, `4:429/2` with seconds to wait, `5:500`, `6:timeout`, with commas between.
///
/// # Errors
/// The part that cannot be read.
pub fn faults_of(script: &str) -> Result<Vec<(usize, Fault)>, String> {
    let parts = script.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let unreadable = || format!("`{part}` is no fault: NUMBER:429[/SECONDS], NUMBER:500 or NUMBER:timeout");
            let (number, what) = part.split_once(':').ok_or_else(unreadable)?;
            let fault = match what.split_once('/') {
                Some(("429", seconds)) => Fault::RateLimited(Some(seconds.parse().map_err(|_| unreadable())?)),
                None if what == "429" => Fault::RateLimited(None),
                None if what == "500" => Fault::ServerError,
                None if what == "timeout" => Fault::Timeout,
                _ => return Err(unreadable()),
            };
            Ok((number.parse().map_err(|_| unreadable())?, fault))
        })
        .collect()
}

/// What a test steers the account with: no part of Stripe.
async fn control(inner: &Arc<Inner>, what: &str, pairs: Vec<(String, String)>) -> Response {
    let text = |name: &str| pairs.iter().find(|(said, _)| said == name).map(|(_, value)| value.clone());
    let number = |name: &str| text(name).and_then(|value| value.parse::<i64>().ok());
    let refuse = |words: &str| (StatusCode::BAD_REQUEST, axum::Json(json!({"error": words}))).into_response();
    match what {
        "state" => {}
        "live" => {
            let mut world = hold(&inner.world);
            let until = number("until").unwrap_or(world.now);
            let until = until + number("days").unwrap_or(0) * DAY + number("seconds").unwrap_or(0);
            world.live_until(until);
        }
        "faults" => match faults_of(&text("script").unwrap_or_default()) {
            Ok(faults) => {
                let next = inner.requests.load(Ordering::Relaxed);
                hold(&inner.faults).extend(faults.into_iter().map(|(after, fault)| (next + after, fault)));
            }
            Err(words) => return refuse(&words),
        },
        "truth" => {
            let world = hold(&inner.world);
            let rows = world.truth();
            let rows: Vec<Value> = rows
                .iter()
                .map(|row| row.fact().values.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect())
                .collect();
            return axum::Json(json!({"now": world.now, "subscriptions": rows})).into_response();
        }
        "deliver" => {
            let (Some(url), Some(secrets)) = (text("url"), text("secret")) else {
                return refuse("say url= and secret=; several secrets with commas between");
            };
            let order = match text("order").as_deref() {
                Some("reversed") => Order::Reversed,
                Some("shuffled") => Order::Shuffled(number("seed").unwrap_or(0).unsigned_abs()),
                _ => Order::AsTheyCame,
            };
            let count = |name: &str, otherwise: usize| {
                number(name).and_then(|number| usize::try_from(number).ok()).unwrap_or(otherwise)
            };
            let delivery = Delivery {
                url,
                secrets: secrets.split(',').map(str::to_owned).collect(),
                script: Script {
                    order,
                    copies: count("copies", 1),
                    one_lost_of: number("one_lost_of"),
                    seed: number("seed").unwrap_or(0).unsigned_abs(),
                },
                at_a_time: count("at_a_time", 4),
                repeats: count("repeats", 0),
                clock_seconds_off: number("clock_seconds_off").unwrap_or(0),
            };
            let inner = Arc::clone(inner);
            let delivered = tokio::task::spawn_blocking(move || inner.deliver(&delivery)).await.unwrap_or_default();
            let answers: serde_json::Map<String, Value> =
                delivered.answers.iter().map(|(status, count)| (status.to_string(), json!(count))).collect();
            return axum::Json(json!({
                "sent": delivered.sent, "answers": answers, "acknowledged": delivered.acknowledged.len(),
                "refused": delivered.refused, "lost": delivered.lost,
            }))
            .into_response();
        }
        _ => return refuse("POST /control/live, deliver, faults; GET /control/state, truth"),
    }
    let world = hold(&inner.world);
    let events = inner.account(&world).all_events().len();
    axum::Json(json!({
        "now": world.now, "at": stripe::fact::moment(world.now), "requests": inner.requests.load(Ordering::Relaxed),
        "events": events, "told": hold(&inner.told).len(),
    }))
    .into_response()
}
