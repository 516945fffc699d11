//! The server: what it keeps open, how a question gets its answer, and how it notices that the data changed.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Extension, Router,
    body::{Body as HttpBody, to_bytes},
    extract::ConnectInfo,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use revenue::calendar::Zone;
use sha2::{Digest, Sha256};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Notify, Semaphore, watch},
};
use warehouse::{
    books::{Books, change::changes, overlay::Overlay},
    lake::{Access, Lake},
};

use super::{
    access::{Attempts, Gate, only_our_hosts},
    alerts::{self, Alerts},
    applier,
    background::Background,
    imports::Imports,
    ingest::Ingest,
    kept::{Asked, Bodies, Body, Lasting, Tag},
    log,
    movements::{LedgerChange, NameTurns, Ring},
    overviews::Overviews,
    patience::Patient,
    people::{People, PeopleError, Role, secret},
    refusal::{Refusal, in_language},
    route::Question,
    routes,
    statements::KIB_AT_ONCE,
    syncs,
    telemetry::{self, LOOK_FAILS, LOOKS_FAILED, STEPS, TURNED_AWAY as TURNED, Telemetry},
    web, webhooks,
};
use crate::{
    alerts::{Outside, Store},
    command::CommandError,
    session::{Options, Session, clock},
    shelf::{Known, Shelf},
};

/// How often it is looked whether another process imported something.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How many questions may wait for their turn; those beyond are refused.
const WAITING: usize = 64;
/// How long anyone waits for an answer. The work goes on and is kept, so that asking again finds it.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many connections are open at a time, where the system lets a process open so many files.
const CONNECTIONS: usize = 1_024;
/// Files that are left to everything else: facts that are read, databases, what is sent.
const OTHER_FILES: u64 = 512;
/// How many connections beyond those are told so at a time. Those beyond these wait until they are taken at all.
const TURNED_AWAY: usize = 256;
/// How long it is waited for whoever is told so.
const TURNING_AWAY: Duration = Duration::from_secs(5);
/// How many pages may listen at a time.
const LISTENERS: usize = 256;
/// How long a browser may take to say what it wants.
const HEADERS: Duration = Duration::from_secs(15);
/// How long it is waited for whoever does not take what is sent.
const UNREAD: Duration = Duration::from_secs(60);
/// How much nicer than others the threads are that make books meanwhile.
const MAKING_BOOKS_STANDS_BACK: i32 = 10;
/// After a look that found something, it is rested for as long as the look took, and for no longer than this.
const LOOK_REST: Duration = Duration::from_millis(50);
/// How long answers that are on their way are waited for when the server stops.
const LAST_ANSWERS: Duration = Duration::from_secs(10);

/// How the server was asked to run.
#[derive(Debug, Clone)]
pub struct Choices {
    /// Where it listens.
    pub address: SocketAddr,
    /// What everybody may do who reaches it, where it is opened.
    pub open: Option<Role>,
    /// Whether a proxy in front speaks TLS.
    pub is_behind_proxy: bool,
    /// Names under which it is reached.
    pub hosts: Vec<String>,
    /// What may be reached from here, and where secrets are.
    pub outside: Outside,
    /// From how long an overview has to take on, one of the version before is shown while that of the newest is made.
    pub lag_from: Duration,
}

