//! The version that overviews are answered from: the last one of which an overview was made.
//!
//! A new version of the books is served as soon as it is there, but what an overview needs besides the ledger (health, who is
//! at risk, what the verdict stands on) takes seconds on large data. Whoever asks for an overview meanwhile, whatever it is,
//! is answered from the version before, whole; its books are kept until the next overview is made, on threads that leave the
//! processor to whoever asks.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use revenue::calendar::Day;
use tokio::sync::watch;

use super::{
    background::Background,
    kept::Asked,
    log, overview, query,
    server::{Live, Server},
};
use crate::{command::CommandError, session::clock, shelf::Place};

/// After an overview was made, how many times as long as that took none is made: where facts come all the time, most of the
/// processor's time is theirs and that of who asks.
const REST: u32 = 3;
/// So long no new version may come before an overview is made that nobody waits for.
const QUIET: Duration = Duration::from_secs(2);
/// How long the books of a version are kept that nobody asks an overview of, where a newer one is served.
const UNASKED: Duration = Duration::from_secs(60);
/// How often it is looked whether somebody asks, while a newer version waits.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How often it is looked whether another day has come.
const DAY_EVERY: Duration = Duration::from_secs(60);
/// By how much the threads that make overviews stand back behind others (`nice`).
#[cfg(target_os = "linux")]
const STANDING_BACK: i32 = 5;

/// A version of which an overview was made.
#[derive(Clone)]
pub struct Overviewed {
    /// The version.
    pub live: Live,
    /// The day that it was made for.
    day: Day,
    /// How long the overview took.
    took: Duration,
    /// What keeps its books.
    books: Arc<Place>,
}

/// The version that overviews are answered from, and who makes the next one.
pub struct Overviews {
    made: watch::Sender<Option<Overviewed>>,
    /// The version whose overview is being made, and the day.
    making: Mutex<Option<(Live, Day)>>,
    /// Versions whose overview took less than this are not answered from once there is a newer one: that is soon as far.
    lag_from: Duration,
    makers: Background,
}

impl Overviews {
    /// None was made yet.
    pub fn new(lag_from: Duration) -> Self {
        let makers = Background::new("overview", STANDING_BACK);
        Self { made: watch::Sender::new(None), making: Mutex::default(), lag_from, makers }
    }

    /// What is told when an overview of another version was made.
    pub fn subscribe(&self) -> watch::Receiver<Option<Overviewed>> {
        self.made.subscribe()
    }

    /// The version that a question about an overview is answered from, where it is not the one that is served, and what keeps its
    /// books. Before any overview was made it is the one whose overview is being made, so that time does not go back when it is.
    pub fn before(&self, live: &Live, asked: &Asked) -> Option<(Live, Option<Arc<Place>>)> {
        if query::needs_other_books(&asked.pairs) {
            return None;
        }
        let is_alike = |other: &Live, day: Day| other.known.choices == live.known.choices && day == today(live);
        let made = self.made.borrow().clone().filter(|made| is_alike(&made.live, made.day));
        if let Some(made) = made {
            let is_behind = made.live.known != live.known;
            return (is_behind && self.lags(&made)).then_some((made.live, Some(made.books)));
        }
        let making = self.making.lock().unwrap_or_else(PoisonError::into_inner).clone();
        making.filter(|(making, day)| is_alike(making, *day)).map(|(making, _)| (making, None))
    }

    /// Whether a version is answered from while the overview of a newer one is made.
    pub fn lags(&self, made: &Overviewed) -> bool {
        made.took >= self.lag_from
    }
}

fn today(live: &Live) -> Day {
    live.zone.day_of_instant(clock())
}

/// Makes again what somebody asked lately and took long: of the books of the overview, or of others.
fn make_asked(server: &Server, live: &Live, of_other_books: bool) {
    for asked in server.lasting.wanted(|asked| live.tag(asked)) {
        let tag = live.tag(&asked);
        if query::needs_other_books(&asked.pairs) == of_other_books && !server.is_kept(&tag) {
            // What cannot be answered is said to whoever asks.
            let _ = server.overviews.makers.run(|| server.work_out(&asked, live.known, tag));
        }
    }
}

/// Makes the overview of the version that is served, and what somebody asked of it and took long; none where it cannot be
/// made.
fn make(server: &Server, live: &Live) -> Result<Overviewed, CommandError> {
    let begun = Instant::now();
    server.overviews.makers.run(|| {
        let session = server.session_of(live.known)?;
        // Held from here on: a newer version may be served meanwhile.
        let (_, books) = server.shelf.open(&server.lake, live.known, session.view(None)?)?;
        overview::answer(&session, &overview::Query::default())?;
        let took = begun.elapsed();
        make_asked(server, live, false);
        Ok(Overviewed { day: today(live), took, books, live: live.clone() })
    })
}

impl Server {
    /// Makes the overview of version after version.
    pub async fn keep_overviews(self: Arc<Self>) {
        let mut version = self.version.subscribe();
        let mut took = Duration::ZERO;
        loop {
            let live = version.borrow_and_update().clone();
            let (known, day) = (live.known, today(&live));
            let server = Arc::clone(&self);
            let begun = Instant::now();
            let made = tokio::task::spawn_blocking(move || {
                let making = |version| {
                    *server.overviews.making.lock().unwrap_or_else(PoisonError::into_inner) = version;
                };
                making(Some((live.clone(), day)));
                let made = make(&server, &live).ok();
                let took = made.as_ref().map(|made| made.took);
                // Where it cannot be made, for want of a currency for example, whoever asks is told so.
                server.overviews.made.send_replace(made);
                making(None);
                make_asked(&server, &live, true);
                took
            });
            match made.await {
                Ok(made) => took = made.unwrap_or(took),
                Err(_) => {
                    log::note("error", &[("words", "making an overview ended in a panic")]);
                    self.overviews.made.send_replace(None);
                    *self.overviews.making.lock().unwrap_or_else(PoisonError::into_inner) = None;
                }
            }
            if !self.version.borrow().is_warm {
                self.version.send_modify(|live| live.is_warm = true);
            }
            tokio::time::sleep(begun.elapsed() * REST).await;
            let is_newest = || {
                let live = self.version.borrow();
                known == live.known && day == today(&live)
            };
            while is_newest() {
                tokio::select! {
                    changed = version.changed() => if changed.is_err() { return },
                    () = tokio::time::sleep(DAY_EVERY) => {}
                }
            }
            self.wait_until_worthwhile(&mut version, took).await;
        }
    }

    /// Waits until an overview of the newest version is worth its time: at once where somebody asks for overviews and they take
    /// long, else when no newer version has come for a while.
    async fn wait_until_worthwhile(&self, version: &mut watch::Receiver<Live>, took: Duration) {
        let behind_since = Instant::now();
        let mut quiet_since = behind_since;
        loop {
            let (is_asked_for, behind) = (self.lasting.is_asked_for(), behind_since.elapsed());
            if quiet_since.elapsed() >= QUIET || is_asked_for && (took >= self.overviews.lag_from || behind >= UNASKED)
            {
                return;
            }
            if !is_asked_for && behind >= UNASKED && self.overviews.made.borrow().is_some() {
                self.overviews.made.send_replace(None);
            }
            tokio::select! {
                changed = version.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    quiet_since = Instant::now();
                }
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }
}