/// The server.
pub struct Server {
    /// What the command line said: the view unless a question says another.
    pub options: Options,
    /// The data.
    pub lake: Lake,
    /// Opened books.
    pub shelf: Arc<Shelf>,
    /// The version that is served: questions see it until the next one is ready.
    pub version: watch::Sender<Live>,
    /// What came since books were made.
    overlay: Mutex<Option<Overlay>>,
    /// What came since newer books were made, up to a version that was served while they were.
    overlay_ahead: Mutex<Option<Overlay>>,
    /// Who makes books for it to go on from: what comes meanwhile is told without delay.
    book_makers: Background,
    /// Whether that is being done.
    is_making_books: AtomicBool,
    /// What commits did to the ledger.
    pub movements: Ring,
    /// Whose turn it is to look up what people call customers.
    pub name_turns: NameTurns,
    /// Answers that were made.
    bodies: Bodies,
    /// The last answers to questions that may lag.
    pub lasting: Lasting,
    /// The version that those are answered from.
    pub overviews: Overviews,
    /// Whose turn it is.
    turns: Arc<Semaphore>,
    waiting: AtomicUsize,
    /// People and what they may do.
    pub people: People,
    /// How requests get in.
    pub gate: Gate,
    /// Imports that were begun here.
    pub imports: Imports,
    /// The writer of facts that arrive row by row.
    pub ingest: Arc<Ingest>,
    /// Room for requests that state facts, in KiB.
    pub room_for_facts: Arc<Semaphore>,
    /// Told when something was written here, so that nobody waits for the next look.
    pub look_now: Notify,
    /// Events of Stripe on their way in.
    pub webhooks: webhooks::Webhooks,
    /// Rules that speak, and the messages that wait.
    pub alerts: Alerts,
    /// Told when rules are to be judged at once.
    pub judge_now: Notify,
    /// Numbers about the server itself.
    pub telemetry: Telemetry,
    /// How syncs with Stripe go.
    pub syncs: syncs::Syncs,
    /// Places for pages that listen.
    pub listeners: Arc<Semaphore>,
    /// Whether the server stops.
    pub stopping: watch::Sender<bool>,
}

/// A version of the data and the zone that its day begins in.
#[derive(Debug, Clone)]
pub struct Live {
    /// The version.
    pub known: Known,
    /// The business time zone.
    pub zone: Zone,
    /// Whether the overview was made at least once, so that the facts that it needs were read.
    pub is_warm: bool,
}

impl Live {
    /// The tag of the answer to a question: that of the version, and of the day.
    pub fn tag(&self, asked: &Asked) -> Tag {
        let today = self.zone.day_of_instant(clock()).to_string();
        let seen = format!("{}{}", self.known.version(), if asked.is_shared { " shared" } else { "" });
        Tag::of(&seen, &today, &asked.path, &asked.pairs)
    }
}

impl Server {
    /// Opens the data folder; one that is not there is made.
    pub fn open(options: &Options, choices: &Choices) -> Result<Arc<Self>, CommandError> {
        if !options.data.join("catalog.sqlite").is_file() {
            Lake::create_or_open(&options.data, Access::Write)?;
        }
        let lake = Lake::open(&options.data, Access::Read)?;
        let known = known(&lake, options)?;
        let zone = Session::of_kept(options.clone(), lake.clone(), Arc::default(), known)?.zone;
        let people = People::open(&options.data).map_err(people_error)?;
        let setup = match people.is_empty().map_err(people_error)? {
            true => Some(secret().map_err(people_error)?),
            false => None,
        };
        let turns = std::thread::available_parallelism().map_or(2, |cores| cores.get().max(2));
        Ok(Arc::new(Self {
            options: options.clone(),
            lake,
            shelf: Arc::default(),
            version: watch::Sender::new(Live { known, zone, is_warm: false }),
            overlay: Mutex::default(),
            overlay_ahead: Mutex::default(),
            book_makers: Background::new("books", MAKING_BOOKS_STANDS_BACK),
            is_making_books: AtomicBool::new(false),
            // The clock tells this run from the one before, and nothing else goes by it.
            movements: Ring::new(clock().cast_unsigned()),
            name_turns: NameTurns::default(),
            bodies: Bodies::default(),
            lasting: Lasting::default(),
            overviews: Overviews::new(choices.lag_from),
            turns: Arc::new(Semaphore::new(turns)),
            waiting: AtomicUsize::new(0),
            people,
            gate: Gate {
                open: choices.open,
                setup: Mutex::new(setup),
                is_behind_proxy: choices.is_behind_proxy,
                hosts: choices.hosts.clone(),
                is_local: choices.address.ip().is_loopback(),
                hashing: Semaphore::new(2),
                attempts: Attempts::default(),
            },
            imports: Imports::default(),
            ingest: Arc::new(Ingest::new(&options.data)),
            room_for_facts: Arc::new(Semaphore::new(KIB_AT_ONCE)),
            look_now: Notify::new(),
            webhooks: webhooks::Webhooks::open(options.data.clone())?,
            alerts: Alerts { store: Store::open(&options.data)?, outside: choices.outside.clone() },
            judge_now: Notify::new(),
            telemetry: Telemetry::default(),
            syncs: syncs::Syncs::default(),
            listeners: Arc::new(Semaphore::new(LISTENERS)),
            stopping: watch::Sender::new(false),
        }))
    }

    /// The folder at the version that is served.
    pub fn session(&self) -> Result<Session, CommandError> {
        self.session_of(self.version.borrow().known)
    }

    /// The folder at a version.
    pub fn session_of(&self, known: Known) -> Result<Session, CommandError> {
        Session::of_kept(self.options.clone(), self.lake.clone(), Arc::clone(&self.shelf), known)
    }

    /// Whether an answer is kept.
    pub fn is_kept(&self, tag: &Tag) -> bool {
        self.bodies.find(tag).is_some()
    }

    /// How many questions wait or are worked on, and how many pages listen.
    pub fn queues(&self) -> (usize, usize) {
        (self.waiting.load(Ordering::Relaxed), LISTENERS.saturating_sub(self.listeners.available_permits()))
    }

    /// Waits until a snapshot is served, so that who wrote something finds it; not for ever.
    pub async fn catch_up(&self, snapshot: i64) {
        let mut version = self.version.subscribe();
        let served = version.wait_for(|live| live.known.snapshot >= snapshot);
        // Whoever gives up waiting hears of it by the stream.
        let _ = tokio::time::timeout(Duration::from_secs(20), served).await;
    }

    /// Waits until what the folder says now is served.
    pub async fn catch_up_with_settings(self: &Arc<Self>) {
        let of = Arc::clone(self);
        let now = tokio::task::spawn_blocking(move || known(&of.lake, &of.options)).await;
        self.look_now.notify_one();
        if let Ok(Ok(now)) = now {
            let mut version = self.version.subscribe();
            let served = version.wait_for(|live| live.known == now || live.known.snapshot > now.snapshot);
            // Whoever gives up waiting hears of it by the stream.
            let _ = tokio::time::timeout(Duration::from_secs(20), served).await;
        }
    }

    /// Answers a question about the data: from what is kept, or by working it out when it is its turn.
    pub async fn answer(
        self: &Arc<Self>,
        question: &Arc<Question>,
        path: &str,
        pairs: Vec<(String, String)>,
        is_shared: bool,
        headers: &HeaderMap,
    ) -> Response {
        let asked = Asked { question: Arc::clone(question), path: path.to_owned(), pairs, is_shared };
        let mut live = self.version.borrow().clone();
        // What may lag is of the version before until the overview of the newest is made.
        let before = if question.may_lag { self.overviews.before(&live, &asked) } else { None };
        live = before.as_ref().map_or(live, |(before, _)| before.clone());
        let tag = live.tag(&asked);
        let header = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).unwrap_or_default();
        let knows = |tag: &Tag| ui::is_known(header(header::IF_NONE_MATCH), &tag.0);
        if knows(&tag) {
            return with_tag(StatusCode::NOT_MODIFIED.into_response(), &tag);
        }
        let takes_gzip = header(header::ACCEPT_ENCODING).split(',').any(|coding| coding.trim().starts_with("gzip"));
        let of_a_moment_ago = question.may_lag.then(|| self.lasting.find(&asked)).flatten();
        if let Some(body) = self.bodies.find(&tag) {
            return respond(&body, &tag, takes_gzip);
        }
        if let Some((tag, body)) = of_a_moment_ago {
            return match knows(&tag) {
                true => with_tag(StatusCode::NOT_MODIFIED.into_response(), &tag),
                false => respond(&body, &tag, takes_gzip),
            };
        }
        let is_late = |refusal: &Refusal| {
            matches!(refusal.status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS)
        };
        match self.work(asked.clone(), live.known, tag.clone()).await {
            Ok(body) => respond(&body, &tag, takes_gzip),
            Err(refusal) => match self.lasting.earlier(&asked).filter(|_| is_late(&refusal)) {
                // An answer of whatever version, which says so, serves better than none.
                Some((tag, body)) => respond(&body, &tag, takes_gzip),
                None => refusal.into_response(),
            },
        }
    }

    /// Works an answer out, here and now.
    pub fn work_out(&self, asked: &Asked, known: Known, tag: Tag) -> Result<Arc<Body>, Refusal> {
        let begun = Instant::now();
        let made = self.session_of(known).map_err(Refusal::from).and_then(|mut session| {
            session.hides_customers = asked.is_shared;
            (asked.question.work)(&session, &asked.pairs, asked.is_shared)
        });
        let took = begun.elapsed();
        if took > Duration::from_secs(1) {
            let milliseconds = took.as_millis().to_string();
            log::note("slow", &[("route", asked.question.path), ("milliseconds", &milliseconds)]);
        }
        let body = Arc::new(Body::new(made?));
        if asked.question.may_lag {
            self.lasting.keep(asked, tag.clone(), Arc::clone(&body), took);
        }
        self.bodies.keep(tag, Arc::clone(&body));
        Ok(body)
    }

    /// Works an answer out when it is its turn. Whoever gives up waiting leaves the work going on.
    async fn work(self: &Arc<Self>, asked: Asked, known: Known, tag: Tag) -> Result<Arc<Body>, Refusal> {
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= WAITING {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(Refusal::busy());
        }
        let server = Arc::clone(self);
        let turn = Arc::clone(&self.turns).acquire_owned();
        let held = self.shelf.hold(known);
        let work = tokio::spawn(async move {
            let turn = turn.await;
            let path = asked.question.path;
            let worked = tokio::task::spawn_blocking(move || {
                let made = server.work_out(&asked, known, tag);
                drop(held);
                made
            });
            let worked = worked.await;
            drop(turn);
            worked.unwrap_or_else(|_| {
                log::note("error", &[("route", path), ("words", "the work ended in a panic")]);
                Err(Refusal::failed())
            })
        });
        let made = tokio::time::timeout(PATIENCE, work).await;
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        match made {
            Ok(Ok(made)) => made,
            Ok(Err(_)) => Err(Refusal::failed()),
            Err(_) => Err(Refusal {
                retry_after_seconds: Some(5),
                ..Refusal::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "still_working",
                    "the answer is still being worked out; ask again in some seconds",
                )
            }),
        }
    }

    /// Looks whether the data changed, and serves the new version. What it changed is worked out of what came, laid over
    /// books of an earlier version; books of this one are made when somebody asks for more.
    fn look(self: &Arc<Self>) -> Result<(), CommandError> {
        let live = self.version.borrow().clone();
        let served = self.session_of(live.known)?;
        let mut overlay = self.overlay.lock().unwrap_or_else(PoisonError::into_inner);
        self.lay_over_newest(&mut overlay, &served)?;
        let now = known(&self.lake, &self.options)?;
        if now == live.known {
            return Ok(());
        }
        let begun = Instant::now();
        let session = self.session_of(now)?;
        let laid = match overlay.as_mut() {
            Some(overlay) if now.choices == live.known.choices => {
                let before = overlay.mrr_now_micros();
                // What cannot be read is said by the books, to whoever asks.
                let told = overlay.advance(&self.lake, &session.view(None)?).ok().and_then(Result::ok);
                told.map(|changes| (overlay.base().reporting, (before, overlay.mrr_now_micros()), changes))
            }
            _ => None,
        };
        let told = match laid {
            Some(told) => Some(told),
            None => {
                *overlay = None;
                // Books that cannot be opened, for want of a currency for example, say so to whoever asks.
                let books = served.books().ok().and_then(|before| Some((before, session.books().ok()?)));
                let books = books.filter(|(before, books)| before.reporting == books.reporting);
                books.map(|(before, books)| {
                    let changes = changes(&before, &books, &books.touched_since(&before));
                    let mrr_micros = (before.mrr_now_micros(), books.mrr_now_micros());
                    *overlay = Overlay::over(Arc::clone(&books));
                    (books.reporting, mrr_micros, changes)
                })
            }
        };
        self.version.send_modify(|live| (live.known, live.zone) = (now, session.zone.clone()));
        if let Some(movements) =
            told.and_then(|(currency, mrr, changes)| LedgerChange::of(currency, mrr, now, &changes))
        {
            self.movements.publish(&movements);
        }
        self.shelf.leave_only(now);
        self.telemetry.observe(&STEPS, &[("step", "serve")], begun.elapsed());
        if overlay.as_ref().is_some_and(Overlay::is_heavy) {
            self.make_books_meanwhile(session);
        }
        Ok(())
    }

    /// Lays what came over the newest books that somebody made, where that is not so already.
    fn lay_over_newest(&self, overlay: &mut Option<Overlay>, served: &Session) -> Result<(), CommandError> {
        let view = served.view(None)?;
        let Some((known, newest)) = served.known().and_then(|known| Some((known, self.shelf.newest(known, &view)?)))
        else {
            return Ok(());
        };
        // While books are made for it, what came is laid over them as well: then it takes a moment.
        let is_made_ahead = || overlay.is_some() && self.is_making_books.load(Ordering::Acquire);
        if is_made_ahead() || overlay.as_ref().is_some_and(|overlay| overlay.base().snapshot() >= newest.snapshot()) {
            return Ok(());
        }
        let ahead = self.overlay_ahead.lock().unwrap_or_else(PoisonError::into_inner).take();
        let ahead = ahead.filter(|ahead| Arc::ptr_eq(ahead.base(), &newest));
        let Some(mut over) = ahead.or_else(|| Overlay::over(newest)) else { return Ok(()) };
        // What came since was told already.
        let is_there = over.snapshot().0 == known.snapshot || matches!(over.advance(&self.lake, &view), Ok(Ok(_)));
        if is_there && over.snapshot().0 == known.snapshot {
            // It is large, and so may the books under it be that nobody has besides: listeners do not wait until both are gone.
            let before = overlay.replace(over);
            tokio::task::spawn_blocking(move || drop(before));
        }
        Ok(())
    }

    /// Lays over new books what came while they were made, so that little is left to be laid over them when they are gone on from.
    fn lay_ahead(&self, books: Arc<Books>) {
        let known = self.version.borrow().known;
        let Some(mut over) = Overlay::over(books) else { return };
        let laid =
            self.session_of(known).and_then(|served| served.view(None)).map(|view| over.advance(&self.lake, &view));
        if matches!(laid, Ok(Ok(Ok(_)))) {
            *self.overlay_ahead.lock().unwrap_or_else(PoisonError::into_inner) = Some(over);
        }
    }

    /// Makes the books of a version while others go on being told what comes, unless that is being done.
    fn make_books_meanwhile(self: &Arc<Self>, session: Session) {
        if self.is_making_books.swap(true, Ordering::AcqRel) {
            return;
        }
        let server = Arc::clone(self);
        tokio::task::spawn_blocking(move || {
            // Where they cannot be made, whoever asks for them is told why.
            server.book_makers.run(|| {
                if let Ok(books) = session.books() {
                    server.lay_ahead(books);
                }
            });
            server.is_making_books.store(false, Ordering::Release);
        });
    }

    /// Looks again and again.
    async fn watch(self: Arc<Self>) {
        let mut told = false;
        loop {
            let server = Arc::clone(&self);
            let begun = Instant::now();
            let looked = tokio::task::spawn_blocking(move || server.look()).await;
            let rest = begun.elapsed().min(LOOK_REST);
            let fails = !matches!(looked, Ok(Ok(())));
            self.telemetry.set(&LOOK_FAILS, &[], if fails { 1.0 } else { 0.0 });
            if fails {
                self.telemetry.count(&LOOKS_FAILED, &[], 1.0);
            }
            match looked {
                Ok(Ok(())) => told = false,
                Ok(Err(error)) if !told => {
                    log::note("error", &[("words", &error.to_string())]);
                    told = true;
                }
                _ => {}
            }
            tokio::time::sleep(rest).await;
            tokio::select! { () = tokio::time::sleep(LOOK_EVERY) => {}, () = self.look_now.notified() => {} }
        }
    }

    fn router(self: &Arc<Self>) -> Router {
        let mut router = Router::new();
        for route in routes() {
            router = route.add_to(router, self);
        }
        let measured = axum::middleware::from_fn_with_state((Arc::clone(self), webhooks::PATH), telemetry::measured);
        router
            .route("/healthz", axum::routing::get(|| async { "alive\n" }))
            .route("/readyz", axum::routing::get(web::ready))
            .route(webhooks::PATH, axum::routing::post(webhooks::take).layer(measured))
            .route("/metrics", axum::routing::get(telemetry::metrics))
            .fallback(web::fallback)
            .method_not_allowed_fallback(web::not_allowed)
            .layer(axum::middleware::from_fn_with_state(Arc::clone(self), only_our_hosts))
            .layer(axum::middleware::from_fn_with_state(Arc::clone(self), in_language))
            .layer(axum::middleware::from_fn(web::with_security_headers))
            .layer(axum::middleware::from_fn(web::close_where_unread))
            .with_state(Arc::clone(self))
    }
}

/// The newest version of the data.
fn known(lake: &Lake, options: &Options) -> Result<Known, CommandError> {
    let (snapshot, at_micros) = lake.newest_snapshot()?;
    let mut digest = Sha256::new();
    for (name, value) in lake.settings("")? {
        digest.update(format!("{name}={value}\n"));
    }
    let mut files = Vec::new();
    for folder in [options.data.clone(), options.data.join("metrics"), options.data.join("policies")] {
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        files.extend(entries.flatten().map(|entry| entry.path()));
    }
    files.retain(|file| file.extension().is_some_and(|kind| kind == "toml"));
    files.sort();
    for file in files {
        let Ok(about) = std::fs::metadata(&file) else { continue };
        digest.update(format!("{} {} {:?}\n", file.display(), about.len(), about.modified().ok()));
    }
    let digest = digest.finalize();
    let choices = digest.iter().take(8).fold(0u64, |sum, byte| (sum << 8) | u64::from(*byte));
    Ok(Known { snapshot: snapshot.0, at_micros, choices })
}

fn with_tag(mut response: Response, tag: &Tag) -> Response {
    let headers = response.headers_mut();
    if let Ok(tag) = HeaderValue::from_str(&tag.0) {
        headers.insert(header::ETAG, tag);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding, cookie"));
    response
}

fn respond(body: &Body, tag: &Tag, takes_gzip: bool) -> Response {
    let compressed = takes_gzip.then(|| body.compressed()).flatten();
    let is_compressed = compressed.is_some();
    let mut response = Response::new(HttpBody::from(compressed.unwrap_or_else(|| body.plain.clone())));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if is_compressed {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    with_tag(response, tag)
}

/// Serves until it is told to stop.
pub fn run(server: &Arc<Server>, choices: &Choices, started: impl FnOnce(SocketAddr)) -> Result<(), CommandError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(32)
        .thread_name("recurve-web")
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(choices.address).await.map_err(|error| {
            CommandError::Usage(format!("cannot listen on {}: {error}; choose another --port", choices.address))
        })?;
        started(listener.local_addr()?);
        tokio::spawn(Arc::clone(server).watch());
        let of = Arc::clone(server);
        server.ingest.start(move |_| of.look_now.notify_one())?;
        let alerts = tokio::spawn(alerts::look_after(Arc::clone(server)));
        applier::start(server)?;
        syncs::start(server)?;
        tokio::spawn(Arc::clone(server).keep_overviews());
        accept(server, listener).await;
        // A message that is on its way is recorded as sent.
        let _ = tokio::time::timeout(LAST_ANSWERS, alerts).await;
        Ok(())
    })
}

/// Has the system let the process open as many files as it may have, and says how many of them connections may be.
fn connections() -> usize {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, getrlimit, setrlimit};
        let mut limit = getrlimit(Resource::Nofile);
        let wanted = CONNECTIONS as u64 + OTHER_FILES;
        if limit.current.is_some_and(|current| current < wanted) {
            limit.current = Some(limit.maximum.map_or(wanted, |maximum| maximum.min(wanted)));
            // Where it may not be raised there are fewer places.
            let _ = setrlimit(Resource::Nofile, limit);
        }
        // An eighth of a small number is left for connections in any case.
        getrlimit(Resource::Nofile).current.map_or(CONNECTIONS, |files| {
            usize::try_from(files.saturating_sub(OTHER_FILES).max(files / 8))
                .map_or(CONNECTIONS, |f| f.min(CONNECTIONS))
        })
    }
    #[cfg(not(unix))]
    CONNECTIONS
}

/// Tells a connection for which there is no place to come again.
async fn turn_away(stream: TcpStream) {
    /// So much of a request is read, so that whoever is still sending it hears the answer.
    const READ_BYTES: usize = 64 << 10;
    let answer = hyper::service::service_fn(async |request: hyper::Request<Incoming>| {
        // What it says does not matter.
        let _ = to_bytes(HttpBody::new(request.into_body()), READ_BYTES).await;
        Ok::<_, Infallible>(Refusal::busy().into_response())
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    http.keep_alive(false).timer(TokioTimer::new()).header_read_timeout(TURNING_AWAY);
    // Whoever does not listen is not waited for.
    let _ = tokio::time::timeout(TURNING_AWAY, http.serve_connection(TokioIo::new(stream), answer)).await;
}

/// Takes connections until it is told to stop, then lets the answers that are on their way arrive.
async fn accept(server: &Arc<Server>, listener: TcpListener) {
    let router = server.router();
    let connections = connections();
    let places = Arc::new(Semaphore::new(connections));
    let turned_away = Arc::new(Semaphore::new(TURNED_AWAY));
    let mut stop = std::pin::pin!(stop_signal());
    loop {
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                // No room for another file, for example: it passes.
                Err(_) => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
            () = &mut stop => break,
        };
        // An event should leave at once, not wait for the next one.
        let _ = stream.set_nodelay(true);
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            let Ok(place) = Arc::clone(&turned_away).acquire_owned().await else { break };
            server.telemetry.count(&TURNED, &[], 1.0);
            tokio::spawn(async move {
                turn_away(stream).await;
                drop(place);
            });
            continue;
        };
        let router = router.clone().layer(Extension(ConnectInfo(peer)));
        let mut stopping = server.stopping.subscribe();
        tokio::spawn(async move {
            let mut http = hyper::server::conn::http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(HEADERS);
            let connection =
                http.serve_connection(TokioIo::new(Patient::new(stream, UNREAD)), TowerToHyperService::new(router));
            let mut connection = std::pin::pin!(connection);
            let ended = tokio::select! {
                ended = connection.as_mut() => Some(ended),
                _ = stopping.wait_for(|is_stopping| *is_stopping) => None,
            };
            if ended.is_none() {
                connection.as_mut().graceful_shutdown();
                // A connection that breaks while the server stops is over, which is what is wanted.
                let _ = connection.await;
            }
            drop(place);
        });
    }
    log::note("stopping", &[]);
    server.stopping.send_replace(true);
    let all = u32::try_from(connections).unwrap_or(u32::MAX);
    let _ = tokio::time::timeout(LAST_ANSWERS, places.acquire_many(all)).await;
}

fn people_error(error: PeopleError) -> CommandError {
    CommandError::Output(std::io::Error::other(error))
}

/// Comes when the server is told to stop. It hears from this call on, not only once it is waited for: whoever has had an answer
/// can count on an orderly end.
fn stop_signal() -> impl Future<Output = ()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{Signal, SignalKind, signal};
        async fn comes(signal: Option<Signal>) {
            match signal {
                Some(mut signal) => drop(signal.recv().await),
                // The system gives no ear for it; the other one is heard.
                None => std::future::pending().await,
            }
        }
        let (interrupted, ended) = (signal(SignalKind::interrupt()).ok(), signal(SignalKind::terminate()).ok());
        async move {
            tokio::select! { () = comes(interrupted) => {}, () = comes(ended) => {} }
        }
    }
    #[cfg(not(unix))]
    async {
        let _ = tokio::signal::ctrl_c().await;
    }
}
